import type { Database } from '../catalogue/database.js';
import type { Queryable } from '../catalogue/queryable.js';

/** A sealed segment that is to be brought into the archive. */
export interface UploadJob {
  cameraId: string;
  segment: number;
  startedAt: number;
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
  /** An upload of it was begun before, by this process or one that is gone. */
  begun: boolean;
  uploadId: string | null;
  attempts: number;
}

export type UploadOrder = 'newest' | 'oldest';

interface JobRow {
  camera_id: string;
  segment: number;
  started_at: number;
  bytes: number;
  sha256: Buffer;
  begun: boolean;
  upload_id: string | null;
  attempts: number | null;
}

/** The next segments of a log to upload, without those that failed by themselves and wait for another try. */
export async function nextUploads(database: Queryable, log: string, order: UploadOrder, now: number, limit: number): Promise<UploadJob[]> {
  const { rows } = await database.query<JobRow>(
    `SELECT s.camera_id, s.segment, s.started_at, s.bytes, s.sha256, u.begun_at IS NOT NULL AS begun, u.upload_id, u.attempts
     FROM footage_segment s LEFT JOIN archive_upload u ON u.camera_id = s.camera_id AND u.segment = s.segment
     WHERE s.log_id = $1 AND s.place = 'local' AND s.state = 'sealed' AND coalesce(u.next_attempt_at, 0) <= $2
     ORDER BY s.started_at ${order === 'newest' ? 'DESC' : 'ASC'} LIMIT $3`,
    [log, now, limit],
  );
  return rows.map((row) => ({ cameraId: row.camera_id, segment: row.segment, startedAt: row.started_at, bytes: row.bytes, sha256: row.sha256.toString('hex'), begun: row.begun, uploadId: row.upload_id, attempts: row.attempts ?? 0 }));
}

