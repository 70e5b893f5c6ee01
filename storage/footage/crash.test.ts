import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { childEntry } from '../../base/child-entry.js';
import { sleep, systemClock } from '../../base/clock.js';
import { seededRandom } from '../../base/fuzz-target.js';
import { silentLogger } from '../../base/logger.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import type { CrashWriterTask } from './crash-writer.js';
import { FootageLog } from './footage-log.js';

const KILLS = 10;
const CAMERAS = ['camera-1', 'camera-2', 'camera-3'];

let postgres: TestPostgres;
let folder: string;
beforeAll(async () => {
  postgres = await startTestPostgres();
  folder = await mkdtemp(join(tmpdir(), 'berthwatch-crash-'));
});
afterAll(async () => {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Lets a child record, kills it, and returns what it said it had been given. */
async function recordAndKill(task: CrashWriterTask, afterMs: number): Promise<string[]> {
  const { file, execArgv } = childEntry(import.meta.url, './crash-writer');
  const child = fork(file, { execArgv, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let out = '';
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const closed = once(child, 'close');
  const recording = new Promise<void>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (out.includes('recording\n')) resolve();
    });
    child.once('close', () => reject(new Error(`the child ended by itself: ${err}`)));
  });
  child.send(task);
  await recording;
  await sleep(systemClock, afterMs);
  child.kill('SIGKILL');
  await closed;
  expect(err).toBe('');
  // The last line may be torn.
  return out.slice(out.indexOf('\n') + 1, out.lastIndexOf('\n') + 1).split('\n').filter(Boolean);
}

it(`has every GOP that was given out at its place after each of ${KILLS} SIGKILLs`, async () => {
  const database = await postgres.freshDatabase();
  const { rows } = await database.query<{ name: string }>('SELECT current_database() AS name');
  const address = { ...postgres.server.address, database: (rows[0] as { name: string }).name };
  const random = seededRandom(28_181);
  /** By camera and position: when it began and its checksum. */
  const given = new Map<string, string>();
  for (let round = 0; round < KILLS; round++) {
    const task: CrashWriterTask = { folder: join(folder, 'log'), address, cameras: CAMERAS, startedAt: 1_767_225_600_000 + round * 86_400_000, seed: round, segmentMs: 1_500 };
    for (const line of await recordAndKill(task, Math.floor(random() * 400))) {
      const [camera, segment, gop, ...rest] = line.split(' ');
      const place = `${camera} ${segment} ${gop}`;
      // Followers begin with the oldest: what was given in earlier rounds comes again, and must be the same.
      expect(given.get(place) ?? rest.join(' '), place).toBe(rest.join(' '));
      given.set(place, rest.join(' '));
    }
  }
  expect(given.size).toBeGreaterThan(KILLS);

  const log = new FootageLog({ folder: join(folder, 'log'), database, clock: systemClock, logger: silentLogger });
  const report = await log.start();
  expect(report).toMatchObject({ lost: [], foreign: [] });
  for (const camera of CAMERAS) {
    const gops = await log.gopsBetween(camera, 0, 4e12);
    const found = new Map<string, string>();
    for (const gop of gops) {
      const units = await gop.read();
      found.set(`${camera} ${gop.position.segment} ${gop.position.gop}`, `${gop.startedAt} ${units.reduce((sum, unit) => crc32(unit.data, sum), 0)}`);
    }
    for (const [place, what] of given) if (place.startsWith(`${camera} `)) expect(found.get(place), place).toBe(what);
    // Sound is where its pictures are, whole or not at all.
    const sounds = await Promise.all(gops.map((gop) => gop.readAudio()));
    if (camera === CAMERAS[0]) expect(sounds.filter((sound) => sound !== null).length).toBeGreaterThan(KILLS);
    else expect(sounds.every((sound) => sound === null)).toBe(true);
    // Every row has its file and every file its row.
    const files = (await readdir(join(folder, 'log', 'cameras', camera))).map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
    const known = await database.query<{ segment: number }>('SELECT segment FROM footage_segment WHERE camera_id = $1 ORDER BY segment', [camera]);
    expect(known.rows.map((row) => row.segment)).toEqual(files);
    // Within a round nothing is missing between the first and the last GOP.
    const days = new Map<number, number[]>();
    for (const gop of gops) days.set(Math.floor(gop.startedAt / 86_400_000), [...(days.get(Math.floor(gop.startedAt / 86_400_000)) ?? []), gop.startedAt]);
    for (const starts of days.values()) expect(starts).toEqual(starts.map((_, i) => (starts[0] as number) + i * 300));
  }
  await log.close();
}, 180_000);
