import type { Queryable } from '../catalogue/queryable.js';
import { finishRemovals, removeTogether, type RemovalContext, type RemovalReport } from './removal.js';

export interface RetentionContext extends RemovalContext {
  /** Told segments of a camera before they are marked. */
  marked: (cameraId: string, segments: readonly number[]) => void;
  /** Called after each batch with how long it took, ms: pauses, so that recording is not disturbed. */
  pace?: (workMs: number) => Promise<void>;
}

/** Segments in one round: a hold that is being made waits for the marking of one, a tenth of a second. */
const BATCH = 10_000;
/** Of those that make room, where a sum over all candidates is needed. */
const ROOM_BATCH = 2_000;

/** Whether a segment `f` is held; with its camera, where it is of a further stream. In each statement, because a function is called row by row. */
const HELD = `EXISTS (SELECT 1 FROM footage_hold h WHERE h.released_at IS NULL AND h.camera_id = split_part(f.camera_id, '~', 1) AND h.from_at <= f.ended_at AND (h.to_at IS NULL OR h.to_at >= f.started_at))`;

interface Chosen {
  camera_id: string;
  segment: number;
  started_at: number;
  ended_at: number;
}

/**
 * Removes the segments of each camera whose last unit is older than its time, files and objects, but none that is held. Cameras are
 * worked on together, the oldest first: in the catalogue footage of the same time lies together, whichever camera it is of.
 *
 * @param cutoffs by camera: the time, Unix ms
 * @throws BerthwatchError unavailable: rows that are marked already are finished by `finishRemovals`, or the next start
 */
export async function deleteExpiredSegments(context: RetentionContext, cutoffs: ReadonlyMap<string, number>): Promise<RemovalReport> {
  const { database, log, folder } = context;
  const report = emptyReport();
  await folder.check(log);
  // What an error interrupted; what waits for the archive is the archiver's.
  report.segments = (await finishRemovals({ ...context, archive: null })).dropped;
  let due = [...cutoffs].map(([cameraId, time]) => ({ cameraId, time: Math.floor(time), from: 0 }));
  while (due.length > 0) {
    const each = Math.max(5, Math.ceil(BATCH / due.length));
    const { rows } = await database.query<Chosen>(
      `SELECT old.* FROM unnest($1::text[], $2::int8[], $5::int8[]) AS due (camera, before, beginning), LATERAL (
         SELECT camera_id, segment, started_at, ended_at FROM footage_segment f
         WHERE camera_id = due.camera AND log_id = $3 AND started_at >= due.beginning AND started_at < due.before AND ended_at < due.before AND NOT ${HELD}
         ORDER BY started_at LIMIT $4
       ) old`,
      [due.map(({ cameraId }) => cameraId), due.map(({ time }) => time), log, each, due.map(({ from }) => from)],
    );
    if (rows.length > 0) await removeChosen(context, report, rows, null);
    // The next round begins where this one ended: it has neither what is held nor what is deleted to step over.
    const found = new Map<string, { count: number; newest: number }>();
    for (const row of rows) found.set(row.camera_id, { count: (found.get(row.camera_id)?.count ?? 0) + 1, newest: Math.max(found.get(row.camera_id)?.newest ?? 0, row.started_at) });
    due = due.flatMap((camera) => {
      const last = found.get(camera.cameraId);
      return last?.count === each ? [{ ...camera, from: last.newest }] : [];
    });
  }
  const cameras = [[...cutoffs.keys()], [...cutoffs.values()].map(Math.floor)];
  for (const table of ['footage_gap', 'footage_overlap']) {
    await database.query(`DELETE FROM ${table} t USING unnest($1::text[], $2::int8[]) AS due (camera, before) WHERE t.camera_id = due.camera AND t.to_at < due.before`, cameras);
  }
  return report;
}

/**
 * Removes the oldest segments on the disk that are not held, of one camera or (null) of all, until at least `bytes` are freed or nothing is
 * left to remove. What goes before its time leaves a gap with the reason.
 *
 * @throws BerthwatchError unavailable
 */
