import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../base/logger.js';
import { FRAMINGS, HOPELESS } from '../vision/models/second-look.js';
import { VOTE_DEFAULTS } from '../vision/plate/vote.js';
import { type ModelEntry, type PlatesModel, loadManifest, parseManifest } from '../vision/models/manifest.js';
import { nearInput } from '../vision/models/plate-finder.js';
import { ModelSession } from '../vision/models/session.js';

const folder = import.meta.dirname;
const manifestPath = path.join(folder, 'manifest.json');
const manifest = parseManifest(readFileSync(manifestPath, 'utf8'), manifestPath);
const MiB = 1024 * 1024;

/** Output shapes a picture batch of `n` must give, by output name. */
function shapes(model: ModelEntry, n: number, charset: number): Record<string, number[]> {
  const { width, height } = model.input;
  switch (model.task) {
    case 'vehicles': {
      // Of all its cells the graph answers for the best (MOST in training/vehicle_net.py, and in plate_net.py).
      const cells = Math.min(600, [8, 16, 32].reduce((sum, s) => sum + (width / s) * (height / s), 0));
      if ('predictions' in model.outputs) throw new Error('our own detector has its grid in the graph');
      const { boxes, scores, quads } = model.outputs;
      return { [boxes]: [n, cells, 4], [scores]: [n, cells, model.classes.length], ...(quads ? { [quads]: [n, cells, 8] } : {}) };
    }
    case 'plates': {
      const cells = 64;
      return { [model.outputs.scores]: [n, cells], [model.outputs.corners]: [n, cells, 8] };
    }
    case 'plate-reader': {
      const { probs, colour, rows, plate } = model.outputs;
      const out: Record<string, number[]> = { [probs]: [n, width / 4, charset + 1] };
      if (colour) out[colour] = [n, model.colours.length];
      if (rows) out[rows] = [n, 2];
      if (plate) out[plate] = [n, 1];
      return out;
    }
    case 'attributes':
      return Object.fromEntries(model.outputs.heads.map((head) => [head.output, [n, head.labels.length]]));
    case 'berths':
      return { [model.outputs.state]: [n, model.labels.length] };
  }
}

/** Every number that stands in a nest of measured figures. */
function numbers(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  if (value !== null && typeof value === 'object') return Object.values(value).flatMap(numbers);
  return [];
}

describe('models/manifest.json', () => {
  it('names files that are there, with the hashes they have', async () => {
    const loaded = await loadManifest(manifestPath);
    expect(loaded.files.size).toBe(manifest.models.length);
    for (const model of manifest.models) {
      const found = createHash('sha256').update(readFileSync(path.join(folder, model.file))).digest('hex');
      expect(found, model.file).toBe(model.sha256);
    }
  });

  it('covers the three tasks the analysis needs', () => {
    const tasks = manifest.models.map((m) => m.task);
    for (const task of ['vehicles', 'plates', 'plate-reader']) expect(tasks).toContain(task);
  });

  it('keeps every model within 4 MiB, all within 12 MiB, and no model unlisted', () => {
    const files = readdirSync(folder).filter((f) => f.endsWith('.onnx'));
    expect(files.sort()).toEqual(manifest.models.map((m) => m.file).sort());
    const sizes = files.map((f) => statSync(path.join(folder, f)).size);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(4 * MiB);
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(12 * MiB);
  });

  it('has a charset of distinct single characters without I and O', async () => {
    const { charsets } = await loadManifest(manifestPath);
    for (const [id, chars] of charsets) {
      expect(new Set(chars).size, id).toBe(chars.length);
      for (const c of '京鲁新0189AZ挂学警港澳使领') expect(chars, id).toContain(c);
      expect(chars).not.toContain('I');
      expect(chars).not.toContain('O');
    }
  });

  it('gives no figure that MODEL_CARD.md does not give too', () => {
    const card = readFileSync(path.join(folder, 'MODEL_CARD.md'), 'utf8');
    const inCard = new Set((card.match(/\d+(?:\.\d+)?/g) ?? []).map(Number));
    for (const model of manifest.models) {
      expect(card).toContain(model.id);
      for (const n of numbers(model.accuracy)) expect(inCard.has(n), `${model.id}: ${n} is not in MODEL_CARD.md`).toBe(true);
    }
  });
});

