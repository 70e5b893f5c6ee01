export type Codec = 'h264' | 'h265';

/**
 * One coded picture as every room behind ingest sees it.
 *
 * Invariants per camera and stream: `pts` and `capturedAt` strictly increase; the first unit after a start, a loss or a
 * change of parameters is a keyframe that carries its parameter sets in band.
 */
export interface AccessUnit {
  cameraId: string;
  codec: Codec;
  /** H.264 IDR or H.265 IRAP: a decoder may start here. */
  keyframe: boolean;
  /** 90 kHz ticks, unwrapped (never falls, may exceed 2^33). */
  pts: number;
  /** Unix milliseconds at which the picture was taken, by the stream's own clock tied to ours (DESIGN.md, Ingest). */
  capturedAt: number;
  /** Annex-B: every NAL unit behind a start code. */
  data: Uint8Array;
}
