import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { Database } from '../catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import { FootageLog, type FootageLogOptions } from './footage-log.js';
import { LogFrameSource } from './log-frame-source.js';
import type { LoggedGop } from './logged-gop.js';
import type { LogPosition } from './segment.js';
import { SegmentScanner } from './segment-scanner.js';
import { FaultyDisk, syntheticUnits, systemError, type SyntheticOptions } from './testing.js';

const T0 = 1_767_225_600_000;
let postgres: TestPostgres;
let database: Database;
let folder: string;
let logs: FootageLog[];
let disk: FaultyDisk;

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = await postgres.freshDatabase({ patienceMs: 300 });
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  await database.query('TRUNCATE footage_log, footage_camera, footage_segment, footage_gap, footage_removal');
  folder = await mkdtemp(join(tmpdir(), 'berthwatch-footage-'));
  logs = [];
  disk = new FaultyDisk();
});
afterEach(async () => {
  disk.fail = () => null;
  for (const log of logs) await log.close();
  await rm(folder, { recursive: true, force: true });
});

function open(options: Partial<FootageLogOptions> = {}): FootageLog {
  const log = new FootageLog({ folder: join(folder, 'log'), database, clock: systemClock, logger: silentLogger, segmentMs: 10_000, retryMs: 20, queueGops: 1_000, disk, ...options });
  logs.push(log);
  return log;
}

function fill(log: FootageLog, options: SyntheticOptions = {}): AccessUnit[] {
  const units = [...syntheticUnits(options)];
  for (const unit of units) log.append(unit);
  return units;
}

/** The first `count` GOPs behind a position. */
async function take(log: FootageLog, count: number, after: LogPosition | null = null, cameraId = 'camera-1'): Promise<LoggedGop[]> {
  const stop = new AbortController();
  const gops: LoggedGop[] = [];
  for await (const gop of log.follow(cameraId, after, stop.signal)) {
    gops.push(gop);
    if (gops.length === count) stop.abort();
  }
  return gops;
}

const key = (gop: LoggedGop): string => `${gop.position.segment}/${gop.position.gop}@${gop.startedAt}`;
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await sleep(systemClock, 5);
};
/** What another process would find: the objects are dropped as a SIGKILL drops them. */
async function abandon(log: FootageLog): Promise<void> {
  disk.fail = () => systemError('EIO');
  logs.splice(logs.indexOf(log), 1);
  await log.close();
  disk.fail = () => null;
}
const rows = async (): Promise<{ segment: number; state: string; gops: number; bytes: number; recovered: boolean }[]> =>
  (await database.query<{ segment: number; state: string; gops: number; bytes: number; recovered: boolean }>('SELECT segment, state, gops, bytes, recovered FROM footage_segment ORDER BY camera_id, segment')).rows;
const removals = async (): Promise<number[]> => (await database.query<{ segment: number }>('SELECT segment FROM footage_removal ORDER BY segment')).rows.map((row) => row.segment);
const files = async (camera = 'camera-1'): Promise<string[]> => (await readdir(join(folder, 'log', 'cameras', camera))).sort();

