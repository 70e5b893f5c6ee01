import { describe, expect, it } from 'vitest';
import type { Quad } from '../../base/geometry.js';
import type { Picture } from '../decode/picture.js';
import { InputRoom } from './input-room.js';
import type { ReaderModel } from './manifest.js';
import type { FoundPlate } from './plate-assignment.js';
import { readPlates } from './plate-reader.js';
import { FRAMINGS } from './second-look.js';
import type { ModelSession, Output } from './session.js';

const charset = [...'皖鲁ABD0123456789警'];
const entry = {
  input: { name: 'images', width: 168, height: 48, channels: 'rgb', layout: 'nchw', scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], resize: 'stretch', padding: 114 },
  outputs: { probs: 'probs', colour: 'colour', rows: 'rows', plate: 'plate' },
  colours: ['blue', 'yellow'],
  twoRow: { top: [0.2, 0, 0.8, 0.4], bottom: [0, 0.4, 1, 1], topShare: 1 / 3 },
  thresholds: { character: 0.3, plate: 0.5 },
} as unknown as ReaderModel;

interface Look {
  text: string;
  /** Of every character. */
  sure: number;
  plate?: number;
  rows?: 1 | 2;
}

/** A session whose network answers with prepared looks, in the order in which pictures come; `batches` says how many came together. */
function session(looks: readonly Look[]): { session: ModelSession<ReaderModel>; batches: number[] } {
  const waiting = [...looks];
  const batches: number[] = [];
  const room = new InputRoom();
  room.open(1, { width: 168, height: 48 });
  const run = (count: number, fill: (room: InputRoom, slot: number, picture: number) => void): Promise<Map<string, Output>[]> => {
    if (count > 0) batches.push(count);
    const outputs = Array.from({ length: count }, (_, i) => {
      fill(room, 0, i);
      const look = waiting.shift() as Look;
      const classes = charset.length + 1;
      const characters = [...look.text];
      const probs = new Float32Array(Math.max(1, characters.length * 2) * classes);
      // Every character is followed by a blank.
      for (let t = 0; t * classes < probs.length; t++) {
        const k = t % 2 === 0 && characters.length > 0 ? charset.indexOf(characters[t / 2] as string) + 1 : 0;
        probs[t * classes + k] = k === 0 ? 1 : look.sure;
      }
      return new Map<string, Output>([
        ['probs', { data: probs, dims: [probs.length / classes, classes] }],
        ['colour', { data: Float32Array.of(0.99, 0.01), dims: [2] }],
        ['rows', { data: look.rows === 2 ? Float32Array.of(0.1, 0.9) : Float32Array.of(0.9, 0.1), dims: [2] }],
        ['plate', { data: Float32Array.of(look.plate ?? 0.99), dims: [1] }],
      ]);
    });
    return Promise.resolve(outputs);
  };
  return { session: { entry, run } as unknown as ModelSession<ReaderModel>, batches };
}

const grey: Picture = { width: 400, height: 300, y: new Uint8Array(400 * 300).fill(120), u: new Uint8Array(200 * 150).fill(128), v: new Uint8Array(200 * 150).fill(128), strideY: 400, strideC: 200, matrix: 'bt709', fullRange: true };
const corners: Quad = [[100, 80], [260, 80], [260, 130], [100, 130]];
const plate: FoundPlate = { corners, score: 0.9 };
const again = (...looks: Look[]): Look[] => FRAMINGS.map((_, i) => looks[i] ?? { text: '', sure: 0 });

describe('reading plates', () => {
  it('tells no plate from a plate that cannot be read', async () => {
    const { session: s } = session([{ text: '皖A12345', sure: 0.99, plate: 0.2 }, { text: '', sure: 0 }, { text: '皖A12345', sure: 0.01 }]);
    const [none, blank, faint] = await readPlates(s, charset, grey, [plate, plate, plate]);
    expect(none).toBeNull();
    expect(blank).toMatchObject({ text: '', characterConfidences: [], corners });
    expect(faint).toMatchObject({ text: '', characterConfidences: [] });
  });

  it('reads a sure plate once', async () => {
    const { session: s, batches } = session([{ text: '皖A12345', sure: 0.96 }]);
    const [reading] = await readPlates(s, charset, grey, [plate]);
    expect(reading).toMatchObject({ text: '皖A12345', colour: 'blue', rows: 1 });
    expect(batches).toEqual([1]);
  });

  it('looks again at all unsure plates in one batch, and believes the surest look', async () => {
    const { session: s, batches } = session([
      { text: '皖A12845', sure: 0.6 },
      { text: '鲁B00000', sure: 0.99 },
      { text: '鲁AD1234', sure: 0.5 },
      ...again({ text: '皖A12345', sure: 0.98 }, { text: '皖A12345', sure: 0.9 }),
      ...again({ text: '鲁AD1234', sure: 0.97 }),
    ]);
    const readings = await readPlates(s, charset, grey, [plate, plate, plate]);
    expect(batches).toEqual([3, 2 * FRAMINGS.length]);
    expect(readings.map((r) => r?.text)).toEqual(['皖A12345', '鲁B00000', '鲁AD1234']);
    // The look that read another fourth digit keeps that one doubtful; the look that agreed takes nothing away.
    const [first, , third] = readings.map((r) => r?.characterConfidences ?? []);
    expect(first?.[4]).toBeCloseTo(0.98 / 1.58);
    expect(first?.[3]).toBeCloseTo(0.98);
    expect(Math.min(...(third ?? []))).toBeCloseTo(0.97);
  });

  it('reads two rows by their bands, without more looks', async () => {
    const { session: s, batches } = session([{ text: '皖', sure: 0.5, rows: 2 }, { text: '皖A12345', sure: 0.8 }]);
    const [reading] = await readPlates(s, charset, grey, [plate]);
    expect(batches).toEqual([1, 1]);
    expect(reading).toMatchObject({ text: '皖A12345', rows: 2 });
  });
});
