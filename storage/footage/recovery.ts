import { createHash } from 'node:crypto';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import { diskError } from '../disk-error.js';
import type { Disk } from './disk.js';
import type { IndexedGop } from './gop-index.js';
import type { LogFolder } from './log-folder.js';
import { finishRemovals, removeFiles } from './removal.js';
import { gapBetween, overlapBetween, type SealedSegment } from './segment.js';
import { SegmentScanner, type SegmentScan } from './segment-scanner.js';
import { insertSegments, readSegmentStates } from './segment-table.js';

/** What a start found and did. */
export interface RecoveryReport {
  log: string;
  /** True where the folder was made a log just now. */
  created: boolean;
  cameras: number;
  /** Segments with a file and a row. */
  segments: number;
  /** Files that had no row: sealed and registered now. */
  recovered: { cameraId: string; segment: number; gops: number; cutBytes: number }[];
  /** Files without any whole GOP, removed. */
  removed: { cameraId: string; segment: number }[];
  /** Rows without a file, marked as lost. */
  lost: { cameraId: string; segment: number }[];
  /** Files that are not segments of this log under their name; left alone. */
  foreign: { path: string; reason: string }[];
  /** Deletions that a crash had interrupted, finished now. */
  deleted: number;
}

interface Context {
  disk: Disk;
  folder: LogFolder;
  database: Database;
  logger: Logger;
  log: string;
  gapMs: number;
}

/**
 * Makes files and rows of every camera agree: interrupted deletions are finished; a file without a row is cut to its last
 * whole GOP, sealed and registered; a row without a file is marked as lost.
 *
 * @throws BerthwatchError unavailable
 */
export async function recover(context: Context): Promise<Omit<RecoveryReport, 'created'>> {
  const { folder, database, log } = context;
  const report: Omit<RecoveryReport, 'created'> = { log, cameras: 0, segments: 0, recovered: [], removed: [], lost: [], foreign: [], deleted: 0 };
  // Objects that wait for the archive are the archiver's to remove: a start does not depend on the network.
  report.deleted = (await finishRemovals({ ...context, archive: null })).dropped;
  // Also cameras of other logs: of those nothing is touched, and a look at millions of rows is saved.
  const { rows } = await database.query<{ camera_id: string }>('SELECT camera_id FROM footage_camera');
  const cameras = new Set([...rows.map((row) => row.camera_id), ...(await folder.cameras())]);
  for (const cameraId of [...cameras].sort()) await recoverCamera(context, cameraId, report);
  report.cameras = cameras.size;
  return report;
}

async function recoverCamera(context: Context, cameraId: string, report: Omit<RecoveryReport, 'created'>): Promise<void> {
  const { database, disk, folder, logger, log } = context;
  const rows = await readSegmentStates(database, cameraId, log);
  const known = new Set(rows.flatMap((row) => row.segments));
  const files = await folder.segments(cameraId);
  const present = new Set(files);
  const ours = (state: 'sealed' | 'lost', place: string | null, there: boolean): number[] =>
    rows.filter((row) => row.ours && row.state === state && (place === null || row.place === place)).flatMap((row) => row.segments.filter((segment) => present.has(segment) === there));

  const lost = ours('sealed', 'local', false);
  if (lost.length > 0) {
    await database.query(`UPDATE footage_segment SET state = 'lost' WHERE camera_id = $1 AND segment = ANY($2::int4[])`, [cameraId, lost]);
    logger.error({ camera: cameraId, segments: lost.slice(0, 20), count: lost.length }, 'footage segments are in the catalogue but not on the disk: they are lost');
    report.lost.push(...lost.map((segment) => ({ cameraId, segment })));
  }
  const archived = ours('sealed', 'both', false);
  if (archived.length > 0) {
    await database.query(`UPDATE footage_segment SET place = 'archive' WHERE camera_id = $1 AND segment = ANY($2::int4[]) AND place = 'both'`, [cameraId, archived]);
    logger.warn({ camera: cameraId, segments: archived.slice(0, 20), count: archived.length }, 'footage segments are not on the disk any more: they are read from the archive');
  }
  // A crash between the two steps of freeing the disk.
  const freed = ours('sealed', 'archive', true);
  if (freed.length > 0) await removeFiles(disk, folder, cameraId, freed);
  const found = ours('lost', null, true);
  if (found.length > 0) {
    await database.query(`UPDATE footage_segment SET state = 'sealed' WHERE camera_id = $1 AND segment = ANY($2::int4[])`, [cameraId, found]);
    logger.info({ camera: cameraId, count: found.length }, 'footage segments that were lost are back');
  }

  const newest = files.at(-1);
  for (const segment of files) {
    if (known.has(segment)) report.segments++;
    else await recoverFile(context, cameraId, segment, segment === newest, report);
  }
}

