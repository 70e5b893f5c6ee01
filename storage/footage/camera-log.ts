import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import type { Disk } from './disk.js';
import type { FlushGate } from './flush-gate.js';
import { GopAssembler, sameTrack, type AssemblerLimits, type PendingGop } from './gop-assembler.js';
import type { IndexedGop } from './gop-index.js';
import type { LogFolder } from './log-folder.js';
import type { MemoryBudget } from './memory-budget.js';
import type { IndexedSegment, SealedSegment } from './segment.js';
import { SegmentWriter } from './segment-writer.js';

/** What the cameras of a log share. */
export interface CameraLogShared {
  disk: Disk;
  folder: LogFolder;
  clock: Clock;
  logger: Logger;
  gate: FlushGate;
  budget: MemoryBudget;
  limits: AssemblerLimits;
  segmentMs: number;
  gapMs: number;
  /** Most GOPs that wait for the disk. */
  queueGops: number;
  retryMs: number;
  /** Takes over a segment that is complete on disk; calls `forget` of the camera once it is in the catalogue. */
  sealed(segment: SealedSegment): void;
}

export interface CameraLogStats {
  gops: number;
  units: number;
  bytes: number;
  /** GOPs thrown away because the disk did not take them in time. */
  droppedGops: number;
  /** Units outside of any GOP: before the first keyframe, or unusable. */
  droppedUnits: number;
  /** Pieces of sound taken, and pieces that found no place: no GOP open, a kind that is not kept, late, twice, too much. */
  audioUnits: number;
  droppedAudio: number;
  queuedGops: number;
}

/** Where a camera's log goes on after a start. */
export interface ResumePoint {
  log: string;
  lastSegment: number;
  lastEndedAt: number | null;
}

const DROPPED = 'footage dropped: the disk did not take it in time';
const FAILED = 'the disk did not take footage';

/** Most GOPs that are written before the first of them is durable: the others can still be dropped. */
const WRITE_AHEAD = 8;

/** Segments of the camera that stay in memory after they are in the catalogue, for readers close behind the writer. */
const KEPT = 2;

/**
 * The log of one camera, from access units to sealed segments. `append` and `cut` never wait and never throw; a pump of its
 * own writes what is queued, and on failure keeps trying while the oldest GOPs beyond the limits are dropped and counted.
 */
export class CameraLog {
  readonly cameraId: string;
  readonly #shared: CameraLogShared;
  readonly #logger: Logger;
  readonly #assembler: GopAssembler;
  readonly #phase: number;
  readonly #queue: PendingGop[] = [];
  readonly #segments: { segment: IndexedSegment; registered: boolean }[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #stats = { gops: 0, units: 0, bytes: 0, droppedGops: 0, audioUnits: 0 };
  /** Of the segments that are complete. */
  #droppedAudio = 0;
  #resume: ResumePoint | null = null;
  #writer: SegmentWriter | null = null;
  /** Followed by `#writer` already: sealed as soon as the first GOP of that one is durable. */
  #rolled: SegmentWriter | null = null;
  #pump: Promise<void> | null = null;
  /** Set while the pump waits before another try; ends that wait. */
  #hurry: (() => void) | null = null;
  #sealWanted = false;
  #closing = false;
  /** Set when writing failed while closing: what is left is not tried again. */
  #gaveUp = false;
  /** GOPs at the head of the queue that are in the open segment, or being written to it, and not durable. */
  #written = 0;
  #writing: Promise<void> = Promise.resolve();
  #revision = 0;
  #ended = false;
  #failure: { reason: string; since: number } | null = null;
  #droppedLast = false;
  #lastAppend = 0;

  constructor(cameraId: string, shared: CameraLogShared) {
    this.cameraId = cameraId;
    this.#shared = shared;
    this.#logger = shared.logger.child({ camera: cameraId });
    this.#assembler = new GopAssembler(shared.limits);
    // Segments of many cameras must not all begin in the same second.
    this.#phase = createHash('sha256').update(cameraId).digest().readUInt32BE(0) % shared.segmentMs;
  }

