import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseManifest, type ModelEntry, type VehiclesModel } from './manifest.js';
import { checkOutputs, fittingFamilies } from './check.js';
import type { Output } from './session.js';
import { readDetections } from './vehicle-detector.js';
import { decodeYolox } from './yolox.js';

const input = { width: 64, height: 32 };
const CELLS = 8 * 4 + 4 * 2 + 2 * 1;

/** A head that sees nothing but one object of class `c` in the given row. */
function head(row: number, values: readonly number[], classes = 2): Output {
  const data = new Float32Array(CELLS * (5 + classes));
  data.set(values, row * (5 + classes));
  return { data, dims: [CELLS, 5 + classes] };
}

describe('decodeYolox', () => {
  it('puts cells of each stride where they are in the input', () => {
    // Stride 8: row 1, column 3 of eight. Middle half a cell from its corner, 16 wide, 24 high.
    const { boxes, scores } = decodeYolox(head(8 + 3, [0.5, 0.5, Math.log(2), Math.log(3), 0.9, 0.25, 0.5]), input, [8, 16, 32], 2);
    expect([...boxes.data.subarray(11 * 4, 12 * 4)].map((v) => Math.round(v * 10))).toEqual([200, -0, 360, 240]);
    expect(scores.data[11 * 2]).toBeCloseTo(0.225, 5);
    expect(scores.data[11 * 2 + 1]).toBeCloseTo(0.45, 5);
    // Stride 32: the second of its two cells.
    const coarse = decodeYolox(head(CELLS - 1, [0, 0, 0, 0, 1, 1, 0]), input, [8, 16, 32], 2).boxes.data;
    expect([...coarse.subarray((CELLS - 1) * 4)]).toEqual([32 - 16, -16, 32 + 16, 16]);
  });

  it('refuses a head of another size', () => {
    expect(() => decodeYolox(head(0, []), { width: 96, height: 32 }, [8, 16, 32], 2)).toThrow(/gives \[63,7\], this one gives \[42,7\]/);
  });
});

const entry = (over: object): ModelEntry =>
  parseManifest(
    JSON.stringify({
      version: 1,
      models: [
        {
          id: 'own', task: 'vehicles', family: 'yolox', file: 'own.onnx', sha256: '0'.repeat(64), licence: 'MIT', trainedOn: [], accuracy: {},
          input: { name: 'images', ...input, channels: 'bgr', layout: 'nchw', scale: 1, mean: [0, 0, 0], std: [1, 1, 1], resize: 'letterbox' },
          outputs: { predictions: 'output' }, classes: ['car', null], scoreKind: 'independent', thresholds: { score: 0.3, nms: 0.5 }, ...over,
        },
      ],
    }),
    'test',
  ).models[0] as ModelEntry;

describe('a YOLOX of an operator', () => {
  it('is read as vehicles without footprints', () => {
    const mapping = { originX: 0, originY: 0, offsetX: 0, offsetY: 0, scaleX: 0.5, scaleY: 0.5 };
    const output = new Map([['output', head(8 + 3, [0.5, 0.5, Math.log(2), Math.log(3), 0.9, 0.5, 0.1])]]);
    expect(readDetections(entry({}) as VehiclesModel, output, mapping, { width: 128, height: 64 })).toMatchObject([{ class: 'car', footprint: null, box: { x: 40, y: 0, width: 32, height: 48 } }]);
  });

  it('must name the outputs of its family', () => {
    expect(() => entry({ outputs: { boxes: 'b', scores: 's' } })).toThrow(/yolox wants "predictions"/);
    expect(() => entry({ family: 'anchor-free-quad' })).toThrow(/anchor-free-quad wants "boxes" and "scores"/);
  });
});