/** To be known before the first byte is sent: from then on there may be an object. */
export async function uploadBegins(database: Database, job: UploadJob, now: number): Promise<void> {
  await database.query('INSERT INTO archive_upload (camera_id, segment, begun_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [job.cameraId, job.segment, now]);
}

export async function rememberUpload(database: Database, job: UploadJob, uploadId: string): Promise<void> {
  await database.query('UPDATE archive_upload SET upload_id = $3 WHERE camera_id = $1 AND segment = $2', [job.cameraId, job.segment, uploadId]);
}

/**
 * The object is there and confirmed.
 * @returns `removed` where retention took the segment meanwhile; `stored` also where the catalogue knew already that it is archived
 */
export async function uploadConfirmed(database: Database, job: UploadJob): Promise<'stored' | 'removed'> {
  return database.transaction(async (tx) => {
    const { rowCount } = await tx.query('SELECT 1 FROM footage_segment WHERE camera_id = $1 AND segment = $2 FOR UPDATE', [job.cameraId, job.segment]);
    // Its object must never be deleted for another reason than that the segment goes: the row may be all that says where it is.
    if (rowCount === 0) return 'removed';
    await tx.query(`UPDATE footage_segment SET place = 'both' WHERE camera_id = $1 AND segment = $2 AND place = 'local' AND state = 'sealed'`, [job.cameraId, job.segment]);
    await tx.query('DELETE FROM archive_upload WHERE camera_id = $1 AND segment = $2', [job.cameraId, job.segment]);
    return 'stored';
  });
}

/** This segment, and not the archive, is why it failed. */
export async function uploadFailed(database: Database, job: UploadJob, error: string, nextAttemptAt: number, forget: boolean): Promise<void> {
  await database.query(`UPDATE archive_upload SET attempts = attempts + 1, last_error = $3, next_attempt_at = $4${forget ? ', upload_id = NULL' : ''} WHERE camera_id = $1 AND segment = $2`, [job.cameraId, job.segment, error.slice(0, 1000), nextAttemptAt]);
}

export interface Backlog {
  segments: number;
  bytes: number;
  /** capturedAt of the oldest footage that is only on this disk, Unix ms; null where nothing waits. */
  oldestAt: number | null;
}

export async function readBacklog(database: Queryable, log: string): Promise<Backlog> {
  const { rows } = await database.query<{ segments: number; bytes: number | null; oldest: number | null }>(
    `SELECT count(*)::int8 AS segments, sum(bytes)::int8 AS bytes, min(started_at) AS oldest FROM footage_segment WHERE log_id = $1 AND place = 'local' AND state = 'sealed'`,
    [log],
  );
  return { segments: rows[0]?.segments ?? 0, bytes: rows[0]?.bytes ?? 0, oldestAt: rows[0]?.oldest ?? null };
}

/** Segments that cannot be uploaded for a reason of their own. */
export async function readBlocked(database: Queryable): Promise<{ segments: number; first: { cameraId: string; segment: number; error: string } | null }> {
  const { rows } = await database.query<{ camera_id: string; segment: number; last_error: string; count: number }>(
    `SELECT u.camera_id, u.segment, u.last_error, count(*) OVER () AS count FROM archive_upload u
     JOIN footage_segment s ON s.camera_id = u.camera_id AND s.segment = u.segment AND s.place = 'local' AND s.state = 'sealed'
     WHERE u.attempts > 0 ORDER BY u.begun_at LIMIT 1`,
  );
  const row = rows[0];
  return row ? { segments: row.count, first: { cameraId: row.camera_id, segment: row.segment, error: row.last_error } } : { segments: 0, first: null };
}

/** What a row says of a segment that may lie in the archive. */
export interface ArchivedRow {
  cameraId: string;
  segment: number;
  startedAt: number;
  endedAt: number;
  bytes: number;
  sha256: string;
}

interface ArchivedSqlRow {
  camera_id: string;
  segment: number;
  started_at: number;
  ended_at: number;
  bytes: number;
  sha256: Buffer;
}

const archived = (row: ArchivedSqlRow): ArchivedRow => ({ cameraId: row.camera_id, segment: row.segment, startedAt: row.started_at, endedAt: row.ended_at, bytes: row.bytes, sha256: row.sha256.toString('hex') });

/** Null where the catalogue does not know it to be in the archive. */
export async function findArchived(database: Queryable, cameraId: string, segment: number): Promise<ArchivedRow | null> {
  const { rows } = await database.query<ArchivedSqlRow>(
    `SELECT camera_id, segment, started_at, ended_at, bytes, sha256 FROM footage_segment WHERE camera_id = $1 AND segment = $2 AND place <> 'local' AND state = 'sealed'`,
    [cameraId, segment],
  );
  return rows[0] ? archived(rows[0]) : null;
}

/** The oldest segments that lie here and in the archive, up to a time of their end. */
export async function readFreeable(database: Queryable, log: string, endedBefore: number, limit: number): Promise<ArchivedRow[]> {
  const { rows } = await database.query<ArchivedSqlRow>(
    `SELECT camera_id, segment, started_at, ended_at, bytes, sha256 FROM footage_segment
     WHERE log_id = $1 AND place = 'both' AND state = 'sealed' AND started_at < $2 AND ended_at < $2 ORDER BY started_at LIMIT $3`,
    [log, Math.floor(endedBefore), limit],
  );
  return rows.map(archived);
}

/** From now on only the archive has it; its file may go. @returns those of which that is true now */
export async function leaveDisk(database: Queryable, cameraId: string, segments: readonly number[]): Promise<number[]> {
  const { rows } = await database.query<{ segment: number }>(`UPDATE footage_segment SET place = 'archive' WHERE camera_id = $1 AND segment = ANY($2::int4[]) AND place = 'both' AND state = 'sealed' RETURNING segment`, [cameraId, segments]);
  return rows.map((row) => row.segment);
}

/** The archive has it no more, or not as it should be: it is to be uploaded again. */
export async function backToLocal(database: Queryable, cameraId: string, segment: number): Promise<void> {
  await database.query(`UPDATE footage_segment SET place = 'local' WHERE camera_id = $1 AND segment = $2 AND place = 'both' AND state = 'sealed'`, [cameraId, segment]);
}

/** Bytes of the log's files that are on its disk. */
export async function localBytes(database: Queryable, log: string): Promise<number> {
  const { rows } = await database.query<{ bytes: number | null }>('SELECT sum(bytes)::int8 AS bytes FROM footage_usage WHERE log_id = $1', [log]);
  return rows[0]?.bytes ?? 0;
}

/** Ids of uploads that may be continued. */
export async function knownUploads(database: Queryable): Promise<Set<string>> {
  const { rows } = await database.query<{ upload_id: string }>('SELECT upload_id FROM archive_upload WHERE upload_id IS NOT NULL');
  return new Set(rows.map((row) => row.upload_id));
}

/** Notes of uploads whose segment is gone. */
export async function forgetOrphanUploads(database: Queryable, begunBefore: number): Promise<void> {
  await database.query('DELETE FROM archive_upload u WHERE begun_at < $1 AND NOT EXISTS (SELECT 1 FROM footage_segment s WHERE s.camera_id = u.camera_id AND s.segment = u.segment) AND NOT EXISTS (SELECT 1 FROM footage_removal r WHERE r.camera_id = u.camera_id AND r.segment = u.segment)', [begunBefore]);
}

/** The upload in parts of a segment that may be under way; null where there is none. */
export async function uploadIdOf(database: Queryable, cameraId: string, segment: number): Promise<string | null> {
  const { rows } = await database.query<{ upload_id: string | null }>('SELECT upload_id FROM archive_upload WHERE camera_id = $1 AND segment = $2', [cameraId, segment]);
  return rows[0]?.upload_id ?? null;
}

/** Whether a segment is still to be kept. */
export async function isSealed(database: Queryable, segment: { cameraId: string; segment: number }): Promise<boolean> {
  const { rowCount } = await database.query(`SELECT 1 FROM footage_segment WHERE camera_id = $1 AND segment = $2 AND state = 'sealed'`, [segment.cameraId, segment.segment]);
  return rowCount > 0;
}
