import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Database } from '../catalogue/database.js';
import type { SegmentArchive, SegmentName } from '../footage/segment-archive.js';
import type { ObjectStore } from '../objects/object-store.js';
import { segmentKey } from './archive-key.js';
import { findArchived, uploadIdOf, type ArchivedRow } from './archive-table.js';
import { RangeCache } from './range-cache.js';

export interface ArchivedFootageOptions {
  database: Database;
  store: ObjectStore;
  clock: Clock;
  /** Most bytes of archived footage in memory. */
  cacheBytes: number;
  /** After a failure of the store, reads fail at once for so long instead of each waiting for its own. */
  pauseMs?: number;
}

/** Rows kept in memory: they do not change while the segment is in the archive. */
const MOST_ROWS = 10_000;

/** Footage in the archive, for reading and removing; what brings it there is `Archiver`. */
export class ArchivedFootage implements SegmentArchive {
  readonly #options: Required<ArchivedFootageOptions>;
  readonly #cache: RangeCache;
  readonly #rows = new Map<string, ArchivedRow>();
  #failure: { error: BerthwatchError; until: number } | null = null;
  /** Told before the objects of a segment are removed; resolves when nothing is being uploaded to it any more. */
  beforeRemove: (segment: SegmentName) => Promise<void> = () => Promise.resolve();

  constructor(options: ArchivedFootageOptions) {
    this.#options = { pauseMs: 2_000, ...options };
    this.#cache = new RangeCache(options.cacheBytes);
  }

  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  async read(segment: SegmentName, offset: number, length: number): Promise<Buffer> {
    const row = await this.#row(segment);
    if (!row) throw new BerthwatchError('not-found', 'ARCHIVE_NOT_THERE', `segment ${segment.segment} of camera ${segment.cameraId} is neither on the disk nor in the archive`);
    const key = segmentKey(row);
    return this.#cache.read(key, row.bytes, offset, length, (from, to) => this.#load(key, row, from, to));
  }

  async remove(segments: Parameters<SegmentArchive['remove']>[0]): Promise<void> {
    const { store, database } = this.#options;
    for (const segment of segments) {
      await this.beforeRemove(segment);
      this.#rows.delete(nameOf(segment));
      const key = segmentKey(segment);
      this.#cache.drop(key);
      // Only now, because it may have been begun until a moment ago.
      const uploadId = (await uploadIdOf(database, segment.cameraId, segment.segment)) ?? segment.uploadId;
      if (uploadId !== null) await this.#guarded(() => store.abortUpload(key, uploadId));
    }
    await this.#guarded(() => store.deleteMany(segments.map(segmentKey)));
  }

  async #row(segment: SegmentName): Promise<ArchivedRow | null> {
    const name = nameOf(segment);
    const known = this.#rows.get(name);
    if (known) return known;
    const found = await findArchived(this.#options.database, segment.cameraId, segment.segment);
    if (!found) return null;
    this.#rows.set(name, found);
    if (this.#rows.size > MOST_ROWS) this.#rows.delete(this.#rows.keys().next().value as string);
    return found;
  }

  async #load(key: string, row: ArchivedRow, from: number, to: number): Promise<Buffer> {
    return this.#guarded(async () => {
      const { info, body } = await this.#options.store.get(key, { from, to: to - 1 });
      if (info.size !== row.bytes) throw new BerthwatchError('bad-input', 'OBJECT_DAMAGED', `object ${key} (${this.#options.store.place}) has ${info.size} bytes instead of ${row.bytes}`);
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return Buffer.concat(chunks);
    });
  }

  /** Whoever reads footage can wait for the archive, whatever it is that keeps it away. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    const { clock, pauseMs } = this.#options;
    if (this.#failure && clock.monotonic() < this.#failure.until) throw this.#failure.error;
    try {
      const result = await work();
      this.#failure = null;
      return result;
    } catch (cause) {
      if (!(cause instanceof BerthwatchError) || (cause.kind !== 'unavailable' && cause.kind !== 'unauthorised')) throw cause;
      const error = new BerthwatchError('unavailable', 'ARCHIVE_AWAY', `the archive cannot be used now: ${cause.message}`, { cause });
      this.#failure = { error, until: clock.monotonic() + pauseMs };
      throw error;
    }
  }
}

const nameOf = (segment: SegmentName): string => `${segment.segment} ${segment.cameraId}`;
