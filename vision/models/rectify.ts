import { applyHomography, homographyFrom, type Homography, type Point, type Quad } from '../../base/geometry.js';
import { rgbCoefficients, type Picture } from '../decode/picture.js';
import type { ModelInput, ReaderModel } from './manifest.js';
import { channelScales, clampByte } from './tensor.js';

/** A part of the reader's input that is filled from a quad of the picture. */
export interface Band {
  quad: Quad;
  /** First column and number of columns of the input. */
  x: number;
  width: number;
}

type FractionBox = readonly [number, number, number, number];

/** The part of a rectified plate given in fractions, as a quad of the picture. Null where the corners are degenerate. */
export function subQuad(corners: Quad, [x0, y0, x1, y1]: FractionBox): Quad | null {
  const unit: Quad = [[0, 0], [1, 0], [1, 1], [0, 1]];
  const h = homographyFrom(unit, corners);
  if (!h) return null;
  return [applyHomography(h, [x0, y0]), applyHomography(h, [x1, y0]), applyHomography(h, [x1, y1]), applyHomography(h, [x0, y1])];
}

/** Bands for a plate of one row (the whole plate) or two rows (upper band left, lower band right of one strip). */
export function plateBands(corners: Quad, rows: 1 | 2, model: Pick<ReaderModel, 'input' | 'twoRow'>): Band[] | null {
  const width = model.input.width;
  if (rows === 1 || !model.twoRow) return [{ quad: corners, x: 0, width }];
  const topWidth = Math.round(width * model.twoRow.topShare);
  const top = subQuad(corners, model.twoRow.top);
  const bottom = subQuad(corners, model.twoRow.bottom);
  if (!top || !bottom) return null;
  return [
    { quad: top, x: 0, width: topWidth },
    { quad: bottom, x: topWidth, width: width - topWidth },
  ];
}

/**
 * Straightens quads of the picture into one input (float32 NCHW at `slot`). Bilinear; where the plate is larger than the
 * input, several samples are averaged so that strokes do not alias. Points outside the picture repeat its border.
 * @returns false where a quad is degenerate; the slot is then undefined
 */
export function fillFromBands(tensor: Float32Array, slot: number, picture: Picture, bands: readonly Band[], input: ModelInput): boolean {
  const area = input.width * input.height;
  const base = slot * 3 * area;
  const { lumaOffset, luma: lumaGain, redV, greenU, greenV, blueU } = rgbCoefficients(picture);
  const [red, green, blue] = channelScales(input);
  const r = tensor.subarray(base + red.plane * area, base + (red.plane + 1) * area);
  const g = tensor.subarray(base + green.plane * area, base + (green.plane + 1) * area);
  const b = tensor.subarray(base + blue.plane * area, base + (blue.plane + 1) * area);
  const whole = { stride: picture.strideY, width: picture.width, height: picture.height, share: 1 };
  const halved = { stride: picture.strideC, width: (picture.width + 1) >> 1, height: (picture.height + 1) >> 1, share: 0.5 };
  for (const band of bands) {
    const target: Quad = [[0, 0], [band.width, 0], [band.width, input.height], [0, input.height]];
    const h = homographyFrom(target, band.quad);
    if (!h) return false;
    const steps = Math.min(4, Math.max(1, Math.round(shrink(band.quad, band.width, input.height))));
    const [luma, cb, cr] = rooms(band.width * input.height);
    sample(luma, { ...whole, data: picture.y }, h, { width: band.width, height: input.height, pixel: 1, steps });
    // Colour is half as fine in the picture along each axis, so it need be no finer here.
    const coarse = { width: (band.width + 1) >> 1, height: (input.height + 1) >> 1, pixel: 2, steps };
    sample(cb, { ...halved, data: picture.u }, h, coarse);
    sample(cr, { ...halved, data: picture.v }, h, coarse);
    for (let row = 0, i = 0; row < input.height; row++) {
      let o = row * input.width + band.x;
      const colours = (row >> 1) * coarse.width;
      for (let col = 0; col < band.width; col++, o++, i++) {
        const l = ((luma[i] as number) - lumaOffset) * lumaGain;
        const u = (cb[colours + (col >> 1)] as number) - 128;
        const v = (cr[colours + (col >> 1)] as number) - 128;
        r[o] = clampByte(l + v * redV) * red.factor + red.bias;
        g[o] = clampByte(l + u * greenU + v * greenV) * green.factor + green.bias;
        b[o] = clampByte(l + u * blueU) * blue.factor + blue.bias;
      }
    }
  }
  return true;
}

