import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { ArchivedFootage } from '../../storage/archive/archived-footage.js';
import { Archiver } from '../../storage/archive/archiver.js';
import { RollingCheck } from '../../storage/archive/rolling-check.js';
import { readFindings } from '../../storage/archive/finding-table.js';
import type { Database } from '../../storage/catalogue/database.js';
import { freeDisk } from '../../storage/archive/local-window.js';
import { localBytes } from '../../storage/archive/archive-table.js';
import { nodeDisk } from '../../storage/footage/disk.js';
import type { FootageLog } from '../../storage/footage/footage-log.js';
import type { ArchiveSources, ArchiveView } from '../api/archive-routes.js';
import type { Config } from '../config/config.js';
import { isArchiving } from '../config/objects.js';
import type { ProblemBoard } from '../live/problems.js';
import type { Metrics } from '../metrics.js';
import type { Objects } from './open-objects.js';

export interface ArchiveKeeperOptions {
  config: Config;
  database: Database;
  objects: Objects;
  clock: Clock;
  logger: Logger;
  problems: ProblemBoard;
  metrics: Metrics;
}

const STORE_RETRY_MS = 5_000;

/** Everything about archived footage in the service: reading it, bringing it there, checking it, and saying how it stands. */
export class ArchiveKeeper {
  /** For the footage log; null where nothing is archived. */
  readonly footage: ArchivedFootage | null;
  readonly #options: ArchiveKeeperOptions;
  #archiver: Archiver | null = null;
  #check: RollingCheck | null = null;
  #cancelRetry: () => void = () => undefined;
  #closed = false;

  constructor(options: ArchiveKeeperOptions) {
    this.#options = options;
    const { config, database, objects, clock } = options;
    const archiving = isArchiving(config.objects, config.footage.archive);
    this.footage = archiving ? new ArchivedFootage({ database, store: objects.store, clock, cacheBytes: config.footage.archive.cache }) : null;
  }

  async start(log: FootageLog): Promise<void> {
    const { config, database, objects, clock, logger } = this.#options;
    const { archive, local } = config.footage;
    const common = { database, disk: nodeDisk, folder: log.files, logId: () => log.id, clock, logger };
    const ready = this.#startStore();
    // A folder is ready at once; a server may take its time.
    if (config.objects.kind === 'files') await ready;
    if (this.footage) {
      const archiver = new Archiver({
        ...common,
        store: objects.store,
        finishRemovals: () => log.finishRemovals(),
        order: archive.order,
        concurrency: archive.concurrency,
        bytesPerSecond: archive.bandwidth,
        local: { windowMs: local.window, bytes: local.bytes },
      });
      this.footage.beforeRemove = (segment) => archiver.cancel(segment);
      this.#archiver = archiver;
      // The bucket may have to be made first.
      void ready.then(() => !this.#closed && archiver.start());
    }
    if (archive.check !== null) {
      this.#check = new RollingCheck({ ...common, store: this.footage ? objects.store : null, bytesPerSecond: archive.check });
      this.#check.start();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    await this.#check?.close();
    await this.#archiver?.close();
  }

  /** Lets `bytes` of what is in the archive leave the disk before its time, the oldest first. @returns how many did; 0 where the archive is away */
  async free(log: FootageLog, bytes: number): Promise<number> {
    const { database, objects, clock, logger } = this.#options;
    if (!this.footage || log.id === null) return 0;
    try {
      const used = await localBytes(database, log.id);
      const report = await freeDisk({ database, store: objects.store, disk: nodeDisk, folder: log.files, log: log.id, now: clock.now(), windowMs: null, bytes: Math.max(0, used - bytes), signal: new AbortController().signal });
      return report.bytes;
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'archived footage cannot leave the full disk now');
      return 0;
    }
  }

  /** States, for the problem board and the metrics. */
  report(): void {
    const { problems, metrics } = this.#options;
    const check = this.#check?.status();
    problems.set('storage/check', check && check.findings > 0 ? `stored footage is not as it should be, ${check.findings === 1 ? 'in one place' : `in ${check.findings} places`}: ${check.newest}. "berthwatch storage verify --repair" repairs what is safe` : null);
    metrics.storageFindings.set(check?.findings ?? 0);
    metrics.storageChecked.set(check?.bytes ?? 0);
    const status = this.#archiver?.status();
    if (!status) return;
    problems.set('archive', status.state === 'failing' ? `the archive (${status.place}) cannot be used: ${status.reason}. Recording goes on; what is sealed waits on the disk and follows by itself` : null);
    const { blocked } = status;
    problems.set('archive/segments', blocked.first ? `${blocked.segments === 1 ? 'a segment' : `${blocked.segments} segments`} cannot be archived, first of them segment ${blocked.first.segment} of camera ${blocked.first.cameraId}: ${blocked.first.error}` : null);
    problems.set('archive/tidy', status.trouble === null ? null : `archived footage cannot leave the disk, or removed footage the archive: ${status.trouble}`);
    metrics.archiveBacklogSegments.set(status.backlog.segments);
    metrics.archiveBacklogBytes.set(status.backlog.bytes);
    metrics.archiveOldest.set(status.backlog.oldestAt === null ? 0 : (this.#options.clock.now() - status.backlog.oldestAt) / 1000);
    metrics.archiveUploaded.set(status.uploaded.bytes);
    metrics.archiveRate.set(status.bytesPerSecond);
    metrics.archiveUp.set(status.state === 'ok' ? 1 : 0);
    metrics.archiveWaitingRemovals.set(status.waitingRemovals);
  }

  status(): ArchiveView {
    return { archive: this.#archiver?.status() ?? null, check: this.#check?.status() ?? null };
  }

  sources(): ArchiveSources {
    return { status: () => this.status(), findings: (limit) => readFindings(this.#options.database, limit) };
  }

  /** A store that cannot be used now must not keep the service from starting. */
  async #startStore(): Promise<void> {
    const { objects, problems, clock } = this.#options;
    try {
      await objects.start();
      problems.set('objects', null);
    } catch (error) {
      if (this.#closed) return;
      problems.set('objects', `pictures cannot be stored: ${messageOf(error)}`);
      this.#cancelRetry = clock.after(STORE_RETRY_MS, () => void this.#startStore());
    }
  }
}
