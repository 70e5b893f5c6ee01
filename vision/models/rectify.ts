import { applyHomography, homographyFrom, type Point, type Quad } from '../../base/geometry.js';
import { rgbTables, type Picture } from '../decode/picture.js';
import type { ModelInput, ReaderModel } from './manifest.js';

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
  const tables = rgbTables(picture.matrix, picture.fullRange);
  const factor = [0, 1, 2].map((plane) => input.scale / (input.std[plane] as number));
  const bias = [0, 1, 2].map((plane) => -(input.mean[plane] as number) / (input.std[plane] as number));
  const redPlane = input.channels === 'rgb' ? 0 : 2;
  const bluePlane = 2 - redPlane;
  for (const band of bands) {
    const target: Quad = [[0, 0], [band.width, 0], [band.width, input.height], [0, input.height]];
    const h = homographyFrom(target, band.quad);
    if (!h) return false;
    const steps = Math.min(4, Math.max(1, Math.round(shrink(band.quad, band.width, input.height))));
    const weight = 1 / (steps * steps);
    for (let row = 0; row < input.height; row++) {
      for (let col = 0; col < band.width; col++) {
        let l = 0;
        let cu = 0;
        let cv = 0;
        for (let sy = 0; sy < steps; sy++) {
          for (let sx = 0; sx < steps; sx++) {
            const dx = col + (sx + 0.5) / steps;
            const dy = row + (sy + 0.5) / steps;
            const w = h[6] * dx + h[7] * dy + h[8];
            const px = (h[0] * dx + h[1] * dy + h[2]) / w;
            const py = (h[3] * dx + h[4] * dy + h[5]) / w;
            l += bilinear(picture.y, picture.strideY, picture.width, picture.height, px - 0.5, py - 0.5);
            cu += bilinear(picture.u, picture.strideC, (picture.width + 1) >> 1, (picture.height + 1) >> 1, px / 2 - 0.5, py / 2 - 0.5);
            cv += bilinear(picture.v, picture.strideC, (picture.width + 1) >> 1, (picture.height + 1) >> 1, px / 2 - 0.5, py / 2 - 0.5);
          }
        }
        const luma = interpolated(tables.luma, l * weight);
        cu *= weight;
        cv *= weight;
        const rgb = [
          luma + interpolated(tables.redV, cv),
          luma + interpolated(tables.greenU, cu) + interpolated(tables.greenV, cv),
          luma + interpolated(tables.blueU, cu),
        ];
        const o = base + row * input.width + band.x + col;
        for (const [plane, colour] of [[redPlane, 0], [1, 1], [bluePlane, 2]] as const) {
          const byte = rgb[colour] as number;
          tensor[o + plane * area] = (byte < 0 ? 0 : byte > 255 ? 255 : byte) * (factor[plane] as number) + (bias[plane] as number);
        }
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

/** The tables are linear, so values between bytes are exact. */
function interpolated(table: Float32Array, value: number): number {
  const a = table[0] as number;
  return a + (((table[255] as number) - a) / 255) * value;
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
