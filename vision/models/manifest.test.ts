import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { silentLogger } from '../../base/logger.js';
import { BerthwatchError } from '../../base/errors.js';
import { tinyManifest } from '../fixtures/clips.js';
import { loadManifest, parseCharset, parseManifest, type LoadedManifest } from './manifest.js';
import { ModelSession, outputNames } from './session.js';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bw-models-'));
  await cp(path.dirname(tinyManifest), folder, { recursive: true });
  file = path.join(folder, 'tiny-manifest.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Rewrites the copied manifest. */
async function change(edit: (models: Record<string, unknown>[]) => void): Promise<void> {
  const json = JSON.parse(await readFile(file, 'utf8')) as { models: Record<string, unknown>[] };
  edit(json.models);
  await writeFile(file, JSON.stringify(json));
}

const open = async (loaded: LoadedManifest, index: number): Promise<ModelSession> => {
  const entry = loaded.manifest.models[index]!;
  return ModelSession.open(entry, loaded.files.get(entry.id)!, { threads: 1, logger: silentLogger });
};

describe('manifest', () => {
  it('loads, fills defaults and verifies', async () => {
    const loaded = await loadManifest(file);
    expect(loaded.manifest.models.map((m) => m.task)).toEqual(['vehicles', 'plates', 'plate-reader', 'attributes']);
    expect(loaded.charsets.get('tiny-reader')).toEqual(['鲁', 'B', '1', '2', '3']);
    expect(loaded.manifest.models[0]?.input.padding).toBe(114);
  });

  it('refuses a file that is not the one vouched for, naming it and both hashes', async () => {
    const onnx = path.join(folder, 'tiny-plates.onnx');
    const bytes = await readFile(onnx);
    bytes[100]! ^= 1;
    await writeFile(onnx, bytes);
    const error = await loadManifest(file).catch((e: unknown) => e);
    expect(error).toMatchObject({ kind: 'bad-input', code: 'VISION_MODEL_HASH' });
    const { message, detail } = error as BerthwatchError;
    expect(message).toContain('tiny-plates.onnx');
    expect(message).toContain(detail.found as string);
    expect(message).toContain(detail.expected as string);
  });

  it.each<[string, (models: Record<string, unknown>[]) => void, RegExp]>([
    ['an unknown key', (m) => (m[0]!.colour = 1), /colour/],
    ['an unknown class', (m) => (m[0]!.classes = ['car', 'tank', 'truck']), /models\.0\.classes\.1/],
    ['a wrong family', (m) => (m[1]!.family = 'classifier'), /family/],
    ['two models of one task', (m) => Object.assign(m[1]!, { ...m[0], id: 'other' }), /second model for "vehicles"/],
    ['an id used twice', (m) => (m[1]!.id = m[0]!.id), /used twice/],
    ['a label nobody knows', (m) => ((m[3]!.outputs as { heads: { labels: string[] }[] }).heads[0]!.labels = ['small', 'huge']), /"huge" is no label of vehicle-type/],
    ['a file outside the folder', (m) => (m[0]!.file = '../evil.onnx'), /outside its own folder/],
  ])('refuses %s', async (_, edit, message) => {
    await change(edit);
    await expect(loadManifest(file)).rejects.toMatchObject({ kind: 'bad-input', message: expect.stringMatching(message) as string });
  });

  it('says which file is missing', async () => {
    await rm(path.join(folder, 'tiny-charset.txt'));
    await expect(loadManifest(file)).rejects.toMatchObject({ kind: 'not-found', message: expect.stringContaining('tiny-charset.txt') as string });
    await expect(loadManifest(path.join(folder, 'no.json'))).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('gives a clear error for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseManifest(text, 'm.json');
        } catch (error) {
          expect(error).toBeInstanceOf(BerthwatchError);
        }
      }),
    );
  });

  it('wants one character a line in a charset', () => {
    expect(parseCharset('鲁\r\nB\n1\n', 'c')).toEqual(['鲁', 'B', '1']);
    expect(() => parseCharset('AB\n', 'c.txt')).toThrow(/c\.txt line 1/);
    expect(() => parseCharset('A\n\nB', 'c.txt')).toThrow(/line 2/);
    expect(() => parseCharset('A\nA', 'c.txt')).toThrow(/twice/);
  });
});

describe('session', () => {
  it('runs batches and slices every output by picture', async () => {
    const session = await open(await loadManifest(file), 0);
    expect(session.batched).toBe(true);
    const length = 3 * session.entry.input.width * session.entry.input.height;
    const outputs = await session.run(3, ({ tensor }, slot, picture) => tensor.fill(picture / 10, slot * length, (slot + 1) * length));
    expect(outputs).toHaveLength(3);
    for (const [i, output] of outputs.entries()) {
      expect(output.get('boxes')?.dims).toEqual([2, 4]);
      expect([...(output.get('boxes')?.data.subarray(0, 4) ?? [])]).toEqual([24, 16, 72, 48]);
      expect(output.get('scores')?.data[0]).toBeCloseTo(i / 10, 4);
    }
    expect(await session.run(0, () => undefined)).toEqual([]);
    await session.close();
  });

  it('explains what does not fit', async () => {
    await change((m) => {
      (m[0]!.input as { width: number }).width = 128;
      (m[0]!.outputs as { quads: string }).quads = 'feet';
      (m[1]!.input as { name: string }).name = 'pixels';
    });
    const loaded = await loadManifest(file);
    await expect(open(loaded, 0)).rejects.toMatchObject({ code: 'VISION_MODEL_SHAPE', message: expect.stringMatching(/\[n,3,64,96\].*\[N,3,64,128\].*no output "feet"/) as string });
    await expect(open(loaded, 1)).rejects.toMatchObject({ message: expect.stringMatching(/no input "pixels" \(it has images\)/) as string });
  });

  it('wants a sizeStep for a look at half the size', async () => {
    await change((m) => void ((m[0] as unknown as { nearFrom: number }).nearFrom = 140));
    await expect(loadManifest(file)).rejects.toThrow(/nearFrom.*say its sizeStep/s);
  });

  it('believes a sizeStep only where the network is open to it', async () => {
    await change((m) => void ((m[1] as unknown as { sizeStep: number }).sizeStep = 32));
    await expect(open(await loadManifest(file), 1)).rejects.toMatchObject({ code: 'VISION_MODEL_SHAPE', message: expect.stringMatching(/sizeStep, but input "images" has a fixed height or width: leave sizeStep out/) as string });
  });

  it('refuses bytes that are no network', async () => {
    const { manifest } = await loadManifest(file);
    await expect(ModelSession.open(manifest.models[0]!, Buffer.from('not a network'), { threads: 1, logger: silentLogger })).rejects.toMatchObject({ kind: 'bad-input', code: 'VISION_MODEL_OPEN' });
  });

  it('falls back to the CPU with one line where the accelerator is missing', async () => {
    const loaded = await loadManifest(file);
    const lines: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => void lines.push(message) };
    const entry = loaded.manifest.models[0]!;
    const session = await ModelSession.open(entry, loaded.files.get(entry.id)!, { threads: 1, accelerator: 'coreml', logger });
    expect(session.provider).toBe('cpu');
    expect(lines).toEqual(['coreml cannot run model tiny-vehicles: the CPU does it']);
    await session.close();
  });

  it('knows the outputs of every family', async () => {
    const { manifest } = await loadManifest(file);
    expect(manifest.models.map(outputNames)).toEqual([['boxes', 'scores', 'quads'], ['scores', 'corners'], ['probs', 'colour', 'rows', 'plate'], ['type', 'body']]);
  });
});
