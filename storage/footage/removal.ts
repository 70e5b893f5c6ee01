import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import type { Queryable, SqlResult } from '../catalogue/queryable.js';
import { diskError, isMissing } from '../disk-error.js';
import type { Disk } from './disk.js';
import type { LogFolder } from './log-folder.js';
import type { SegmentArchive, SegmentName } from './segment-archive.js';

export interface RemovalReport {
  /** Segments that were marked by this call: readers do not find them any more, their files are gone. */
  segments: number;
  bytes: number;
  /** Of them, those whose objects are still in the archive, because it is away or not configured; `finishRemovals` goes on with them. */
  waiting: number;
  /** Why they wait; null where none does. */
  reason: string | null;
}

export interface RemovalContext {
  database: Database;
  disk: Disk;
  folder: LogFolder;
  log: string;
  /** Null where none is configured. */
  archive: SegmentArchive | null;
}

interface MarkedRow {
  camera_id: string;
  segment: number;
  started_at: number;
  bytes: number;
  place: 'local' | 'both' | 'archive';
  begun: boolean;
  upload_id: string | null;
}

const COLUMNS = `r.camera_id, r.segment, r.started_at, r.bytes, r.place,
  EXISTS (SELECT 1 FROM archive_upload u WHERE u.camera_id = r.camera_id AND u.segment = r.segment) AS begun,
  (SELECT upload_id FROM archive_upload u WHERE u.camera_id = r.camera_id AND u.segment = r.segment) AS upload_id`;

/** Objects in one round. */
const BATCH = 500;

/**
 * Removes segments of one camera, files and objects, in an order that a crash at any point cannot turn into footage that is
 * half there: mark the rows (they move to `footage_removal`, and nobody finds them any more), unlink the files, make that durable,
 * remove the objects, drop the marks. An archive that is away delays only the last two steps: the disk is free at once.
 *
 * Segments that are unknown, of another log or marked already are passed over.
 *
 * @throws BerthwatchError unavailable (disk or database): what is marked is finished by the next start or `finishRemovals`;
 *   conflict (a segment is held: nothing of its round is marked)
 */
export async function removeSegments(context: RemovalContext, cameraId: string, segments: readonly number[]): Promise<RemovalReport> {
  const report: RemovalReport = { segments: 0, bytes: 0, waiting: 0, reason: null };
  for (let at = 0; at < segments.length; at += BATCH) {
    const round = await removeTogether(context, segments.slice(at, at + BATCH).map((segment) => ({ cameraId, segment })));
    report.segments += round.segments;
    report.bytes += round.bytes;
    report.waiting += round.waiting;
    report.reason ??= round.reason;
  }
  return report;
}

/**
 * The same for segments of any cameras, marked and dropped together.
 *
 * @param withMarks what must be written in the same transaction as the marks
 * @throws BerthwatchError as `removeSegments`; conflict (one of them is held: nothing is marked)
 */
export async function removeTogether(context: RemovalContext, names: readonly SegmentName[], withMarks?: (tx: Queryable) => Promise<void>): Promise<RemovalReport> {
  const report: RemovalReport = { segments: 0, bytes: 0, waiting: 0, reason: null };
  if (names.length === 0) return report;
  await context.folder.check(context.log);
  const mark = (tx: Queryable): Promise<SqlResult<MarkedRow>> =>
    tx.query<MarkedRow>(
      `WITH gone AS (
         DELETE FROM footage_segment s USING unnest($1::text[], $2::int4[]) AS name (camera, number)
         WHERE s.camera_id = name.camera AND s.segment = name.number AND log_id = $3
         RETURNING s.camera_id, s.segment, s.log_id, s.started_at, s.ended_at, s.bytes, s.place
       )
       INSERT INTO footage_removal AS r (camera_id, segment, log_id, started_at, ended_at, bytes, place) SELECT * FROM gone RETURNING ${COLUMNS}`,
      [names.map(({ cameraId }) => cameraId), names.map(({ segment }) => segment), context.log],
    );
  const { rows } = await (withMarks === undefined
    ? mark(context.database)
    : context.database.transaction(async (tx) => {
        await withMarks(tx);
        return mark(tx);
      }));
  if (rows.length === 0) return report;
  for (const [cameraId, segments] of byCamera(rows)) await removeFiles(context.disk, context.folder, cameraId, segments);
  report.segments = rows.length;
  report.bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const left = await removeObjects(context, rows);
  report.waiting = left.waiting;
  report.reason = left.reason;
  return report;
}