export async function deleteOldestSegments(context: RetentionContext, options: { cameraId: string | null; bytes: number; reason: string }): Promise<RemovalReport> {
  const { database, log, folder } = context;
  await folder.check(log);
  const report = emptyReport();
  while (report.bytes < options.bytes) {
    const { rows } = await database.query<Chosen>(
      `SELECT camera_id, segment, started_at, ended_at FROM (
         SELECT *, sum(bytes) OVER (ORDER BY started_at, camera_id, segment ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ahead FROM (
           SELECT camera_id, segment, started_at, ended_at, bytes FROM footage_segment f
           WHERE log_id = $1 AND state = 'sealed' AND place <> 'archive' AND ($2::text IS NULL OR camera_id = $2) AND NOT ${HELD}
           ORDER BY started_at, camera_id, segment LIMIT $3
         ) oldest
       ) chosen WHERE coalesce(ahead, 0) < $4`,
      [log, options.cameraId, ROOM_BATCH, Math.ceil(options.bytes - report.bytes)],
    );
    if (rows.length === 0) break;
    const before = report.segments;
    await removeChosen(context, report, rows, options.reason);
    // All of them were taken by somebody else: what is to be deleted is looked at again by the next call.
    if (report.segments === before) break;
  }
  return report;
}

const emptyReport = (): RemovalReport => ({ segments: 0, bytes: 0, waiting: 0, reason: null });

async function removeChosen(context: RetentionContext, report: RemovalReport, rows: readonly Chosen[], gapReason: string | null): Promise<void> {
  const began = performance.now();
  const cameras = new Map<string, Chosen[]>();
  for (const row of rows) {
    const own = cameras.get(row.camera_id);
    if (own) own.push(row);
    else cameras.set(row.camera_id, [row]);
  }
  for (const [cameraId, own] of cameras) context.marked(cameraId, own.map((row) => row.segment));
  const tell = async (tx: Queryable): Promise<void> => {
    for (const [cameraId, own] of cameras) await tellGaps(tx, cameraId, own, gapReason as string);
  };
  const round = await removeTogether(context, rows.map((row) => ({ cameraId: row.camera_id, segment: row.segment })), gapReason === null ? undefined : tell);
  report.segments += round.segments;
  report.bytes += round.bytes;
  report.waiting += round.waiting;
  report.reason ??= round.reason;
  await context.pace?.(performance.now() - began);
}

/** Segments that follow one another as closely as this leave one gap. */
const JOIN_MS = 60_000;

/** Rows for the times that are taken away; one that continues a gap of the same reason makes that one longer. */
async function tellGaps(tx: Queryable, cameraId: string, rows: readonly Chosen[], reason: string): Promise<void> {
  const spans: { from: number; to: number }[] = [];
  for (const row of [...rows].sort((a, b) => a.started_at - b.started_at)) {
    const last = spans.at(-1);
    if (last && row.started_at - last.to <= JOIN_MS) last.to = Math.max(last.to, row.ended_at);
    else spans.push({ from: row.started_at, to: row.ended_at });
  }
  for (const { from, to } of spans) {
    if (to <= from) continue;
    const { rowCount } = await tx.query('UPDATE footage_gap SET to_at = greatest(to_at, $4) WHERE camera_id = $1 AND reason = $2 AND from_at <= $3 AND to_at >= $3::int8 - $5', [cameraId, reason, from, to, JOIN_MS]);
    if (rowCount > 0) continue;
    await tx.query(
      `INSERT INTO footage_gap AS g (camera_id, from_at, to_at, reason) VALUES ($1, $2, $3, $4)
       ON CONFLICT (camera_id, from_at) DO UPDATE SET to_at = greatest(g.to_at, excluded.to_at), reason = excluded.reason`,
      [cameraId, from, to, reason],
    );
  }
}
