import { BerthwatchError } from '../../base/errors.js';

/** Which luma/chroma equations a picture was coded with. */
export type ColourMatrix = 'bt601' | 'bt709' | 'bt2020';

/**
 * One decoded picture, 8-bit planar 4:2:0, as the decoder laid it out.
 *
 * The planes may be memory of the native decoder: they are valid only until the call that handed the picture over returns.
 */
export interface Picture {
  width: number;
  height: number;
  y: Uint8Array;
  u: Uint8Array;
  v: Uint8Array;
  /** Bytes from one row to the next. */
  strideY: number;
  strideC: number;
  matrix: ColourMatrix;
  /** True: 0 to 255; false: studio range 16 to 235 (chroma 16 to 240). */
  fullRange: boolean;
}

/** Lookup tables that turn Y, U, V bytes into R, G, B in 0 to 255 (not yet clamped). */
export interface RgbTables {
  luma: Float32Array;
  redV: Float32Array;
  greenU: Float32Array;
  greenV: Float32Array;
  blueU: Float32Array;
}

/** Kr and Kb of ITU-R BT.601, BT.709 and BT.2020. */
const WEIGHTS: Record<ColourMatrix, readonly [kr: number, kb: number]> = {
  bt601: [0.299, 0.114],
  bt709: [0.2126, 0.0722],
  bt2020: [0.2627, 0.0593],
};

/** R = luma·(Y − lumaOffset) + redV·(V − 128), and so on; results are 0 to 255 before clamping. */
export interface RgbCoefficients {
  lumaOffset: number;
  luma: number;
  redV: number;
  greenU: number;
  greenV: number;
  blueU: number;
}

export function rgbCoefficients(coding: Pick<Picture, 'matrix' | 'fullRange'>): RgbCoefficients {
  const [kr, kb] = WEIGHTS[coding.matrix];
  const kg = 1 - kr - kb;
  const chroma = coding.fullRange ? 1 : 255 / 224;
  return {
    lumaOffset: coding.fullRange ? 0 : 16,
    luma: coding.fullRange ? 1 : 255 / 219,
    redV: 2 * (1 - kr) * chroma,
    greenU: ((-2 * kb * (1 - kb)) / kg) * chroma,
    greenV: ((-2 * kr * (1 - kr)) / kg) * chroma,
    blueU: 2 * (1 - kb) * chroma,
  };
}

const cache = new Map<string, RgbTables>();

/** The same as lookup tables, for the many pixels of whole pictures. */
export function rgbTables(matrix: ColourMatrix, fullRange: boolean): RgbTables {
  const key = `${matrix}/${fullRange}`;
  const known = cache.get(key);
  if (known) return known;
  const c = rgbCoefficients({ matrix, fullRange });
  const table = (value: (byte: number) => number): Float32Array => Float32Array.from({ length: 256 }, (_, i) => value(i));
  const chroma = (factor: number): Float32Array => table((i) => (i - 128) * factor);
  const tables = {
    luma: table((i) => (i - c.lumaOffset) * c.luma),
    redV: chroma(c.redV),
    greenU: chroma(c.greenU),
    greenV: chroma(c.greenV),
    blueU: chroma(c.blueU),
  };
  cache.set(key, tables);
  return tables;
}

/** Planar 4:4:4 of one size: what scaling gives. */
export interface Planes444 {
  width: number;
  height: number;
  y: Uint8Array;
  u: Uint8Array;
  v: Uint8Array;
}

/** Packed RGB, 3 bytes a pixel, from planes of the given coding. */
export function toRgb(planes: Planes444, matrix: ColourMatrix, fullRange: boolean): Uint8Array {
  const { luma, redV, greenU, greenV, blueU } = rgbTables(matrix, fullRange);
  const { y, u, v } = planes;
  const count = planes.width * planes.height;
  // Clamping and rounding are done by the array type.
  const rgb = new Uint8ClampedArray(count * 3);
  for (let i = 0, o = 0; i < count; i++, o += 3) {
    const l = luma[y[i] as number] as number;
    const cu = u[i] as number;
    const cv = v[i] as number;
    rgb[o] = l + (redV[cv] as number);
    rgb[o + 1] = l + (greenU[cu] as number) + (greenV[cv] as number);
    rgb[o + 2] = l + (blueU[cu] as number);
  }
  return new Uint8Array(rgb.buffer);
}

/**
 * A picture from packed RGB, as a decoder would have laid it out: full range, BT.601, one chroma sample for two by two pixels.
 * @throws BerthwatchError bad-input where the bytes do not fit the size
 */
export function pictureFromRgb(rgb: Uint8Array, width: number, height: number): Picture {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 2 || height < 2 || rgb.length !== width * height * 3) {
    throw new BerthwatchError('bad-input', 'VISION_PICTURE', `${rgb.length} bytes are no RGB picture of ${width}x${height} (at least 2x2, 3 bytes a pixel)`);
  }
  const [kr, kb] = WEIGHTS.bt601;
  const strideC = (width + 1) >> 1;
  const rowsC = (height + 1) >> 1;
  const y = new Uint8ClampedArray(width * height);
  const sums = new Float32Array(strideC * rowsC * 2);
  const counts = new Uint8Array(strideC * rowsC);
  for (let row = 0, i = 0; row < height; row++) {
    for (let col = 0; col < width; col++, i++) {
      const r = rgb[i * 3] as number;
      const b = rgb[i * 3 + 2] as number;
      const luma = kr * r + (1 - kr - kb) * (rgb[i * 3 + 1] as number) + kb * b;
      y[i] = luma;
      const c = (row >> 1) * strideC + (col >> 1);
      sums[c * 2] = (sums[c * 2] as number) + (b - luma) / (2 * (1 - kb));
      sums[c * 2 + 1] = (sums[c * 2 + 1] as number) + (r - luma) / (2 * (1 - kr));
      counts[c] = (counts[c] as number) + 1;
    }
  }
  const chroma = (offset: 0 | 1): Uint8Array => {
    const plane = new Uint8ClampedArray(counts.length);
    for (let c = 0; c < plane.length; c++) plane[c] = 128 + (sums[c * 2 + offset] as number) / (counts[c] as number);
    return new Uint8Array(plane.buffer);
  };
  return { width, height, y: new Uint8Array(y.buffer), u: chroma(0), v: chroma(1), strideY: width, strideC, matrix: 'bt601', fullRange: true };
}