describe('checkOutputs', () => {
  const manifest = parseManifest(readFileSync(path.join(import.meta.dirname, '../../models/manifest.json'), 'utf8'), 'models/manifest.json');
  const of = (task: ModelEntry['task']): ModelEntry => manifest.models.find((m) => m.task === task) as ModelEntry;
  const tensor = (dims: number[], value: (i: number) => number): Output => ({ dims, data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => value(i)) });
  const vehicles = (over: Record<string, Output>): Map<string, Output> =>
    new Map(Object.entries({ boxes: tensor([10, 4], (i) => [10, 10, 50, 60][i % 4] as number), scores: tensor([10, 5], () => 0.1), quads: tensor([10, 8], (i) => 20 + (i % 8)), ...over }));

  it('finds nothing wrong with what fits', () => {
    expect(checkOutputs(of('vehicles'), vehicles({}), 0)).toEqual([]);
    const reader = new Map([['probs', tensor([42, 3], () => 1 / 3)], ['colour', tensor([6], () => 1 / 6)], ['rows', tensor([2], () => 0.5)], ['plate', tensor([1], () => 0.5)]]);
    expect(checkOutputs(of('plate-reader'), reader, 2)).toEqual([]);
  });

  it.each<[string, Map<string, Output>, RegExp]>([
    ['logits for scores', vehicles({ scores: tensor([10, 5], (i) => i - 20) }), /"scores" leaves 0 to 1: put the sigmoid/],
    ['fractions for pixels', vehicles({ boxes: tensor([10, 4], (i) => (i % 4) / 8) }), /"boxes" never leaves -2 to 2/],
    ['middle and size for corners', vehicles({ boxes: tensor([10, 4], (i) => [300, 300, 40, 20][i % 4] as number) }), /not x0 y0 x1 y1/],
    ['another number of classes', vehicles({ scores: tensor([10, 4], () => 0.1) }), /"scores" has shape \[N,10,4\], wanted \[N,A,5\]/],
    ['another number of candidates', vehicles({ scores: tensor([11, 5], () => 0.1) }), /10 and 11 candidates/],
    ['not a number', vehicles({ quads: tensor([10, 8], (i) => (i === 3 ? NaN : 20)) }), /"quads" holds NaN at 3/],
    ['a missing output', new Map([['boxes', tensor([10, 4], () => 9)]]), /no output "scores"/],
  ])('names %s', (_, output, message) => {
    expect(checkOutputs(of('vehicles'), output, 0).join('\n')).toMatch(message);
  });

  it('counts the classes of a YOLOX', () => {
    const predictions = new Map([['output', tensor([42, 8], () => 0.5)]]);
    expect(checkOutputs(entry({}), predictions, 0)).toEqual(['the network tells 3 classes apart, the manifest names 2: name all in its order, null for those that are of no use']);
    expect(checkOutputs(entry({ classes: ['car', null, 'bus'] }), predictions, 0)).toEqual([]);
  });

  it('wants softmaxes to sum to one, and the character set to fit', () => {
    const reader = new Map([['probs', tensor([42, 3], () => 0.5)], ['colour', tensor([6], () => 1 / 6)], ['rows', tensor([2], () => 0.5)], ['plate', tensor([1], () => 0.5)]]);
    expect(checkOutputs(of('plate-reader'), reader, 2).join()).toMatch(/row 0 sums to 1\.500/);
    expect(checkOutputs(of('plate-reader'), reader, 68).join()).toMatch(/\[N,42,3\], wanted \[N,T,69\]/);
  });
});

describe('fittingFamilies', () => {
  const t = (...shape: (number | string)[]): { name: string; type: string; shape: (number | string)[] } => ({ name: 'x', type: 'float32', shape });
  it('tells families by their shapes', () => {
    expect(fittingFamilies([t('n', 'a', 4), t('n', 'a', 5), t('n', 'a', 8)])).toContain('anchor-free-quad');
    expect(fittingFamilies([t(1, 3549, 85)])).toContain('yolox');
    expect(fittingFamilies([t('n', 3072), t('n', 3072, 8)])).toContain('corner-heatmap');
    expect(fittingFamilies([t('n', 42, 70)])).toContain('ctc-reader');
    expect(fittingFamilies([t('n', 3), t('n', 11)])).toEqual(['classifier']);
    expect(fittingFamilies([t(3)])).toEqual([]);
  });
});