let room: [Float32Array, Float32Array, Float32Array] = [new Float32Array(0), new Float32Array(0), new Float32Array(0)];

/** Room for straightened luma and chroma, used anew by every call. */
function rooms(size: number): typeof room {
  if (room[0].length < size) room = [new Float32Array(size), new Float32Array(size), new Float32Array(size)];
  return room;
}

/** One plane of the picture; `share`: its samples to one pixel of luma along each axis. */
interface Plane {
  data: Uint8Array;
  stride: number;
  width: number;
  height: number;
  share: number;
}

/** What is made of a plane: `width` × `height` pixels, each `pixel` pixels of the network's input wide and high, the mean of `steps` × `steps` samples. */
interface Grid {
  width: number;
  height: number;
  pixel: number;
  steps: number;
}

/** A plane seen through `h` (pixels of the input to pixels of the picture), bilinear. */
function sample(out: Float32Array, { data, stride, width, height, share }: Plane, h: Homography, target: Grid): void {
  const right = width - 1;
  const bottom = height - 1;
  const { width: columns, height: rows, pixel, steps } = target;
  const weight = 1 / (steps * steps);
  // Numbers out of an array that may hold anything are boxed, which costs the loop dear.
  const of = Float64Array.from(h);
  const step = pixel / steps;
  const stepX = (of[0] as number) * share * step;
  const stepY = (of[3] as number) * share * step;
  const stepW = (of[6] as number) * step;
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * columns;
    for (let sub = 0; sub < steps; sub++) {
      const down = row * pixel + (sub + 0.5) * step;
      let overX = ((of[1] as number) * down + (of[2] as number)) * share + stepX / 2;
      let overY = ((of[4] as number) * down + (of[5] as number)) * share + stepY / 2;
      let over = (of[7] as number) * down + (of[8] as number) + stepW / 2;
      for (let o = row * columns; o < end; o++) {
        let sum = 0;
        for (let beside = 0; beside < steps; beside++) {
          const inverse = 1 / over;
          const x = Math.min(right, Math.max(0, overX * inverse - 0.5));
          const y = Math.min(bottom, Math.max(0, overY * inverse - 0.5));
          overX += stepX;
          overY += stepY;
          over += stepW;
          // Neither is negative: what is cut off is what lies behind the point.
          const x0 = x | 0;
          const y0 = y | 0;
          const at = y0 * stride + x0;
          const next = x0 < right ? 1 : 0;
          const below = at + (y0 < bottom ? stride : 0);
          const a = data[at] as number;
          const b = data[below] as number;
          const top = a + ((data[at + next] as number) - a) * (x - x0);
          const under = b + ((data[below + next] as number) - b) * (x - x0);
          sum += top + (under - top) * (y - y0);
        }
        out[o] = sub === 0 ? sum * weight : (out[o] as number) + sum * weight;
      }
    }
  }
}

/** How many picture pixels one input pixel covers along the denser side. */
function shrink(quad: Quad, width: number, height: number): number {
  const side = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const along = Math.max(side(quad[0], quad[1]), side(quad[3], quad[2])) / width;
  const down = Math.max(side(quad[0], quad[3]), side(quad[1], quad[2])) / height;
  return Math.max(along, down);
}