describe('FootageLog', () => {
  it('gives back what was appended, once it is durable, over segments and a restart', async () => {
    const log = open();
    expect(await log.start()).toMatchObject({ created: true, cameras: 0 });
    const units = fill(log, { gops: 30 });
    const gops = await take(log, 29);
    expect(gops.map((gop) => gop.startedAt)).toEqual(units.filter((unit) => unit.keyframe).slice(0, 29).map((unit) => unit.capturedAt));
    expect(new Set(gops.map((gop) => gop.position.segment)).size).toBeGreaterThanOrEqual(3);
    const read = (await Promise.all(gops.map((gop) => gop.read()))).flat();
    expect(read.map((unit) => ({ ...unit, data: Buffer.from(unit.data) }))).toEqual(units.slice(0, read.length).map((unit) => ({ ...unit, data: Buffer.from(unit.data) })));
    expect(await gops[3]?.readKeyframe()).toEqual((await gops[3]?.read())?.[0]);
    await log.close();
    expect((await rows()).every((row) => row.state === 'sealed' && !row.recovered)).toBe(true);

    const again = open();
    expect(await again.start()).toMatchObject({ created: false, recovered: [], lost: [], foreign: [] });
    const back = await take(again, 30);
    expect(back.map(key).slice(0, 29)).toEqual(gops.map(key));
    // After a restart the log goes on in a new segment.
    fill(again, { gops: 2, startedAt: T0 + 31_000, pts: 5, seed: 9 });
    const [next] = await take(again, 1, (back.at(-1) as LoggedGop).position);
    expect(next?.position).toEqual({ segment: (back.at(-1) as LoggedGop).position.segment + 1, gop: 0 });
  });

  it('staggers the segments of many cameras', async () => {
    const log = open();
    await log.start();
    for (let i = 0; i < 6; i++) fill(log, { cameraId: `c${i}`, gops: 15, unitsPerGop: 1, intervalMs: 1_000 });
    const starts = new Set<number>();
    for (let i = 0; i < 6; i++) starts.add((await take(log, 14, null, `c${i}`)).find((gop) => gop.position.segment === 2)?.startedAt ?? 0);
    expect(starts.size).toBeGreaterThan(2);
  });

  it('begins a segment for new parameters, a discontinuity and a gap, and keeps gaps as rows', async () => {
    const log = open({ segmentMs: 60_000 });
    await log.start();
    fill(log, { gops: 2 });
    fill(log, { gops: 1, startedAt: T0 + 2_000, pts: 900_000 + 180_000, sets: 1 });
    log.discontinuity('camera-1', 'camera called again');
    fill(log, { gops: 1, startedAt: T0 + 30_000, pts: 7 });
    fill(log, { gops: 2, startedAt: T0 + 37_000, pts: 7 + 7 * 90_000 });
    log.streamEnded('camera-1');
    const gops = await take(log, 6);
    const began = [...new Map(gops.map((gop) => [gop.position.segment, gop.startedAt - T0])).values()];
    for (const wanted of [2_000, 30_000, 37_000]) expect(gops.filter((gop) => gop.position.gop === 0).map((gop) => gop.startedAt - T0)).toContain(wanted);
    expect(began.length).toBeGreaterThanOrEqual(4);
    const expected = [
      { from: T0 + 2_800, to: T0 + 30_000, reason: 'camera called again' },
      { from: T0 + 30_800, to: T0 + 37_000, reason: 'gap' },
    ];
    // At once, from memory, and the same when they are rows.
    expect(await log.gaps('camera-1', T0, T0 + 40_000)).toEqual(expected);
    await until(async () => log.stats().unregisteredSegments === 0 && (await database.query('SELECT 1 FROM footage_gap')).rowCount === 2);
    expect(await log.gaps('camera-1', T0, T0 + 40_000)).toEqual(expected);
    expect(await log.gaps('camera-1', T0 + 35_000, T0 + 100_000)).toEqual([expected[1], { from: T0 + 38_800, to: null, reason: 'no footage since' }]);
  });

  it('finds GOPs by time and by position, in memory and in the catalogue alike', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 60 });
    log.streamEnded('camera-1');
    const gops = await take(log, 60);
    await until(() => log.stats().unregisteredSegments === 0);
    const check = async (on: FootageLog): Promise<void> => {
      for (const at of [0, 1, 199, 999, 1_000, 25_500, 59_800, 59_999]) {
        const found = (await on.gopAt('camera-1', T0 + at)) as LoggedGop;
        expect(key(found)).toBe(key(gops[Math.floor(at / 1_000)] as LoggedGop));
      }
      expect(await on.gopAt('camera-1', T0 - 1)).toBeNull();
      expect(await on.gopAt('camera-1', T0 + 66_000)).toBeNull();
      expect(await on.gopAt('nobody', T0)).toBeNull();
      expect((await on.gopsBetween('camera-1', T0 + 5_900, T0 + 20_100)).map(key)).toEqual(gops.slice(6, 21).map(key));
      for (const i of [1, 9, 10, 11, 30, 59]) {
        const here = gops[i] as LoggedGop;
        expect(key((await on.gopBefore('camera-1', here.position)) as LoggedGop)).toBe(key(gops[i - 1] as LoggedGop));
        expect(key((await on.gopAfter('camera-1', (gops[i - 1] as LoggedGop).position)) as LoggedGop)).toBe(key(here));
        expect(key(await on.gop('camera-1', here.position))).toBe(key(here));
      }
      expect(await on.gopBefore('camera-1', (gops[0] as LoggedGop).position)).toBeNull();
      expect(await on.gopAfter('camera-1', (gops[59] as LoggedGop).position)).toBeNull();
      await expect(on.gop('camera-1', { segment: 99, gop: 0 })).rejects.toMatchObject({ kind: 'not-found' });
      const segments = await on.segments('camera-1', T0, T0 + 60_000);
      expect(segments.reduce((sum, segment) => sum + segment.gops, 0)).toBe(60);
    };
    await check(log);
    await log.close();
    const again = open();
    await again.start();
    await check(again);
  });

  it('shows the open segment, and its last GOP once the camera falls silent', async () => {
    const log = open({ segmentMs: 60_000, idleMs: 60 });
    await log.start();
    fill(log, { gops: 3 });
    const gops = await take(log, 3);
    expect(gops).toHaveLength(3);
    const [segment] = (await log.segments('camera-1', T0, T0 + 3_000)).slice(-1);
    expect(segment?.state === 'open' || segment?.state === 'sealed').toBe(true);
    await until(async () => (await rows()).length > 0);
  });

  it('feeds its footage as a FrameSource, leaving out what retention removed meanwhile', async () => {
    const log = open();
    await log.start();
    const units = fill(log, { gops: 35 });
    log.streamEnded('camera-1');
    await take(log, 35);
    const source = new LogFrameSource({ log, cameraId: 'camera-1', logger: silentLogger, until: T0 + 34_500 });
    const seen: AccessUnit[] = [];
    for await (const unit of source.units(new AbortController().signal)) {
      seen.push(unit);
      if (seen.length === units.length) break;
    }
    expect(seen.map((unit) => unit.capturedAt)).toEqual(units.map((unit) => unit.capturedAt));
    expect(seen[0]?.keyframe).toBe(true);

    const bounded = new LogFrameSource({ log, cameraId: 'camera-1', logger: silentLogger, until: T0 + 3_500 });
    fill(log, { gops: 2, startedAt: T0 + 36_000, pts: 90_000_000 });
    const some: AccessUnit[] = [];
    for await (const unit of bounded.units(new AbortController().signal)) some.push(unit);
    expect(some).toHaveLength(20);
  });

  it('ends every follower when it closes, after giving all', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 12 });
    const all = (async () => {
      const gops: LoggedGop[] = [];
      for await (const gop of log.follow('camera-1', null, new AbortController().signal)) gops.push(gop);
      return gops;
    })();
    await log.close();
    expect(await all).toHaveLength(12);
  });

  it('records while the database is away, and registers afterwards', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 5 });
    await take(log, 4);
    const address = postgres.server.address;
    await postgres.server.stop();
    try {
      fill(log, { gops: 40, startedAt: T0 + 5_000, pts: 900_000 + 5 * 90_000 });
      const gops = await take(log, 40);
      expect(gops.map((gop) => gop.startedAt)).toEqual(Array.from({ length: 40 }, (_, i) => T0 + i * 1_000));
      expect(log.status()).toMatchObject({ state: 'ok', droppedGops: 0 });
      expect(log.stats().unregisteredSegments).toBeGreaterThan(2);
    } finally {
      await postgres.server.start();
    }
    expect(postgres.server.address).toEqual(address);
    await until(() => log.stats().unregisteredSegments === 0);
    expect((await rows()).length).toBeGreaterThan(2);
  });

  it('takes hostile input without a word', async () => {
    const log = open({ maxCameras: 3 });
    await log.start();
    const [unit] = [...syntheticUnits()] as [AccessUnit];
    for (const cameraId of ['', '../../etc', 'x'.repeat(500), '\0', '\ud800', '.', '..']) log.append({ ...unit, cameraId });
    for (const bad of [null, undefined, 5]) log.append({ ...unit, data: bad as unknown as Uint8Array });
    for (let i = 0; i < 10; i++) log.append({ ...unit, cameraId: `camera${i}` });
    expect(log.stats().cameras.size).toBe(3);
    await log.close();
    expect((await readdir(folder)).sort()).toEqual(['log']);
    expect((await readdir(join(folder, 'log'))).sort()).toEqual(['cameras', 'meta']);
  });
});

