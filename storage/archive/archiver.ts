import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import type { Disk } from '../footage/disk.js';
import type { LogFolder } from '../footage/log-folder.js';
import type { SegmentName } from '../footage/segment-archive.js';
import type { ObjectStore } from '../objects/object-store.js';
import { claimArchive } from './archive-identity.js';
import { FOOTAGE_PREFIX } from './archive-key.js';
import { forgetOrphanUploads, knownUploads, nextUploads, readBacklog, readBlocked, type Backlog, type UploadJob, type UploadOrder } from './archive-table.js';
import { freeDisk, type FreedReport } from './local-window.js';
import { RateLimit } from './rate-limit.js';
import { Throughput } from './throughput.js';
import { uploadSegment, type UploadOutcome } from './upload.js';

export interface ArchiverOptions {
  database: Database;
  store: ObjectStore;
  disk: Disk;
  folder: LogFolder;
  /** Id of the footage log; null until it is started. */
  logId: () => string | null;
  /** Goes on with removals that waited for the archive. */
  finishRemovals: () => Promise<{ waiting: number; reason: string | null }>;
  clock: Clock;
  logger: Logger;
  order: UploadOrder;
  /** Uploads at the same time. */
  concurrency: number;
  /** Of all uploads together; null: no limit. */
  bytesPerSecond: number | null;
  /** What stays on the disk of what is archived; null: no limit of that kind. Both null: everything, until retention removes it. */
  local: { windowMs: number | null; bytes: number | null };
  /** Pauses while the archive is away: doubled from the first to the longest. */
  retry?: { firstMs: number; longestMs: number };
  /** How often new segments are looked for, where nobody pokes. */
  idleMs?: number;
  /** How often the backlog is counted, the disk freed, and what is left over removed. */
  tidyMs?: number;
  /** Jitter, 0 to 1. */
  random?: () => number;
}

export interface ArchiveStatus {
  /** failing: the archive cannot be used now; what is sealed waits on the disk. */
  state: 'ok' | 'failing';
  /** What is wrong and what to do; null when ok. */
  reason: string | null;
  /** Unix ms since when the state holds. */
  since: number;
  /** Unix ms of the next try; null when ok. */
  nextTryAt: number | null;
  place: string;
  backlog: Backlog & {
    /** When it will have been uploaded at the present rate, ms from now; null where it does not shrink, or that is not known yet. */
    remainingMs: number | null;
  };
  uploading: { cameraId: string; segment: number; bytes: number; sent: number }[];
  /** Since the start. */
  uploaded: { segments: number; bytes: number };
  /** Of the last minute. */
  bytesPerSecond: number;
  /** Segments that cannot be uploaded for a reason of their own, and the first of them. */
  blocked: { segments: number; first: { cameraId: string; segment: number; error: string } | null };
  /** Why the disk is not freed of archived footage, or objects of removed footage stay; null where nothing keeps from it. */
  trouble: string | null;
  /** Objects of removed footage that wait for the archive. */
  waitingRemovals: number;
  /** Archived segments whose object was not as it should be when their file was to go: they are uploaded again. */
  unconfirmed: number;
}

interface Upload {
  job: UploadJob;
  sent: number;
  abort: AbortController;
  done: Promise<void>;
}

/** An upload that nobody goes on with is given up after so long. */
const STALE_UPLOAD_MS = 24 * 3_600_000;
const CLOSE_MS = 5_000;
const STALE_EVERY_MS = 3_600_000;
/** A segment that cannot be uploaded by itself is tried again after so long, doubled each time up to the second. */
const BLOCKED_FIRST_MS = 60_000;
const BLOCKED_LONGEST_MS = 6 * 3_600_000;

/**
 * Brings sealed segments to the object store and frees the disk of what is confirmed to be there. The queue is the catalogue: what
 * says `local` and `sealed` is to be uploaded, so that no crash can lose or forget anything. Recording never waits for it.
 *
 * One failure of the archive pauses all uploads together, longer each time, with jitter; a segment that fails by itself (its file is
 * damaged or gone) waits alone and is told by name.
 */
export class Archiver {
  readonly #options: Required<ArchiverOptions>;
  readonly #logger: Logger;
  readonly #limit: RateLimit;
  readonly #throughput: Throughput;
  readonly #uploads = new Map<string, Upload>();
  readonly #stop = new AbortController();
  #loop: Promise<void> | null = null;
  #tidying: Promise<void> | null = null;
  #wake: () => void = () => undefined;
  #poked = false;
  #trouble: string | null = null;
  #claimed = false;
  #failure: { reason: string; since: number; tries: number; until: number; nextTryAt: number } | null = null;
  #okSince: number;
  #backlog: Backlog = { segments: 0, bytes: 0, oldestAt: null };
  #blocked: ArchiveStatus['blocked'] = { segments: 0, first: null };
  #waitingRemovals = 0;
  #unconfirmed = 0;
  #uploaded = { segments: 0, bytes: 0 };
  #tidyAt = -Infinity;
  #staleAt = -Infinity;

