import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { beijingDateTime } from '../../base/beijing-time.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import type { ObjectInfo, ObjectStore } from '../objects/object-store.js';
import type { RowFilter } from './check-segment.js';
import { finding, type Finding } from './finding.js';

/** Where evidence pictures lie; all else in the store is somebody else's. */
const PICTURES_PREFIX = 'evidence/';
const PAGE = 500;
const STRAY_AGE_MS = 24 * 3_600_000;

export interface PicturesContext {
  database: Database;
  /** Where pictures are kept, the bucket or files; then where they were kept before. */
  stores: readonly ObjectStore[];
  clock: Clock;
  /** Younger objects may be of an event whose row is not written yet. */
  strayAgeMs?: number;
}

export interface PicturesReport {
  pictures: number;
  bytesRead: number;
  findings: number;
}

interface PictureRow {
  picture_id: string;
  visit_uid: string;
  camera_id: string;
  object_key: string;
  sha256: string;
  bytes: number;
  taken_at: number;
}

/**
 * Compares the rows of evidence pictures with their objects: is each there, with its size and SHA-256; with `deep`, every byte; and is
 * each object somebody's picture. It changes nothing, whatever was asked for: a picture that seems to be nobody's may be all that is left
 * of a record.
 *
 * @throws BerthwatchError where store or database do not work (any more)
 */
export async function verifyPictures(context: PicturesContext, options: RowFilter & { deep: boolean }, told: (finding: Finding) => void, progress: (report: PicturesReport) => void): Promise<PicturesReport> {
  const { database, stores } = context;
  const report: PicturesReport = { pictures: 0, bytesRead: 0, findings: 0 };
  const tell = (found: Finding): void => {
    report.findings++;
    told(found);
  };
  for (let after = ''; ; ) {
    const { rows } = await database.query<PictureRow>(
      `SELECT e.picture_id, e.visit_uid, v.camera_id, e.object_key, e.sha256, e.bytes, e.taken_at FROM evidence e JOIN visit v ON v.uid = e.visit_uid
       WHERE e.picture_id > $1 AND ($2::text IS NULL OR v.camera_id = $2) AND e.taken_at BETWEEN $3 AND $4 ORDER BY e.picture_id LIMIT $5`,
      [after, options.cameraId, options.from, options.to, PAGE],
    );
    const last = rows.at(-1);
    if (!last) break;
    // Without any picture there need not be a place for them.
    if (report.pictures === 0) await stores[0]?.check();
    for (const row of rows) {
      const found = await checkPicture(stores, row, options.deep, (bytes) => (report.bytesRead += bytes));
      if (found) tell(found);
      report.pictures++;
      progress(report);
    }
    after = last.picture_id;
  }
  // Part of the rows says nothing of what is unknown.
  if (options.cameraId === null && options.from <= 0 && options.to >= Number.MAX_SAFE_INTEGER) for (const stray of await strayPictures(context)) tell(stray);
  return report;
}

async function checkPicture(stores: readonly ObjectStore[], row: PictureRow, deep: boolean, read: (bytes: number) => void): Promise<Finding | null> {
  const name = `picture ${row.picture_id} of visit ${row.visit_uid}, taken ${beijingDateTime(row.taken_at)}`;
  const about = (what: string | null): Partial<Finding> => ({
    cameraId: row.camera_id,
    damage: { gop: null, offset: null, at: row.taken_at, what: what === null ? name : `${name}: ${what}` },
    advice: 'restore the object under its key from the bucket’s versions or a backup',
  });
  const damaged = (actual: string | null, what: string | null = null): Finding => finding({ kind: 'picture-damaged', where: row.object_key, expected: row.sha256, actual, ...about(what) });
  let info: ObjectInfo | null = null;
  let store = stores[0] as ObjectStore;
  try {
    for (const place of stores) {
      store = place;
      info = await place.head(row.object_key);
      if (info) break;
    }
  } catch (error) {
    if (error instanceof BerthwatchError && error.kind === 'bad-input') return damaged(null, error.message);
    throw error;
  }
  if (!info) return finding({ kind: 'no-picture', where: row.object_key, ...about(null) });
  if (info.size !== row.bytes) return finding({ kind: 'picture-size', where: row.object_key, expected: `${row.bytes} bytes`, actual: `${info.size} bytes`, ...about(null) });
  if (!deep) return info.sha256 === row.sha256 ? null : damaged(info.sha256);
  const hash = createHash('sha256');
  try {
    // As a range, so that damaged bytes are told and not refused.
    for await (const chunk of (await store.get(row.object_key, { from: 0, to: info.size })).body) {
      hash.update(chunk);
      read(chunk.length);
    }
  } catch (error) {
    if (!(error instanceof BerthwatchError)) throw error;
    if (error.kind === 'not-found') return finding({ kind: 'no-picture', where: row.object_key, ...about(null) });
    // One object that cannot be had of a store that works is that object's trouble.
    await store.check();
    return damaged(null, error.message);
  }
  const sha256 = hash.digest('hex');
  return sha256 === row.sha256 ? null : damaged(sha256);
}

async function strayPictures(context: PicturesContext): Promise<Finding[]> {
  const strays: Finding[] = [];
  for (const store of context.stores) strays.push(...(await straysIn(store, context)));
  return strays;
}

async function straysIn(store: ObjectStore, { database, clock, strayAgeMs = STRAY_AGE_MS }: PicturesContext): Promise<Finding[]> {
  const strays: Finding[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const page = await store.list(PICTURES_PREFIX, { after });
    const old = page.objects.filter((object) => clock.now() - object.storedAt >= strayAgeMs).map((object) => object.key);
    const { rows } = await database.query<{ object_key: string }>('SELECT object_key FROM evidence WHERE object_key = ANY($1::text[])', [old]);
    const known = new Set(rows.map((row) => row.object_key));
    for (const key of old) if (!known.has(key)) strays.push(finding({ kind: 'stray-picture', where: key, advice: 'it is left alone: it may be what is left of a record, where the database was set back' }));
    after = page.next;
  }
  return strays;
}