describe('FootageLog and a disk that fails', () => {
  it.each(['ENOSPC', 'EROFS', 'EIO'])('says what is wrong at %s, loses nothing that is durable, goes on by itself', async (code) => {
    const log = open({ segmentMs: 60_000 });
    await log.start();
    fill(log, { gops: 5 });
    const before = await take(log, 4);
    disk.fail = (operation) => (operation === 'write' || operation === 'create' ? systemError(code) : null);
    fill(log, { gops: 5, startedAt: T0 + 5_000, pts: 900_000 + 5 * 90_000 });
    await until(() => log.status().state === 'failing');
    expect(log.status().reason).toContain(code);
    disk.fail = () => null;
    log.streamEnded('camera-1');
    const gops = await take(log, 10);
    expect(gops.slice(0, 4).map(key)).toEqual(before.map(key));
    expect(gops.map((gop) => gop.startedAt)).toEqual(Array.from({ length: 10 }, (_, i) => T0 + i * 1_000));
    for (const gop of gops) expect(await gop.read()).toHaveLength(5);
    expect(log.status()).toMatchObject({ state: 'ok', reason: null, droppedGops: 0 });
  });

  it.each(['flush', 'syncFolder', 'create', 'write'])('writes every GOP once, whichever operation fails once: %s', async (operation) => {
    for (let skip = 0; skip < 6; skip++) {
      const log = open({ folder: join(folder, `log-${skip}`), name: `log-${skip}`, segmentMs: 2_000 });
      await log.start();
      let left = skip;
      disk.fail = (asked, path) => (asked === operation && !path.endsWith('meta') && left-- === 0 ? systemError('EIO') : null);
      const cameraId = `cam-${operation.toLowerCase()}-${skip}`;
      fill(log, { cameraId, gops: 9 });
      log.streamEnded(cameraId);
      const gops = await take(log, 9, null, cameraId);
      expect(gops.map((gop) => gop.startedAt)).toEqual(Array.from({ length: 9 }, (_, i) => T0 + i * 1_000));
      disk.fail = () => null;
      await log.close();
      const again = open({ folder: join(folder, `log-${skip}`), name: `log-${skip}` });
      expect(await again.start()).toMatchObject({ lost: [], foreign: [] });
      expect((await take(again, 9, null, cameraId)).map(key)).toEqual(gops.map(key));
      await again.close();
    }
  });

  it('drops the oldest where the disk stays away, counts them, and shows the gap', async () => {
    const log = open({ queueGops: 4, segmentMs: 60_000 });
    await log.start();
    fill(log, { gops: 2 });
    await take(log, 1);
    disk.fail = () => systemError('EIO');
    fill(log, { gops: 30, startedAt: T0 + 2_000, pts: 900_000 + 2 * 90_000 });
    await until(() => log.status().droppedGops > 20);
    expect(log.stats().cameras.get('camera-1')?.queuedGops).toBeLessThanOrEqual(4);
    disk.fail = () => null;
    log.streamEnded('camera-1');
    const gops = await take(log, 5);
    expect(gops.at(-1)?.startedAt).toBe(T0 + 31_000);
    const { droppedGops } = log.status();
    expect(droppedGops).toBe(32 - 5);
    const [gap] = await log.gaps('camera-1', T0, T0 + 32_000);
    expect(gap?.reason).toMatch(/dropped/);
    const behind = gops.findIndex((gop) => gop.startedAt === gap?.to);
    expect(gops[behind - 1]?.endedAt).toBe(gap?.from);
  });

  it('bounds the memory of all cameras together', async () => {
    const log = open({ queueBytes: 30_000, queueGops: 1_000 });
    await log.start();
    disk.fail = () => systemError('EIO');
    for (let camera = 0; camera < 5; camera++) fill(log, { cameraId: `c${camera}`, gops: 30, unitsPerGop: 2 });
    expect(log.stats().queuedBytes).toBeLessThan(30_000 + 5 * 4_000);
    expect(log.status().droppedGops).toBeGreaterThan(100);
  });

  it('writes nothing to a folder that is not its own any more, and goes on when it is back', async () => {
    const log = open({ segmentMs: 1_000 });
    await log.start();
    fill(log, { gops: 3 });
    await take(log, 2);
    await rename(join(folder, 'log'), join(folder, 'away'));
    await mkdir(join(folder, 'log'));
    fill(log, { gops: 5, startedAt: T0 + 3_000, pts: 900_000 + 3 * 90_000 });
    await until(() => log.status().state === 'failing');
    expect(log.status().reason).toMatch(/is the disk mounted\?/);
    expect(await readdir(join(folder, 'log'))).toEqual([]);
    await rm(join(folder, 'log'), { recursive: true });
    // A file where the folder should be is a clear error as well.
    await writeFile(join(folder, 'log'), '');
    await until(() => /ENOTDIR/.test(log.status().reason ?? ''));
    await rm(join(folder, 'log'));
    await rename(join(folder, 'away'), join(folder, 'log'));
    log.streamEnded('camera-1');
    expect((await take(log, 8)).map((gop) => gop.startedAt - T0)).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000]);
  });

  it('has every whole GOP in its file while no flush comes back, and shows none: a killed process loses the GOP in flight and no other', async () => {
    const cameras = Array.from({ length: 20 }, (_, i) => `camera-${i + 1}`);
    const log = open({ segmentMs: 480_000 });
    await log.start();
    // Such a disk is busy with other things: it writes, and does not come to the end of a flush.
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    disk.delay = (operation) => (operation === 'flush' ? held : null);
    // The last GOP of each is in flight: nobody knows yet whether it is whole.
    for (const cameraId of cameras) fill(log, { cameraId, gops: 5 });
    const written = async (cameraId: string): Promise<number> => {
      const scanner = new SegmentScanner();
      scanner.push(await readFile(join(folder, 'log', 'cameras', cameraId, '00000001.mp4')).catch(() => Buffer.alloc(0)));
      return scanner.end().gops.length;
    };
    for (const cameraId of cameras) await until(async () => (await written(cameraId)) === 4);
    expect([...log.stats().cameras.values()].map(({ gops, queuedGops }) => [gops, queuedGops])).toEqual(cameras.map(() => [0, 4]));
    expect(await log.gopsBetween('camera-7', 0, 9e12)).toEqual([]);
    // What another process finds after a SIGKILL now.
    const killed = join(folder, 'killed');
    await cp(join(folder, 'log'), killed, { recursive: true });
    release();
    disk.delay = () => null;
    for (const cameraId of cameras) await take(log, 4, null, cameraId);
    await log.close();
    await database.query('TRUNCATE footage_camera, footage_segment, footage_gap');
    const next = open({ folder: killed });
    expect((await next.start()).recovered.map(({ gops, cutBytes }) => [gops, cutBytes])).toEqual(cameras.map(() => [4, 0]));
  });

  it('notices that the file under its hands was removed', async () => {
    const log = open({ segmentMs: 60_000 });
    await log.start();
    fill(log, { gops: 3 });
    await take(log, 2);
    for (const file of await files()) await rm(join(folder, 'log', 'cameras', 'camera-1', file));
    fill(log, { gops: 3, startedAt: T0 + 3_000, pts: 900_000 + 3 * 90_000 });
    log.streamEnded('camera-1');
    await until(async () => (await log.gopAt('camera-1', T0 + 5_000))?.startedAt === T0 + 5_000);
    expect(await (await log.gopAt('camera-1', T0 + 5_000))?.read()).toHaveLength(5);
  });
});

