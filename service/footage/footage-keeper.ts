import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../../storage/catalogue/database.js';
import type { FootageLog } from '../../storage/footage/footage-log.js';
import { RetentionJob, type StorageStatus } from '../../storage/footage/retention-job.js';
import type { StorageSources } from '../api/storage-routes.js';
import type { Config } from '../config/config.js';
import type { Site } from '../config/site.js';
import type { ProblemBoard } from '../live/problems.js';
import type { Metrics } from '../metrics.js';
import { HostClock } from '../time/host-clock.js';
import { retentionPolicies, type Policies } from './retention-policy.js';
import { VisitHolds } from './visit-holds.js';

export interface FootageKeeperOptions {
  config: Config;
  database: Database;
  log: FootageLog;
  site: () => Site;
  clock: Clock;
  logger: Logger;
  /** Frees bytes on the disk that an archive holds as well; returns how many. */
  freeArchived: (bytes: number) => Promise<number>;
  problems: ProblemBoard;
  metrics: Metrics;
}

/** Public servers that can be reached in mainland China. */
const PUBLIC_TIME_SERVERS = ['ntp.aliyun.com', 'ntp.tencent.com', 'ntp.ntsc.ac.cn'];

/** What keeps the footage: retention, holds, the disk, and the host's clock, by which ages are counted. */
export class FootageKeeper {
  readonly hostClock: HostClock;
  readonly #options: FootageKeeperOptions;
  readonly #job: RetentionJob;
  readonly #holds: VisitHolds;
  /** Policies of the site that they were made from. */
  #policies: { site: Site; made: Policies } | null = null;

  constructor(options: FootageKeeperOptions) {
    this.#options = options;
    const { config, database, log, clock, logger, problems } = options;
    const { footage, time } = config;
    const onTrouble = (part: string, message: string | null): void => problems.set(part, message);
    this.hostClock = new HostClock({ clock, logger, servers: time.ntp ?? PUBLIC_TIME_SERVERS, chosen: time.ntp !== null, everyMs: time.every, alarmMs: time.alarm, onTrouble });
    this.#job = new RetentionJob({
      log,
      database,
      clock,
      logger,
      policy: (logId) => this.#current.policy(logId),
      quotaBytes: footage.quota,
      whenFull: footage.whenFull,
      reserveBytes: footage.disk.reserve,
      warnFreeBytes: footage.disk.warnFree,
      warnDays: footage.disk.warnDays,
      now: () => this.hostClock.trustedNow(),
      freeArchived: options.freeArchived,
      refreshHolds: () => this.#holds.refresh(),
      onTrouble,
    });
    this.#holds = new VisitHolds({ database, holds: this.#job.holds, clock, knowsCamera: (cameraId) => Promise.resolve(this.#knows(cameraId)) });
  }

  async start(): Promise<void> {
    const { rows } = await this.#options.database.query<{ newest: number | null }>('SELECT max(started_at) AS newest FROM footage_segment');
    const newest = rows[0]?.newest ?? null;
    if (newest !== null) this.hostClock.lastKnown(newest);
    this.hostClock.start();
    this.#job.start();
  }

  async close(): Promise<void> {
    await Promise.all([this.hostClock.close(), this.#job.close()]);
  }

  storage(): StorageStatus {
    return this.#job.status();
  }

  /** Deletes now what is older than its retention. */
  pass(): Promise<void> {
    return this.#job.pass();
  }

  sources(): StorageSources {
    const { clock } = this.#options;
    return {
      status: () => this.#job.status(),
      holds: (filter) => this.#job.holds.list(filter),
      covers: (hold) => this.#job.holds.covers(hold),
      addHold: (request) => this.#holds.add(request),
      releaseHold: (id, by) => this.#job.holds.release(id, by, clock.now()),
    };
  }

  /** States for metrics and the problem board. */
  report(): void {
    const { metrics, problems } = this.#options;
    problems.set('footage/retention', this.#current.warning);
    const status = this.#job.status();
    if (status.disk) {
      metrics.diskFree.set(status.disk.freeBytes);
      metrics.diskTotal.set(status.disk.totalBytes);
    }
    metrics.diskDaysLeft.set(status.bytesPerDay === null ? NaN : (status.daysLeft ?? Infinity));
    metrics.footageDropped.set(status.dropped.segments);
    for (const camera of status.cameras) {
      metrics.footageBytes.set({ camera: camera.cameraId }, camera.bytes);
      if (camera.bytesPerDay !== null) metrics.footageRate.set({ camera: camera.cameraId }, camera.bytesPerDay);
    }
    const clock = this.hostClock.status();
    metrics.clockOffset.set(clock.offsetMs === null ? NaN : clock.offsetMs / 1000);
    metrics.clockDelay.set(clock.delayMs === null ? NaN : clock.delayMs / 1000);
  }

  get #current(): Policies {
    const site = this.#options.site();
    if (this.#policies?.site !== site) this.#policies = { site, made: retentionPolicies(this.#options.config.footage, site) };
    return this.#policies.made;
  }

  #knows(cameraId: string): boolean {
    return this.#options.site().cameras.some((camera) => camera.id === cameraId) || this.#options.log.cameras().includes(cameraId);
  }
}