  get stats(): CameraLogStats {
    return { ...this.#stats, droppedUnits: this.#assembler.droppedUnits, droppedAudio: this.#assembler.droppedAudio + this.#droppedAudio + (this.#writer?.droppedAudio ?? 0), queuedGops: this.#queue.length };
  }

  /** Why the camera's footage does not reach the disk; null where it does. */
  get failure(): { reason: string; since: number } | null {
    return this.#failure;
  }

  /** Segments in memory, rising; what is not here is in the catalogue. */
  get segments(): IndexedSegment[] {
    return this.#segments.map(({ segment }) => segment).filter((segment) => segment.gops.length > 0);
  }

  /** The segment being written; null where there is none. */
  get openSegment(): number | null {
    return this.#writer?.segment ?? null;
  }

  /** Monotonic ms of the newest unit. */
  get lastAppend(): number {
    return this.#lastAppend;
  }

  /** capturedAt of the newest durable unit. */
  get endedAt(): number | null {
    return this.#resume?.lastEndedAt ?? null;
  }

  /** True while units are held that are not durable, or a segment is open. */
  get busy(): boolean {
    return !this.#assembler.isEmpty || this.#queue.length > 0 || this.#writer !== null || this.#rolled !== null;
  }

  /** Lets writing begin. */
  resume(point: ResumePoint): void {
    this.#resume = point;
    this.#start();
  }

  append(unit: AccessUnit): void {
    this.#lastAppend = this.#shared.clock.monotonic();
    if (unit.keyframe && this.#resume !== null) this.#shared.folder.lookAhead(this.#resume.log);
    this.#enqueue(this.#assembler.push(unit));
  }

  /** Sound of the camera: kept with the pictures of its time, or dropped and counted; the pictures never wait for it. */
  appendAudio(unit: AudioUnit): void {
    if (this.#assembler.pushAudio(unit)) this.#stats.audioUnits++;
  }

  /** Ends the GOP in flight; what follows begins a new segment. `seal`: the open segment is complete now. */
  cut(reason: string, seal: boolean): void {
    this.#enqueue(this.#assembler.cut(reason));
    if (seal && this.busy) this.#sealWanted = true;
    this.#start();
  }

  /** Writes what is held and seals; gives up after one failed try, so that a broken disk cannot hold up the end. */
  async close(): Promise<void> {
    this.cut('service restarted', true);
    this.#closing = true;
    this.#start();
    this.#hurry?.();
    while (this.#pump !== null) await this.#pump;
    await this.#writing.catch(() => undefined);
    await this.#rolled?.abandon();
    await this.#writer?.abandon();
    this.#ended = true;
    this.#wake();
  }

  /** The segment is in the catalogue: memory may let go of it. */
  forget(segment: number): void {
    const entry = this.#segments.find((e) => e.segment.segment === segment);
    if (entry) entry.registered = true;
    while ((this.#segments[0]?.registered ?? false) && this.#segments.length > KEPT) this.#segments.shift();
  }

  /** These were removed. */
  forgetSegments(segments: readonly number[]): void {
    const gone = new Set(segments);
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const entry = this.#segments[i];
      if (entry?.registered && gone.has(entry.segment.segment)) this.#segments.splice(i, 1);
    }
  }

  /** Rises whenever there is more to read. */
  get revision(): number {
    return this.#revision;
  }

  /** Resolves once there is more to read than at revision `since`, or when the signal aborts, or at the end. */
  changed(since: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (signal.aborted || this.#ended || since !== this.#revision) return resolve();
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** True once nothing more will come. */
  get ended(): boolean {
    return this.#ended;
  }

  #wake(): void {
    this.#revision++;
    for (const done of [...this.#waiting]) done();
  }

  #enqueue(gop: PendingGop | null): void {
    if (gop === null) return;
    // What comes behind a cut begins a segment, and so seals the one before.
    this.#sealWanted = false;
    if (this.#droppedLast) gop.reason = DROPPED;
    this.#droppedLast = false;
    this.#queue.push(gop);
    this.#shared.budget.take(gop.bytes);
    while (this.#queue.length > this.#written && (this.#queue.length > this.#shared.queueGops || (this.#queue.length > 1 && this.#shared.budget.exceeded))) this.#drop();
    this.#start();
    this.#writeAhead();
  }

  /** While an earlier GOP waits for its flush, this one is written already. */
  #writeAhead(): void {
    if (this.#written === 0 || this.#writer === null || this.#writer.broken) return;
    this.#writing = this.#writing.then(() => this.#write(false));
    // The step that is under way waits for it, too, and says what went wrong.
    this.#writing.catch(() => undefined);
  }

  /** Drops the oldest GOP that is not written. */
  #drop(): void {
    const [gop] = this.#queue.splice(this.#written, 1) as [PendingGop];
    const next = this.#queue[this.#written];
    if (next) next.reason = DROPPED;
    else this.#droppedLast = true;
    this.#shared.budget.give(gop.bytes);
    this.#stats.droppedGops++;
  }

  #start(): void {
    if (this.#resume === null || this.#pump !== null || this.#gaveUp || !this.#workLeft) return;
    this.#pump = this.#run().finally(() => {
      this.#pump = null;
      // Something may have come between the last look and the end.
      this.#start();
    });
  }

  get #workLeft(): boolean {
    return this.#queue.length > 0 || this.#rolled !== null || (this.#writer !== null && (this.#sealWanted || this.#closing));
  }

  async #run(): Promise<void> {
    while (this.#workLeft) {
      try {
        if (this.#queue.length > 0) await this.#step();
        // What is durable already waits for nobody, and nobody for it.
        await this.#sealRolled();
        if (this.#queue.length === 0) await this.#sealIfWanted();
        this.#recovered();
      } catch (error) {
        this.#failed(error);
        if (this.#closing) {
          this.#gaveUp = true;
          return;
        }
        await this.#pause();
      }
    }
  }

  #recovered(): void {
    if (this.#failure === null) return;
    this.#logger.info({ droppedGops: this.#stats.droppedGops }, 'footage is written again');
    this.#failure = null;
  }

  #failed(error: unknown): void {
    const reason = messageOf(error);
    if (this.#failure?.reason !== reason) this.#logger.error({ error: reason }, 'footage cannot be written');
    this.#failure = { reason, since: this.#failure?.since ?? this.#shared.clock.now() };
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#shared.clock.after(this.#shared.retryMs, () => this.#hurry?.());
      this.#hurry = () => {
        cancel();
        this.#hurry = null;
        resolve();
      };
    });
  }

  /** Writes what is queued and belongs to the same segment, and then makes it durable with one flush. */
  async #step(): Promise<void> {
    const { gate } = this.#shared;
    try {
      await this.#writing;
      if (this.#writer?.broken) await gate.pass(() => this.#seal());
      await (this.#writing = this.#write(true));
      await gate.pass(() => this.#flush());
    } catch (error) {
      await this.#writing.catch(() => undefined);
      this.#writing = Promise.resolve();
      // Of what is not durable, nothing counts: it is written again, into another segment.
      this.#written = 0;
      throw error;
    }
  }

  /**
   * Writes queued GOPs: the next ones that belong to the open segment, or (`roll`) to a new one. They wait for nobody else's flush: what
   * is written outlives this process.
   */
  async #write(roll: boolean): Promise<void> {
    for (let first = this.#queue[this.#written]; first && this.#written < WRITE_AHEAD; first = this.#queue[this.#written]) {
      if (!roll && this.#writer?.broken) return;
      const last = this.#queue[this.#written - 1] ?? null;
      const reason = this.#writer === null ? (first.reason ?? (this.#failure ? FAILED : 'service started')) : this.#mustRoll(this.#writer, last, first);
      if (reason !== null) {
        // A segment is left with its last GOP durable.
        if (!roll || this.#written > 0) return;
        // From here on it cannot be dropped.
        this.#written = 1;
        await this.#sealRolled();
        // The segment before is on the disk as it is: the GOP goes first. Only what somebody removed is told at once.
        if (this.#writer && !(await this.#writer.present())) await this.#seal();
        this.#rolled = this.#writer;
        this.#open(first, reason);
      } else {
        this.#written++;
      }
      const writer = this.#writer as SegmentWriter;
      const batch = [first];
      for (let next = this.#queue[this.#written]; next && this.#written < WRITE_AHEAD; next = this.#queue[this.#written]) {
        if (this.#mustRoll(writer, batch.at(-1) as PendingGop, next) !== null) break;
        batch.push(next);
        this.#written++;
      }
      await writer.write(batch);
    }
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const writer = this.#writer as SegmentWriter;
    const before = writer.bytes;
    const count = await writer.flush();
    const durable = this.#queue.splice(0, count);
    this.#written -= count;
    for (const gop of durable) {
      this.#shared.budget.give(gop.bytes);
      this.#stats.gops++;
      this.#stats.units += gop.units.length;
    }
    this.#stats.bytes += writer.bytes - before;
    (this.#resume as ResumePoint).lastEndedAt = (writer.gops.at(-1) as IndexedGop).endedAt;
    this.#wake();
  }

  /** Why `next` cannot continue the segment after `last` (null: after what is already written); null where it can. */
  #mustRoll(writer: SegmentWriter, last: PendingGop | null, next: PendingGop): string | null {
    const { segmentMs, gapMs } = this.#shared;
    const startedAt = (next.units[0] as AccessUnit).capturedAt;
    const endedAt = last?.units.at(-1)?.capturedAt ?? writer.gops.at(-1)?.endedAt;
    // Of a segment without GOPs yet, the first of the batch begins it.
    const began = writer.gops[0]?.startedAt ?? this.#queue[0]?.units[0]?.capturedAt ?? startedAt;
    if (next.reason !== null && !(last === null && writer.gops.length === 0)) return next.reason;
    if (!sameTrack(writer.plan.track, next.track)) return 'parameters changed';
    if (endedAt !== undefined && startedAt - endedAt > gapMs) return 'gap';
    if (endedAt !== undefined && startedAt < endedAt) return 'time went back';
    const bucket = (at: number): number => Math.floor((at - this.#phase) / segmentMs);
    return bucket(startedAt) === bucket(began) ? null : 'interval';
  }

  #open(head: PendingGop, reason: string): void {
    const { disk, folder } = this.#shared;
    const resume = this.#resume as ResumePoint;
    const plan = { log: resume.log, cameraId: this.cameraId, segment: resume.lastSegment + 1, reason, previousEndedAt: resume.lastEndedAt, track: head.track, gapMs: this.#shared.gapMs };
    this.#writer = new SegmentWriter(disk, folder, plan);
    this.#segments.push({ segment: this.#writer, registered: false });
    resume.lastSegment = plan.segment;
  }

  async #sealRolled(): Promise<void> {
    const writer = this.#rolled;
    if (!writer) return;
    const sha256 = await writer.seal();
    this.#rolled = null;
    this.#handOn(writer, sha256);
  }

  async #seal(): Promise<void> {
    await this.#sealRolled();
    const writer = this.#writer;
    if (!writer) return;
    const sha256 = await writer.seal();
    this.#writer = null;
    this.#handOn(writer, sha256);
  }

  async #sealIfWanted(): Promise<void> {
    if (this.#writer === null || !(this.#sealWanted || this.#closing)) return;
    this.#sealWanted = false;
    await this.#seal().catch((error: unknown) => {
      this.#sealWanted = true;
      throw error;
    });
  }

  /** The segment goes on to the catalogue. @throws BerthwatchError unavailable, where somebody removed its file */
  #handOn(writer: SegmentWriter, sha256: Buffer | null): void {
    this.#droppedAudio += writer.droppedAudio;
    if (sha256 === null) {
      this.#segments.splice(this.#segments.findIndex((entry) => entry.segment === writer), 1);
      if (writer.gops.length > 0) {
        this.#logger.error({ segment: writer.segment, gops: writer.gops.length }, 'a segment was removed while it was being written: its footage is lost');
        // What follows has its own end already.
        if (this.#writer === null) (this.#resume as ResumePoint).lastEndedAt = writer.plan.previousEndedAt;
        throw new BerthwatchError('unavailable', 'FOOTAGE_REMOVED', `${writer.path} was removed while it was being written`);
      }
      return;
    }
    const { cameraId, segment, codec, width, height, gops, bytes, gapBefore, overlapBefore } = writer;
    this.#shared.sealed({ cameraId, segment, codec, width, height, gops, bytes, sha256, recovered: false, gapBefore, overlapBefore });
  }
}