  constructor(options: ArchiverOptions) {
    this.#options = { retry: { firstMs: 2_000, longestMs: 300_000 }, idleMs: 2_000, tidyMs: 15_000, random: Math.random, ...options };
    this.#logger = options.logger.child({ part: 'archive' });
    this.#limit = new RateLimit(options.clock, options.bytesPerSecond);
    this.#throughput = new Throughput(options.clock);
    this.#okSince = options.clock.now();
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Interrupts uploads under way; they are continued by the next start. */
  async close(): Promise<void> {
    this.#stop.abort(new BerthwatchError('unavailable', 'ARCHIVE_CLOSED', 'the archive is being closed'));
    for (const upload of this.#uploads.values()) upload.abort.abort(this.#stop.signal.reason);
    this.#wake();
    const ended = Promise.all([...this.#uploads.values()].map((upload) => upload.done)).then(() => this.#loop);
    // A server that hangs must not hold up the end: what it still gets is found again by the next start.
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(CLOSE_MS, resolve);
      void ended.then(() => (cancel(), resolve()));
    });
  }

  /** There may be something new to upload. */
  poke(): void {
    this.#poked = true;
    this.#wake();
  }

  /** A segment is about to be removed: ends its upload, so that it cannot leave an object behind. */
  async cancel(segment: SegmentName): Promise<void> {
    const upload = this.#uploads.get(nameOf(segment));
    if (!upload) return;
    upload.abort.abort(new BerthwatchError('unavailable', 'ARCHIVE_REMOVED', 'the segment is being removed'));
    await upload.done;
  }

  status(): ArchiveStatus {
    const failure = this.#failure;
    return {
      state: failure ? 'failing' : 'ok',
      reason: failure?.reason ?? null,
      since: failure?.since ?? this.#okSince,
      nextTryAt: failure?.nextTryAt ?? null,
      place: this.#options.store.place,
      backlog: { ...this.#backlog, remainingMs: failure ? null : this.#throughput.remainingMs(this.#backlog.bytes) },
      uploading: [...this.#uploads.values()].map(({ job, sent }) => ({ cameraId: job.cameraId, segment: job.segment, bytes: job.bytes, sent })),
      uploaded: { ...this.#uploaded },
      bytesPerSecond: this.#throughput.bytesPerSecond(),
      blocked: this.#blocked,
      trouble: this.#trouble,
      waitingRemovals: this.#waitingRemovals,
      unconfirmed: this.#unconfirmed,
    };
  }

  async #run(): Promise<void> {
    const { clock, idleMs } = this.#options;
    while (!this.#stop.signal.aborted) {
      this.#poked = false;
      const log = this.#options.logId();
      const held = this.#failure ? this.#failure.until - clock.monotonic() : 0;
      try {
        if (log !== null && held <= 0) await this.#step(log);
        else await this.#count(log);
      } catch (error) {
        this.#failed(error);
      }
      await this.#wait(held > 0 ? Math.min(held, idleMs) : idleMs);
    }
    await this.#tidying;
  }

  /** Starts as many uploads as may run; what must be done beside them, at its times. */
  async #step(log: string): Promise<void> {
    const { database, store, clock, order } = this.#options;
    if (!this.#claimed || this.#failure) await claimArchive({ database, store, clock, logger: this.#logger });
    this.#claimed = true;
    // After a failure one upload goes ahead of the others: that the archive can be read does not say that it can be written.
    const concurrency = this.#failure ? 1 : this.#options.concurrency;
    const room = concurrency - this.#uploads.size;
    if (room > 0) {
      // Those under way are among the first. One that ends while the catalogue answers still looks unarchived in its answer.
      const underWay = new Set(this.#uploads.keys());
      const jobs = (await nextUploads(database, log, order, clock.now(), concurrency + underWay.size)).filter((job) => !underWay.has(nameOf(job)));
      for (const job of jobs.slice(0, room)) this.#begin(job, log);
      if (jobs.length === 0 && this.#uploads.size === 0) this.#recovered();
    }
    if (!this.#failure) this.#tidying ??= this.#tidy(log).finally(() => (this.#tidying = null));
  }

  #begin(job: UploadJob, log: string): void {
    if (this.#stop.signal.aborted) return;
    const { database, store, disk, folder, clock } = this.#options;
    const abort = new AbortController();
    const { signal } = abort;
    const upload: Upload = { job, sent: 0, abort, done: Promise.resolve() };
    const source = async function* (limit: RateLimit, throughput: Throughput): AsyncGenerator<Uint8Array> {
      // On a disk that is not mounted every file would look lost.
      await folder.check(log);
      for await (const chunk of disk.stream(folder.segmentPath(job.cameraId, job.segment))) {
        await limit.take(chunk.length, signal);
        if (signal.aborted) throw signal.reason;
        upload.sent += chunk.length;
        throughput.add(chunk.length);
        yield chunk;
      }
    };
    this.#uploads.set(nameOf(job), upload);
    upload.done = uploadSegment({ database, store, now: () => clock.now(), source: () => source(this.#limit, this.#throughput) }, job)
      .then((outcome) => this.#ended(job, outcome))
      .catch((error: unknown) => {
        if (!signal.aborted) this.#failed(error);
      })
      .finally(() => {
        this.#uploads.delete(nameOf(job));
        this.poke();
      });
  }

  async #ended(job: UploadJob, outcome: UploadOutcome): Promise<void> {
    if (outcome.result === 'stored') {
      this.#recovered();
      this.#uploaded = { segments: this.#uploaded.segments + 1, bytes: this.#uploaded.bytes + job.bytes };
      const segments = Math.max(0, this.#backlog.segments - 1);
      this.#backlog = { segments, bytes: Math.max(0, this.#backlog.bytes - job.bytes), oldestAt: segments === 0 ? null : this.#backlog.oldestAt };
      return;
    }
    if (outcome.result === 'removed') return;
    const wait = Math.min(BLOCKED_FIRST_MS * 2 ** Math.min(job.attempts, 20), BLOCKED_LONGEST_MS);
    this.#logger.error({ camera: job.cameraId, segment: job.segment, error: outcome.error.message, retryInMs: wait }, 'a segment cannot be archived');
    await outcome.remember(this.#options.clock.now() + wait);
    this.#tidyAt = -Infinity;
  }

  #failed(error: unknown): void {
    const { clock, retry, random } = this.#options;
    const tries = (this.#failure?.tries ?? 0) + 1;
    // Uploads that fail together are one failure.
    if (this.#failure && this.#failure.until > clock.monotonic()) return;
    const longest = Math.min(retry.firstMs * 2 ** Math.min(tries - 1, 20), retry.longestMs);
    const pause = longest / 2 + (random() * longest) / 2;
    const reason = messageOf(error);
    if (!this.#failure || this.#failure.reason !== reason) this.#logger.warn({ error: reason, tries, retryInMs: Math.round(pause) }, 'the archive cannot be used now; recording goes on');
    this.#failure = { reason, since: this.#failure?.since ?? clock.now(), tries, until: clock.monotonic() + pause, nextTryAt: clock.now() + pause };
  }

  #recovered(): void {
    if (!this.#failure) return;
    this.#logger.info({ lasted: this.#options.clock.now() - this.#failure.since, backlog: this.#backlog.segments }, 'the archive can be used again');
    this.#failure = null;
    this.#okSince = this.#options.clock.now();
    this.#tidyAt = -Infinity;
  }

  async #count(log: string | null): Promise<void> {
    const { database, clock, tidyMs } = this.#options;
    if (log === null || clock.monotonic() - this.#tidyAt < tidyMs) return;
    this.#tidyAt = clock.monotonic();
    this.#backlog = await readBacklog(database, log);
    this.#blocked = await readBlocked(database);
    this.#throughput.backlog(this.#backlog.bytes);
  }

  async #tidy(log: string): Promise<void> {
    const { clock, tidyMs } = this.#options;
    if (clock.monotonic() - this.#tidyAt < tidyMs) return;
    try {
      await this.#count(log);
      this.#waitingRemovals = (await this.#options.finishRemovals()).waiting;
      const freed = await this.#free(log);
      this.#unconfirmed += freed.unconfirmed.length;
      for (const segment of freed.unconfirmed) this.#logger.error({ ...segment }, 'the object of an archived segment is not as it should be: its file stays, and it is uploaded again');
      if (freed.segments > 0) this.#logger.info({ segments: freed.segments, bytes: freed.bytes }, 'the disk was freed of archived footage');
      if (clock.monotonic() - this.#staleAt >= STALE_EVERY_MS) {
        await this.#giveUpStale();
        this.#staleAt = clock.monotonic();
      }
      this.#trouble = null;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (this.#trouble === null) this.#logger.warn({ error: messageOf(error) }, 'archived footage cannot be freed or removed now');
      this.#trouble = messageOf(error);
    }
  }

  #free(log: string): Promise<FreedReport> {
    const { database, store, disk, folder, clock, local } = this.#options;
    return freeDisk({ database, store, disk, folder, log, now: clock.now(), signal: this.#stop.signal, ...local });
  }

  /** Uploads of ours that the catalogue does not know (any more), and that nobody will finish. */
  async #giveUpStale(): Promise<void> {
    const { database, store, clock } = this.#options;
    await forgetOrphanUploads(database, clock.now() - STALE_UPLOAD_MS);
    const pending = await store.pendingUploads(FOOTAGE_PREFIX);
    const old = pending.filter((upload) => clock.now() - upload.begunAt > STALE_UPLOAD_MS);
    if (old.length === 0) return;
    const known = await knownUploads(database);
    for (const upload of old) if (!known.has(upload.uploadId)) await store.abortUpload(upload.key, upload.uploadId);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stop.signal.aborted || this.#poked) return resolve();
      const cancel = this.#options.clock.after(ms, () => this.#wake());
      this.#wake = () => {
        cancel();
        this.#wake = () => undefined;
        resolve();
      };
    });
  }
}

const nameOf = (segment: SegmentName): string => `${segment.segment} ${segment.cameraId}`;
