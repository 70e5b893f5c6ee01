import type { ErrorKind } from '../../../base/errors.js';
import type { Codec } from '../../../ingest/access-unit.js';

/** What parent and encoding child say to one another, over the fork's channel. */

export interface SourceUnit {
  cameraId: string;
  codec: Codec;
  keyframe: boolean;
  pts: number;
  compositionOffset?: number;
  capturedAt: number;
  data: Uint8Array;
}

/** Coverage of a text, one byte a pixel; drawn white. */
export interface Mask {
  width: number;
  height: number;
  alpha: Uint8Array;
}

/** What is burnt into pictures: a dark band at the upper edge with fixed texts, and a clock. Pixels. */
export interface Overlay {
  bandHeight: number;
  texts: { x: number; y: number; mask: Mask }[];
  /** Each text that the clock shows, drawn. */
  clock: { x: number; y: number; glyphs: Record<string, Mask> };
  /** What the clock shows on the picture of each unit. */
  clocks: string[];
}

export interface EncodeRequest {
  /** In decode order, the first a keyframe. */
  units: SourceUnit[];
  /** Of the pictures made; even. */
  width: number;
  height: number;
  /** x264's constant rate factor. */
  quality: number;
  /** Bits a second. */
  maxBitrate: number;
  preset: string;
  threads: number;
  overlay: Overlay | null;
}

/** A coded picture, Annex-B; `index` names the unit that it was made of. They come in the order in which they are shown. */
export interface EncodedUnit {
  index: number;
  keyframe: boolean;
  data: Uint8Array;
}

export type ToChild = { type: 'encode'; id: number; request: EncodeRequest } | { type: 'stop' };
export type FromChild = { type: 'encoded'; id: number; units: EncodedUnit[] } | { type: 'failed'; id: number; error: { kind: ErrorKind; code: string; message: string } };
