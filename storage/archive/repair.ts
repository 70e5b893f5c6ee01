import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import { diskError } from '../disk-error.js';
import type { Disk } from '../footage/disk.js';
import type { LogFolder } from '../footage/log-folder.js';
import type { ObjectStore } from '../objects/object-store.js';
import { QUARANTINE_PREFIX, segmentKey } from './archive-key.js';
import { backToLocal, type UploadJob } from './archive-table.js';
import { checkSegment, readRow, type CheckedRow } from './check-segment.js';
import type { Finding } from './finding.js';
import { uploadSegment } from './upload.js';

export interface RepairContext {
  database: Database;
  disk: Disk;
  folder: LogFolder;
  log: string;
  store: ObjectStore | null;
  clock: Clock;
  /** What stays on the disk of what is archived; null: everything. */
  windowMs: number | null;
  /** Objects and uploads that nobody knows are left alone while they are younger. */
  strayAgeMs: number;
}

/**
 * Repairs what one finding is about where that is safe, that is, from a copy whose SHA-256 was just read and is right. Nothing that may be
 * the only copy is touched.
 *
 * @returns what was done; null where nothing can be done safely
 * @throws BerthwatchError where disk, store or database do not work now
 */
export async function repair(context: RepairContext, finding: Finding): Promise<string | null> {
  const { store } = context;
  if (finding.kind === 'stray-object' && store) return quarantine(store, finding.where);
  if (finding.kind === 'stray-file' || finding.cameraId === null || finding.segment === null) return null;
  const row = await readRow(context.database, finding.cameraId, finding.segment);
  if (!row) return 'retention removed it meanwhile';
  switch (finding.kind) {
    case 'no-file':
    case 'file-size':
    case 'file-damaged':
      return row.place === 'both' && store ? fileFromObject(context, store, row) : finding.kind === 'no-file' ? objectInstead(context, row) : null;
    case 'lost':
      return row.place === 'local' ? objectInstead(context, row) : null;
    case 'no-object':
    case 'object-size':
    case 'object-damaged':
    case 'object-unreadable':
      return row.place === 'both' && store ? objectFromFile(context, store, row) : null;
    default:
      return null;
  }
}

/** Whether one copy alone, read whole, is what was sealed. */
async function isGood(context: RepairContext, row: CheckedRow, place: 'local' | 'archive'): Promise<boolean> {
  return (await checkSegment(context, { ...row, state: 'sealed', place }, { deep: true, listed: null })).length === 0;
}

async function fileFromObject(context: RepairContext, store: ObjectStore, row: CheckedRow): Promise<string | null> {
  if (!(await isGood(context, row, 'archive'))) return null;
  const { folder, database, clock, windowMs } = context;
  const outside = windowMs !== null && row.endedAt < clock.now() - windowMs;
  if (outside) {
    await database.query(`UPDATE footage_segment SET place = 'archive' WHERE camera_id = $1 AND segment = $2 AND place = 'both' AND state = 'sealed'`, [row.cameraId, row.segment]);
    await context.disk.remove(folder.segmentPath(row.cameraId, row.segment)).catch(() => undefined);
    return 'it is read from the archive from now on, because it is outside the local window';
  }
  await download(context, store, row);
  return 'the file was brought back from the archive';
}

/** A file that is gone where the archive has it all the same: an older catalogue was restored, or its upload was never noted. */
async function objectInstead(context: RepairContext, row: CheckedRow): Promise<string | null> {
  if (!context.store || !(await isGood(context, row, 'archive'))) return null;
  await context.database.query(`UPDATE footage_segment SET place = 'archive', state = 'sealed' WHERE camera_id = $1 AND segment = $2 AND place = 'local' AND state IN ('sealed', 'lost')`, [row.cameraId, row.segment]);
  await context.database.query('DELETE FROM archive_upload WHERE camera_id = $1 AND segment = $2', [row.cameraId, row.segment]);
  return 'the archive has it: it is read from there';
}

async function objectFromFile(context: RepairContext, store: ObjectStore, row: CheckedRow): Promise<string | null> {
  if (!(await isGood(context, row, 'local'))) return null;
  const { database, disk, folder, clock } = context;
  await backToLocal(database, row.cameraId, row.segment);
  await store.delete(segmentKey(row));
  const job: UploadJob = { ...row, begun: false, uploadId: null, attempts: 0 };
  const outcome = await uploadSegment({ database, store, now: () => clock.now(), source: () => disk.stream(folder.segmentPath(row.cameraId, row.segment)) }, job);
  if (outcome.result === 'blocked') throw outcome.error;
  return outcome.result === 'stored' ? 'it was uploaded again from the disk' : 'retention removed it meanwhile';
}

/** Beside its place first, so that there is never half a file under the name. */
async function download({ disk, folder, log }: RepairContext, store: ObjectStore, row: CheckedRow): Promise<void> {
  await folder.check(log);
  const path = folder.segmentPath(row.cameraId, row.segment);
  const temporary = `${path}.${randomBytes(4).toString('hex')}.part`;
  const { body } = await store.get(segmentKey(row), { from: 0, to: row.bytes });
  try {
    await folder.makeCameraFolder(row.cameraId);
    const file = await disk.create(temporary);
    const hash = createHash('sha256');
    let at = 0;
    try {
      for await (const chunk of body) {
        await file.write(chunk, at);
        hash.update(chunk);
        at += chunk.length;
      }
      await file.flush();
    } finally {
      await file.close();
    }
    const sha256 = hash.digest('hex');
    if (sha256 !== row.sha256) throw new BerthwatchError('unavailable', 'ARCHIVE_DOWNLOAD', `segment ${row.segment} of camera ${row.cameraId} came with SHA-256 ${sha256} instead of ${row.sha256}`);
    await disk.rename(temporary, path);
    await disk.syncFolder(folder.cameraFolder(row.cameraId));
  } catch (error) {
    await disk.remove(temporary).catch(() => undefined);
    throw error instanceof BerthwatchError ? error : diskError(error, path);
  }
}

/** Moves an object out of the way, bytes and all; somebody may yet want it. */
async function quarantine(store: ObjectStore, key: string): Promise<string> {
  const { info, body } = await store.get(key);
  const to = `${QUARANTINE_PREFIX}${key}`;
  await store.put(to, { size: info.size, stream: body }, { contentType: info.contentType, sha256: info.sha256 });
  await store.delete(key);
  return `moved to ${to}`;
}