/** Segments of a camera whose removal was begun and is not finished, with when they began: their files and objects may still be there. */
export async function segmentsBeingRemoved(database: Queryable, cameraId: string): Promise<{ segment: number; startedAt: number }[]> {
  const { rows } = await database.query<{ segment: number; started_at: number }>('SELECT segment, started_at FROM footage_removal WHERE camera_id = $1', [cameraId]);
  return rows.map((row) => ({ segment: row.segment, startedAt: row.started_at }));
}

function byCamera(rows: readonly MarkedRow[]): Map<string, number[]> {
  const cameras = new Map<string, number[]>();
  for (const { camera_id, segment } of rows) {
    const known = cameras.get(camera_id);
    if (known) known.push(segment);
    else cameras.set(camera_id, [segment]);
  }
  return cameras;
}

/**
 * Goes on with removals that were begun: by a process that crashed, or while the archive was away.
 *
 * @param cameraId of all cameras where null
 * @returns rows that were dropped, and those that still wait for the archive
 * @throws BerthwatchError unavailable (disk or database)
 */
export async function finishRemovals(context: RemovalContext, cameraId: string | null = null): Promise<{ dropped: number; waiting: number; reason: string | null }> {
  let dropped = 0;
  let waiting = 0;
  let reason: string | null = null;
  for (let after: [string, number] = ['', 0]; ; ) {
    const { rows } = await context.database.query<MarkedRow>(
      `SELECT ${COLUMNS} FROM footage_removal r WHERE log_id = $1 AND (camera_id, segment) > ($2, $3) AND ($5::text IS NULL OR camera_id = $5) ORDER BY camera_id, segment LIMIT $4`,
      [context.log, ...after, BATCH, cameraId],
    );
    const last = rows.at(-1);
    if (!last) return { dropped, waiting, reason };
    after = [last.camera_id, last.segment];
    for (const [id, segments] of byCamera(rows)) await removeFiles(context.disk, context.folder, id, segments);
    const left = await removeObjects(context, rows);
    dropped += rows.length - left.waiting;
    waiting += left.waiting;
    reason ??= left.reason;
  }
}

/** The last two steps. */
async function removeObjects({ database, archive }: RemovalContext, rows: readonly MarkedRow[]): Promise<{ waiting: number; reason: string | null }> {
  // An upload that was begun may have come to its end without the row knowing.
  const archived = rows.filter((row) => row.place !== 'local' || row.begun);
  const plain = rows.filter((row) => row.place === 'local' && !row.begun);
  await dropRows(database, plain);
  if (archived.length === 0) return { waiting: 0, reason: null };
  if (!archive) return { waiting: archived.length, reason: 'they are in an archive that is not configured' };
  try {
    await archive.remove(archived.map((row) => ({ cameraId: row.camera_id, segment: row.segment, startedAt: row.started_at, uploadId: row.upload_id })));
  } catch (error) {
    if (!(error instanceof BerthwatchError)) throw error;
    return { waiting: archived.length, reason: messageOf(error) };
  }
  await dropRows(database, archived);
  return { waiting: 0, reason: null };
}

/** Second and third step of a removal: the files go, durably. Files that are gone already are no error. */
export async function removeFiles(disk: Disk, folder: LogFolder, cameraId: string, segments: readonly number[]): Promise<void> {
  for (const segment of segments) {
    const path = folder.segmentPath(cameraId, segment);
    try {
      await disk.remove(path);
    } catch (error) {
      if (!isMissing(error)) throw diskError(error, path);
    }
  }
  const path = folder.cameraFolder(cameraId);
  try {
    await disk.syncFolder(path);
  } catch (error) {
    if (!isMissing(error)) throw diskError(error, path);
  }
}

async function dropRows(database: Database, rows: readonly MarkedRow[]): Promise<void> {
  if (rows.length === 0) return;
  await database.query(
    `WITH gone AS (
       DELETE FROM footage_removal r USING unnest($1::text[], $2::int4[]) AS name (camera, number)
       WHERE r.camera_id = name.camera AND r.segment = name.number RETURNING r.camera_id, r.segment
     ) DELETE FROM archive_upload u USING gone WHERE u.camera_id = gone.camera_id AND u.segment = gone.segment`,
    [rows.map((row) => row.camera_id), rows.map((row) => row.segment)],
  );
}
