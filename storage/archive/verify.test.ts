import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../base/clock.js';
import { ManualClock } from '../../base/manual-clock.js';
import { silentLogger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import { nodeDisk } from '../footage/disk.js';
import { FootageLog } from '../footage/footage-log.js';
import { decodeGopIndex } from '../footage/gop-index.js';
import type { LoggedGop } from '../footage/logged-gop.js';
import { syntheticUnits } from '../footage/testing.js';
import { FileObjectStore } from '../objects/file-object-store.js';
import { ArchivedFootage } from './archived-footage.js';
import { Archiver } from './archiver.js';
import { describeFinding, type Finding } from './finding.js';
import { readFindings } from './finding-table.js';
import { restoreFromArchive } from './restore.js';
import { RollingCheck } from './rolling-check.js';
import { verifyStorage, type VerifyOptions, type VerifyReport } from './verify.js';

const T0 = 1_767_225_600_000;
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + 50_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never: ${condition.toString()}`);
    await sleep(systemClock, 5);
  }
};

let postgres: TestPostgres;
let database: Database;
let folder: string;
let store: FileObjectStore;
let log: FootageLog;
let keys: string[];

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

/** Four segments, all on the disk and in the archive. */
beforeEach(async () => {
  database = await postgres.freshDatabase();
  folder = await mkdtemp(join(tmpdir(), 'berthwatch-verify-'));
  store = new FileObjectStore({ folder: join(folder, 'bucket'), clock: systemClock });
  await store.start();
  log = new FootageLog({ folder: join(folder, 'log'), database, clock: systemClock, logger: silentLogger, segmentMs: 10_000, queueGops: 1_000, archive: new ArchivedFootage({ database, store, clock: systemClock, cacheBytes: 0 }) });
  await log.start();
  for (const unit of syntheticUnits({ gops: 35, startedAt: T0 })) log.append(unit);
  log.streamEnded('camera-1');
  await until(async () => (await rows()).length === 4);
  await archive();
  keys = (await store.list('footage/')).objects.map((object) => object.key);
});
afterEach(async () => {
  await log.close();
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

async function archive(local: { windowMs: number | null; bytes: number | null } = { windowMs: null, bytes: null }): Promise<void> {
  const archiver = new Archiver({ database, store, disk: nodeDisk, folder: log.files, logId: () => log.id, finishRemovals: () => log.finishRemovals(), clock: systemClock, logger: silentLogger, order: 'oldest', concurrency: 2, bytesPerSecond: null, local, idleMs: 20, tidyMs: 20 });
  archiver.start();
  const wanted = local.windowMs === null ? 'both' : 'archive';
  await until(async () => (await rows()).every((row) => row.place === wanted && (wanted === 'both' || !existsSync(file(row.segment)))));
  await archiver.close();
}

const rows = async (): Promise<{ segment: number; state: string; place: string; sha256: Buffer }[]> => (await database.query<{ segment: number; state: string; place: string; sha256: Buffer }>('SELECT segment, state, place, sha256 FROM footage_segment ORDER BY segment')).rows;
const file = (segment: number): string => log.files.segmentPath('camera-1', segment);
const objectFile = (key: string): string => join(folder, 'bucket', 'objects', ...key.split('/').slice(0, -1).map((part) => `${part}~`), key.split('/').at(-1) as string);
async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 0x10;
  await writeFile(path, bytes);
}

async function verify(options: Partial<VerifyOptions> = {}): Promise<{ report: VerifyReport; findings: Finding[] }> {
  const findings: Finding[] = [];
  const context = { database, disk: nodeDisk, folder: log.files, log: log.id as string, store, clock: systemClock, windowMs: null, strayAgeMs: 0 };
  const report = await verifyStorage(context, { cameraId: null, from: 0, to: Number.MAX_SAFE_INTEGER, deep: false, repair: false, ...options }, (found) => void findings.push(found), () => undefined);
  return { report, findings };
}

describe('verifyStorage', () => {
  it('finds nothing where all is well, deep or not', async () => {
    expect(await verify()).toMatchObject({ report: { segments: 4, of: 4, findings: 0, bytesRead: 0 }, findings: [] });
    const deep = await verify({ deep: true });
    expect(deep.findings).toEqual([]);
    // Files and objects.
    const { rows: sum } = await database.query<{ bytes: number }>('SELECT sum(bytes)::int8 AS bytes FROM footage_segment');
    expect(deep.report.bytesRead).toBe(2 * (sum[0]?.bytes ?? 0));
  });

  it('names a flipped bit: camera, segment, time, key, checksums, and from which GOP on', async () => {
    const gop = (await log.gopsBetween('camera-1', T0 + 13_000, T0 + 13_000))[0] as LoggedGop;
    const index = gop.position.gop;
    const indexed = await database.query<{ gop_index: Buffer; started_at: number }>('SELECT gop_index, started_at FROM footage_segment WHERE segment = $1', [gop.position.segment]);
    const { offset } = decodeGopIndex(indexed.rows[0]?.gop_index as Buffer, indexed.rows[0]?.started_at as number)[index] as { offset: number };
    const key = keys[gop.position.segment - 1] as string;
    await flip(objectFile(key), offset + gop.bytes - 5);
    expect((await verify()).findings).toEqual([]);
    const { findings } = await verify({ deep: true });
    const sha256 = (await rows()).find((row) => row.segment === gop.position.segment)?.sha256.toString('hex');
    expect(findings).toMatchObject([{ kind: 'object-damaged', cameraId: 'camera-1', segment: gop.position.segment, where: key, expected: sha256, actual: expect.stringMatching(/^[0-9a-f]{64}$/) as string, damage: { gop: index, offset, at: gop.startedAt, what: expect.stringContaining('checksum') as string } }]);
    expect(findings[0]?.actual).not.toBe(sha256);
    const words = describeFinding(findings[0] as Finding);
    for (const part of ['camera camera-1', `segment ${gop.position.segment}`, '2026-01-01 08:00', key, sha256 as string, `GOP ${index}`]) expect(words).toContain(part);
    // It stands in the catalogue until it is repaired; the file is good.
    expect(await readFindings(database, 10)).toMatchObject({ count: 1, findings: [{ kind: 'object-damaged' }] });
    expect((await verify({ deep: true, repair: true })).findings).toMatchObject([{ kind: 'object-damaged', repaired: expect.stringContaining('uploaded again') as string }]);
    expect((await verify({ deep: true })).findings).toEqual([]);
    expect(await readFindings(database, 10)).toMatchObject({ count: 0 });
  });

  it('tells damage of a header, which no picture shows', async () => {
    await flip(file(1), 10);
    expect((await verify({ deep: true })).findings).toMatchObject([{ kind: 'file-damaged', segment: 1, damage: { gop: expect.toSatisfy((gop) => gop === null || gop === 0) as number } }]);
    expect((await verify({ deep: true, repair: true })).findings).toMatchObject([{ repaired: expect.stringContaining('brought back from the archive') as string }]);
    expect((await verify({ deep: true })).findings).toEqual([]);
  });

  it('finds and repairs what is missing, has another size, or is unknown, and leaves the only copy alone', async () => {
    await rm(file(1));
    await writeFile(file(2), (await readFile(file(2))).subarray(0, 1000));
    await store.delete(keys[2] as string);
    await store.put(keys[3] as string, Buffer.from('short'), { contentType: 'video/mp4' });
    await store.put('footage/camera-1/2020/01/01/000000-00000777.mp4', Buffer.from('stray'), { contentType: 'video/mp4' });
    await writeFile(file(99), 'unknown');
    const old = new Date(Date.now() - 86_400_000);
    await utimes(file(99), old, old);
    const { findings } = await verify();
    expect(findings.map((found) => [found.kind, found.segment])).toEqual([['no-file', 1], ['file-size', 2], ['no-object', 3], ['object-size', 4], ['stray-file', 99], ['stray-object', 777]]);
    expect(findings.every((found) => found.repaired === null)).toBe(true);
    const { report } = await verify({ repair: true });
    expect(report).toMatchObject({ findings: 6, repaired: 5 });
    expect((await verify({ deep: true })).findings).toMatchObject([{ kind: 'stray-file', segment: 99 }]);
    expect((await store.list('quarantine/')).objects.map((object) => object.key)).toEqual(['quarantine/footage/camera-1/2020/01/01/000000-00000777.mp4']);
    expect((await log.gopsBetween('camera-1', 0, 1e15)).length).toBe(35);
  });

  it('says that footage is lost where neither copy is good, and touches neither', async () => {
    await flip(file(1), 5_000);
    await flip(objectFile(keys[0] as string), 9_000);
    const before = [await readFile(file(1)), await readFile(objectFile(keys[0] as string))];
    const { findings } = await verify({ deep: true, repair: true });
    expect(findings).toMatchObject([{ kind: 'file-damaged', repaired: null }, { kind: 'object-damaged', repaired: null }]);
    expect([await readFile(file(1)), await readFile(objectFile(keys[0] as string))]).toEqual(before);
    await archiveOnly(2);
    await store.delete(keys[1] as string);
    expect((await verify({ repair: true })).findings).toMatchObject([{ kind: 'lost', segment: 2, repaired: null }]);
  });

  const archiveOnly = async (segment: number): Promise<void> => {
    await database.query(`UPDATE footage_segment SET place = 'archive' WHERE segment = $1`, [segment]);
    await rm(file(segment));
  };

  it('looks only at the camera and the time it is asked for', async () => {
    for (const segment of [1, 4]) await rm(file(segment));
    expect((await verify({ cameraId: 'camera-2' })).report).toMatchObject({ segments: 0, findings: 0 });
    expect((await verify({ cameraId: 'camera-1', from: T0 + 30_000, to: T0 + 60_000 })).findings).toMatchObject([{ segment: 4 }]);
  });

  it('moves nothing where the catalogue itself seems to be lost, and restore takes it all in', async () => {
    await archive({ windowMs: 0, bytes: null });
    const before = (await database.query('SELECT segment, started_at, ended_at, gops, units, bytes, sha256, gop_index FROM footage_segment ORDER BY segment')).rows;
    await database.query('DELETE FROM footage_segment');
    await database.query('DELETE FROM footage_camera');
    const { findings } = await verify({ repair: true });
    expect(findings).toHaveLength(4);
    for (const found of findings) expect(found).toMatchObject({ kind: 'stray-object', repaired: null, advice: expect.stringContaining('storage restore') as string });
    // Where not even the camera's folder is left.
    await rm(log.files.cameraFolder('camera-1'), { recursive: true });
    expect((await verify({ repair: true })).findings).toMatchObject([{ kind: 'stray-object', repaired: null, actual: '4 objects' }]);
    await store.put('footage/camera-1/2026/01/01/080000-00000555.mp4', Buffer.from('no segment'), { contentType: 'video/mp4' });
    expect(await restoreFromArchive({ database, store, log: log.id as string, gapMs: 5_000 }, () => undefined)).toMatchObject({ objects: 5, restored: 4, refused: [{ reason: expect.stringContaining('ftyp') as string }] });
    expect((await database.query('SELECT segment, started_at, ended_at, gops, units, bytes, sha256, gop_index FROM footage_segment ORDER BY segment')).rows).toEqual(before);
    expect((await rows()).every((row) => row.place === 'archive')).toBe(true);
    expect(await restoreFromArchive({ database, store, log: log.id as string, gapMs: 5_000 }, () => undefined)).toMatchObject({ restored: 0 });
    const gops = await log.gopsBetween('camera-1', 0, 1e15);
    expect(gops.length).toBe(35);
    expect((await (gops[17] as LoggedGop).read()).length).toBe(5);
  });
});

describe('RollingCheck', () => {
  const open = (bytesPerSecond: number): RollingCheck => new RollingCheck({ database, disk: nodeDisk, folder: log.files, logId: () => log.id, store, clock: systemClock, logger: silentLogger, bytesPerSecond, idleMs: 20 });

  it('goes round and round, finds damage, and takes it back when it is repaired', async () => {
    await flip(objectFile(keys[2] as string), 7_000);
    const check = open(1e12);
    check.start();
    await until(() => check.status().findings === 1 && check.status().lastRoundAt !== null);
    expect(check.status().newest).toContain(keys[2]);
    await verify({ deep: true, repair: true });
    await until(() => check.status().findings === 0);
    await check.close();
  });

  it('goes on after a restart where it was, at its rate', async () => {
    // A segment costs at least a quarter of a megabyte: about one in 100 ms.
    const first = open(2.5e6);
    first.start();
    await until(() => first.status().segments === 2);
    await first.close();
    const { rows: at } = await database.query<{ segment: number }>('SELECT segment FROM storage_check');
    expect(at[0]?.segment).toBeGreaterThanOrEqual(2);
    expect(at[0]?.segment).toBeLessThan(4);
    const second = open(1e12);
    second.start();
    await until(() => second.status().lastRoundAt !== null);
    await second.close();
  });

  it('waits where nothing works, without a finding', async () => {
    const clock = new ManualClock();
    const check = new RollingCheck({ database, disk: nodeDisk, folder: log.files, logId: () => null, store, clock, logger: silentLogger, bytesPerSecond: 1e12 });
    check.start();
    await sleep(systemClock, 20);
    expect(check.status()).toMatchObject({ segments: 0, findings: 0 });
    await check.close();
  });
});
