import { BerthwatchError } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import type { Disk } from '../footage/disk.js';
import type { LogFolder } from '../footage/log-folder.js';
import { removeFiles } from '../footage/removal.js';
import type { ObjectStore } from '../objects/object-store.js';
import { segmentKey } from './archive-key.js';
import { backToLocal, leaveDisk, localBytes, readFreeable, type ArchivedRow } from './archive-table.js';

export interface FreedReport {
  segments: number;
  bytes: number;
  /** Segments whose object is not there as it should be: their files stay, and they are uploaded again. */
  unconfirmed: { cameraId: string; segment: number }[];
}

/** Looked at together. */
const BATCH = 100;
const AT_ONCE = 4;

/**
 * Frees the disk of segments that are in the archive and outside the local window, the oldest first: those that ended longer ago than
 * `windowMs`, and those above `bytes` of files. Before a file goes its object is asked for once more (size and SHA-256), because
 * somebody may have emptied the bucket since it was confirmed.
 *
 * The row says `archive` before the file goes: a crash in between leaves a file too many, which the next start removes, and
 * never a row that points nowhere.
 *
 * @param signal ends it between two batches
 * @throws BerthwatchError as the store, the disk or the database
 */
export async function freeDisk(options: {
  database: Database;
  store: ObjectStore;
  disk: Disk;
  folder: LogFolder;
  log: string;
  now: number;
  windowMs: number | null;
  bytes: number | null;
  signal: AbortSignal;
}): Promise<FreedReport> {
  const { database, folder, log, now, windowMs, bytes, signal } = options;
  const report: FreedReport = { segments: 0, bytes: 0, unconfirmed: [] };
  if (windowMs === null && bytes === null) return report;
  await folder.check(log);
  let over = bytes === null ? 0 : (await localBytes(database, log)) - bytes;
  const old = windowMs === null ? -Infinity : now - windowMs;
  while (!signal.aborted) {
    const rows = await readFreeable(database, log, over > 0 ? Number.MAX_SAFE_INTEGER : Math.max(old, 0), BATCH);
    const chosen: ArchivedRow[] = [];
    for (const row of rows) {
      if (row.endedAt >= old && over <= 0) break;
      chosen.push(row);
      over -= row.bytes;
    }
    if (chosen.length === 0) return report;
    const there = await confirmed(options, chosen, report);
    await free(options, there, report);
    if (chosen.length < rows.length || rows.length < BATCH) return report;
  }
  return report;
}

async function confirmed({ database, store }: { database: Database; store: ObjectStore }, rows: readonly ArchivedRow[], report: FreedReport): Promise<ArchivedRow[]> {
  const there: ArchivedRow[] = [];
  for (let at = 0; at < rows.length; at += AT_ONCE) {
    await Promise.all(
      rows.slice(at, at + AT_ONCE).map(async (row) => {
        if (await isThere(store, row)) return there.push(row);
        await backToLocal(database, row.cameraId, row.segment);
        return report.unconfirmed.push({ cameraId: row.cameraId, segment: row.segment });
      }),
    );
  }
  return there;
}

async function isThere(store: ObjectStore, row: ArchivedRow): Promise<boolean> {
  try {
    const info = await store.head(segmentKey(row));
    return info?.size === row.bytes && info.sha256 === row.sha256;
  } catch (error) {
    if (error instanceof BerthwatchError && error.kind === 'bad-input') return false;
    throw error;
  }
}

async function free({ database, disk, folder }: { database: Database; disk: Disk; folder: LogFolder }, rows: readonly ArchivedRow[], report: FreedReport): Promise<void> {
  for (const cameraId of new Set(rows.map((row) => row.cameraId))) {
    const ours = rows.filter((row) => row.cameraId === cameraId);
    const left = new Set(await leaveDisk(database, cameraId, ours.map((row) => row.segment)));
    await removeFiles(disk, folder, cameraId, [...left]);
    report.segments += left.size;
    report.bytes += ours.reduce((sum, row) => (left.has(row.segment) ? sum + row.bytes : sum), 0);
  }
}
