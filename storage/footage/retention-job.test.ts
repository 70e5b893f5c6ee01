import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import { FootageLog } from './footage-log.js';
import { RateMeter } from './rate-meter.js';
import { RetentionJob, type RetentionJobOptions } from './retention-job.js';
import { FaultyDisk, syntheticUnits } from './testing.js';
import { DAY_MS, daysUntilFull } from './usage.js';

const GB = 1024 ** 3;
const T0 = 1_767_225_600_000;

describe('daysUntilFull', () => {
  const day = Math.floor(T0 / DAY_MS);
  const camera = { cameraId: 'c', bytesPerDay: 10, retentionMs: 30 * DAY_MS };

  it('counts the days at the present rate, with what retention frees on the way', () => {
    expect(daysUntilFull({ availableBytes: 45, now: T0, usage: [], cameras: [camera] })).toBeCloseTo(4.5);
    // Thirty days are kept: 300 bytes are all that it ever takes.
    expect(daysUntilFull({ availableBytes: 301, now: T0, usage: [], cameras: [camera] })).toBeNull();
    expect(daysUntilFull({ availableBytes: 299, now: T0, usage: [], cameras: [camera] })).toBeCloseTo(29.9);
    // A full log that stands still: each day frees what the next one takes.
    const usage = Array.from({ length: 30 }, (_, i) => ({ cameraId: 'c', day: day - 30 + i, segments: 1, bytes: 10 }));
    expect(daysUntilFull({ availableBytes: 25, now: T0, usage, cameras: [camera] })).toBeNull();
    // Twice the rate of before.
    expect(daysUntilFull({ availableBytes: 25, now: T0, usage, cameras: [{ ...camera, bytesPerDay: 20 }] })).toBeLessThan(4);
    expect(daysUntilFull({ availableBytes: 0, now: T0, usage, cameras: [] })).toBe(0);
    expect(daysUntilFull({ availableBytes: 1, now: T0, usage: [], cameras: [] })).toBeNull();
  });
});

describe('RateMeter', () => {
  it('tells the rate of the last hour', () => {
    const meter = new RateMeter();
    for (let at = 0; at <= 7_200_000; at += 5_000) meter.record(at, [['c', at < 3_600_000 ? 0 : (at - 3_600_000) * 2]]);
    expect(Math.abs((meter.rate('c') as number) - 2_000)).toBeLessThan(40);
    expect(meter.rate('other')).toBeNull();
    const young = new RateMeter();
    young.record(0, [['c', 0]]);
    young.record(5_000, [['c', 99]]);
    expect(young.rate('c')).toBeNull();
  });
});

