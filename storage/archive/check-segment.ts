import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import { diskError, isMissing } from '../disk-error.js';
import type { Disk } from '../footage/disk.js';
import { decodeGopIndex, type IndexedGop } from '../footage/gop-index.js';
import type { LogFolder } from '../footage/log-folder.js';
import { SegmentScanner } from '../footage/segment-scanner.js';
import type { ObjectStore } from '../objects/object-store.js';
import { segmentKey } from './archive-key.js';
import { finding, type Damage, type Finding } from './finding.js';

/** A row of the catalogue with all that a check compares. */
export interface CheckedRow {
  cameraId: string;
  segment: number;
  state: 'sealed' | 'lost';
  place: 'local' | 'both' | 'archive';
  startedAt: number;
  endedAt: number;
  bytes: number;
  sha256: string;
  gopIndex: Buffer;
}

interface SqlRow {
  camera_id: string;
  segment: number;
  state: CheckedRow['state'];
  place: CheckedRow['place'];
  started_at: number;
  ended_at: number;
  bytes: number;
  sha256: Buffer;
  gop_index: Buffer;
}

export interface RowFilter {
  cameraId: string | null;
  /** Unix ms, of footage that reaches into it. */
  from: number;
  to: number;
}

export const EVERYTHING: RowFilter = { cameraId: null, from: 0, to: Number.MAX_SAFE_INTEGER };

const checked = (row: SqlRow): CheckedRow => ({ cameraId: row.camera_id, segment: row.segment, state: row.state, place: row.place, startedAt: row.started_at, endedAt: row.ended_at, bytes: row.bytes, sha256: row.sha256.toString('hex'), gopIndex: row.gop_index });

/** Sealed and lost segments of a log behind a position, in the order of camera and number. */
export async function readRows(database: Database, log: string, filter: RowFilter, after: { cameraId: string; segment: number }, limit: number): Promise<CheckedRow[]> {
  const { rows } = await database.query<SqlRow>(
    `SELECT camera_id, segment, state, place, started_at, ended_at, bytes, sha256, gop_index FROM footage_segment
     WHERE log_id = $1 AND (camera_id, segment) > ($2, $3) AND ($4::text IS NULL OR camera_id = $4) AND ended_at >= $5 AND started_at <= $6
     ORDER BY camera_id, segment LIMIT $7`,
    [log, after.cameraId, after.segment, filter.cameraId, filter.from, filter.to, limit],
  );
  return rows.map(checked);
}

/** The row as it is now; null where there is none (any more). */
export async function readRow(database: Database, cameraId: string, segment: number): Promise<CheckedRow | null> {
  const { rows } = await database.query<SqlRow>('SELECT camera_id, segment, state, place, started_at, ended_at, bytes, sha256, gop_index FROM footage_segment WHERE camera_id = $1 AND segment = $2', [cameraId, segment]);
  return rows[0] ? checked(rows[0]) : null;
}

export interface CheckContext {
  disk: Disk;
  folder: LogFolder;
  /** Null: no archive. */
  store: ObjectStore | null;
}

export interface CheckDepth {
  /** Reads every byte. */
  deep: boolean;
  /** Sizes of objects by key, of a listing; null: every object is asked for. */
  listed: ReadonlyMap<string, number> | null;
  /** Told how many bytes were read. */
  read?: (bytes: number) => void;
}

/**
 * Compares one row with its file and its object. Changes nothing.
 *
 * @throws BerthwatchError where disk or store do not work now
 */
export async function checkSegment(context: CheckContext, row: CheckedRow, depth: CheckDepth): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { cameraId, segment, startedAt, endedAt } = row;
  const about = { cameraId, segment, startedAt, endedAt };
  const file = row.place === 'archive' ? null : await checkFile(context, row, depth);
  if (file) findings.push({ ...file, ...about });
  const object = row.place === 'local' || !context.store ? null : await checkObject(context.store, row, depth);
  if (object) findings.push({ ...object, ...about });
  const [first] = findings;
  if (row.state === 'lost' && row.place === 'local') return first ? [{ ...first, kind: 'lost', advice: 'put the file back where it was, or accept the loss' }] : [];
  if (row.place === 'local' && first?.kind === 'no-file') return [{ ...first, kind: 'lost', advice: 'put the file back where it was (an unmounted disk?); the next start takes it in' }];
  if (row.place === 'archive' && first?.kind === 'no-object') return [{ ...first, kind: 'lost', advice: 'restore the object from the bucket’s versions or a backup' }];
  return findings;
}

