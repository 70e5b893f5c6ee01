import type { Database } from '../catalogue/database.js';
import type { Disk } from './disk.js';
import type { LogFolder } from './log-folder.js';
import { dropRows, removeFiles } from './recovery.js';

export interface DeletionReport {
  segments: number;
  bytes: number;
}

/** Segments in one round: the rows stay locked only for their marking. */
const BATCH = 500;

/**
 * Removes segments of a camera whose last unit is older than `time`, in an order that a crash cannot turn into a row
 * without a file or a file without a row: mark the rows, unlink the files, make that durable, drop the rows.
 *
 * @throws BerthwatchError unavailable: rows that are marked already are finished by the next call, or the next start
 */
export async function deleteSegmentsBefore(options: {
  database: Database;
  disk: Disk;
  folder: LogFolder;
  log: string;
  cameraId: string;
  time: number;
  /** Told the highest segment marked, before its file goes. */
  marked: (lastSegment: number) => void;
}): Promise<DeletionReport> {
  const { database, disk, folder, log, cameraId, time, marked } = options;
  const report: DeletionReport = { segments: 0, bytes: 0 };
  await folder.check(log);
  for (;;) {
    const { rows } = await database.query<{ segment: number; bytes: number }>(
      `UPDATE footage_segment SET state = 'deleting' WHERE camera_id = $1 AND segment IN (
         SELECT segment FROM footage_segment WHERE camera_id = $1 AND log_id = $2 AND ((started_at < $3 AND ended_at < $3) OR state = 'deleting') ORDER BY segment LIMIT $4
       ) RETURNING segment, bytes`,
      [cameraId, log, Math.floor(time), BATCH],
    );
    if (rows.length === 0) break;
    const segments = rows.map((row) => row.segment);
    marked(Math.max(...segments));
    await removeFiles(disk, folder, cameraId, segments);
    await dropRows(database, cameraId, segments);
    report.segments += rows.length;
    report.bytes += rows.reduce((sum, row) => sum + row.bytes, 0);
  }
  await database.query('DELETE FROM footage_gap WHERE camera_id = $1 AND to_at < $2', [cameraId, Math.floor(time)]);
  return report;
}
