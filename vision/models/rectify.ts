import { applyHomography, homographyFrom, type Point, type Quad } from '../../base/geometry.js';
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
  const convert = rgbCoefficients(picture);
  const [red, green, blue] = channelScales(input);
  const r = tensor.subarray(base + red.plane * area, base + (red.plane + 1) * area);
  const g = tensor.subarray(base + green.plane * area, base + (green.plane + 1) * area);
  const b = tensor.subarray(base + blue.plane * area, base + (blue.plane + 1) * area);
  const chromaWidth = (picture.width + 1) >> 1;
  const chromaHeight = (picture.height + 1) >> 1;
  for (const band of bands) {
    const target: Quad = [[0, 0], [band.width, 0], [band.width, input.height], [0, input.height]];
    const h = homographyFrom(target, band.quad);
    if (!h) return false;
    const steps = Math.min(4, Math.max(1, Math.round(shrink(band.quad, band.width, input.height))));
    const weight = 1 / (steps * steps);
    for (let row = 0; row < input.height; row++) {
      let o = row * input.width + band.x;
      for (let col = 0; col < band.width; col++, o++) {
        let luma = 0;
        let cu = 0;
        let cv = 0;
        for (let sy = 0; sy < steps; sy++) {
          const dy = row + (sy + 0.5) / steps;
          for (let sx = 0; sx < steps; sx++) {
            const dx = col + (sx + 0.5) / steps;
            const w = h[6] * dx + h[7] * dy + h[8];
            const px = (h[0] * dx + h[1] * dy + h[2]) / w;
            const py = (h[3] * dx + h[4] * dy + h[5]) / w;
            luma += bilinear(picture.y, picture.strideY, picture.width, picture.height, px - 0.5, py - 0.5);
            cu += bilinear(picture.u, picture.strideC, chromaWidth, chromaHeight, px / 2 - 0.5, py / 2 - 0.5);
            cv += bilinear(picture.v, picture.strideC, chromaWidth, chromaHeight, px / 2 - 0.5, py / 2 - 0.5);
          }
        }
        const l = (luma * weight - convert.lumaOffset) * convert.luma;
        const u = cu * weight - 128;
        const v = cv * weight - 128;
        r[o] = clampByte(l + v * convert.redV) * red.factor + red.bias;
        g[o] = clampByte(l + u * convert.greenU + v * convert.greenV) * green.factor + green.bias;
        b[o] = clampByte(l + u * convert.blueU) * blue.factor + blue.bias;
      }
    }
  }
  return true;
}

/** How many picture pixels one input pixel covers along the denser side. */
function shrink(quad: Quad, width: number, height: number): number {
  const side = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const along = Math.max(side(quad[0], quad[1]), side(quad[3], quad[2])) / width;
  const down = Math.max(side(quad[0], quad[3]), side(quad[1], quad[2])) / height;
  return Math.max(along, down);
}

function bilinear(plane: Uint8Array, stride: number, width: number, height: number, x: number, y: number): number {
  const cx = x < 0 ? 0 : x > width - 1 ? width - 1 : x;
  const cy = y < 0 ? 0 : y > height - 1 ? height - 1 : y;
  const x0 = Math.floor(cx);
  const y0 = Math.floor(cy);
  const x1 = x0 + 1 < width ? x0 + 1 : x0;
  const row0 = y0 * stride;
  const row1 = (y0 + 1 < height ? y0 + 1 : y0) * stride;
  const fx = cx - x0;
  const fy = cy - y0;
  const top = (plane[row0 + x0] as number) * (1 - fx) + (plane[row0 + x1] as number) * fx;
  const bottom = (plane[row1 + x0] as number) * (1 - fx) + (plane[row1 + x1] as number) * fx;
  return top * (1 - fy) + bottom * fy;
}
