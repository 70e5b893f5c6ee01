import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'minio';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { childEntry } from '../../base/child-entry.js';
import { sleep, systemClock, type Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { ManualClock } from '../../base/manual-clock.js';
import type { Database } from '../../storage/catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import type { Finding } from '../../storage/archive/finding.js';
import { verifyStorage } from '../../storage/archive/verify.js';
import { nodeDisk } from '../../storage/footage/disk.js';
import type { FootageLog } from '../../storage/footage/footage-log.js';
import { syntheticUnits } from '../../storage/footage/testing.js';
import { S3ObjectStore } from '../../storage/objects/s3/s3-object-store.js';
import type { S3Options } from '../../storage/objects/s3/s3-options.js';
import { haveS3, startTestS3, type TestS3 } from '../../storage/objects/s3/testing.js';
import type { ArchiveChildTask } from './support/archive-child.js';
import { archiveStage, type ArchiveStage } from './support/archive-stage.js';
import { FaultProxy, type Fault } from './support/fault-proxy.js';

const T0 = 1_767_225_600_000;
const MB = 1024 * 1024;
const PATIENCE_MS = 120_000;
const until = async (what: string, condition: () => boolean | Promise<boolean>, told: () => unknown = () => ''): Promise<void> => {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what}: never. ${JSON.stringify(told())}`);
    await sleep(systemClock, 20);
  }
};

/** Footage that goes to a real S3 server, over a proxy that misbehaves. */
describe.skipIf(!haveS3())('the archive and its faults', () => {
  let server: TestS3;
  let postgres: TestPostgres;
  let database: Database;
  let folder: string;
  let proxy: FaultProxy;
  let options: S3Options;
  let recorded: number;
  const closing: (() => Promise<unknown> | void)[] = [];

  beforeAll(async () => {
    [server, postgres] = await Promise.all([startTestS3(), startTestPostgres()]);
  }, 180_000);
  afterAll(async () => {
    await server?.stop();
    await postgres?.stop();
  });
  beforeEach(async () => {
    database = await postgres.freshDatabase();
    closing.push(() => database.close());
    folder = await mkdtemp(join(tmpdir(), 'berthwatch-archive-faults-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    proxy = new FaultProxy(server.endpoint);
    options = server.options({ endpoint: await proxy.start(), attempts: 2, timeoutMs: 1_000 });
    closing.push(() => proxy.close());
    await raw().makeBucket(options.bucket);
    recorded = 0;
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /** The server itself, past the proxy. */
  function raw(): Client {
    const url = new URL(server.endpoint);
    return new Client({ endPoint: url.hostname, port: Number(url.port), useSSL: false, accessKey: options.accessKey, secretKey: options.secretKey, region: 'us-east-1' });
  }

  async function stage(changes: { s3?: Partial<S3Options>; clock?: Clock; archiver?: Parameters<typeof archiveStage>[0]['archiver'] } = {}): Promise<ArchiveStage> {
    const store = new S3ObjectStore({ ...options, ...changes.s3 });
    const made = await archiveStage({ folder, database, store, ...(changes.clock ? { clock: changes.clock } : {}), ...(changes.archiver ? { archiver: changes.archiver } : {}) });
    closing.push(() => store.close(), () => made.log.close(), () => made.archiver.close());
    return made;
  }

  async function record(log: FootageLog, gops = 20, keyframeBytes = 2_000): Promise<void> {
    for (const unit of syntheticUnits({ gops, keyframeBytes, startedAt: T0 + recorded * 1_000, pts: 900_000 + recorded * 90_000 })) log.append(unit);
    recorded += gops;
    log.streamEnded('camera-1');
    await until('everything is sealed', async () => (await database.query<{ gops: number }>('SELECT coalesce(sum(gops), 0)::int4 AS gops FROM footage_segment')).rows[0]?.gops === recorded);
  }

  const places = async (): Promise<string[]> => (await database.query<{ place: string; state: string }>('SELECT place, state FROM footage_segment ORDER BY segment')).rows.map((row) => (row.state === 'sealed' ? row.place : row.state));
  const allAre = (place: string) => async (): Promise<boolean> => (await places()).every((p) => p === place);

  /** Nothing is missing or damaged, on the disk or in the bucket. */
  async function nothingLost(log: FootageLog): Promise<void> {
    const found: string[] = [];
    const store = new S3ObjectStore({ ...options, endpoint: server.endpoint });
    const context = { database, disk: nodeDisk, folder: log.files, log: log.id as string, store, clock: systemClock, windowMs: null, strayAgeMs: 0 };
    await verifyStorage(context, { cameraId: null, from: 0, to: Number.MAX_SAFE_INTEGER, deep: true, repair: false }, (f) => void found.push(`${f.kind} ${f.where} ${f.damage?.what ?? ''}`), () => undefined);
    store.close();
    expect(found).toEqual([]);
    const gops = await log.gopsBetween('camera-1', 0, Number.MAX_SAFE_INTEGER);
    expect(gops.length).toBe(recorded);
    for (const gop of gops) expect((await gop.read()).length).toBe(5);
  }

  const FAULTS: [string, Fault, RegExp, FaultProxy['applies']?][] = [
    ['500', { kind: 'status', status: 500, code: 'InternalError' }, /cannot answer now \(500/],
    ['503 SlowDown', { kind: 'status', status: 503, code: 'SlowDown' }, /asks for fewer requests/],
    ['503 SlowDown of writes alone', { kind: 'status', status: 503, code: 'SlowDown' }, /asks for fewer requests/, ({ method }) => method === 'PUT' || method === 'POST'],
    ['connections that are reset', { kind: 'reset' }, /connection was (reset|closed)/],
    ['connections that break in mid-upload', { kind: 'reset-upload' }, /connection was (reset|closed)/, ({ method }) => method === 'PUT'],
    ['no answer', { kind: 'hang' }, /nothing moved for 1 s/],
    ['an answer that comes too late', { kind: 'slow', ms: 1_500 }, /nothing moved for 1 s/],
    ['data damaged on its way', { kind: 'corrupt-upload' }, /network damages data/, ({ method, url }) => method === 'PUT' && (url ?? '').includes('footage')],
    ['a server whose disks are full', { kind: 'status', status: 507, code: 'XMinioStorageFull' }, /disks are full/, ({ method }) => method === 'PUT'],
  ];

  it.each(FAULTS)('%s: says so, keeps everything, and goes on by itself', async (_fault, fault, words, applies) => {
    const { log, archiver } = await stage();
    archiver.start();
    await record(log, 10);
    await until('the first is archived', allAre('both'), () => archiver.status());
    if (applies) proxy.applies = applies;
    proxy.fault = fault;
    const before = await places();
    await record(log, 20);
    await until('it says what is wrong', () => words.test(archiver.status().reason ?? ''), () => archiver.status());
    expect(archiver.status()).toMatchObject({ state: 'failing', place: expect.stringContaining(options.bucket) as string });
    expect((await places()).slice(0, before.length)).toEqual(before);
    expect((await places()).every((place) => place !== 'archive' && place !== 'lost')).toBe(true);
    // What is on the disk can be read all the time.
    expect((await log.gopsBetween('camera-1', 0, 1e15)).length).toBe(recorded);
    proxy.fault = { kind: 'none' };
    await until('all is archived', allAre('both'), () => archiver.status());
    await until('it is well again', () => archiver.status().state === 'ok', () => archiver.status());
    await archiver.close();
    await nothingLost(log);
  });

  it('wrong credentials and a bucket that is gone: says what to do; nothing leaves the disk', async () => {
    const { log, archiver } = await stage({ s3: { secretKey: 'not-the-secret' }, archiver: { local: { windowMs: 0, bytes: null } } });
    archiver.start();
    await record(log);
    await until('it names the credentials', () => /S3_ACCESS_KEY, S3_SECRET_KEY/.test(archiver.status().reason ?? ''), () => archiver.status());
    await archiver.close();
    const right = await stage({ archiver: { local: { windowMs: 0, bytes: null } } });
    right.archiver.start();
    await until('all has left the disk', allAre('archive'), () => right.archiver.status());
    // Somebody removes the bucket, with all that is in it.
    const client = raw();
    const keys: string[] = [];
    for await (const object of client.listObjectsV2(options.bucket, '', true)) keys.push((object as { name: string }).name);
    await client.removeObjects(options.bucket, keys);
    await client.removeBucket(options.bucket);
    await record(log);
    await until('it names the bucket', () => /no such bucket: create it/.test(right.archiver.status().reason ?? ''), () => right.archiver.status());
    await expect(((await log.gopsBetween('camera-1', T0, T0))[0] as { read(): Promise<unknown> }).read()).rejects.toMatchObject({ kind: expect.stringMatching(/unavailable|not-found/) as string });
    // An empty bucket in its place is not the archive: nothing more may leave the disk.
    await client.makeBucket(options.bucket);
    await until('it tells that it is another', () => /storage claim/.test(right.archiver.status().reason ?? ''), () => right.archiver.status());
    expect((await places()).filter((place) => place === 'local').length).toBeGreaterThan(0);
  });

  it('a bit flipped on the server’s own disk: the server refuses the object, verify names it, and repairs it from the file', async ({ skip }) => {
    if (server.folder === null) skip('the server is not ours');
    const { log, archiver } = await stage();
    archiver.start();
    await record(log, 4, 2 * MB);
    await until('all is archived', allAre('both'), () => archiver.status());
    await archiver.close();
    // Large objects lie in files of their own.
    const parts = (await readdir(join(server.folder as string, options.bucket, 'footage'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && entry.name === 'part.1');
    const path = join((parts[0] as { parentPath: string }).parentPath, 'part.1');
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    const verify = async (repair: boolean): Promise<Finding[]> => {
      const found: Finding[] = [];
      const store = new S3ObjectStore(options);
      const context = { database, disk: nodeDisk, folder: log.files, log: log.id as string, store, clock: systemClock, windowMs: null };
      await verifyStorage(context, { cameraId: null, from: 0, to: Number.MAX_SAFE_INTEGER, deep: true, repair }, (f) => void found.push(f), () => undefined);
      store.close();
      return found;
    };
    expect(await verify(true)).toMatchObject([{ kind: 'object-unreadable', cameraId: 'camera-1', where: expect.stringContaining('footage/camera-1/2026/01/01/') as string, damage: { gop: expect.any(Number) as number }, repaired: expect.stringContaining('uploaded again') as string }]);
    expect(await verify(false)).toEqual([]);
  });

  it('away for hours: recording goes on, its tries get few, and the backlog drains when it is back', async () => {
    const clock = new ManualClock(T0);
    const { log, archiver } = await stage({ clock, archiver: { retry: { firstMs: 2_000, longestMs: 300_000 }, idleMs: 2_000, tidyMs: 15_000 } });
    proxy.fault = { kind: 'reset' };
    archiver.start();
    await record(log, 60);
    // Pauses of the store's own requests run on the clock of the machine.
    let tries = 0;
    for (let minute = 0; minute < 240; minute += 5) {
      clock.advance(300_000);
      await sleep(systemClock, 25);
      tries = proxy.requests.length;
    }
    expect(archiver.status().state).toBe('failing');
    expect(clock.now() - archiver.status().since).toBeGreaterThan(3 * 3_600_000);
    // Four hours of pauses of up to five minutes, two requests a try.
    expect(tries).toBeLessThan(2 * 110);
    proxy.fault = { kind: 'none' };
    await until('the backlog has drained', async () => {
      clock.advance(5_000);
      return allAre('both')();
    }, () => archiver.status());
    await until('it is well again', () => {
      clock.advance(5_000);
      return archiver.status().state === 'ok' && archiver.status().backlog.segments === 0;
    }, () => archiver.status());
    await nothingLost(log);
  });

  it('SIGKILL in mid-upload, again and again: what was sent is not sent again, and every segment arrives whole', async () => {
    const { log } = await stage();
    // Larger than a part of five megabytes.
    await record(log, 5, 3 * MB);
    await log.close();
    const { rows } = await database.query<{ name: string }>('SELECT current_database() AS name');
    const { clock: _clock, ...s3 } = options;
    const task: ArchiveChildTask = { folder, address: { ...postgres.server.address, database: rows[0]?.name ?? '' }, s3: { ...s3, timeoutMs: 20_000 }, bytesPerSecond: 6 * MB };
    const partsSent = (): number => proxy.answered.filter((request) => request.startsWith('PUT') && request.includes('partNumber=')).length;
    const start = async (bytesPerSecond: number | null): Promise<ChildProcess> => {
      const { file, execArgv } = childEntry(import.meta.url, './support/archive-child');
      const child = fork(file, { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      closing.push(() => void child.kill('SIGKILL'));
      child.send({ ...task, bytesPerSecond });
      await once(child, 'message');
      return child;
    };
    for (let kill = 1; kill <= 2; kill++) {
      const child = await start(task.bytesPerSecond);
      const before = partsSent();
      await until('a part is sent', () => partsSent() > before);
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      expect((await places()).some((place) => place === 'local')).toBe(true);
    }
    const sentBefore = partsSent();
    const { rows: known } = await database.query<{ upload_id: string | null }>('SELECT upload_id FROM archive_upload WHERE upload_id IS NOT NULL');
    expect(known.length).toBeGreaterThan(0);
    const child = await start(null);
    await until('all is archived', allAre('both'), () => proxy.requests.slice(-20));
    child.kill('SIGKILL');
    // The upload that was continued was completed under the id it had, and its parts that were there were not sent again.
    expect(proxy.requests.some((request) => request.startsWith('POST') && request.includes(encodeURIComponent(known[0]?.upload_id ?? '-')))).toBe(true);
    const total = (await database.query<{ bytes: number }>('SELECT bytes FROM footage_segment')).rows.reduce((sum, row) => sum + Math.ceil(row.bytes / (5 * MB)), 0);
    expect(partsSent() - sentBefore).toBeLessThan(total);
    const again = await stage();
    await nothingLost(again.log);
  });

  it('a segment that is read while the archive comes and goes: unavailable, then read whole, over answers that break', async () => {
    const { log, archiver } = await stage({ archiver: { local: { windowMs: 0, bytes: null } } });
    archiver.start();
    await record(log);
    await until('all has left the disk', allAre('archive'), () => archiver.status());
    await archiver.close();
    await until('no file is left', async () => (await log.files.segments('camera-1')).length === 0);
    proxy.fault = { kind: 'status', status: 503, code: 'SlowDown' };
    const gop = (await log.gopsBetween('camera-1', T0 + 3_000, T0 + 3_000))[0] as { read(): Promise<unknown[]> };
    await expect(gop.read()).rejects.toMatchObject({ kind: 'unavailable', retryable: true });
    // Each answer ends half way: the rest is asked for again and again.
    proxy.fault = { kind: 'half' };
    proxy.applies = ({ method, headers }) => method === 'GET' && headers['x-seen'] === undefined && proxy.requests.length % 2 === 0;
    await until('it is read', () => gop.read().then((units) => units.length === 5, (error: unknown) => (messageOf(error).includes('archive') ? false : Promise.reject(error as Error))));
    proxy.fault = { kind: 'none' };
    await nothingLost(log);
  });
});
