import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import { silentLogger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import { FileObjectStore } from '../objects/file-object-store.js';
import type { ByteRange, ObjectBody, ObjectContent, ObjectInfo, PutOptions } from '../objects/object-store.js';
import { nodeDisk } from '../footage/disk.js';
import { FootageLog } from '../footage/footage-log.js';
import type { LoggedGop } from '../footage/logged-gop.js';
import { syntheticUnits } from '../footage/testing.js';
import { reclaimArchive } from './archive-identity.js';
import { readSegmentKey, segmentKey } from './archive-key.js';
import { nextUploads } from './archive-table.js';
import { ArchivedFootage } from './archived-footage.js';
import { Archiver, type ArchiverOptions } from './archiver.js';
import { uploadSegment } from './upload.js';

const T0 = 1_767_225_600_000;
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  // What never comes must not be waited for beside the tests that follow.
  const deadline = Date.now() + 50_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never: ${condition.toString()}`);
    await sleep(systemClock, 5);
  }
};

/** A store that can be away, be slow, and lie. */
class TestStore extends FileObjectStore {
  away: BerthwatchError | null = null;
  readonly calls: string[] = [];
  /** Called before a put is carried out. */
  onPut: (key: string) => Promise<void> = () => Promise.resolve();

  #ask(call: string): void {
    this.calls.push(call);
    if (this.away) throw this.away;
  }
  override async put(key: string, body: ObjectBody, options: PutOptions): Promise<ObjectInfo> {
    this.#ask(`put ${key}`);
    await this.onPut(key);
    return super.put(key, body, options);
  }
  override async get(key: string, range?: ByteRange): Promise<ObjectContent> {
    this.#ask(`get ${key}`);
    return super.get(key, range);
  }
  override async head(key: string): Promise<ObjectInfo | null> {
    this.#ask(`head ${key}`);
    return super.head(key);
  }
  override async delete(key: string): Promise<void> {
    this.#ask(`delete ${key}`);
    return super.delete(key);
  }
}

let postgres: TestPostgres;
let database: Database;
let folder: string;
let store: TestStore;
let closing: (() => Promise<void>)[];

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.freshDatabase();
  folder = await mkdtemp(join(tmpdir(), 'berthwatch-archive-'));
  store = new TestStore({ folder: join(folder, 'bucket'), clock: systemClock });
  await store.start();
  closing = [() => database.close()];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  await rm(folder, { recursive: true, force: true });
});

interface House {
  log: FootageLog;
  archived: ArchivedFootage;
  archiver: Archiver;
}

async function open(options: Partial<ArchiverOptions> & { started?: boolean } = {}): Promise<House> {
  const archived = new ArchivedFootage({ database, store, clock: systemClock, cacheBytes: 4 * 1024 * 1024, pauseMs: 20 });
  const log = new FootageLog({ folder: join(folder, 'log'), database, clock: systemClock, logger: silentLogger, segmentMs: 10_000, retryMs: 20, queueGops: 1_000, archive: archived });
  await log.start();
  const archiver = new Archiver({
    database,
    store,
    disk: nodeDisk,
    folder: log.files,
    logId: () => log.id,
    finishRemovals: () => log.finishRemovals(),
    clock: systemClock,
    logger: silentLogger,
    order: 'oldest',
    concurrency: 2,
    bytesPerSecond: null,
    local: { windowMs: null, bytes: null },
    retry: { firstMs: 20, longestMs: 100 },
    idleMs: 20,
    tidyMs: 20,
    ...options,
  });
  archived.beforeRemove = (segment) => archiver.cancel(segment);
  closing.push(() => log.close(), () => archiver.close());
  if (options.started ?? true) archiver.start();
  return { log, archived, archiver };
}

/** Footage of a camera, sealed and in the catalogue: about one segment for ten GOPs. */
async function record(log: FootageLog, gops = 35, cameraId = 'camera-1'): Promise<LoggedGop[]> {
  for (const unit of syntheticUnits({ gops, cameraId, startedAt: T0 })) log.append(unit);
  log.streamEnded(cameraId);
  await until(async () => {
    const { rows } = await database.query<{ gops: number }>('SELECT coalesce(sum(gops), 0)::int4 AS gops FROM footage_segment WHERE camera_id = $1', [cameraId]);
    return rows[0]?.gops === gops;
  });
  return log.gopsBetween(cameraId, 0, Number.MAX_SAFE_INTEGER);
}

const rows = async (): Promise<{ camera_id: string; segment: number; state: string; place: string; started_at: number }[]> =>
  (await database.query<{ camera_id: string; segment: number; state: string; place: string; started_at: number }>('SELECT camera_id, segment, state, place, started_at FROM footage_segment ORDER BY camera_id, segment')).rows;
const removals = async (): Promise<number[]> => (await database.query<{ segment: number }>('SELECT segment FROM footage_removal ORDER BY segment')).rows.map((row) => row.segment);
const places = async (): Promise<string[]> => (await rows()).map((row) => (row.state === 'sealed' ? row.place : row.state));
const allAre = (place: string) => async (): Promise<boolean> => {
  const all = await places();
  return all.length > 0 && all.every((p) => p === place);
};
const keys = async (): Promise<string[]> => (await store.list('footage/')).objects.map((object) => object.key);
const filePath = (segment: number): string => join(folder, 'log', 'cameras', 'camera-1', `${String(segment).padStart(8, '0')}.mp4`);
const uploads = async (): Promise<{ segment: number; attempts: number; last_error: string | null }[]> => (await database.query<{ segment: number; attempts: number; last_error: string | null }>('SELECT segment, attempts, last_error FROM archive_upload ORDER BY segment')).rows;
const bytesOf = async (gops: readonly LoggedGop[]): Promise<string[]> => Promise.all(gops.map(async (gop) => Buffer.concat((await gop.read()).map((unit) => unit.data)).toString('base64')));

describe('segmentKey', () => {
  it('gives camera, Beijing day and time, and the segment', () => {
    // 2025-12-31 16:30:05 UTC is the next day in Beijing.
    const key = segmentKey({ cameraId: 'xianggang-middle_1', segment: 123, startedAt: Date.UTC(2025, 11, 31, 16, 30, 5) });
    expect(key).toBe('footage/xianggang-middle_1/2026/01/01/003005-00000123.mp4');
    expect(readSegmentKey(key)).toEqual({ camera: 'xianggang-middle_1', segment: 123 });
    for (const other of ['footage/a/b.mp4', 'visits/1.jpg', 'footage/a/2026/01/01/003005-123.mp4', `${key}x`]) expect(readSegmentKey(other)).toBeNull();
  });

  it('keeps any two cameras apart, in letters that a key may have', async () => {
    const ids = ['a', 'A', 'a.b', 'a=2eb', '..', '相机', 'a/b', 'a~sub', 'x'.repeat(64), '摄'.repeat(64), '影'.repeat(64)];
    const made = ids.map((cameraId) => segmentKey({ cameraId, segment: 1, startedAt: T0 }));
    expect(new Set(made).size).toBe(ids.length);
    for (const key of made) await store.put(key, Buffer.from('x'), { contentType: 'video/mp4' });
    expect((await keys()).length).toBe(ids.length);
  });
});

describe('Archiver', () => {
  it('brings every sealed segment to the store, as it is, and says so in the catalogue', async () => {
    const { log, archiver } = await open();
    await record(log);
    await until(allAre('both'));
    const all = await rows();
    expect(await keys()).toEqual(all.map((row) => segmentKey({ cameraId: row.camera_id, segment: row.segment, startedAt: row.started_at })));
    for (const row of all) {
      const file = await readFile(filePath(row.segment));
      const key = segmentKey({ cameraId: row.camera_id, segment: row.segment, startedAt: row.started_at });
      expect(await store.head(key)).toMatchObject({ size: file.length, contentType: 'video/mp4' });
    }
    expect(await uploads()).toEqual([]);
    await until(() => archiver.status().backlog.segments === 0);
    expect(archiver.status()).toMatchObject({ state: 'ok', reason: null, uploaded: { segments: all.length }, uploading: [], blocked: { segments: 0 }, trouble: null });
  });

  it.each(['newest', 'oldest'] as const)('uploads the %s first', async (order) => {
    const { log, archiver } = await open({ order, concurrency: 1, started: false });
    await record(log, 45);
    archiver.start();
    await until(allAre('both'));
    const order1 = store.calls.filter((call) => call.startsWith('put footage/')).map((call) => Number(/-(\d{8})\.mp4/.exec(call)?.[1]));
    expect(order1).toEqual([...order1].sort((a, b) => (order === 'newest' ? b - a : a - b)));
  });

  it('frees the disk of what is archived and outside of the window, and reads on from the archive', async () => {
    const { log } = await open({ local: { windowMs: 3_600_000, bytes: null } });
    const gops = await record(log);
    const before = await bytesOf(gops);
    // The footage is years old.
    await until(allAre('archive'));
    // The row says so before the file goes.
    await until(async () => (await rows()).every((row) => !existsSync(filePath(row.segment))));
    // GOPs found before and found now alike, in the same bytes, a key frame alone too.
    expect(await bytesOf(gops)).toEqual(before);
    const again = await log.gopsBetween('camera-1', 0, Number.MAX_SAFE_INTEGER);
    expect(await bytesOf(again)).toEqual(before);
    expect(Buffer.from((await (again[3] as LoggedGop).readKeyframe()).data).equals(Buffer.from((await (again[3] as LoggedGop).read())[0]!.data))).toBe(true);
    expect((await (again[3] as LoggedGop).readHeader()).toString('latin1', 4, 8)).toBe('ftyp');
    expect((await log.gopAt('camera-1', T0 + 12_300))?.startedAt).toBe(T0 + 12_000);
  });

  it('keeps no more than so many bytes of what is archived, the newest', async () => {
    const { log, archiver } = await open();
    await record(log, 65);
    await until(allAre('both'));
    const sizes = await database.query<{ segment: number; bytes: number }>('SELECT segment, bytes FROM footage_segment ORDER BY segment');
    const newest = sizes.rows.slice(-2).reduce((sum, row) => sum + row.bytes, 0);
    await archiver.close();
    const bounded = await open({ local: { windowMs: null, bytes: newest + 10 } });
    await until(async () => (await places()).filter((place) => place === 'archive').length === sizes.rows.length - 2);
    expect(await places()).toEqual(sizes.rows.map((_, i) => (i < sizes.rows.length - 2 ? 'archive' : 'both')));
    expect(bounded.archiver.status().unconfirmed).toBe(0);
  });

  it('frees nothing whose object is gone or is another, and uploads it again', async () => {
    const { log, archiver } = await open();
    await record(log);
    await until(allAre('both'));
    await archiver.close();
    const [first, second] = await keys();
    await store.delete(first as string);
    await store.put(second as string, Buffer.from('another'), { contentType: 'video/mp4' });
    const windowed = await open({ local: { windowMs: 0, bytes: null } });
    // The second stands in the way of its upload: it is told, and its file stays.
    await until(async () => (await places()).filter((place) => place === 'archive').length === (await rows()).length - 1);
    expect(await places()).toEqual((await rows()).map((row) => (row.segment === 2 ? 'local' : 'archive')));
    expect(existsSync(filePath(2))).toBe(true);
    await until(() => windowed.archiver.status().blocked.segments === 1);
    expect(windowed.archiver.status()).toMatchObject({ unconfirmed: 2, blocked: { first: { cameraId: 'camera-1', segment: 2, error: expect.stringContaining('another object') as string } } });
    expect((await log.gopsBetween('camera-1', 0, Number.MAX_SAFE_INTEGER)).length).toBe(35);
  });

  it('waits while the store is away, says why and since when, and goes on by itself', async () => {
    store.away = new BerthwatchError('unavailable', 'OBJECT_STORE_AWAY', 'nothing listens there');
    const { log, archiver } = await open({ concurrency: 3 });
    const gops = await record(log);
    await until(() => archiver.status().state === 'failing' && archiver.status().backlog.segments === 4);
    expect(archiver.status()).toMatchObject({ reason: 'nothing listens there', backlog: { segments: 4, oldestAt: T0, remainingMs: null } });
    // It is not asked more often than the pauses allow.
    const asked = store.calls.length;
    await sleep(systemClock, 300);
    expect(store.calls.length - asked).toBeLessThan(12);
    store.away = null;
    await until(allAre('both'));
    await until(() => archiver.status().state === 'ok');
    expect(archiver.status()).toMatchObject({ reason: null, backlog: { segments: 0 } });
    expect(gops.length).toBe(35);
  });

  it('takes what can be read and not written for away', async () => {
    const { log, archiver } = await open({ started: false });
    await record(log);
    archiver.start();
    store.onPut = (key) => (key.startsWith('footage/') ? Promise.reject(new BerthwatchError('unavailable', 'OBJECT_STORE_FULL', 'the server’s disks are full')) : Promise.resolve());
    await until(() => archiver.status().state === 'failing');
    // Its tries get fewer, although every one of them finds the store readable.
    await until(() => store.calls.filter((call) => call.startsWith('put footage/')).length >= 5);
    expect(archiver.status()).toMatchObject({ state: 'failing', reason: 'the server’s disks are full' });
    store.onPut = () => Promise.resolve();
    await until(allAre('both'));
  });

  it('tells a segment whose file is damaged or gone, and uploads all others', async () => {
    const { log, archiver } = await open({ started: false });
    await record(log);
    const bytes = await readFile(filePath(2));
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(filePath(2), bytes);
    await rename(filePath(3), `${filePath(3)}.away`);
    archiver.start();
    await until(async () => (await places()).filter((place) => place === 'both').length === 2);
    await until(async () => (await uploads()).every((upload) => upload.attempts > 0));
    expect(await uploads()).toMatchObject([
      { segment: 2, last_error: expect.stringContaining('damaged on the disk') as string },
      { segment: 3, last_error: expect.stringContaining('not on the disk') as string },
    ]);
    await until(() => archiver.status().blocked.segments === 2);
    expect(archiver.status().state).toBe('ok');
    expect((await keys()).length).toBe(2);
  });

  it('goes on after a crash between object and row, without sending it again', async () => {
    const { log, archiver } = await open({ started: false });
    await record(log);
    const [row] = await rows();
    const key = segmentKey({ cameraId: 'camera-1', segment: 1, startedAt: row?.started_at ?? 0 });
    await database.query('INSERT INTO archive_upload (camera_id, segment, begun_at) VALUES ($1, 1, 0)', ['camera-1']);
    await store.put(key, await readFile(filePath(1)), { contentType: 'video/mp4' });
    store.calls.length = 0;
    archiver.start();
    await until(allAre('both'));
    expect(store.calls).not.toContain(`put ${key}`);
    expect(await uploads()).toEqual([]);
  });

  it('removes objects with their segments; while the store is away the disk is free at once, and the objects follow', async () => {
    const { log, archiver } = await open();
    await record(log);
    await until(allAre('both'));
    expect(await log.removeSegments('camera-1', [1, 99])).toMatchObject({ segments: 1, waiting: 0 });
    expect((await keys()).length).toBe(3);
    store.away = new BerthwatchError('unauthorised', 'OBJECT_STORE_CREDENTIALS', 'refused');
    expect(await log.deleteBefore('camera-1', T0 + 20_000)).toMatchObject({ segments: 1, waiting: 1, reason: expect.stringContaining('refused') as string });
    expect(existsSync(filePath(2))).toBe(false);
    expect([await places(), await removals()]).toEqual([['both', 'both'], [2]]);
    expect((await log.gopsBetween('camera-1', 0, Number.MAX_SAFE_INTEGER))[0]?.position.segment).toBe(3);
    // A restart meanwhile keeps what is to be done.
    await archiver.close();
    await log.close();
    const again = await open();
    expect([await places(), await removals()]).toEqual([['both', 'both'], [2]]);
    store.away = null;
    await until(async () => (await removals()).length === 0);
    expect(await places()).toEqual(['both', 'both']);
    expect((await keys()).length).toBe(2);
    await until(() => again.archiver.status().waitingRemovals === 0);
  });

  it('leaves no object of a segment that is removed while it is uploaded', async () => {
    const { log } = await open({ concurrency: 1 });
    let begun = false;
    let release = (): void => undefined;
    store.onPut = (key) => (key.endsWith('-00000001.mp4') ? new Promise((resolve) => ((begun = true), (release = resolve))) : Promise.resolve());
    await record(log);
    await until(() => begun);
    const removed = log.removeSegments('camera-1', [1]);
    await until(async () => (await removals()).length === 1);
    release();
    expect(await removed).toMatchObject({ segments: 1, waiting: 0 });
    await until(allAre('both'));
    expect((await keys()).length).toBe(3);
    expect(await uploads()).toEqual([]);
  });

  it('keeps the object of a segment that is uploaded once more although it is archived already', async () => {
    const { log, archiver } = await open({ started: false });
    await record(log, 10);
    const [job] = await nextUploads(database, log.id as string, 'oldest', systemClock.now(), 1);
    if (!job) throw new Error('nothing to upload');
    const upload = (): ReturnType<typeof uploadSegment> =>
      uploadSegment({ database, store, now: () => systemClock.now(), source: () => nodeDisk.stream(log.files.segmentPath(job.cameraId, job.segment)) }, job);
    expect(await upload()).toEqual({ result: 'stored' });
    // As an archiver would whose list of what waits is a moment old.
    expect(await upload()).toEqual({ result: 'stored' });
    expect(await store.head(segmentKey(job))).toMatchObject({ sha256: job.sha256 });
    expect((await rows()).find((row) => row.segment === job.segment)?.place).toBe('both');
    expect((await database.query('SELECT * FROM archive_upload')).rowCount).toBe(0);
    await archiver.close();
  });

  it('is unavailable, not gone, while the store is away; readers that wait go on', async () => {
    const { log } = await open({ local: { windowMs: 0, bytes: null } });
    const [gop] = await record(log);
    await until(async () => (await allAre('archive')()) && !existsSync(filePath(4)));
    const fresh = (await log.gopsBetween('camera-1', 0, 1e15)).at(-1) as LoggedGop;
    store.away = new BerthwatchError('unauthorised', 'OBJECT_STORE_CREDENTIALS', 'refused');
    await expect(fresh.read()).rejects.toMatchObject({ kind: 'unavailable', code: 'ARCHIVE_AWAY' });
    store.away = null;
    await sleep(systemClock, 30);
    expect((await fresh.read()).length).toBe(5);
    await store.deleteMany(await keys());
    const other = await open({ started: false });
    await expect((await other.log.gop('camera-1', (gop as LoggedGop).position)).read()).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('keeps footage readable over a start that finds files gone which the archive has', async () => {
    const { log, archiver } = await open();
    await record(log);
    await until(allAre('both'));
    await archiver.close();
    await log.close();
    await rm(filePath(1));
    // And one that a crash left on the disk after its row said that it had gone.
    await database.query(`UPDATE footage_segment SET place = 'archive' WHERE segment = 2`);
    const again = await open({ started: false });
    expect(await places()).toEqual(['archive', 'archive', 'both', 'both']);
    expect(existsSync(filePath(2))).toBe(false);
    expect((await bytesOf(await again.log.gopsBetween('camera-1', 0, 1e15))).length).toBe(35);
  });

  it('touches no store that is another catalogue’s archive, until told to', async () => {
    const { log, archiver } = await open();
    await record(log);
    await until(allAre('both'));
    await archiver.close();
    store = new TestStore({ folder: join(folder, 'other'), clock: systemClock });
    await store.start();
    const elsewhere = await open({ local: { windowMs: 0, bytes: null } });
    await until(() => elsewhere.archiver.status().state === 'failing');
    expect(elsewhere.archiver.status().reason).toMatch(/other.*has no berthwatch-archive\.json.*storage claim/);
    expect(await keys()).toEqual([]);
    expect(await allAre('both')()).toBe(true);
    await reclaimArchive({ database, store, clock: systemClock, logger: silentLogger });
    // Now the objects are missed before the files go, and are uploaded again.
    await until(allAre('archive'));
    expect((await keys()).length).toBe(4);
  });

  it('keeps to its rate', async () => {
    const { log, archiver } = await open({ started: false, bytesPerSecond: 80_000, concurrency: 4 });
    await record(log, 40);
    const { rows: sums } = await database.query<{ bytes: number }>('SELECT sum(bytes)::int8 AS bytes FROM footage_segment');
    const began = performance.now();
    archiver.start();
    await until(allAre('both'));
    const seconds = (performance.now() - began) / 1000;
    expect((sums[0]?.bytes ?? 0) / seconds).toBeLessThan(2 * 80_000);
  });
});