describe('FootageLog and whose folder it is', () => {
  it('refuses an empty folder where its footage should be, and another log’s', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 3 });
    await log.close();
    const elsewhere = open({ folder: join(folder, 'unmounted') });
    await expect(elsewhere.start()).rejects.toMatchObject({ kind: 'unavailable', code: 'FOOTAGE_WRONG_DISK' });
    expect(elsewhere.status()).toMatchObject({ state: 'failing' });
    expect(elsewhere.status().reason).toMatch(/mounted/);
    expect(await readdir(folder)).toEqual(['log']);

    const other = open({ folder: join(folder, 'other'), name: 'second' });
    await other.start();
    const wrong = open({ folder: join(folder, 'other') });
    await expect(wrong.start()).rejects.toMatchObject({ kind: 'conflict', code: 'FOOTAGE_WRONG_DISK' });
    await writeFile(join(folder, 'other', 'meta'), '{"format":"something else"}');
    await expect(open({ folder: join(folder, 'other') }).start()).rejects.toMatchObject({ kind: 'conflict', code: 'FOOTAGE_META' });
    // The right folder still starts.
    await open().start();
  });

  it('may be started again after a failure; what came meanwhile is kept', async () => {
    await writeFile(join(folder, 'log'), 'a file where the folder should be');
    const log = open();
    await expect(log.start()).rejects.toMatchObject({ kind: 'unavailable' });
    fill(log, { gops: 4 });
    const following = take(log, 3);
    await rm(join(folder, 'log'));
    await log.start();
    expect((await following).map((gop) => gop.startedAt)).toEqual([T0, T0 + 1_000, T0 + 2_000]);
  });

  it('rebuilds the catalogue from the files alone', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 25 });
    fill(log, { gops: 10, startedAt: T0 + 60_000, pts: 90_000_000 });
    log.streamEnded('camera-1');
    const gops = await take(log, 35);
    const gaps = await log.gaps('camera-1', T0, T0 + 65_000);
    await log.close();
    await database.query('TRUNCATE footage_log, footage_camera, footage_segment, footage_gap, footage_removal');
    const again = open();
    const report = await again.start();
    expect(report.recovered.reduce((sum, segment) => sum + segment.gops, 0)).toBe(35);
    expect((await take(again, 35)).map(key)).toEqual(gops.map(key));
    expect(await again.gaps('camera-1', T0, T0 + 65_000)).toEqual(gaps);
  });
});

