import { BerthwatchError } from '../../base/errors.js';
import type { Output } from './session.js';

/**
 * The raw head of a YOLOX network as boxes and scores of the input's pixels: a row a cell and stride, [cx, cy, log w, log h] from the
 * cell's corner in strides, then objectness and classes, both 0 to 1 (the exporter's `decode_in_inference: false`).
 * @returns boxes [A,4] x0 y0 x1 y1, scores [A,classes]
 * @throws BerthwatchError bad-input where rows and columns do not fit input, strides and classes
 */
export function decodeYolox(predictions: Output, input: { width: number; height: number }, strides: readonly number[], classes: number): { boxes: Output; scores: Output } {
  const columns = 5 + classes;
  const cells = strides.reduce((sum, stride) => sum + Math.floor(input.width / stride) * Math.floor(input.height / stride), 0);
  if (predictions.data.length !== cells * columns) {
    throw new BerthwatchError('bad-input', 'VISION_MODEL_SHAPE', `a YOLOX head of ${input.width}x${input.height}, strides ${strides.join(' ')} and ${classes} classes gives [${cells},${columns}], this one gives [${predictions.dims.join(',')}]`);
  }
  const boxes = new Float32Array(cells * 4);
  const scores = new Float32Array(cells * classes);
  const from = predictions.data;
  let a = 0;
  for (const stride of strides) {
    const [across, down] = [Math.floor(input.width / stride), Math.floor(input.height / stride)];
    for (let row = 0; row < down; row++) {
      for (let col = 0; col < across; col++, a++) {
        const o = a * columns;
        const cx = ((from[o] as number) + col) * stride;
        const cy = ((from[o + 1] as number) + row) * stride;
        const halfWidth = (Math.exp(from[o + 2] as number) * stride) / 2;
        const halfHeight = (Math.exp(from[o + 3] as number) * stride) / 2;
        boxes.set([cx - halfWidth, cy - halfHeight, cx + halfWidth, cy + halfHeight], a * 4);
        const object = from[o + 4] as number;
        for (let c = 0; c < classes; c++) scores[a * classes + c] = object * (from[o + 5 + c] as number);
      }
    }
  }
  return { boxes: { data: boxes, dims: [cells, 4] }, scores: { data: scores, dims: [cells, classes] } };
}
