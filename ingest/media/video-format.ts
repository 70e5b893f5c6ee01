import type { Codec } from '../access-unit.js';

/** What a sequence parameter set tells about the pictures. */
export interface VideoFormat {
  codec: Codec;
  /** Pixels after cropping. */
  width: number;
  height: number;
  profile: number;
  level: number;
  /** Pictures a second by the VUI timing; null where it is absent or senseless. */
  frameRate: number | null;
}

/** The part a NAL unit plays in putting pictures together. */
export type NalRole =
  /** Slice of a picture, first of it. */
  | 'first-slice'
  /** Further slice of the same picture. */
  | 'slice'
  /** Announces a new access unit: delimiter, parameter sets, prefix SEI and the reserved types in front of a picture. */
  | 'prefix'
  /** Anything else; stays with the picture before it. */
  | 'other';

/** What the assembler must know about a codec; one object for each of the two. */
export interface NalSyntax {
  readonly codec: Codec;
  /** Role of the unit that begins at `from`; needs 3 bytes behind `from`, missing ones read as "not first". */
  role(bytes: Uint8Array, from: number): NalRole;
  /**
   * Whether the unit begins an access unit of this codec unmistakably, even if the stream was of the other codec so far
   * (a camera's encoder may be switched while it streams).
   */
  announces(bytes: Uint8Array, from: number): boolean;
  /** Whether the unit is a slice at which decoding may start. */
  isKeySlice(bytes: Uint8Array, from: number): boolean;
  /**
   * Key of a parameter set ("sps:0", "pps:3", …); null for all other units and for sets that cannot be read. The number
   * of keys is bounded by the standard.
   */
  parameterSet(nal: Uint8Array): string | null;
  /** Reads a sequence parameter set; null where `nal` is none or is damaged. */
  format(nal: Uint8Array): VideoFormat | null;
  /** The order in which kinds of parameter sets must stand before a keyframe. */
  readonly parameterSetOrder: readonly string[];
}

/** Larger pictures than 16384 on a side are damage: no level of either standard allows them. */
export function plausibleSize(width: number, height: number): boolean {
  return width >= 16 && height >= 16 && width <= 16_384 && height <= 16_384;
}

/** Frames a second from the VUI's time scale and ticks; null where the numbers are senseless. */
export function plausibleRate(timeScale: number, ticks: number): number | null {
  const rate = ticks > 0 ? timeScale / ticks : 0;
  return rate >= 0.1 && rate <= 1000 ? rate : null;
}
