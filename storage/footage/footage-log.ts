import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import type { Database } from '../catalogue/database.js';
import { CameraLog, type CameraLogShared, type CameraLogStats } from './camera-log.js';
import { diskError } from '../disk-error.js';
import { nodeDisk, type Disk, type DiskSpace } from './disk.js';
import { FlushGate } from './flush-gate.js';
import { FootageReader } from './footage-reader.js';
import { isCameraId, LogFolder } from './log-folder.js';
import type { LoggedGop } from './logged-gop.js';
import { claimLog } from './log-identity.js';
import { MemoryBudget } from './memory-budget.js';
import { recover, type RecoveryReport } from './recovery.js';
import { finishRemovals, removeSegments, type RemovalContext, type RemovalReport } from './removal.js';
import { deleteExpiredSegments, deleteOldestSegments, type RetentionContext } from './retention.js';
import type { Gap, LogPosition, Overlap, SealedSegment, SegmentInfo } from './segment.js';
import type { SegmentArchive } from './segment-archive.js';
import { SegmentBytes } from './segment-bytes.js';
import { SegmentRegister } from './segment-register.js';
import { MAX_SEGMENT_MS, readCameras } from './segment-table.js';

export interface FootageLogOptions {
  /** On local disk; created where missing. */
  folder: string;
  /** Migrated already. */
  database: Database;
  clock: Clock;
  logger: Logger;
  /** Which of the catalogue's footage logs this is; a node of a cluster gives its own name. */
  name?: string;
  /** About how long a segment is. */
  segmentMs?: number;
  /** Footage further apart than this has a gap between it, and goes into two segments. */
  gapMs?: number;
  /** GOPs of one camera that may wait for the disk, before the oldest are dropped. */
  queueGops?: number;
  /** Bytes of all cameras that may wait for the disk. */
  queueBytes?: number;
  /** A longer or larger GOP is cut. */
  maxGopMs?: number;
  maxGopBytes?: number;
  /** Pause before a failed write is tried again. */
  retryMs?: number;
  /** A camera silent for longer has its GOP in flight written and its segment sealed. */
  idleMs?: number;
  /** Cameras that flush at the same time. */
  writers?: number;
  /** Most cameras in one log. */
  maxCameras?: number;
  disk?: Disk;
  /** Where segments lie that are not on the disk any more; null (default): nowhere. */
  archive?: SegmentArchive | null;
}

export interface FootageLogStatus {
  /** failing: footage of at least one camera does not reach the disk now, or the log is not started. */
  state: 'ok' | 'failing';
  /** What is wrong and what to do; null when ok. */
  reason: string | null;
  /** Unix ms since when; of the state ok: since the start or the last recovery. */
  since: number;
  /** GOPs dropped since the start, because the disk did not take them in time. */
  droppedGops: number;
}

export interface FootageLogStats {
  cameras: ReadonlyMap<string, CameraLogStats>;
  /** Bytes that wait for the disk. */
  queuedBytes: number;
  /** Pictures not taken while recording was refused. */
  refusedUnits: number;
  /** Sealed segments that are not in the catalogue yet. */
  unregisteredSegments: number;
}

/**
 * The footage log: each camera's access units as an append-only row of GOPs, durable one by one, on local disk
 * (DESIGN.md, Footage log). Writing never waits for the database; reading sees only what is durable, so that nothing
 * derived from it can outlive it.
 */
export class FootageLog {
  readonly #options: Required<Omit<FootageLogOptions, 'disk' | 'archive'>>;
  readonly #logger: Logger;
  readonly #disk: Disk;
  readonly #folder: LogFolder;
  readonly #cameras = new Map<string, CameraLog>();
  readonly #register: SegmentRegister;
  readonly #archive: SegmentArchive | null;
  readonly #bytes: SegmentBytes;
  readonly #reader: FootageReader;
  readonly #shared: CameraLogShared;
  readonly #resumed = new Map<string, { lastSegment: number; lastEndedAt: number | null }>();
  /** By camera, null for all: why nothing is recorded. */
  readonly #refused = new Map<string | null, string>();
  #refusedUnits = 0;
  #log: string | null = null;
  #starting: Promise<RecoveryReport> | null = null;
  #startFailure: string | null = 'the footage log is not started';
  #since: number;
  #failing = false;
  #closed = false;
  #cancelSweep: (() => void) | null = null;