describe('FootageLog after a crash', () => {
  it('has every durable GOP at its old place, wherever the last one was torn', async () => {
    const log = open({ segmentMs: 60_000 });
    await log.start();
    fill(log, { gops: 4, unitsPerGop: 2, keyframeBytes: 60 });
    const gops = await take(log, 3);
    await abandon(log);
    const path = join(folder, 'log', 'cameras', 'camera-1', (await files()).at(-1) as string);
    const bytes = await readFile(path);
    const last = gops.at(-1) as LoggedGop;
    expect(await files()).toHaveLength(last.position.segment);
    const begin = bytes.length - last.bytes;
    for (let length = begin; length <= bytes.length; length += 7) {
      await writeFile(path, bytes.subarray(0, length));
      await database.query('DELETE FROM footage_segment WHERE segment = $1', [last.position.segment]);
      const again = open();
      const report = await again.start();
      const whole = length === bytes.length ? 3 : 2;
      expect((await take(again, whole)).map(key)).toEqual(gops.slice(0, whole).map(key));
      expect(report.removed.length + report.recovered.length).toBe(1);
      await again.close();
      logs.pop();
    }
  }, 60_000);

  it('keeps segment numbers rising after retention removed everything', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 25 });
    log.streamEnded('camera-1');
    const last = (await take(log, 25)).at(-1) as LoggedGop;
    await until(async () => (await rows()).length === last.position.segment);
    expect(await log.deleteBefore('camera-1', T0 + 100_000)).toMatchObject({ segments: last.position.segment });
    expect(await files()).toEqual([]);
    expect(await rows()).toEqual([]);
    await expect(last.read()).rejects.toMatchObject({ kind: 'not-found' });
    await log.close();
    const again = open();
    await again.start();
    fill(again, { gops: 2, startedAt: T0 + 200_000 });
    again.streamEnded('camera-1');
    expect((await take(again, 1, last.position))[0]?.position).toEqual({ segment: last.position.segment + 1, gop: 0 });
  });

  it('deletes only what is old, and finishes what a crash interrupted at any step', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 35 });
    log.streamEnded('camera-1');
    const gops = await take(log, 35);
    await log.close();
    const all = await rows();
    const old = (gops.find((gop) => gop.position.segment === 3) as LoggedGop).startedAt;

    let again = open();
    await again.start();
    // The unlink of the second file fails: marked rows stay, and are finished by the next start.
    let unlinked = 0;
    disk.fail = (operation) => (operation === 'remove' && unlinked++ === 1 ? systemError('EROFS') : null);
    await expect(again.deleteBefore('camera-1', old)).rejects.toMatchObject({ kind: 'unavailable' });
    expect((await rows()).map((row) => row.segment)).toEqual(all.map((row) => row.segment).filter((segment) => segment >= 3));
    expect(await removals()).toEqual([1, 2]);
    expect((await take(again, 1))[0]?.position).toEqual({ segment: 3, gop: 0 });
    await abandon(again);
    again = open();
    expect(await again.start()).toMatchObject({ deleted: 2, lost: [] });
    expect((await rows()).map((row) => row.segment)).toEqual(all.filter((row) => row.segment >= 3).map((row) => row.segment));
    expect(await files()).toHaveLength(all.length - 2);

    // Files gone, rows still marked.
    await database.query('INSERT INTO footage_removal SELECT camera_id, segment, log_id, started_at, ended_at, bytes, place FROM footage_segment WHERE segment = 3');
    await database.query('DELETE FROM footage_segment WHERE segment = 3');
    await rm(join(folder, 'log', 'cameras', 'camera-1', '00000003.mp4'));
    expect(await again.deleteBefore('camera-1', 0)).toMatchObject({ segments: 1 });
    expect((await take(again, 1))[0]?.position.segment).toBe(4);
    expect(await removals()).toEqual([]);
  });

  it('marks rows without a file as lost, tells it, and takes them back when the file is back', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 35 });
    log.streamEnded('camera-1');
    const gops = await take(log, 35);
    await log.close();
    const path = join(folder, 'log', 'cameras', 'camera-1', '00000002.mp4');
    await rename(path, `${path}.aside`);
    let again = open();
    expect((await again.start()).lost).toEqual([{ cameraId: 'camera-1', segment: 2 }]);
    const rest = gops.filter((gop) => gop.position.segment !== 2);
    expect((await take(again, rest.length)).map(key)).toEqual(rest.map(key));
    expect((await again.segments('camera-1', T0, T0 + 40_000)).map((segment) => segment.state)).toContain('lost');
    await again.close();
    await rename(`${path}.aside`, path);
    again = open();
    expect((await again.start()).lost).toEqual([]);
    expect(await take(again, 35)).toHaveLength(35);
  });

  it('leaves files alone that are not its own, and names a GOP whose bytes have changed', async () => {
    const log = open();
    await log.start();
    fill(log, { gops: 15 });
    log.streamEnded('camera-1');
    const gops = await take(log, 15);
    await log.close();
    const cameraFolder = join(folder, 'log', 'cameras', 'camera-1');
    const first = await readFile(join(cameraFolder, '00000001.mp4'));
    await writeFile(join(cameraFolder, '00000099.mp4'), first);
    await mkdir(join(folder, 'log', 'cameras', 'Not A Camera'));
    const again = open();
    const report = await again.start();
    expect(report.foreign).toHaveLength(1);
    expect(report.foreign[0]?.reason).toContain('segment 1');
    expect(await readFile(join(cameraFolder, '00000099.mp4'))).toEqual(first);
    const victim = gops[1] as LoggedGop;
    const path = join(cameraFolder, `${String(victim.position.segment).padStart(8, '0')}.mp4`);
    const bytes = await readFile(path);
    const info = (await again.segments('camera-1', T0, T0 + 15_000)).find((segment) => segment.segment === victim.position.segment);
    expect(info?.bytes).toBe(bytes.length);
    bytes[bytes.length - 30]! ^= 1;
    await writeFile(path, bytes);
    const lastOfIt = gops.filter((gop) => gop.position.segment === victim.position.segment).at(-1) as LoggedGop;
    await expect(again.gop('camera-1', lastOfIt.position).then((gop) => gop.read())).rejects.toThrow(new RegExp(`${path}, GOP ${lastOfIt.position.gop} at byte`));
  });
});
