import { finishRemovals, removeSegments, type RemovalContext, type RemovalReport } from './removal.js';

/** Segments in one round: the rows stay locked only for their marking. */
const BATCH = 500;

/**
 * Removes segments of a camera whose last unit is older than `time`, file and object.
 *
 * @throws BerthwatchError unavailable: rows that are marked already are finished by `finishRemovals`, or the next start
 */
export async function deleteSegmentsBefore(context: RemovalContext, options: { cameraId: string; time: number; marked: (lastSegment: number) => void }): Promise<RemovalReport> {
  const { database, log } = context;
  const { cameraId, marked } = options;
  const time = Math.floor(options.time);
  const report: RemovalReport = { segments: 0, bytes: 0, waiting: 0, reason: null };
  await context.folder.check(log);
  // What an error interrupted; what waits for the archive is the archiver's.
  report.segments = (await finishRemovals({ ...context, archive: null }, cameraId)).dropped;
  for (;;) {
    const { rows } = await database.query<{ segment: number }>(
      `SELECT segment FROM footage_segment WHERE camera_id = $1 AND log_id = $2 AND started_at < $3 AND ended_at < $3 AND state <> 'deleting' ORDER BY segment LIMIT $4`,
      [cameraId, log, time, BATCH],
    );
    if (rows.length === 0) break;
    const segments = rows.map((row) => row.segment);
    marked(Math.max(...segments));
    const round = await removeSegments(context, cameraId, segments);
    report.segments += round.segments;
    report.bytes += round.bytes;
    report.waiting += round.waiting;
    report.reason ??= round.reason;
  }
  await database.query('DELETE FROM footage_gap WHERE camera_id = $1 AND to_at < $2', [cameraId, time]);
  return report;
}
