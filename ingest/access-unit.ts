export type Codec = 'h264' | 'h265';

/**
 * One coded picture as every room behind ingest sees it.
 *
 * Invariants per camera and stream: units come in decode order; `pts` and `capturedAt` strictly increase; the first unit
 * after a start, a loss or a change of parameters is a keyframe that carries its parameter sets in band.
 *
 * Pictures that are shown in another order than they are decoded (B-frames: files, hardly ever cameras) keep these
 * invariants: `pts` then is the decode time, shifted so that it equals the presentation time at keyframes, and
 * `compositionOffset` says how far each picture is shown from it.
 */
export interface AccessUnit {
  cameraId: string;
  codec: Codec;
  /** H.264 IDR or H.265 IRAP: a decoder may start here. */
  keyframe: boolean;
  /** 90 kHz ticks, unwrapped (never falls, may exceed 2^33). */
  pts: number;
  /** Presentation time minus `pts` in 90 kHz ticks, may be negative (a signed `trun` offset); absent means 0. */
  compositionOffset?: number;
  /** Unix milliseconds at which the picture was taken, by the stream's own clock tied to ours (DESIGN.md, Ingest). */
  capturedAt: number;
  /** Annex-B: every NAL unit behind a start code. */
  data: Uint8Array;
}
