import type { Box } from '../../base/geometry.js';
import { rgbCoefficients, type Picture, type Planes444 } from '../decode/picture.js';
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
  const planes = scaleRegion(picture, cut, target.width, target.height, scratch(target.width * target.height));
  writePlanes(tensor, slot, planes, target, picture, input);
  return mapping;
}

let planes = { y: new Uint8Array(0), u: new Uint8Array(0), v: new Uint8Array(0) };

/** Room for scaled planes, used anew by every call: fresh ones for each cut keep the garbage collector busier than the scaler. */
function scratch(size: number): typeof planes {
  if (planes.y.length < size) planes = { y: new Uint8Array(size), u: new Uint8Array(size), v: new Uint8Array(size) };
  return planes;
}

/**
 * Writes scaled planes at `target` of the input and padding around it. Colours are summed in what the network sees, not in bytes: a multiplication
 * costs less than a look-up in tables that do not fit the nearest cache. Exported for tests.
 */
export function writePlanes(
  tensor: Float32Array,
  slot: number,
  { y, u, v }: Planes444,
  target: Box,
  coding: Pick<Picture, 'matrix' | 'fullRange'>,
  input: ModelInput,
): void {
  const area = input.width * input.height;
  const [red, green, blue] = channelScales(input);
  const plane = (c: ChannelScale): Float32Array => tensor.subarray((slot * 3 + c.plane) * area, (slot * 3 + c.plane + 1) * area);
  const r = plane(red);
  const g = plane(green);
  const b = plane(blue);
  padAround(r, target, input, red);
  padAround(g, target, input, green);
  padAround(b, target, input, blue);
  const c = rgbCoefficients(coding);
  const black = c.lumaOffset * c.luma;
  // One name each: numbers out of a destructured array are boxed, which costs this loop twice its time.
  const redY = red.factor * c.luma;
  const redV = red.factor * c.redV;
  const redBase = red.bias - red.factor * (black + 128 * c.redV);
  const greenY = green.factor * c.luma;
  const greenU = green.factor * c.greenU;
  const greenV = green.factor * c.greenV;
  const greenBase = green.bias - green.factor * (black + 128 * (c.greenU + c.greenV));
  const blueY = blue.factor * c.luma;
  const blueU = blue.factor * c.blueU;
  const blueBase = blue.bias - blue.factor * (black + 128 * c.blueU);
  const redLow = red.bias;
  const greenLow = green.bias;
  const blueLow = blue.bias;
  const redTop = 255 * red.factor + red.bias;
  const greenTop = 255 * green.factor + green.bias;
  const blueTop = 255 * blue.factor + blue.bias;
  for (let row = 0, i = 0; row < target.height; row++) {
    let o = (target.y + row) * input.width + target.x;
    for (let col = 0; col < target.width; col++, i++, o++) {
      const l = y[i] as number;
      const cb = u[i] as number;
      const cr = v[i] as number;
      const forRed = redY * l + redV * cr + redBase;
      const forGreen = greenY * l + greenU * cb + greenV * cr + greenBase;
      const forBlue = blueY * l + blueU * cb + blueBase;
      r[o] = forRed < redLow ? redLow : forRed > redTop ? redTop : forRed;
      g[o] = forGreen < greenLow ? greenLow : forGreen > greenTop ? greenTop : forGreen;
      b[o] = forBlue < blueLow ? blueLow : forBlue > blueTop ? blueTop : forBlue;
    }
  }
}

function padAround(plane: Float32Array, target: Box, input: ModelInput, c: ChannelScale): void {
  const grey = input.padding * c.factor + c.bias;
  const [right, bottom] = [target.x + target.width, target.y + target.height];
  plane.fill(grey, 0, target.y * input.width);
  plane.fill(grey, bottom * input.width);
  if (target.width === input.width) return;
  for (let row = target.y; row < bottom; row++) {
    plane.fill(grey, row * input.width, row * input.width + target.x);
    plane.fill(grey, row * input.width + right, (row + 1) * input.width);
  }
}
