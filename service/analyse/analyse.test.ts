import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Quad } from '../../base/geometry.js';
import type { Observation } from '../../vision/observation.js';
import { describePicture, headingInPicture, sentence } from './describe.js';
import { inOrder } from './in-order.js';
import { listInputs } from './inputs.js';
import { Progress } from './progress.js';

describe('listInputs', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bw-inputs-'));
    await mkdir(join(folder, 'b'));
    for (const name of ['z.JPG', 'a.png', 'notes.txt', 'b/one.mp4']) await writeFile(join(folder, name), 'x');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('follows links to files, and none that lead nowhere or to folders', async () => {
    await symlink(join(folder, 'a.png'), join(folder, 'b', 'link.png'));
    await symlink(join(folder, 'gone.png'), join(folder, 'b', 'dead.png'));
    await symlink(folder, join(folder, 'b', 'round.png'));
    expect((await listInputs([join(folder, 'b')])).map((f) => f.path.slice(folder.length + 1))).toEqual(['b/link.png', 'b/one.mp4']);
  });

  it('takes pictures and videos of folders in order, and passes over the rest', async () => {
    const found = await listInputs([folder]);
    expect(found.map((f) => [f.path.slice(folder.length + 1), f.kind])).toEqual([['a.png', 'picture'], ['b/one.mp4', 'video'], ['z.JPG', 'picture']]);
  });

  it('says what is wrong with a path', async () => {
    await expect(listInputs([join(folder, 'none')])).rejects.toMatchObject({ kind: 'not-found' });
    await expect(listInputs([join(folder, 'notes.txt')])).rejects.toThrow(/neither picture nor video/);
    await rm(join(folder, 'b', 'one.mp4'));
    await expect(listInputs([join(folder, 'b')])).rejects.toThrow(/no pictures or videos/);
  });
});

describe('inOrder', () => {
  it('works side by side within its limit, and answers in order', async () => {
    let running = 0;
    let most = 0;
    const results: number[] = [];
    for await (const r of inOrder([30, 1, 20, 1, 1, 10], 3, async (ms) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, ms));
      running--;
      return ms;
    })) results.push(r);
    expect(results).toEqual([30, 1, 20, 1, 1, 10]);
    expect(most).toBe(3);
  });

  it('ends with the first error, in order', async () => {
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      for await (const r of inOrder([1, 2, 3, 4], 2, (n) => (n === 3 ? Promise.reject(new Error('three')) : Promise.resolve(n)))) seen.push(r);
    };
    await expect(run()).rejects.toThrow('three');
    expect(seen).toEqual([1, 2]);
  });
});

describe('describePicture', () => {
  const footprint: Quad = [[10, 40], [30, 40], [30, 90], [10, 90]];
  const observation: Observation = {
    cameraId: 'c', capturedAt: 0, width: 100, height: 100, basis: 'inferred', obstructions: [],
    health: { black: false, frozen: false, blurred: true, moved: false, damaged: false },
    vehicles: [
      {
        box: { x: 8.04, y: 20, width: 25, height: 70 }, score: 0.91234, class: 'car', type: 'small', bodyColour: 'red', bodyColourConfidence: 0.5, view: null, footprint, trackId: 0,
        plate: { text: '鲁B12345', colour: 'blue', colourConfidence: 1, rows: 1, corners: footprint, characterConfidences: [1, 1, 1, 1, 1, 1, 1], score: 1 },
      },
      { box: { x: 60, y: 20, width: 25, height: 70 }, score: 0.5, class: 'person', type: 'small', bodyColour: 'other', bodyColourConfidence: 0, view: null, footprint: null, plate: null, trackId: 0 },
    ],
  };

  it('tells what a program needs', () => {
    const line = describePicture('a.jpg', observation, { detect: { count: 1, ms: 12.34 } }, [{ berthId: 'b', number: '7', state: 'occupied', vehicle: 0, share: 0.9, look: null }]);
    expect(line).toMatchObject({
      file: 'a.jpg', width: 100, problems: ['blurred'], ms: { detect: 12.3 },
      vehicles: [{ class: 'car', score: 0.912, colour: 'red', heading: 270, box: [8, 20, 25, 70], plate: { text: '鲁B12345', kind: 'small' } }, { class: 'person', heading: null, plate: null }],
    });
    expect(sentence(line)).toBe('a.jpg  1 car, 1 person  鲁B12345  berths taken: 7 of 1  picture: blurred');
  });

  it('tells people which berths something else stands in', () => {
    const berth = (number: string, state: 'occupied' | 'obstructed' | 'free') => ({ berthId: number, number, state, vehicle: null, share: 0, look: null });
    const told = (...berths: ReturnType<typeof berth>[]): string => sentence(describePicture('a.jpg', { ...observation, vehicles: [] }, {}, berths));
    expect(told(berth('1', 'obstructed'), berth('2', 'free'), berth('3', 'occupied'), berth('4', 'obstructed'))).toBe('a.jpg  nothing  berths taken: 3 of 4  obstructed: 1 4  picture: blurred');
    expect(told(berth('1', 'free'))).toBe('a.jpg  nothing  berths taken: none of 1  picture: blurred');
  });

  it('tells a text that is no plate as such', () => {
    const [car] = observation.vehicles;
    const wrong = { ...observation, vehicles: [{ ...car!, plate: { ...car!.plate!, text: '171' } }] };
    const line = describePicture('a.jpg', wrong, {}, null, 2_000);
    expect(line.vehicles[0]?.plate?.kind).toBeNull();
    expect(sentence(line)).toBe('a.jpg at 2.0 s  1 car  (171?)  picture: blurred');
  });

  it.each<[number, Quad]>([[0, [[9, 1], [9, 3], [1, 3], [1, 1]]], [90, [[3, 9], [1, 9], [1, 1], [3, 1]]], [180, [[1, 3], [1, 1], [9, 1], [9, 3]]]])('heading %i', (degrees, q) => {
    expect(headingInPicture(q)).toBe(degrees);
  });
});

describe('Progress', () => {
  it('draws on terminals only, no wider than they are', () => {
    const drawn: string[] = [];
    const bar = new Progress(4, { isTTY: true, columns: 40, write: (text) => drawn.push(text) });
    bar.show(4, 'a very long name of a file that does not fit there');
    expect(drawn[0]).toMatch(/\[#{24}\] 4\/4/);
    expect((drawn[0] as string).replace('\r\u001b[2K', '').length).toBeLessThan(40);
    const silent: string[] = [];
    new Progress(4, { isTTY: false, write: (text) => silent.push(text) }).show(4);
    expect(silent).toEqual([]);
  });
});