describe('RetentionJob', () => {
  let postgres: TestPostgres;
  let database: Database;
  let folder: string;
  let disk: FaultyDisk;
  let log: FootageLog;
  let troubles: Map<string, string>;
  beforeAll(async () => void (postgres = await startTestPostgres()));
  afterAll(() => postgres.stop());
  beforeEach(async () => {
    database = await postgres.freshDatabase({ patienceMs: 300 });
    folder = await mkdtemp(join(tmpdir(), 'berthwatch-job-'));
    disk = new FaultyDisk();
    disk.freeSpace = { totalBytes: 100 * GB, freeBytes: 50 * GB };
    troubles = new Map();
    log = new FootageLog({ folder: join(folder, 'log'), database, clock: systemClock, logger: silentLogger, segmentMs: 10_000, retryMs: 20, queueGops: 1_000, disk });
    await log.start();
  });
  afterEach(async () => {
    await log.close();
    await rm(folder, { recursive: true, force: true });
  });

  function job(options: Partial<RetentionJobOptions> = {}): RetentionJob {
    return new RetentionJob({
      log,
      database,
      clock: systemClock,
      logger: silentLogger,
      policy: () => ({ retentionMs: 30 * DAY_MS, quotaBytes: null }),
      quotaBytes: null,
      whenFull: 'refuse',
      reserveBytes: GB,
      warnFreeBytes: 5 * GB,
      warnDays: 3,
      now: () => T0 + DAY_MS,
      refreshHolds: () => Promise.resolve(),
      onTrouble: (part, message) => void (message === null ? troubles.delete(part) : troubles.set(part, message)),
      ...options,
    });
  }

  async function record(cameraId: string, startedAt: number): Promise<void> {
    const before = (await database.query('SELECT 1 FROM footage_segment')).rowCount;
    for (const unit of syntheticUnits({ cameraId, gops: 60, unitsPerGop: 2, intervalMs: 500, startedAt })) log.append(unit);
    log.streamEnded(cameraId);
    while (log.stats().unregisteredSegments > 0 || (await log.gopsBetween(cameraId, startedAt, startedAt + 60_000)).length < 60 || (await database.query('SELECT 1 FROM footage_segment')).rowCount < before + 6) await sleep(systemClock, 10);
  }
  const bytes = async (cameraId: string): Promise<number> => (await log.segments(cameraId, 0, 9e12)).reduce((sum, segment) => sum + segment.bytes, 0);

  it('deletes by each camera’s own retention, also of cameras that nobody configures any more', async () => {
    await record('short', T0 - 3 * DAY_MS);
    await record('gone', T0 - 40 * DAY_MS);
    await record('kept', T0 - 3 * DAY_MS);
    const retention = job({ policy: (cameraId) => ({ retentionMs: (cameraId === 'short' ? 2 : 30) * DAY_MS, quotaBytes: null }) });
    await retention.pass();
    expect(await Promise.all(['short', 'gone', 'kept'].map(bytes))).toEqual([0, 0, expect.any(Number)]);
    expect(await bytes('kept')).toBeGreaterThan(0);
    expect(retention.status().lastPass).toMatchObject({ segments: expect.any(Number) as number });
    await retention.check();
    expect(retention.status()).toMatchObject({ state: 'ok', bytes: await bytes('kept'), cameras: [{ cameraId: 'gone', bytes: 0 }, { cameraId: 'kept' }, { cameraId: 'short', retentionMs: 2 * DAY_MS }] });
  });

  it('warns early, refuses when the disk is full, and records again when there is room', async () => {
    const retention = job();
    disk.freeSpace = { totalBytes: 100 * GB, freeBytes: 4 * GB };
    await retention.check();
    expect([retention.status().state, troubles.get('footage/space')]).toEqual(['filling', expect.stringMatching(/fills up: 4\.00 GB of 100 GB free/)]);
    disk.freeSpace = { totalBytes: 100 * GB, freeBytes: GB - 1 };
    await retention.check();
    expect(retention.status().state).toBe('refusing');
    expect(troubles.get('footage/full')).toMatch(/nothing is recorded: the disk is full .*drop-oldest/);
    expect(log.refusal('any')).toBe('recording refused: the disk is full');
    // A little more is not enough to begin again: it would be full in a moment.
    disk.freeSpace = { totalBytes: 100 * GB, freeBytes: GB + 1 };
    await retention.check();
    expect(retention.status().state).toBe('refusing');
    disk.freeSpace = { totalBytes: 100 * GB, freeBytes: 20 * GB };
    await retention.check();
    expect([retention.status().state, log.refusal('any'), [...troubles]]).toEqual(['ok', null, []]);
  });

  it('drops the oldest that nobody holds, says so, and refuses when nothing is left', async () => {
    await record('a', T0 - 5 * DAY_MS);
    await record('b', T0 - 4 * DAY_MS);
    const retention = job({ whenFull: 'drop-oldest', reserveBytes: 5 * GB });
    const one = (await log.segments('a', 0, 9e12)).at(0) as { startedAt: number; endedAt: number; bytes: number };
    await retention.holds.add({ cameraId: 'a', from: one.startedAt, to: one.endedAt, visitUid: null, reason: 'disputed', heldBy: 'test', until: null }, T0);
    const total = (await bytes('a')) + (await bytes('b'));
    // Short of as much as everything there is but a bit.
    disk.freeSpace = { totalBytes: 16 * total, freeBytes: Math.round(0.8 * total) - 3_000 };
    await retention.check();
    expect(retention.status()).toMatchObject({ state: 'dropping', dropped: { segments: expect.any(Number) as number } });
    expect(troubles.get('footage/dropped')).toMatch(/deleted before its time/);
    expect(await bytes('a')).toBeLessThan(total / 2);
    expect((await log.segments('a', 0, 9e12)).map((segment) => segment.startedAt)).toContain(one.startedAt);
    expect((await log.gaps('a', 0, 9e12)).map((gap) => gap.reason)).toContain('deleted before its time: the disk is full');
    disk.freeSpace = { totalBytes: 16 * total, freeBytes: 0 };
    await retention.check();
    await retention.check();
    expect(retention.status().state).toBe('refusing');
    expect(troubles.get('footage/full')).toMatch(/nothing is left that may be deleted.*release holds/);
    expect((await log.segments('a', 0, 9e12)).length).toBe(1);
  });

  it('keeps quotas, of all and of a camera', async () => {
    await record('a', T0 - 5 * DAY_MS);
    await record('b', T0 - 4 * DAY_MS);
    const a = await bytes('a');
    const quota = (quotaBytes: number) => ({ policy: (cameraId: string) => ({ retentionMs: 30 * DAY_MS, quotaBytes: cameraId === 'a' ? quotaBytes : null }) });
    await job(quota(a - 1)).check();
    expect([log.refusal('a'), log.refusal('b')]).toEqual(['recording refused: the quota of the camera is used up', null]);
    expect(troubles.get('footage/quota/a')).toMatch(/camera a is not recorded/);
    await job({ ...quota(Math.round(a / 2)), whenFull: 'drop-oldest' }).check();
    expect(await bytes('a')).toBeLessThanOrEqual(a / 2);
    expect(log.refusal('a')).toBeNull();
    const all = job({ quotaBytes: 100, whenFull: 'drop-oldest' });
    await all.check();
    expect((await bytes('a')) + (await bytes('b'))).toBe(0);
    const refusing = job({ quotaBytes: 1 });
    await record('c', T0);
    await refusing.check();
    expect(refusing.status().state).toBe('refusing');
    expect(troubles.get('footage/full')).toMatch(/the quota of all footage is used up/);
  });

  it('refuses on a full disk also while the database is away', async () => {
    disk.freeSpace = { totalBytes: 100 * GB, freeBytes: 0 };
    await record('a', T0).catch(() => undefined);
    const away = { query: () => Promise.reject(new Error('the database is away')), transaction: () => Promise.reject(new Error('the database is away')) } as unknown as Database;
    const retention = job({ whenFull: 'drop-oldest', database: away });
    await retention.check();
    expect([retention.status().state, log.refusal('a')]).toEqual(['refusing', 'recording refused: the disk is full']);
  });
});