describe.each(manifest.models)('$id', (model) => {
  it('gives finite outputs of the documented shapes, for one picture and for three', async () => {
    const { charsets } = await loadManifest(manifestPath);
    const session = await ort.InferenceSession.create(path.join(folder, model.file), { intraOpNumThreads: 1, interOpNumThreads: 1 });
    try {
      for (const n of [1, 3]) {
        const { width, height, name } = model.input;
        // A repeatable picture with structure: smooth waves and a little pseudo-random grain.
        const data = Float32Array.from({ length: n * 3 * width * height }, (_, i) => 0.5 + 0.3 * Math.sin(i / 37) + 0.15 * Math.sin(i * 12.9898));
        const result = await session.run({ [name]: new ort.Tensor('float32', data, [n, 3, height, width]) });
        for (const [output, dims] of Object.entries(shapes(model, n, charsets.get(model.id)?.length ?? 0))) {
          const tensor = result[output];
          expect(tensor, output).toBeDefined();
          expect(tensor!.dims, output).toEqual(dims);
          expect((tensor!.data as Float32Array).every(Number.isFinite), output).toBe(true);
        }
        const probabilities = 'scores' in model.outputs ? [model.outputs.scores] : [];
        for (const output of probabilities) {
          expect((result[output]!.data as Float32Array).every((v) => v >= 0 && v <= 1), output).toBe(true);
        }
      }
    } finally {
      await session.release();
    }
  });
});

describe('the plate finder', () => {
  it('takes the smaller pictures of a second look, and finds a plate there where it is', async () => {
    const model = manifest.models.find((m): m is PlatesModel => m.task === 'plates') as PlatesModel;
    const session = await ModelSession.open(model, readFileSync(path.join(folder, model.file)), { threads: 1, logger: silentLogger });
    try {
      const near = nearInput(model.input, model.sizeStep);
      expect([near.width, near.height]).toEqual([model.input.width / 2, model.input.height / 2]);
      // A dark car's tail with a blue plate of 90 x 29 pixels, white strokes on it, its middle at 64, 50.
      const [output] = await session.run(1, ({ tensor }) => {
        const area = near.width * near.height;
        for (let y = 0; y < near.height; y++) {
          for (let x = 0; x < near.width; x++) {
            const inside = Math.abs(x - 64) < 45 && Math.abs(y - 50) < 14.5;
            const stroke = inside && Math.abs(y - 50) < 9 && (x - 22) % 12 < 3;
            const rgb = stroke ? [0.9, 0.92, 0.95] : inside ? [0.08, 0.2, 0.62] : [0.25, 0.25, 0.26];
            for (const [c, value] of rgb.entries()) tensor[c * area + y * near.width + x] = value;
          }
        }
      }, near);
      const scores = output?.get(model.outputs.scores)?.data as Float32Array;
      const best = scores.indexOf(Math.max(...scores));
      expect(scores[best]).toBeGreaterThan(model.thresholds.score);
      const corners = output?.get(model.outputs.corners)?.data.subarray(best * 8, best * 8 + 8) as Float32Array;
      for (const [i, wanted] of [19, 35.5, 109, 35.5, 109, 64.5, 19, 64.5].entries()) expect(Math.abs((corners[i] as number) - wanted)).toBeLessThan(6);
    } finally {
      await session.close();
    }
  });
});

describe('the readings of models/training', () => {
  it('are measured with the second looks that are taken', () => {
    const python = readFileSync(path.join(folder, 'training', 'second_look.py'), 'utf8');
    const value = (name: string): unknown => JSON.parse((new RegExp(`^${name} = ([^#\\n]+)`, 'm').exec(python)?.[1] ?? 'null').replaceAll('(', '[').replaceAll(')', ']'));
    expect(value('FRAMINGS')).toEqual(FRAMINGS.map(({ width, height, drop }) => [width, height, drop]));
    expect(value('SURE')).toBe(VOTE_DEFAULTS.acceptSingle);
    expect(value('HOPELESS')).toBe(HOPELESS);
  });
});
