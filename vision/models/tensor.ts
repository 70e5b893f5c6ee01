import type { Box } from '../../base/geometry.js';
import type { Picture } from '../decode/picture.js';
import { alignedBox, scaleRegion } from '../decode/scale.js';
import { PIXELS_AT_ONCE, type ChannelScale, type InputRoom } from './input-room.js';
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

/** How the network wants each colour. */
export function channelScales(input: ModelInput): [red: ChannelScale, green: ChannelScale, blue: ChannelScale] {
  const of = (colour: number): ChannelScale => {
    const plane = input.channels === 'rgb' ? colour : 2 - colour;
    const mean = input.mean[plane] as number;
    const std = input.std[plane] as number;
    return { plane, factor: input.scale / std, bias: -mean / std };
  };
  return [of(0), of(1), of(2)];
}

export const clampByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);

/**
 * Cuts `box` from the picture, scales it as the model's manifest entry says, and writes it into the room's tensor (float32 NCHW)
 * at picture number `slot` (each slot is 3 × height × width floats).
 */
export function fillFromBox(room: InputRoom, slot: number, picture: Picture, box: Box, input: ModelInput): InputMapping {
  const { cut, target, mapping } = placeInput(picture, box, input);
  const planes = room.planes(target.width, target.height);
  scaleRegion(picture, cut, target.width, target.height, planes);
  const scales = channelScales(input);
  const area = input.width * input.height;
  const begin = ({ plane }: ChannelScale): number => (slot * 3 + plane) * area;
  const whole = target.width === input.width && input.width % PIXELS_AT_ONCE === 0;
  if (whole) {
    const [red, green, blue] = scales;
    const above = target.y * input.width;
    room.writeColours(planes, picture, scales, [begin(red) + above, begin(green) + above, begin(blue) + above]);
  }
  const colours = whole ? [] : room.colours(planes, picture, scales);
  for (const [colour, scale] of scales.entries()) {
    const plane = room.tensor.subarray(begin(scale), begin(scale) + area);
    const values = colours[colour];
    if (values) writeRows(plane, values, target, input.width);
    padAround(plane, target, input, scale);
  }
  return mapping;
}

function writeRows(plane: Float32Array, values: Float32Array, target: Box, width: number): void {
  for (let row = 0; row < target.height; row++) {
    plane.set(values.subarray(row * target.width, (row + 1) * target.width), (target.y + row) * width + target.x);
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
