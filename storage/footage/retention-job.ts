import { sleep, type Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import type { DiskSpace } from './disk.js';
import type { FootageLog } from './footage-log.js';
import { HoldTable } from './holds.js';
import { RateMeter } from './rate-meter.js';
import { DAY_MS, daysUntilFull, readUsage, type UsageDay } from './usage.js';

export interface RetentionPolicy {
  retentionMs: number;
  /** Most bytes of the camera on the disk; null: no limit of its own. */
  quotaBytes: number | null;
}

export interface RetentionJobOptions {
  log: FootageLog;
  database: Database;
  clock: Clock;
  logger: Logger;
  /** For every id in the log, also of cameras that are gone from the site, and of further streams. */
  policy: (cameraId: string) => RetentionPolicy;
  /** Most bytes of all cameras on the disk; null: what the disk has. */
  quotaBytes: number | null;
  /** What to do when disk or quota is full. */
  whenFull: 'refuse' | 'drop-oldest';
  /** Free bytes below which the disk counts as full; of a small disk at most a twentieth. */
  reserveBytes: number;
  /** When to warn: free bytes (of a small disk at most a tenth), and days left at the present rate. */
  warnFreeBytes: number;
  warnDays: number;
  /** Unix ms that ages are counted from: the wall clock, unless that is not to be trusted now. */
  now: () => number;
  /** Before each pass: makes the holds of visits reach as far as the visits do. */
  refreshHolds: () => Promise<void>;
  /** Frees bytes that an archive holds as well; returns how many. */
  freeArchived?: (bytes: number) => Promise<number>;
  /** Says what is wrong; null: that it is over. */
  onTrouble: (part: string, message: string | null) => void;
  checkMs?: number;
  passMs?: number;
}

export interface RetentionPass {
  at: number;
  tookMs: number;
  segments: number;
  bytes: number;
}

export interface CameraStorage {
  cameraId: string;
  segments: number;
  bytes: number;
  /** Unix ms; null where nothing is stored. */
  oldestDay: number | null;
  bytesPerDay: number | null;
  retentionMs: number;
  quotaBytes: number | null;
  /** Why it is not recorded; null where it is. */
  refused: string | null;
}

export interface StorageStatus {
  state: 'ok' | 'filling' | 'dropping' | 'refusing' | 'unknown';
  disk: (DiskSpace & { reserveBytes: number }) | null;
  quotaBytes: number | null;
  bytes: number;
  segments: number;
  bytesPerDay: number | null;
  /** Null: the disk is large enough for all retentions at the present rates, or they are not known yet. */
  daysLeft: number | null;
  whenFull: 'refuse' | 'drop-oldest';
  /** Deleted before its time since the service started. */
  dropped: { segments: number; bytes: number; lastAt: number | null };
  lastPass: RetentionPass | null;
  cameras: CameraStorage[];
}

const CHECK_MS = 5_000;
const PASS_MS = 600_000;
const FIRST_PASS_MS = 30_000;
const USAGE_MS = 60_000;
/** So long after the last deletion before its time the alarm stays. */
const DROPPED_ALARM_MS = 3_600_000;
/** Longest pause between two batches. */
const LONGEST_PACE_MS = 100;

export const FULL_DISK = 'the disk is full';
const FULL_QUOTA = 'the quota of all footage is used up';
const FULL_CAMERA = 'the quota of the camera is used up';

const gigabytes = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(bytes < 10 * 1024 ** 3 ? 2 : 0)} GB`;

/**
 * Keeps the disk from running full: deletes what is older than its retention, watches free bytes, quotas and how long the disk lasts
 * at the present rate, and acts by the policy when it is full. Everything is decided from the catalogue; held footage stays.
 */
export class RetentionJob {
  readonly holds: HoldTable;
  readonly #options: RetentionJobOptions;
  readonly #logger: Logger;
  readonly #rates = new RateMeter();
  readonly #dropped = { segments: 0, bytes: 0, lastAt: null as number | null };
  readonly #stop = new AbortController();
  /** Checks and passes come one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #cancelTimers: (() => void)[] = [];
  #space: DiskSpace | null = null;
  #usage: UsageDay[] = [];
  #usageAt = -Infinity;
  #lastPass: RetentionPass | null = null;
  #full: string | null = null;
  #warned = false;
  readonly #quotaTroubles = new Set<string>();

  constructor(options: RetentionJobOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ part: 'retention' });
    this.holds = new HoldTable(options.database);
  }

  start(): void {
    const { checkMs = CHECK_MS, passMs = PASS_MS } = this.#options;
    this.#repeat(0, 0, checkMs, () => this.check());
    this.#repeat(1, Math.min(FIRST_PASS_MS, passMs), passMs, () => this.pass());
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the service is stopping'));
    for (const cancel of this.#cancelTimers) cancel();
    await this.#queue;
  }

  /** Deletes what is older than its retention, in all cameras. What fails is told as trouble and tried again by the next pass. */
  pass(): Promise<void> {
    return this.#inTurn(async () => {
      const { log, clock, policy, now, refreshHolds, onTrouble } = this.#options;
      const began = clock.monotonic();
      const report = { segments: 0, bytes: 0 };
      try {
        for (const ended of await this.holds.expire(clock.now())) this.#logger.info({ hold: ended.id, camera: ended.cameraId }, 'a hold on footage ended by itself');
        await refreshHolds();
        const at = now();
        const { segments, bytes } = await log.deleteExpired(new Map(log.cameras().map((cameraId) => [cameraId, at - policy(cameraId).retentionMs])), this.#pace);
        report.segments = segments;
        report.bytes = bytes;
        onTrouble('footage/deletion', null);
      } catch (error) {
        // What was not reached is left for the next start.
        if (this.#stop.signal.aborted) return;
        onTrouble('footage/deletion', `old footage cannot be deleted: ${messageOf(error)}`);
      }
      this.#lastPass = { at: clock.now(), tookMs: clock.monotonic() - began, ...report };
      if (report.segments > 0) {
        this.#logger.info(this.#lastPass, 'footage beyond its retention was deleted');
        this.#usageAt = -Infinity;
      }
    });
  }

  /** Looks at disk and quotas and acts where they are full. */
  check(): Promise<void> {
    return this.#inTurn(async () => {
      const { log, clock } = this.#options;
      this.#rates.record(clock.monotonic(), [...log.stats().cameras].map(([cameraId, stats]) => [cameraId, stats.bytes] as const));
      // A disk that does not answer is the log's own trouble, which it tells.
      this.#space = log.id === null ? null : await log.space().catch(() => null);
      try {
        await this.#readUsage();
        await this.#checkFull();
        await this.#checkCameraQuotas();
      } catch (error) {
        // Database or disk are away: told by themselves. A full disk must be seen without the database, too.
        this.#logger.warn({ error: messageOf(error) }, 'disk and quotas of the footage cannot be looked after now');
        if (this.#shortage().bytes > 0) this.#refuse(this.#shortage().reason);
      }
      this.#warn();
    });
  }

  status(): StorageStatus {
    const { log, policy, quotaBytes, whenFull } = this.#options;
    const cameras = new Map<string, CameraStorage>();
    for (const cameraId of new Set([...log.cameras(), ...this.#usage.map((row) => row.cameraId)])) {
      const rate = this.#rates.rate(cameraId);
      cameras.set(cameraId, { cameraId, segments: 0, bytes: 0, oldestDay: null, bytesPerDay: rate === null ? null : (rate * DAY_MS) / 1000, ...policy(cameraId), refused: log.refusal(cameraId) });
    }
    for (const { cameraId, day, segments, bytes } of this.#usage) {
      const camera = cameras.get(cameraId) as CameraStorage;
      camera.segments += segments;
      camera.bytes += bytes;
      camera.oldestDay = Math.min(camera.oldestDay ?? Infinity, day * DAY_MS);
    }
    const all = [...cameras.values()].sort((a, b) => (a.cameraId < b.cameraId ? -1 : 1));
    const known = all.filter((camera) => camera.bytesPerDay !== null);
    const dropping = this.#dropping;
    return {
      state: this.#full !== null ? 'refusing' : dropping ? 'dropping' : this.#space === null ? 'unknown' : this.#warned ? 'filling' : 'ok',
      disk: this.#space && { ...this.#space, reserveBytes: this.#reserve(this.#space) },
      quotaBytes,
      bytes: all.reduce((sum, camera) => sum + camera.bytes, 0),
      segments: all.reduce((sum, camera) => sum + camera.segments, 0),
      bytesPerDay: known.length === 0 ? null : known.reduce((sum, camera) => sum + (camera.bytesPerDay as number), 0),
      daysLeft: this.#daysLeft(),
      whenFull,
      dropped: { ...this.#dropped },
      lastPass: this.#lastPass,
      cameras: all,
    };
  }

  get #dropping(): boolean {
    return this.#dropped.lastAt !== null && this.#options.clock.now() - this.#dropped.lastAt < DROPPED_ALARM_MS;
  }

  get #used(): number {
    return this.#usage.reduce((sum, row) => sum + row.bytes, 0);
  }

  #reserve(space: DiskSpace): number {
    return Math.min(this.#options.reserveBytes, space.totalBytes / 20);
  }

  async #readUsage(): Promise<void> {
    const { log, database, clock } = this.#options;
    if (log.id === null || clock.monotonic() - this.#usageAt < USAGE_MS) return;
    this.#usage = await readUsage(database, log.id);
    this.#usageAt = clock.monotonic();
  }

  /** Bytes by which the disk or the quota is overdrawn; negative: what is left. */
  #shortage(): { bytes: number; reason: string } {
    const { quotaBytes } = this.#options;
    const disk = this.#space === null ? -Infinity : this.#reserve(this.#space) - this.#space.freeBytes;
    const quota = quotaBytes === null ? -Infinity : this.#used - quotaBytes;
    return disk >= quota ? { bytes: disk, reason: FULL_DISK } : { bytes: quota, reason: FULL_QUOTA };
  }

  /** More than what is needed is freed, and needed before recording goes on, so that the state does not change at every look. */
  #margin(reason: string): number {
    const whole = reason === FULL_DISK && this.#space ? this.#reserve(this.#space) : (this.#options.quotaBytes ?? 0) / 10;
    return Math.ceil(whole / 8);
  }

  async #checkFull(): Promise<void> {
    const { log, whenFull, freeArchived, clock } = this.#options;
    const { bytes, reason } = this.#shortage();
    if (bytes <= 0) {
      if (this.#full !== null && bytes + this.#margin(reason) <= 0) this.#refuse(null);
      return;
    }
    let wanted = bytes + this.#margin(reason);
    if (freeArchived) wanted -= await freeArchived(wanted);
    if (wanted <= 0) return;
    if (whenFull === 'refuse') return this.#refuse(reason);
    const report = await log.deleteOldest(null, wanted, `deleted before its time: ${reason}`, this.#pace);
    this.#usageAt = -Infinity;
    if (report.segments > 0) {
      this.#dropped.segments += report.segments;
      this.#dropped.bytes += report.bytes;
      this.#dropped.lastAt = clock.now();
      this.#logger.error({ segments: report.segments, bytes: report.bytes, reason }, 'the oldest footage was deleted before its time');
    }
    this.#refuse(report.bytes >= bytes ? null : `${reason}, and nothing is left that may be deleted`);
  }

  #refuse(reason: string | null): void {
    const { log, onTrouble, whenFull } = this.#options;
    this.#full = reason;
    log.refuse(null, reason === null ? null : `recording refused: ${reason}`);
    const advice = whenFull === 'refuse' ? 'free space, or let footage.whenFull be drop-oldest' : 'free space, or release holds';
    onTrouble('footage/full', reason === null ? null : `nothing is recorded: ${reason} (${this.#figures()}): ${advice}`);
  }

  #figures(): string {
    const { quotaBytes } = this.#options;
    const free = this.#space ? `${gigabytes(this.#space.freeBytes)} of ${gigabytes(this.#space.totalBytes)} free, ${gigabytes(this.#reserve(this.#space))} are kept free` : 'free space unknown';
    return quotaBytes === null ? free : `${free}; ${gigabytes(this.#used)} of the quota of ${gigabytes(quotaBytes)} used`;
  }

  async #checkCameraQuotas(): Promise<void> {
    const { log, policy, whenFull, onTrouble, clock } = this.#options;
    const used = new Map<string, number>();
    for (const row of this.#usage) used.set(row.cameraId, (used.get(row.cameraId) ?? 0) + row.bytes);
    for (const cameraId of new Set([...used.keys(), ...this.#quotaTroubles])) {
      const { quotaBytes } = policy(cameraId);
      const bytes = used.get(cameraId) ?? 0;
      const over = quotaBytes === null ? -Infinity : bytes - quotaBytes;
      const margin = (quotaBytes ?? 0) / 50;
      let refused = over > 0;
      let message = `camera ${cameraId} is not recorded: ${FULL_CAMERA} (${gigabytes(bytes)} of ${gigabytes(quotaBytes ?? 0)}): raise it, or let footage.whenFull be drop-oldest`;
      if (over > 0 && whenFull === 'drop-oldest') {
        const report = await log.deleteOldest(cameraId, over + margin, `deleted before its time: ${FULL_CAMERA}`, this.#pace);
        this.#usageAt = -Infinity;
        this.#dropped.segments += report.segments;
        this.#dropped.bytes += report.bytes;
        if (report.segments > 0) this.#dropped.lastAt = clock.now();
        refused = report.bytes < over;
        message = refused ? `camera ${cameraId} is not recorded: ${FULL_CAMERA}, and all its footage is held` : `footage of camera ${cameraId} is deleted before its time: ${FULL_CAMERA} (${gigabytes(quotaBytes ?? 0)})`;
      } else if (over > -margin && this.#quotaTroubles.has(cameraId)) {
        // Full until there is some room again; while the oldest is dropped, that is the usual state.
        continue;
      } else if (over <= 0) {
        if (this.#quotaTroubles.delete(cameraId)) onTrouble(`footage/quota/${cameraId}`, null);
        log.refuse(cameraId, null);
        continue;
      }
      this.#quotaTroubles.add(cameraId);
      log.refuse(cameraId, refused ? `recording refused: ${FULL_CAMERA}` : null);
      onTrouble(`footage/quota/${cameraId}`, message);
    }
  }

  /** Early warnings, and the alarm while footage is deleted before its time. */
  #warn(): void {
    const { warnFreeBytes, warnDays, onTrouble } = this.#options;
    const space = this.#space;
    const days = this.#daysLeft();
    const low = space !== null && space.freeBytes < Math.min(warnFreeBytes, space.totalBytes / 10);
    const soon = days !== null && days < warnDays;
    this.#warned = this.#full === null && (low || soon);
    const left = days === null ? '' : `, full in about ${days.toFixed(1)} days at the present rate`;
    onTrouble('footage/space', this.#warned ? `the disk of the footage fills up: ${this.#figures()}${left}: free space, enlarge the disk, or shorten retentions` : null);
    const { segments, bytes } = this.#dropped;
    onTrouble('footage/dropped', this.#dropping ? `footage is deleted before its time to make room: ${segments} segments, ${gigabytes(bytes)} so far: enlarge the disk or the quota, or shorten retentions` : null);
  }

  #daysLeft(): number | null {
    const { log, policy, now, quotaBytes } = this.#options;
    if (this.#space === null) return null;
    const cameras = log.cameras().map((cameraId) => ({ cameraId, bytesPerDay: ((this.#rates.rate(cameraId) ?? 0) * DAY_MS) / 1000, retentionMs: policy(cameraId).retentionMs }));
    if (cameras.every((camera) => camera.bytesPerDay === 0)) return null;
    const availableBytes = Math.min(this.#space.freeBytes - this.#reserve(this.#space), quotaBytes === null ? Infinity : quotaBytes - this.#used);
    return daysUntilFull({ availableBytes, now: now(), usage: this.#usage, cameras });
  }

  /** A pause of a quarter of what the work took: recording shares disk and database. Ends the work when the service stops. */
  readonly #pace = async (workMs: number): Promise<void> => {
    await sleep(this.#options.clock, Math.min(workMs / 4, LONGEST_PACE_MS), this.#stop.signal);
  };

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(() => (this.#stop.signal.aborted || this.#options.log.id === null ? undefined : work()));
    this.#queue = turn.catch((error: unknown) => this.#logger.error({ error: messageOf(error) }, 'the retention of footage failed'));
    return this.#queue as Promise<void>;
  }

  #repeat(slot: number, firstMs: number, everyMs: number, work: () => Promise<void>): void {
    const again = (ms: number): void => {
      this.#cancelTimers[slot] = this.#options.clock.after(ms, () => {
        void work().then(() => {
          if (!this.#stop.signal.aborted) again(everyMs);
        });
      });
    };
    again(firstMs);
  }
}