/** Reads a file from beginning to end. */
async function scan(disk: Disk, path: string): Promise<{ result: SegmentScan; sha256: (bytes: number) => Promise<Buffer> }> {
  const scanner = new SegmentScanner();
  try {
    for await (const chunk of disk.stream(path)) scanner.push(chunk);
  } catch (error) {
    throw diskError(error, path);
  }
  const sha256 = async (bytes: number): Promise<Buffer> => {
    const hash = createHash('sha256');
    let left = bytes;
    for await (const chunk of disk.stream(path)) {
      hash.update(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
      if (left === 0) break;
    }
    return hash.digest();
  };
  return { result: scanner.end(), sha256 };
}

async function recoverFile(context: Context, cameraId: string, segment: number, newest: boolean, report: Omit<RecoveryReport, 'created'>): Promise<void> {
  const { disk, folder, database, logger, log, gapMs } = context;
  const path = folder.segmentPath(cameraId, segment);
  const { result, sha256 } = await scan(disk, path);
  const { header, gops, damage } = result;
  if (header !== null && (header.log !== log || header.camera !== cameraId || header.segment !== segment)) {
    const reason = `it is segment ${header.segment} of camera ${header.camera} in log ${header.log}`;
    logger.error({ path, reason }, 'a footage file is not what its name says: it is left alone');
    report.foreign.push({ path, reason });
    return;
  }
  if (header === null || gops.length === 0) {
    if (!newest) {
      // Only the newest file can have been open: an older one without footage is damage that somebody should look at.
      logger.error({ path, damage }, 'a footage file cannot be read: it is left alone');
      report.foreign.push({ path, reason: damage ?? 'it holds no footage' });
      return;
    }
    await removeFiles(disk, folder, cameraId, [segment]);
    report.removed.push({ cameraId, segment });
    return;
  }
  const cutBytes = newest ? result.totalBytes - result.wholeBytes : 0;
  // What a killed process had written need not be durable yet.
  if (newest) {
    await truncate(disk, path, result.wholeBytes);
    await disk.syncFolder(folder.cameraFolder(cameraId)).catch((error: unknown) => Promise.reject(diskError(error, path)));
  }
  if (damage !== null) logger.warn({ path, damage, cutBytes }, newest ? 'the end of a footage file was not complete and is cut off' : 'a footage file is damaged: what follows the damage is not usable');
  const { codec, width, height } = header;
  const gapBefore = gapBetween(header.previousEndedAt, (gops[0] as IndexedGop).startedAt, header.reason, gapMs);
  const bytes = newest ? result.wholeBytes : result.totalBytes;
  const sealed: SealedSegment = { cameraId, segment, codec, width, height, gops, bytes, sha256: await sha256(bytes), recovered: true, gapBefore, overlapBefore: overlapBetween(segment, header.previousEndedAt, (gops[0] as IndexedGop).startedAt, header.reason) };
  await database.transaction((tx) => insertSegments(tx, log, [sealed]));
  report.recovered.push({ cameraId, segment, gops: gops.length, cutBytes });
}

async function truncate(disk: Disk, path: string, size: number): Promise<void> {
  try {
    const file = await disk.openExisting(path);
    try {
      await file.truncate(size);
      await file.flush();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw diskError(error, `${path} (${messageOf(error)})`);
  }
}