async function checkFile({ disk, folder }: CheckContext, row: CheckedRow, depth: CheckDepth): Promise<Finding | null> {
  const path = folder.segmentPath(row.cameraId, row.segment);
  let size: number;
  try {
    ({ size } = await stat(path));
  } catch (error) {
    if (isMissing(error)) return finding({ kind: 'no-file', where: path });
    throw diskError(error, path);
  }
  if (size !== row.bytes) return finding({ kind: 'file-size', where: path, expected: `${row.bytes} bytes`, actual: `${size} bytes` });
  if (!depth.deep) return null;
  try {
    const { sha256, damage } = await readThrough(disk.stream(path), row, depth.read);
    return sha256 === row.sha256 ? null : finding({ kind: 'file-damaged', where: path, expected: row.sha256, actual: sha256, damage });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return finding({ kind: 'file-damaged', where: path, expected: row.sha256, damage: { gop: null, offset: null, at: null, what: 'the device reports errors when it is read' } });
    throw diskError(error, path);
  }
}

async function checkObject(store: ObjectStore, row: CheckedRow, depth: CheckDepth): Promise<Finding | null> {
  const key = segmentKey(row);
  const wrongSize = (size: number): Finding => finding({ kind: 'object-size', where: key, expected: `${row.bytes} bytes`, actual: `${size} bytes` });
  if (depth.listed && !depth.deep) {
    const size = depth.listed.get(key);
    if (size === row.bytes) return null;
    // The listing may be older than the row: only what is asked for now is told.
  }
  let info;
  try {
    info = await store.head(key);
  } catch (error) {
    if (error instanceof BerthwatchError && error.kind === 'bad-input') return finding({ kind: 'object-damaged', where: key, expected: row.sha256, actual: null, damage: { gop: null, offset: null, at: null, what: messageOf(error) } });
    throw error;
  }
  if (!info) return finding({ kind: 'no-object', where: key });
  if (info.size !== row.bytes) return wrongSize(info.size);
  if (!depth.deep) return info.sha256 === row.sha256 ? null : finding({ kind: 'object-damaged', where: key, expected: row.sha256, actual: info.sha256 });
  let seen = 0;
  try {
    // As a range, so that damaged bytes are told and not refused.
    const { body } = await store.get(key, { from: 0, to: info.size });
    const { sha256, damage } = await readThrough(body, row, (bytes) => {
      seen += bytes;
      depth.read?.(bytes);
    });
    return sha256 === row.sha256 ? null : finding({ kind: 'object-damaged', where: key, expected: row.sha256, actual: sha256, damage });
  } catch (error) {
    if (!(error instanceof BerthwatchError)) throw error;
    if (error.kind === 'not-found') return finding({ kind: 'no-object', where: key });
    if (error.kind === 'bad-input') return finding({ kind: 'object-damaged', where: key, expected: row.sha256, damage: { gop: null, offset: null, at: null, what: error.message } });
    // One object that cannot be had of a server that works is that object's trouble.
    await store.check();
    const gop = decodeGopIndex(row.gopIndex, row.startedAt).findLast((entry) => entry.offset <= seen);
    return finding({ kind: 'object-unreadable', where: key, expected: row.sha256, damage: { gop: gop?.gop ?? null, offset: gop ? seen : null, at: gop?.startedAt ?? null, what: `${seen} of ${row.bytes} bytes could be read: ${error.message}` } });
  }
}

async function readThrough(bytes: AsyncIterable<Uint8Array>, row: CheckedRow, read?: (bytes: number) => void): Promise<{ sha256: string; damage: Damage | null }> {
  const hash = createHash('sha256');
  const scanner = new SegmentScanner();
  for await (const chunk of bytes) {
    hash.update(chunk);
    // The scanner keeps what it gets until a fragment is whole.
    scanner.push(Buffer.from(chunk));
    read?.(chunk.length);
  }
  const sha256 = hash.digest('hex');
  return { sha256, damage: sha256 === row.sha256 ? null : locate(scanner.end(), row) };
}

/** The first GOP that is not as the index says. */
function locate(scan: ReturnType<SegmentScanner['end']>, row: CheckedRow): Damage {
  const index = decodeGopIndex(row.gopIndex, row.startedAt);
  const wrong = index.findIndex((gop, i) => !sameGop(gop, scan.gops[i]));
  const gop = wrong < 0 ? null : (index[wrong] as IndexedGop);
  if (gop === null) return { gop: null, offset: null, at: null, what: scan.damage ?? 'every picture has its own checksum right: the damage lies outside of the pictures' };
  return { gop: gop.gop, offset: gop.offset, at: gop.startedAt, what: scan.damage ?? 'it is another than the catalogue says' };
}

const sameGop = (a: IndexedGop, b: IndexedGop | undefined): boolean => b !== undefined && a.offset === b.offset && a.length === b.length && a.startedAt === b.startedAt && a.endedAt === b.endedAt && a.units === b.units;