  constructor(options: FootageLogOptions) {
    const { disk = nodeDisk, archive = null, ...rest } = options;
    this.#options = {
      name: 'default',
      segmentMs: 60_000,
      gapMs: 5_000,
      queueGops: 30,
      queueBytes: 256 * 1024 * 1024,
      maxGopMs: 60_000,
      maxGopBytes: 32 * 1024 * 1024,
      retryMs: 1_000,
      idleMs: 10_000,
      writers: 2,
      maxCameras: 2_000,
      ...rest,
    };
    const { segmentMs, maxGopMs, clock, database } = this.#options;
    if (segmentMs < 1_000 || segmentMs + 2 * maxGopMs > MAX_SEGMENT_MS) {
      throw new BerthwatchError('bad-input', 'FOOTAGE_OPTIONS', `a segment of ${segmentMs} ms with GOPs of up to ${maxGopMs} ms: segments last at least a second and, with two GOPs, at most ${MAX_SEGMENT_MS} ms`);
    }
    this.#logger = options.logger.child({ part: 'footage' });
    this.#disk = disk;
    this.#folder = new LogFolder(options.folder, disk);
    this.#archive = archive;
    this.#bytes = new SegmentBytes({ disk, folder: this.#folder, archive });
    this.#since = clock.now();
    this.#register = new SegmentRegister({ database, clock, logger: this.#logger, retryMs: this.#options.retryMs, registered: (segment) => this.#cameras.get(segment.cameraId)?.forget(segment.segment) });
    this.#reader = new FootageReader({ database, bytes: this.#bytes, clock, gapMs: this.#options.gapMs, segmentsInMemory: (cameraId) => this.#cameras.get(cameraId)?.segments ?? [] });
    this.#shared = {
      ...this.#options,
      disk,
      folder: this.#folder,
      logger: this.#logger,
      gate: new FlushGate(this.#options.writers),
      budget: new MemoryBudget(this.#options.queueBytes),
      limits: this.#options,
      sealed: (segment: SealedSegment) => this.#register.add(segment),
    };
  }

