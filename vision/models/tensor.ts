import type { Box } from '../../base/geometry.js';
import { rgbTables, type Picture, type Planes444 } from '../decode/picture.js';
import { alignedBox, scaleRegion } from '../decode/scale.js';
import type { ModelInput } from './manifest.js';

/** How a network's input pixels map back to the picture: picture = origin + (input − offset) ÷ scale, for each axis. */
export interface InputMapping {
  originX: number;
  originY: number;
  offsetX: number;
  offsetY: number;
  scaleX: number;
  scaleY: number;
}

export function toPicture(m: InputMapping, x: number, y: number): [x: number, y: number] {
  return [m.originX + (x - m.offsetX) / m.scaleX, m.originY + (y - m.offsetY) / m.scaleY];
}

export interface InputPlacement {
  mapping: InputMapping;
  /** The cut, aligned to whole chroma samples. */
  cut: Box;
  /** Where the scaled cut lies in the input. */
  target: Box;
}

/** Where a cut of the picture comes to lie in a network's input (pixels of the input, whole numbers). Pure. */
export function placeInput(picture: { width: number; height: number }, box: Box, input: Pick<ModelInput, 'width' | 'height' | 'resize'>): InputPlacement {
  const cut = alignedBox(picture, box);
  let width = input.width;
  let height = input.height;
  if (input.resize === 'letterbox') {
    const scale = Math.min(input.width / cut.width, input.height / cut.height);
    width = Math.max(1, Math.min(input.width, Math.round(cut.width * scale)));
    height = Math.max(1, Math.min(input.height, Math.round(cut.height * scale)));
  }
  const target = { x: Math.floor((input.width - width) / 2), y: Math.floor((input.height - height) / 2), width, height };
  return {
    cut,
    target,
    mapping: { originX: cut.x, originY: cut.y, offsetX: target.x, offsetY: target.y, scaleX: width / cut.width, scaleY: height / cut.height },
  };
}

/** Plane, factor and bias of each colour: network value = byte × factor + bias. */
export function channelScales(input: ModelInput): [red: ChannelScale, green: ChannelScale, blue: ChannelScale] {
  const of = (colour: number): ChannelScale => {
    const plane = input.channels === 'rgb' ? colour : 2 - colour;
    const mean = input.mean[plane] as number;
    const std = input.std[plane] as number;
    return { plane, factor: input.scale / std, bias: -mean / std };
  };
  return [of(0), of(1), of(2)];
}

export interface ChannelScale {
  plane: number;
  factor: number;
  bias: number;
}

export const clampByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);

/**
 * Cuts `box` from the picture, scales it as the model's manifest entry says, and writes it as float32 NCHW into `tensor`
 * at picture number `slot` (each slot is 3 × height × width floats).
 */
export function fillFromBox(tensor: Float32Array, slot: number, picture: Picture, box: Box, input: ModelInput): InputMapping {
  const { cut, target, mapping } = placeInput(picture, box, input);
  const planes = scaleRegion(picture, cut, target.width, target.height);
  writePlanes(tensor, slot, planes, target, picture, input);
  return mapping;
}

/** Writes scaled planes at `target` of the input and padding around it. Exported for tests. */
export function writePlanes(
  tensor: Float32Array,
  slot: number,
  planes: Planes444,
  target: Box,
  coding: Pick<Picture, 'matrix' | 'fullRange'>,
  input: ModelInput,
): void {
  const { luma, redV, greenU, greenV, blueU } = rgbTables(coding.matrix, coding.fullRange);
  const area = input.width * input.height;
  const base = slot * 3 * area;
  const [red, green, blue] = channelScales(input);
  if (target.width !== input.width || target.height !== input.height) {
    for (const c of [red, green, blue]) tensor.fill(input.padding * c.factor + c.bias, base + c.plane * area, base + (c.plane + 1) * area);
  }
  const r = tensor.subarray(base + red.plane * area, base + (red.plane + 1) * area);
  const g = tensor.subarray(base + green.plane * area, base + (green.plane + 1) * area);
  const b = tensor.subarray(base + blue.plane * area, base + (blue.plane + 1) * area);
  const { y, u, v } = planes;
  let i = 0;
  for (let row = 0; row < target.height; row++) {
    let o = (target.y + row) * input.width + target.x;
    for (let col = 0; col < target.width; col++, i++, o++) {
      const l = luma[y[i] as number] as number;
      const cu = u[i] as number;
      const cv = v[i] as number;
      r[o] = clampByte(l + (redV[cv] as number)) * red.factor + red.bias;
      g[o] = clampByte(l + (greenU[cu] as number) + (greenV[cv] as number)) * green.factor + green.bias;
      b[o] = clampByte(l + (blueU[cu] as number)) * blue.factor + blue.bias;
    }
  }
}
