import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import { FootageLog } from './footage-log.js';
import { HoldTable, type NewHold } from './holds.js';
import { FaultyDisk, syntheticUnits, systemError } from './testing.js';

const T0 = 1_767_225_600_000;
/** Units of a camera come to this many segments of ten seconds each. */
const SEGMENTS = 12;

let postgres: TestPostgres;
let database: Database;
let folder: string;
let log: FootageLog;
let disk: FaultyDisk;
let holds: HoldTable;

beforeAll(async () => void (postgres = await startTestPostgres()));
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.freshDatabase({ patienceMs: 300 });
  folder = await mkdtemp(join(tmpdir(), 'berthwatch-retention-'));
  disk = new FaultyDisk();
  holds = new HoldTable(database);
  log = new FootageLog({ folder: join(folder, 'log'), database, clock: systemClock, logger: silentLogger, segmentMs: 10_000, retryMs: 20, queueGops: 1_000, disk });
  await log.start();
});
afterEach(async () => {
  disk.fail = () => null;
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

const hold = (given: Partial<NewHold>): NewHold => ({ cameraId: 'camera-1', from: T0, to: null, visitUid: null, reason: 'disputed', heldBy: 'test', until: null, ...given });
const segments = async (cameraId = 'camera-1'): Promise<number[]> => (await database.query<{ segment: number }>('SELECT segment FROM footage_segment WHERE camera_id = $1 ORDER BY segment', [cameraId])).rows.map((row) => row.segment);
const files = async (cameraId = 'camera-1'): Promise<number[]> => (await readdir(join(folder, 'log', 'cameras', encodeURIComponent(cameraId).replace('~', '%7e')))).map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
const used = async (cameraId = 'camera-1'): Promise<{ segments: number; bytes: number }> => (await database.query<{ segments: number; bytes: number }>('SELECT coalesce(sum(segments), 0)::int8 AS segments, coalesce(sum(bytes), 0)::int8 AS bytes FROM footage_usage WHERE camera_id = $1', [cameraId])).rows[0] as never;

/** Two minutes of a camera, all sealed and registered. */
async function record(cameraId = 'camera-1', startedAt = T0): Promise<void> {
  for (const unit of syntheticUnits({ cameraId, gops: SEGMENTS * 10, unitsPerGop: 2, intervalMs: 500, startedAt })) log.append(unit);
  log.streamEnded(cameraId);
  const gops = async (): Promise<number> => (await database.query<{ gops: number }>('SELECT coalesce(sum(gops), 0)::int8 AS gops FROM footage_segment WHERE camera_id = $1', [cameraId])).rows[0]?.gops ?? 0;
  while ((await gops()) < SEGMENTS * 10) await sleep(systemClock, 10);
}

/** Times at which the camera's segments begin and end. */
async function spans(cameraId = 'camera-1'): Promise<{ segment: number; from: number; to: number; bytes: number }[]> {
  return (await log.segments(cameraId, 0, 9e12)).map(({ segment, startedAt, endedAt, bytes }) => ({ segment, from: startedAt, to: endedAt, bytes }));
}

describe('retention', () => {
  it('deletes by age, but nothing that is held, and what was held once it is released', async () => {
    await record();
    const all = await spans();
    const held = all.slice(2, 4);
    const one = await holds.add(hold({ from: (held[0] as { from: number }).from + 1, to: (held[1] as { to: number }).to - 1 }), T0);
    expect(await holds.covers(one)).toEqual({ segments: 2, bytes: held.reduce((sum, { bytes }) => sum + bytes, 0), gone: 0 });
    const end = (all[7] as { to: number }).to + 1;
    expect(await log.deleteBefore('camera-1', end)).toMatchObject({ segments: 6 });
    const left = [...held, ...all.slice(8)].map(({ segment }) => segment);
    expect([await segments(), await files()]).toEqual([left, left]);
    expect(await used()).toEqual({ segments: left.length, bytes: (await spans()).reduce((sum, { bytes }) => sum + bytes, 0) });
    // A further stream of the camera is held with it; another camera is not.
    await holds.release(one.id, 'somebody', T0 + 1);
    expect(await log.deleteBefore('camera-1', end)).toMatchObject({ segments: 2 });
    expect(await log.gaps('camera-1', 0, 9e12)).toMatchObject([{ to: null }]);
    await expect(holds.release(one.id, 'again', T0 + 2)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(holds.release(4711, 'nobody', T0 + 2)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('holds a further stream with its camera, and no other camera', async () => {
    await record('camera-1~sub');
    await record('camera-10');
    await holds.add(hold({}), T0);
    expect((await log.deleteBefore('camera-1~sub', 9e12)).segments).toBe(0);
    expect((await log.deleteOldest(null, 1e12, 'full')).segments).toBe((await log.segments('camera-1~sub', 0, 9e12)).length);
    expect([(await segments('camera-1~sub')).length, await segments('camera-10')]).toEqual([SEGMENTS + 1, []]);
    expect((await holds.covers({ cameraId: 'camera-1', from: T0, to: null })).segments).toBe(SEGMENTS + 1);
  });

  it('cannot delete held rows by any statement', async () => {
    await record();
    await holds.add(hold({ from: T0 + 15_000, to: T0 + 16_000 }), T0);
    for (const statement of ['DELETE FROM footage_segment', 'WITH gone AS (DELETE FROM footage_segment RETURNING 1) SELECT * FROM gone']) {
      await expect(database.query(statement)).rejects.toMatchObject({ kind: 'conflict', detail: { constraint: 'footage_hold' } });
    }
    expect(await segments()).toHaveLength((await files()).length);
  });

  it('ends holds whose time is over, and widens those of a visit', async () => {
    await holds.add(hold({ until: T0 + 1_000 }), T0);
    const visit = await holds.add(hold({ visitUid: 'V1', from: T0, to: null }), T0);
    await expect(holds.add(hold({ to: T0 - 1 }), T0)).rejects.toMatchObject({ code: 'HOLD_RANGE' });
    await expect(holds.add(hold({ until: T0 - 1 }), T0)).rejects.toMatchObject({ code: 'HOLD_UNTIL' });
    expect(await holds.expire(T0 + 999)).toEqual([]);
    expect(await holds.expire(T0 + 1_000)).toHaveLength(1);
    await holds.widen('V1', T0 - 5, T0 + 77);
    await holds.widen('V1', T0 + 5, T0 + 66);
    expect(await holds.list({ active: true, limit: 10 })).toMatchObject([{ id: visit.id, from: T0 - 5, to: T0 + 77 }]);
    expect(await holds.list({ active: false, limit: 10 })).toHaveLength(2);
  });

  it('drops the oldest over all cameras until enough is freed, and tells the gap it leaves', async () => {
    await record('camera-1');
    await record('camera-2', T0 + 5_000);
    await holds.add(hold({ cameraId: 'camera-2', from: T0, to: T0 + 6_000 }), T0);
    const before = [...(await spans('camera-1')), ...(await spans('camera-2'))];
    const wanted = before.reduce((sum, { bytes }) => sum + bytes, 0) / 3;
    const report = await log.deleteOldest(null, wanted, 'the disk was full');
    expect(report.bytes).toBeGreaterThanOrEqual(wanted);
    expect(report.bytes).toBeLessThan(wanted + Math.max(...before.map(({ bytes }) => bytes)));
    const [heldSegment] = await spans('camera-2');
    expect(heldSegment?.from).toBe(T0 + 5_000);
    const oldestLeft = (await spans('camera-1'))[0] as { from: number };
    expect((await log.gaps('camera-1', 0, oldestLeft.from))[0]).toMatchObject({ from: T0, reason: 'the disk was full' });
    // The next one continues the gap instead of making another.
    await log.deleteOldest('camera-1', 1, 'the disk was full');
    const gaps = (await log.gaps('camera-1', 0, oldestLeft.from)).filter((gap) => gap.reason === 'the disk was full');
    expect(gaps).toHaveLength(1);
    expect((gaps[0] as { to: number }).to).toBeGreaterThan(oldestLeft.from);
    expect(await segments('camera-1')).toEqual(await files('camera-1'));
    // All that is held is left when everything may go.
    await log.deleteOldest(null, 1e15, 'the disk was full');
    expect(await segments('camera-2')).toEqual([heldSegment?.segment]);
  });

  it('goes on where a failing disk interrupted it', async () => {
    await record();
    const all = await segments();
    let removals = 0;
    disk.fail = (operation) => (operation === 'remove' && ++removals > 3 ? systemError('EIO') : null);
    await expect(log.deleteBefore('camera-1', 9e12)).rejects.toMatchObject({ kind: 'unavailable' });
    // All were marked in one round: nobody finds them any more, and what is left to be done is known.
    expect(await segments()).toEqual([]);
    disk.fail = () => null;
    expect(await log.finishRemovals()).toMatchObject({ dropped: all.length });
    expect([await segments(), await files(), await used()]).toEqual([[], [], { segments: 0, bytes: 0 }]);
  });

  it('records nothing while recording is refused, says why, and tells the gap afterwards', async () => {
    const units = [...syntheticUnits({ gops: 30, unitsPerGop: 2, intervalMs: 500 })];
    for (const unit of units.slice(0, 20)) log.append(unit);
    log.refuse(null, 'the disk is full');
    log.refuse('camera-1', 'its quota is used up');
    expect(log.status()).toMatchObject({ state: 'failing', reason: 'the disk is full (and 1 more)' });
    for (const unit of units.slice(20, 40)) log.append(unit);
    log.refuse(null, null);
    expect(log.status()).toMatchObject({ state: 'failing', reason: 'camera camera-1: its quota is used up' });
    log.refuse('camera-1', null);
    for (const unit of units.slice(40)) log.append(unit);
    expect(log.stats().refusedUnits).toBe(20);
    while ((await log.gopsBetween('camera-1', 0, 9e12)).length < 19) await sleep(systemClock, 10);
    expect(log.status().state).toBe('ok');
    expect(await log.gaps('camera-1', T0, T0 + 30_000)).toContainEqual({ from: T0 + 9_500, to: T0 + 20_000, reason: 'the disk is full' });
  });

  it('tells the time that is recorded twice when the clock was set back, and finds footage in it', async () => {
    await record();
    const end = (await spans()).at(-1)?.to as number;
    for (const unit of syntheticUnits({ gops: 5, unitsPerGop: 2, intervalMs: 500, startedAt: T0 + 50_250, seed: 7 })) log.append(unit);
    log.streamEnded('camera-1');
    while ((await log.overlaps('camera-1', 0, 9e12)).length === 0) await sleep(systemClock, 10);
    const last = (await spans()).at(-1) as { segment: number; from: number };
    expect(await log.overlaps('camera-1', 0, 9e12)).toMatchObject([{ segment: last.segment, from: T0 + 50_250, to: end }]);
    // Positions rise; footage of both passes is found; a moment after the short one is shown by the first.
    expect(last.segment).toBeGreaterThan(SEGMENTS);
    expect((await log.gopAt('camera-1', T0 + 51_300))?.position.segment).toBe(last.segment);
    const after = await log.gopAt('camera-1', T0 + 70_000);
    expect(after?.startedAt).toBe(T0 + 70_000);
    expect((await log.gopsBetween('camera-1', T0 + 50_000, T0 + 54_000)).length).toBeGreaterThanOrEqual(9);
    expect(await log.gaps('camera-1', T0 + 40_000, end + 3_000)).toEqual([]);
    expect(await log.gaps('camera-1', T0 + 40_000, end + 30_000)).toEqual([{ from: end, to: null, reason: 'no footage since' }]);
  });
});
