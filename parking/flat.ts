import type { Box, Quad } from '../base/geometry.js';
import type { FlatBox, FlatQuad } from './state.js';

/** Tenths of a pixel: finer is noise, and the state stays small. `+ 0` turns -0 into 0, which JSON does not keep. */
const tenth = (n: number): number => Math.round(n * 10) / 10 + 0;

export const flattenBox = (b: Box): FlatBox => [tenth(b.x), tenth(b.y), tenth(b.width), tenth(b.height)];
export const boxOf = ([x, y, width, height]: FlatBox): Box => ({ x, y, width, height });
export const flattenQuad = (q: Quad): FlatQuad => q.flatMap((p) => [tenth(p[0]), tenth(p[1])]) as FlatQuad;
export const quadOf = (f: FlatQuad): Quad => [
  [f[0], f[1]],
  [f[2], f[3]],
  [f[4], f[5]],
  [f[6], f[7]],
];
