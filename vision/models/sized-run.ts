import type { Box } from '../../base/geometry.js';
import type { Picture } from '../decode/picture.js';
import { alignedBox } from '../decode/scale.js';
import type { ModelEntry, ModelInput } from './manifest.js';
import type { ModelSession, Output } from './session.js';
import { fillFromBox, placeInput, type InputMapping } from './tensor.js';

/** What a network gave for one box of a picture. */
export interface BoxOutput {
  output: ReadonlyMap<string, Output>;
  mapping: InputMapping;
  /** The input it came in. */
  size: ModelInput;
}

/** Runs a network over boxes of a picture, those of one input size in one batch; results in the order of the boxes. */
export async function runOnBoxes(session: ModelSession<ModelEntry>, picture: Picture, boxes: readonly Box[], sizeOf: (box: Box) => ModelInput): Promise<BoxOutput[]> {
  const sizes = new Map<string, { size: ModelInput; members: number[] }>();
  for (const [i, box] of boxes.entries()) {
    const size = sizeOf(box);
    const key = `${size.width}x${size.height}`;
    const group = sizes.get(key) ?? { size, members: [] };
    sizes.set(key, group);
    group.members.push(i);
  }
  const found: BoxOutput[] = [];
  for (const { size, members } of sizes.values()) {
    const mappings: InputMapping[] = [];
    const outputs = await session.run(members.length, (room, slot, k) => {
      mappings[k] = fillFromBox(room, slot, picture, boxes[members[k] as number] as Box, size);
    }, size);
    for (const [k, output] of outputs.entries()) found[members[k] as number] = { output, mapping: mappings[k] as InputMapping, size };
  }
  return found;
}

/** The input without the padding that a crop of another shape would leave: the crop comes in just as large, and no work is done on grey. */
export function withoutPadding(picture: { width: number; height: number }, crop: Box, input: ModelInput, sizeStep: number | undefined): ModelInput {
  if (sizeStep === undefined || input.resize !== 'letterbox') return input;
  const { cut } = placeInput(picture, crop, input);
  const scale = Math.min(input.width / cut.width, input.height / cut.height);
  const least = (length: number, most: number): number => Math.min(most, Math.ceil((length * scale) / sizeStep) * sizeStep);
  return { ...input, width: least(cut.width, input.width), height: least(cut.height, input.height) };
}

/**
 * The input in the shape of the crop: of at most as many pixels as the manifest's, so that it costs no more, and with the crop in it as large as can
 * be. A picture of 4:3 or a square one is seen a quarter larger than letterboxed into an input of 16:9.
 */
export function shapedInput(picture: { width: number; height: number }, crop: Box, input: ModelInput, sizeStep: number | undefined): ModelInput {
  if (sizeStep === undefined || input.resize !== 'letterbox') return input;
  const cut = alignedBox(picture, crop);
  const most = input.width * input.height;
  let scale = 0;
  for (let width = sizeStep; width * sizeStep <= most; width += sizeStep) {
    const height = Math.floor(most / (width * sizeStep)) * sizeStep;
    scale = Math.max(scale, Math.min(width / cut.width, height / cut.height));
  }
  const side = (length: number): number => Math.ceil(Number((length * scale).toFixed(6)) / sizeStep) * sizeStep;
  return { ...input, width: side(cut.width), height: side(cut.height) };
}
