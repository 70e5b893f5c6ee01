import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import type { Database } from '../catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import { FileObjectStore } from '../objects/file-object-store.js';
import { EVERYTHING } from './check-segment.js';
import { describeFinding, type Finding } from './finding.js';
import { verifyPictures, type PicturesReport } from './verify-pictures.js';

const T0 = 1_767_225_600_000;
const DAY_MS = 86_400_000;
const KEYS = [1, 2, 3, 4].map((n) => `evidence/20260101/V${n}/V${n}-1.jpg`);
let postgres: TestPostgres;
let database: Database;
let folder: string;
let clock: ManualClock;
let store: FileObjectStore;
let before: FileObjectStore;

beforeAll(async () => void (postgres = await startTestPostgres()));
afterAll(() => postgres.stop());

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const picture = (n: number): Buffer => Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * n) % 251));
const path = (key: string): string => join(folder, 'bucket', 'objects', ...key.split('/').slice(0, -1).map((part) => `${part}~`), key.split('/').at(-1) as string);

/** Four visits with a picture each, the last one of a camera of its own. */
beforeEach(async () => {
  database = await postgres.freshDatabase();
  folder = await mkdtemp(join(tmpdir(), 'berthwatch-pictures-'));
  clock = new ManualClock(T0);
  store = new FileObjectStore({ folder: join(folder, 'bucket'), clock });
  before = new FileObjectStore({ folder: join(folder, 'before'), clock });
  await store.start();
  await database.query(`INSERT INTO lot (code, doc) VALUES ('L', '{}')`);
  for (const [i, key] of KEYS.entries()) {
    const [n, camera] = [i + 1, i === 3 ? 'cam-2' : 'cam-1'];
    const bytes = picture(n);
    await store.put(key, bytes, { contentType: 'image/jpeg' });
    await database.query(`INSERT INTO camera (id, lot_code, doc) VALUES ($1, 'L', '{}') ON CONFLICT DO NOTHING`, [camera]);
    await database.query(`INSERT INTO berth (id, camera_id, lot_code, number) VALUES ($1, $2, 'L', $1)`, [`b${n}`, camera]);
    await database.query(`INSERT INTO visit (uid, camera_id, berth_id, lot_code, entered_at, left_at, plate_status, doc) VALUES ($1, $2, $3, 'L', $4, NULL, 'unread', '{}')`, [`V${n}`, camera, `b${n}`, T0]);
    await database.query(`INSERT INTO evidence_job (id, visit_uid, camera_id, event, next_attempt_at, created_at) VALUES ($1, $2, $3, '{}', 0, 0)`, [`V${n}/enter`, `V${n}`, camera]);
    await database.query(`INSERT INTO evidence (picture_id, visit_uid, job_id, kind, role, object_key, sha256, bytes, width, height, taken_at) VALUES ($1, $2, $3, 'panorama', 'parked', $4, $5, $6, 1920, 1080, $7)`, [`V${n}-1`, `V${n}`, `V${n}/enter`, key, sha256(bytes), bytes.length, T0 + n * 1_000]);
  }
  await clock.advance(2 * DAY_MS);
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

async function verify(options: Partial<Parameters<typeof verifyPictures>[1]> = {}): Promise<PicturesReport & { told: Finding[] }> {
  const told: Finding[] = [];
  const report = await verifyPictures({ database, stores: [store, before], clock }, { ...EVERYTHING, deep: true, ...options }, (found) => told.push(found), () => undefined);
  return { ...report, told };
}

async function flip(key: string, at: number): Promise<void> {
  const bytes = await readFile(path(key));
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(path(key), bytes);
}

describe('verify, evidence pictures', () => {
  it('finds nothing where all is right, also in the folder that was used before', async () => {
    expect(await verify()).toEqual({ pictures: 4, bytesRead: 20_000, findings: 0, told: [] });
    await before.start();
    await before.put(KEYS[1] as string, picture(2), { contentType: 'image/jpeg' });
    await store.delete(KEYS[1] as string);
    await clock.advance(2 * DAY_MS);
    expect(await verify()).toMatchObject({ pictures: 4, findings: 0 });
  });

  it('names a picture of which one bit has changed, with both sums, and changes nothing', async () => {
    await flip(KEYS[2] as string, 4_321);
    const { told } = await verify();
    expect(told).toMatchObject([{ kind: 'picture-damaged', cameraId: 'cam-1', where: KEYS[2], expected: sha256(picture(3)), repaired: null }]);
    expect(told[0]?.actual).toMatch(/^[0-9a-f]{64}$/);
    expect(describeFinding(told[0] as Finding)).toContain('picture V3-1 of visit V3, taken 2026-01-01 08:00:03');
    expect((await readFile(path(KEYS[2] as string))).length).toBeGreaterThan(5_000);
    // Names and sizes alone do not tell it.
    expect((await verify({ deep: false })).told).toEqual([]);
  });

  it('names what is missing, has another size, or cannot be read', async () => {
    await rm(path(KEYS[0] as string));
    await store.put(KEYS[1] as string, picture(2).subarray(1), { contentType: 'image/jpeg' });
    // In what the store itself knows of the object.
    await flip(KEYS[3] as string, (await readFile(path(KEYS[3] as string))).length - 2);
    for (const deep of [true, false]) {
      const { told, pictures } = await verify({ deep });
      expect(told.map(({ kind, where, expected, actual }) => [kind, where, kind === 'picture-size' ? [expected, actual] : null])).toEqual([['no-picture', KEYS[0], null], ['picture-size', KEYS[1], ['5000 bytes', '4999 bytes']], ['picture-damaged', KEYS[3], null]]);
      expect(pictures).toBe(4);
    }
  });

  it('tells of a picture without a row once it is old enough, and leaves it', async () => {
    await store.put('evidence/20260102/V9/V9-1.jpg', picture(9), { contentType: 'image/jpeg' });
    await store.put('device/recording.mp4', picture(9), { contentType: 'video/mp4' });
    expect((await verify()).told).toEqual([]);
    await clock.advance(2 * DAY_MS);
    expect((await verify()).told).toMatchObject([{ kind: 'stray-picture', where: 'evidence/20260102/V9/V9-1.jpg' }]);
    expect(await store.head('evidence/20260102/V9/V9-1.jpg')).not.toBeNull();
  });

  it('looks at one camera, or at a time, alone', async () => {
    expect(await verify({ cameraId: 'cam-2' })).toMatchObject({ pictures: 1, findings: 0 });
    expect(await verify({ from: T0 + 2_000, to: T0 + 3_000 })).toMatchObject({ pictures: 2, findings: 0 });
  });
});
