import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../base/program-root.js';
import { haveTool, sharedData } from '../../base/test-tools.js';
import { berthwatch, CLI } from './support/cli.js';
import { sequenceVideo } from './support/parking-sequence.js';

interface Picture {
  type: 'picture';
  capturedAt: number;
  berths: { number: string; occupied: boolean }[];
}

interface Summary {
  type: 'summary';
  pictures: number;
  gatedPictures: number;
  footageSeconds: number;
  seconds: number;
  vehicleSightings: number;
  classes: Record<string, number>;
  berths: { number: string; occupiedShare: number }[];
  visits: unknown[];
}

/**
 * Floors that hold with the models in the repository; what the test prints is what README.md's limits cite. Sequence 5 was kept
 * out of training, the others were not.
 */
const SEQUENCES = ['1', '2', '3', '4', '5'];
const HELD_OUT = '5';
const FLOOR = { trainedOn: 0.88, heldOut: 0.55 };

/** `berthwatch replay` over real recordings: it runs to its end and reports what it saw. */
describe('replay of real recordings', () => {
  const street = sharedData('footage/street.mp4');
  const sequences = sharedData('parking/sequences');
  const ffmpeg = haveTool('ffmpeg');
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'bw-replay-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.skipIf(street === null)('sees vehicles in a real street', async () => {
    const { code, lines, errors } = await berthwatch(['replay', street as string, '--json']);
    expect(code, errors).toBe(0);
    const summary = JSON.parse(lines.at(-1) ?? '') as Summary;
    expect(summary.type).toBe('summary');
    console.log(`street.mp4: ${summary.pictures} key frames of ${summary.footageSeconds} s in ${summary.seconds} s, ${summary.vehicleSightings} vehicle sightings, ${(summary.vehicleSightings / summary.pictures).toFixed(1)} a picture (${JSON.stringify(summary.classes)})`);
    expect(summary.footageSeconds).toBeGreaterThan(30);
    expect(summary.vehicleSightings).toBeGreaterThan(summary.pictures);
    expect(lines.filter((line) => line.startsWith('{"type":"picture"'))).toHaveLength(summary.pictures);
  });

  it('stops in order when it is told to, and leaves no database running', async () => {
    // PostgreSQL runs as another user than root.
    chmodSync(folder, 0o711);
    const data = join(folder, 'stopped');
    const child = spawn(process.execPath, [CLI, 'replay', join(program.root, 'test', 'fixtures', 'scenes', 'day-parallel.mp4'), '--data', data, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const ended = once(child, 'exit');
    await Promise.race([once(child.stdout, 'data'), ended]);
    child.stdout.resume();
    expect(child.exitCode, errors).toBeNull();
    const postmaster = readdirSync(data, { recursive: true, encoding: 'utf8' }).find((file) => basename(file) === 'postmaster.pid') as string;
    expect(postmaster).toBeDefined();
    const pid = Number(readFileSync(join(data, postmaster), 'utf8').split('\n')[0]);
    child.kill('SIGTERM');
    const [code] = (await ended) as [number];
    expect(code).toBe(1);
    await finished(child.stderr);
    expect(errors).toMatch(/^berthwatch: stopped by SIGTERM before the end of .*day-parallel\.mp4$/m);
    expect(existsSync(join(data, postmaster))).toBe(false);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });

  const share = { trainedOn: { right: 0, all: 0 }, heldOut: { right: 0, all: 0 } };

  it.skipIf(sequences === null || !ffmpeg).each(SEQUENCES)('tells per-berth occupancy of a real car park, sequence %s', async (name) => {
    const { video, site, truth, shownMs } = sequenceVideo(join(sequences as string, name), join(folder, name));
    const { code, lines, errors } = await berthwatch(['replay', video, '--site', site, '--json']);
    expect(code, errors).toBe(0);
    const answers = lines.map((line) => JSON.parse(line) as Picture | Summary | { type: 'event' });
    const pictures = answers.filter((answer): answer is Picture => answer.type === 'picture');
    const summary = answers.at(-1) as Summary;
    const start = pictures[0]?.capturedAt ?? 0;
    const count = { occupiedRight: 0, occupied: 0, freeRight: 0, free: 0 };
    for (const [i, states] of truth.entries()) {
      // The last look before the next picture comes.
      const seen = pictures.findLast((picture) => picture.capturedAt < start + (i + 1) * shownMs);
      for (const berth of seen?.berths ?? []) {
        const occupied = states.get(berth.number);
        if (occupied === undefined) continue;
        count[occupied ? 'occupied' : 'free']++;
        if (berth.occupied === occupied) count[occupied ? 'occupiedRight' : 'freeRight']++;
      }
    }
    const group = share[name === HELD_OUT ? 'heldOut' : 'trainedOn'];
    group.right += count.occupiedRight + count.freeRight;
    group.all += count.occupied + count.free;
    console.log(
      `car park sequence ${name}: ${count.occupiedRight} of ${count.occupied} occupied and ${count.freeRight} of ${count.free} free berths told right; ${summary.pictures} key frames (${summary.gatedPictures} gated) in ${summary.seconds} s, ${summary.visits.length} visits`,
    );
    expect(count.occupied + count.free).toBeGreaterThan(100);
  });

  it.skipIf(sequences === null || !ffmpeg)('tells most of the berths right', () => {
    const part = ({ right, all }: { right: number; all: number }): number => right / all;
    console.log(`car park: ${(100 * part(share.trainedOn)).toFixed(1)} % of berth states right in sequences 1 to 4 (used in training), ${(100 * part(share.heldOut)).toFixed(1)} % in sequence 5 (kept out)`);
    expect(part(share.trainedOn)).toBeGreaterThan(FLOOR.trainedOn);
    expect(part(share.heldOut)).toBeGreaterThan(FLOOR.heldOut);
  });
});
