import { createHash } from 'node:crypto';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import { diskError, isMissing } from '../disk-error.js';
import type { ObjectInfo, ObjectStore } from '../objects/object-store.js';
import { segmentKey } from './archive-key.js';
import { isSealed, rememberUpload, uploadBegins, uploadConfirmed, uploadFailed, type UploadJob } from './archive-table.js';

export interface UploadContext {
  database: Database;
  store: ObjectStore;
  /** Unix ms. */
  now: () => number;
  /** The segment's file from its beginning, as fast as it may go. */
  source: () => AsyncIterable<Uint8Array>;
}

/**
 * - `stored`: confirmed in the archive, and the catalogue knows it
 * - `removed`: retention took the segment while it was uploaded; nothing of it is left
 * - `blocked`: this segment cannot be uploaded, whatever the archive does; `remember` writes when it is tried again
 */
export type UploadOutcome = { result: 'stored' } | { result: 'removed' } | { result: 'blocked'; error: BerthwatchError; remember: (nextAttemptAt: number) => Promise<void> };

export const VIDEO = 'video/mp4';

/**
 * Brings one segment to the archive:
 *
 * 1. the catalogue notes that an upload begins (from here on there may be an object);
 * 2. the file is streamed; the store refuses it where its bytes are not those of the catalogue's SHA-256, and resolves when what is
 *    stored is confirmed (`ObjectStore.put`);
 * 3. in one transaction the row says `both` and the note goes.
 *
 * A crash after 1 leaves a note, and perhaps an upload in parts, which is continued; one after 2 leaves an object that the next try finds
 * under the key, reads back whole, and takes.
 *
 * @throws BerthwatchError where the archive (or the database) is why it failed: try again later, the segment is as it was
 */
export async function uploadSegment(context: UploadContext, job: UploadJob): Promise<UploadOutcome> {
  const { database, store, now } = context;
  const key = segmentKey(job);
  await uploadBegins(database, job, now());
  const broken: { error: BerthwatchError | null } = { error: null };
  try {
    if (!(job.begun && (await isStored(store, key, job)))) {
      await store.put(
        key,
        { size: job.bytes, stream: guarded(context.source(), job, broken) },
        { contentType: VIDEO, sha256: job.sha256, ifAbsent: true, resume: { uploadId: job.uploadId, begun: (uploadId) => rememberUpload(database, job, uploadId) } },
      );
    }
  } catch (error) {
    // Left by an upload whose note is gone, as when an older catalogue was restored.
    const there = error instanceof BerthwatchError && error.code === 'OBJECT_EXISTS' && (await isStored(store, key, job));
    const blocking = there ? null : (broken.error ?? (await blocks(store, key, job, error)));
    if (blocking === null && !there) throw error;
    if (blocking?.code === 'ARCHIVE_NO_FILE' && !(await isSealed(database, job))) return { result: 'removed' };
    // An upload of bytes that are not right is not to be continued.
    if (blocking) return { result: 'blocked', error: blocking, remember: (nextAttemptAt) => uploadFailed(database, job, blocking.message, nextAttemptAt, blocking.kind === 'bad-input') };
  }
  if ((await uploadConfirmed(database, job)) === 'stored') return { result: 'stored' };
  await store.delete(key);
  return { result: 'removed' };
}

/** Whether the failure is the segment's own. */
async function blocks(store: ObjectStore, key: string, job: UploadJob, error: unknown): Promise<BerthwatchError | null> {
  if (!(error instanceof BerthwatchError)) return null;
  if (error.code === 'OBJECT_UNCONFIRMED' || error.code === 'OBJECT_UPLOAD_GONE') {
    // Stored otherwise than sent: away with it, so that the next try finds the key free.
    if (error.code === 'OBJECT_UNCONFIRMED') await store.delete(key);
    return error;
  }
  if (error.code === 'OBJECT_EXISTS') {
    return new BerthwatchError('conflict', 'ARCHIVE_EXISTS', `${store.place} has another object under ${key}: is it the archive of another installation? Move it away ("berthwatch storage verify --repair" does), or use a prefix of your own`, { cause: error });
  }
  if (error.code === 'OBJECT_CHECKSUM' || error.code === 'OBJECT_SIZE') {
    return new BerthwatchError('bad-input', 'ARCHIVE_DAMAGED_FILE', `the file of segment ${job.segment} of camera ${job.cameraId} is not what was sealed (${messageOf(error)}): it is damaged on the disk, and kept there; "berthwatch storage verify --deep" tells from which picture on`, { cause: error });
  }
  return null;
}

/** Whether the object under the key is this segment, byte for byte. */
async function isStored(store: ObjectStore, key: string, job: UploadJob): Promise<boolean> {
  let info: ObjectInfo | null;
  try {
    info = await store.head(key);
    if (info?.size !== job.bytes || info.sha256 !== job.sha256) return false;
    const hash = createHash('sha256');
    for await (const chunk of (await store.get(key)).body) hash.update(chunk);
    return hash.digest('hex') === job.sha256;
  } catch (error) {
    if (error instanceof BerthwatchError && (error.kind === 'not-found' || error.kind === 'bad-input')) return false;
    throw error;
  }
}

/** Tells failures of the file from failures of the archive. */
async function* guarded(source: AsyncIterable<Uint8Array>, job: UploadJob, broken: { error: BerthwatchError | null }): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    // Ours is the wish to stop; the system's is the disk.
    if (error instanceof BerthwatchError) throw error;
    const name = `segment ${job.segment} of camera ${job.cameraId}`;
    broken.error = isMissing(error) ? new BerthwatchError('not-found', 'ARCHIVE_NO_FILE', `the file of ${name} is not on the disk: it is lost, or the disk is not mounted`, { cause: error }) : diskError(error, name);
    throw broken.error;
  }
}