  /**
   * Makes disk and catalogue agree and lets writing begin. Units appended before wait in memory, within the limits. After
   * a failure it may be called again.
   *
   * @throws BerthwatchError unavailable (disk or database do not work now; a disk that is not mounted), conflict (the
   *   folder belongs to another log)
   */
  start(): Promise<RecoveryReport> {
    if (this.#closed) return Promise.reject(new BerthwatchError('internal', 'FOOTAGE_CLOSED', 'a closed footage log cannot be started again'));
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = null;
      this.#startFailure = messageOf(error);
      throw error;
    });
    return this.#starting;
  }

  async #start(): Promise<RecoveryReport> {
    const { database, clock, gapMs, name } = this.#options;
    const { log, created } = await claimLog({ database, folder: this.#folder, name, clock, logger: this.#logger });
    const report = await recover({ disk: this.#disk, folder: this.#folder, database, logger: this.#logger, log, gapMs });
    for (const camera of await readCameras(database)) this.#resumed.set(camera.cameraId, camera);
    // Files left alone by recovery keep their numbers.
    for (const cameraId of await this.#folder.cameras()) {
      const last = (await this.#folder.segments(cameraId)).at(-1) ?? 0;
      const known = this.#resumed.get(cameraId);
      this.#resumed.set(cameraId, { lastSegment: Math.max(last, known?.lastSegment ?? 0), lastEndedAt: known?.lastEndedAt ?? null });
    }
    if (this.#closed) throw new BerthwatchError('unavailable', 'FOOTAGE_CLOSED', 'the footage log was closed while it started');
    this.#log = log;
    this.#startFailure = null;
    this.#since = clock.now();
    this.#register.start(log);
    for (const camera of this.#cameras.values()) this.#resume(camera);
    this.#scheduleSweep();
    this.#logger.info({ folder: this.#folder.path, cameras: report.cameras, segments: report.segments, recovered: report.recovered.length, removed: report.removed.length, lost: report.lost.length, deleted: report.deleted }, 'footage log started');
    return { ...report, created };
  }

  /** Writes the GOPs in flight, seals every segment and registers it, as far as disk and database allow. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelSweep?.();
    await this.#starting?.catch(() => undefined);
    await Promise.all([...this.#cameras.values()].map((camera) => camera.close()));
    await this.#register.close();
  }

  /** Takes a unit of a camera. Never waits, never throws; the unit's bytes must not be changed afterwards. */
  append(unit: AccessUnit): void {
    if (this.#closed) return;
    if (this.#refused.size > 0 && this.refusal(unit.cameraId) !== null) {
      this.#refusedUnits++;
      return;
    }
    this.#camera(unit.cameraId)?.append(unit);
  }

  /** Takes sound of a camera, beside its pictures. Never waits, never throws; sound that finds no pictures is dropped and counted. */
  appendAudio(unit: AudioUnit): void {
    if (!this.#closed) this.#cameras.get(unit.cameraId)?.appendAudio(unit);
  }

  /** The camera's stream does not continue what was appended: what follows begins a new segment, and the gap has this reason. */
  discontinuity(cameraId: string, reason: string): void {
    if (!this.#closed) this.#cameras.get(cameraId)?.cut(reason, false);
  }

  /** The camera's stream is over: its GOP in flight becomes readable, its segment is sealed. */
  streamEnded(cameraId: string, reason = 'stream ended'): void {
    if (!this.#closed) this.#cameras.get(cameraId)?.cut(reason, true);
  }

  /**
   * The camera's GOPs behind a position (null: from the oldest), and then those to come, each as soon as it is durable.
   * Ends when the signal aborts or the log is closed and all was given; waits where the database is away.
   */
  async *follow(cameraId: string, after: LogPosition | null, signal: AbortSignal): AsyncGenerator<LoggedGop, void, undefined> {
    const camera = this.#camera(cameraId);
    if (!camera) throw new BerthwatchError('bad-input', 'FOOTAGE_CAMERA', `"${cameraId}" cannot be a camera id, or there are too many cameras`);
    let cursor = after ?? { segment: 0, gop: -1 };
    while (!signal.aborted) {
      const { revision, ended } = camera;
      let gops: LoggedGop[];
      try {
        if (this.#log === null) await this.#untilStarted(signal);
        gops = await this.#reader.next(cameraId, cursor);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof BerthwatchError && error.retryable) || this.#closed) throw error;
        await sleep(this.#options.clock, this.#options.retryMs, signal).catch(() => undefined);
        continue;
      }
      for (const gop of gops) {
        if (signal.aborted) return;
        cursor = gop.position;
        yield gop;
      }
      if (gops.length > 0) continue;
      if (ended) return;
      await camera.changed(revision, signal);
    }
  }

  /** The GOP that shows the moment `at` (Unix ms); null where there is no footage of it. */
  gopAt(cameraId: string, at: number): Promise<LoggedGop | null> {
    return this.#reader.at(cameraId, at);
  }

  /** GOPs with footage between two moments, both included, by position. */
  gopsBetween(cameraId: string, from: number, to: number): Promise<LoggedGop[]> {
    return this.#reader.between(cameraId, from, to);
  }

  /** The GOP before a position; null where it is the oldest. */
  gopBefore(cameraId: string, position: LogPosition): Promise<LoggedGop | null> {
    return this.#reader.before(cameraId, position);
  }

  /** The GOP behind a position; null where it is the newest. */
  async gopAfter(cameraId: string, position: LogPosition): Promise<LoggedGop | null> {
    return (await this.#reader.next(cameraId, position))[0] ?? null;
  }

  /** The GOP at a position. @throws BerthwatchError not-found */
  async gop(cameraId: string, position: LogPosition): Promise<LoggedGop> {
    const found = (await this.#reader.next(cameraId, { segment: position.segment, gop: position.gop - 1 }))[0];
    if (found?.position.segment !== position.segment || found.position.gop !== position.gop) throw new BerthwatchError('not-found', 'FOOTAGE_GONE', `camera ${cameraId} has no GOP ${position.gop} in segment ${position.segment}: retention removed it, or it never was`);
    return found;
  }

  /** Times without footage that reach into a time range, by time; the last one may still go on (`to` null). */
  gaps(cameraId: string, from: number, to: number): Promise<Gap[]> {
    return this.#reader.gaps(cameraId, from, to);
  }

  /** Times that a camera's sealed footage holds twice, because the host's clock was set back, by segment. */
  overlaps(cameraId: string, from: number, to: number): Promise<Overlap[]> {
    return this.#reader.overlaps(cameraId, from, to);
  }

  /** Segments that reach into a time range, the open one included, by number. */
  segments(cameraId: string, from: number, to: number): Promise<SegmentInfo[]> {
    return this.#reader.segments(cameraId, from, to, this.#cameras.get(cameraId)?.openSegment ?? null);
  }

  /**
   * `length` bytes of a segment file from `offset`, from the disk or the archive; fewer only at its end. The bytes before the
   * first GOP are its header (`ftyp`, ours, `moov`).
   *
   * @throws BerthwatchError not-found, unavailable, bad-input, as `LoggedGop.read`
   */
  segmentBytes(cameraId: string, segment: number, offset: number, length: number): Promise<Buffer> {
    return this.#bytes.read({ cameraId, segment }, offset, length);
  }

  /** Removes segments whose last unit is older than `time` and that are not held, files and objects. @throws BerthwatchError unavailable: call again */
  async deleteBefore(cameraId: string, time: number, pace?: RetentionContext['pace']): Promise<RemovalReport> {
    return deleteExpiredSegments(this.#retention(pace), new Map([[cameraId, time]]));
  }

  /** The same for many cameras together, each with its time. @throws BerthwatchError unavailable: call again */
  async deleteExpired(cutoffs: ReadonlyMap<string, number>, pace?: RetentionContext['pace']): Promise<RemovalReport> {
    return deleteExpiredSegments(this.#retention(pace), cutoffs);
  }

  /**
   * Removes the oldest segments on the disk that are not held, of a camera or (null) of all, until `bytes` are freed or nothing is left that
   * may go; the reason stands in the gaps that this leaves. @throws BerthwatchError unavailable: call again
   */
  async deleteOldest(cameraId: string | null, bytes: number, reason: string, pace?: RetentionContext['pace']): Promise<RemovalReport> {
    return deleteOldestSegments(this.#retention(pace), { cameraId, bytes, reason });
  }

  /**
   * Removes these sealed (or lost) segments of a camera, files and objects; what is unknown is passed over. The disk is free when
   * it resolves; objects that an absent archive keeps are removed later (`waiting` in the report).
   *
   * @throws BerthwatchError unavailable: call again
   */
  async removeSegments(cameraId: string, segments: readonly number[]): Promise<RemovalReport> {
    const context = this.#removal();
    this.#cameras.get(cameraId)?.forgetSegments(segments);
    return removeSegments(context, cameraId, segments);
  }

  /** Goes on with removals whose objects waited for the archive. @throws BerthwatchError unavailable */
  async finishRemovals(): Promise<{ dropped: number; waiting: number; reason: string | null }> {
    return finishRemovals(this.#removal());
  }

  /**
   * Refuses to record, for a camera or (null) for all, or with a null reason takes it up again. What was taken until now is
   * written and sealed; the gap until recording goes on has the reason.
   */
  refuse(cameraId: string | null, reason: string | null): void {
    const known = this.#refused.get(cameraId) ?? null;
    if (known === reason) return;
    if (reason === null) this.#refused.delete(cameraId);
    else this.#refused.set(cameraId, reason);
    if (reason === null || known !== null) return;
    for (const camera of this.#cameras.values()) if (cameraId === null || camera.cameraId === cameraId) camera.cut(reason, true);
  }

  /** Why a camera is not recorded; null where it is. */
  refusal(cameraId: string): string | null {
    return this.#refused.get(null) ?? this.#refused.get(cameraId) ?? null;
  }

  /** Bytes on the disk that holds the log. @throws BerthwatchError unavailable */
  async space(): Promise<DiskSpace> {
    try {
      return await this.#disk.space(this.#folder.path);
    } catch (error) {
      throw diskError(error, this.#folder.path);
    }
  }

  /** Where its files lie, for those who bring them elsewhere; what they change there they tell the catalogue first. */
  get files(): LogFolder {
    return this.#folder;
  }

  /** Id of the log; null until it is started. */
  get id(): string | null {
    return this.#log;
  }

  #retention(pace?: RetentionContext['pace']): RetentionContext {
    return { ...this.#removal(), marked: (cameraId, segments) => this.#cameras.get(cameraId)?.forgetSegments(segments), ...(pace ? { pace } : {}) };
  }

  #removal(): RemovalContext {
    if (this.#log === null) throw new BerthwatchError('unavailable', 'FOOTAGE_NOT_STARTED', 'the footage log is not started');
    return { database: this.#options.database, disk: this.#disk, folder: this.#folder, log: this.#log, archive: this.#archive };
  }

  /** Cameras with footage or units. */
  cameras(): string[] {
    return [...new Set([...this.#resumed.keys(), ...this.#cameras.keys()])].sort();
  }

  status(): FootageLogStatus {
    const cameras = [...this.#cameras.values()];
    const droppedGops = cameras.reduce((sum, camera) => sum + camera.stats.droppedGops, 0);
    if (this.#startFailure !== null) return { state: 'failing', reason: this.#startFailure, since: this.#since, droppedGops };
    const failures = cameras.map((camera) => camera.failure).filter((failure) => failure !== null);
    if (failures.length > 0) {
      this.#failing = true;
      const first = failures.reduce((a, b) => (b.since < a.since ? b : a));
      const others = failures.length > 1 ? ` (${failures.length} cameras)` : '';
      return { state: 'failing', reason: first.reason + others, since: first.since, droppedGops };
    }
    const [refused] = this.#refused;
    if (refused) {
      if (!this.#failing) this.#since = this.#options.clock.now();
      this.#failing = true;
      return { state: 'failing', reason: `${refused[0] === null ? '' : `camera ${refused[0]}: `}${refused[1]}${this.#refused.size > 1 ? ` (and ${this.#refused.size - 1} more)` : ''}`, since: this.#since, droppedGops };
    }
    if (this.#failing) this.#since = this.#options.clock.now();
    this.#failing = false;
    return { state: 'ok', reason: null, since: this.#since, droppedGops };
  }

  stats(): FootageLogStats {
    return {
      cameras: new Map([...this.#cameras].map(([id, camera]) => [id, camera.stats])),
      queuedBytes: this.#shared.budget.used,
      refusedUnits: this.#refusedUnits,
      unregisteredSegments: this.#register.pending,
    };
  }

  #camera(cameraId: string): CameraLog | null {
    const existing = this.#cameras.get(cameraId);
    if (existing) return existing;
    if (!isCameraId(cameraId) || this.#cameras.size >= this.#options.maxCameras) return null;
    const camera = new CameraLog(cameraId, this.#shared);
    this.#cameras.set(cameraId, camera);
    this.#resume(camera);
    return camera;
  }

  #resume(camera: CameraLog): void {
    if (this.#log === null) return;
    const known = this.#resumed.get(camera.cameraId);
    camera.resume({ log: this.#log, lastSegment: known?.lastSegment ?? 0, lastEndedAt: known?.lastEndedAt ?? null });
  }

  async #untilStarted(signal: AbortSignal): Promise<void> {
    while (this.#log === null && !signal.aborted && !this.#closed) {
      if (this.#starting) await this.#starting.catch(() => undefined);
      else await sleep(this.#options.clock, this.#options.retryMs, signal).catch(() => undefined);
    }
  }

  /** A stream may stop without anybody saying so: its last GOP must become readable all the same. */
  #scheduleSweep(): void {
    const { clock, idleMs } = this.#options;
    this.#cancelSweep = clock.after(idleMs / 2, () => {
      const now = clock.monotonic();
      for (const camera of this.#cameras.values()) {
        if (camera.busy && now - camera.lastAppend > idleMs) camera.cut('no pictures', true);
      }
      this.#scheduleSweep();
    });
  }
}
