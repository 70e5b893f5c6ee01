import { createHash, type Hash } from 'node:crypto';
import type { BerthwatchError } from '../../base/errors.js';
import { diskError, isMissing } from '../disk-error.js';
import { AudioTrack, type TrackRun } from './audio-track.js';
import type { Disk, DiskFile } from './disk.js';
import { writeFragment } from './fragment.js';
import type { PendingGop } from './gop-assembler.js';
import type { IndexedGop } from './gop-index.js';
import type { LogFolder } from './log-folder.js';
import type { TrackFormat } from './sample-entry.js';
import { gapBetween, overlapBetween, type Gap, type IndexedSegment, type Overlap } from './segment.js';
import { writeSegmentHeader, type SegmentHeader } from './segment-header.js';

export interface SegmentPlan {
  log: string;
  cameraId: string;
  segment: number;
  reason: string;
  previousEndedAt: number | null;
  track: TrackFormat;
  gapMs: number;
}

/**
 * One segment file while it is being written: GOPs are written, then made durable. Only those that are durable are listed in `gops`; after a failure the file is
 * given up (`broken`): a disk that refused to flush may have thrown the bytes away, so no later success means anything.
 */
export class SegmentWriter implements IndexedSegment {
  readonly cameraId: string;
  readonly segment: number;
  readonly codec;
  readonly width: number;
  readonly height: number;
  readonly gops: IndexedGop[] = [];
  readonly plan: SegmentPlan;
  readonly path: string;
  readonly #disk: Disk;
  readonly #folder: LogFolder;
  readonly #hash: Hash = createHash('sha256');
  #file: DiskFile | null = null;
  /** Of the header and the durable GOPs. */
  #size = 0;
  #basePts: number | null = null;
  /** Set with the first GOP; null where the segment has no sound. */
  #audio: AudioTrack | null = null;
  /** With what is written and not durable. */
  #end = 0;
  readonly #unflushed: { bytes: Buffer; entries: IndexedGop[] }[] = [];
  #failure: BerthwatchError | null = null;
  #abandoned = false;
  #untaken = 0;

  constructor(disk: Disk, folder: LogFolder, plan: SegmentPlan) {
    this.#disk = disk;
    this.#folder = folder;
    this.plan = plan;
    this.cameraId = plan.cameraId;
    this.segment = plan.segment;
    this.codec = plan.track.codec;
    this.width = plan.track.width;
    this.height = plan.track.height;
    this.path = folder.segmentPath(plan.cameraId, plan.segment);
  }

  get gapBefore(): Gap | null {
    const startedAt = this.gops[0]?.startedAt;
    return startedAt === undefined ? null : gapBetween(this.plan.previousEndedAt, startedAt, this.plan.reason, this.plan.gapMs);
  }

  get overlapBefore(): Overlap | null {
    const startedAt = this.gops[0]?.startedAt;
    return startedAt === undefined ? null : overlapBetween(this.segment, this.plan.previousEndedAt, startedAt, this.plan.reason);
  }

  get broken(): boolean {
    return this.#failure !== null || this.#abandoned;
  }

  get bytes(): number {
    return this.#size;
  }

  /** Pieces of sound that did not fit into the segment's track. */
  get droppedAudio(): number {
    return this.#audio?.dropped ?? this.#untaken;
  }

  /**
   * Writes GOPs behind those before, the first time into a new file. From then on they outlive this process, and with `flush` the machine;
   * only then they count as written. One call at a time; a flush may be under way.
   *
   * @throws BerthwatchError unavailable: nothing that is not durable yet counts
   */
  async write(gops: readonly PendingGop[]): Promise<void> {
    const first = gops[0]?.units[0];
    if (!first) return;
    const parts: Buffer[] = [];
    const entries: IndexedGop[] = [];
    const making = this.#file === null;
    this.#basePts ??= first.pts;
    let end = this.#end;
    if (making) {
      // The track is settled here: sound that begins later, or changes, comes with the next segment.
      const format = gops[0]?.audioFormat ?? null;
      this.#audio = format && new AudioTrack(format, this.#basePts);
      const header = writeSegmentHeader(this.#header(), this.plan.track, first.capturedAt, format);
      parts.push(header);
      end += header.length;
    }
    const ahead = this.#unflushed.reduce((count, piece) => count + piece.entries.length, 0);
    for (const gop of gops) {
      const number = this.gops.length + ahead + entries.length;
      const audio = this.#soundOf(gop);
      const { bytes, headBytes } = writeFragment({ gop: number, units: gop.units, basePts: this.#basePts, nextPts: gop.nextPts, audio });
      const startedAt = gop.units[0]?.capturedAt as number;
      entries.push({ gop: number, offset: end, length: bytes.length, headBytes, startedAt, endedAt: gop.units.at(-1)?.capturedAt as number, units: gop.units.length });
      parts.push(bytes);
      end += bytes.length;
    }
    const bytes = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    try {
      if (making) await this.#make();
      await (this.#file as unknown as DiskFile).write(bytes, this.#end);
    } catch (error) {
      throw this.#fail(error);
    }
    this.#unflushed.push({ bytes, entries });
    this.#end = end;
  }

  /**
   * Makes durable what was written until now, with the file's name.
   *
   * @returns GOPs that are durable now and were not
   * @throws BerthwatchError unavailable: nothing of it counts
   */
  async flush(): Promise<number> {
    if (this.#failure) throw this.#failure;
    const pieces = this.#unflushed.slice();
    const before = this.gops.length;
    try {
      // What was written where another disk came in between does not count.
      if (before === 0) await this.#folder.check(this.plan.log);
      await (this.#file as DiskFile).flush();
      if (before === 0) await this.#folder.syncCameraFolder(this.cameraId);
    } catch (error) {
      throw this.#fail(error);
    }
    if (this.#failure) throw this.#failure;
    this.#unflushed.splice(0, pieces.length);
    for (const { bytes, entries } of pieces) {
      this.#hash.update(bytes);
      this.#size += bytes.length;
      this.gops.push(...entries);
    }
    return this.gops.length - before;
  }

  #fail(error: unknown): BerthwatchError {
    const failure = diskError(error, this.path);
    this.#failure ??= failure;
    return failure;
  }

  /** Whether the file is where it was made; of a broken one, or one that is not made yet, nothing is said: true. */
  async present(): Promise<boolean> {
    return this.broken || this.#file === null || this.#file.named();
  }

  /**
   * Ends the file, which is durable as it is. After a failure it is first cut back to what is durable, so that a GOP which is written again elsewhere
   * cannot turn up twice; a file without any GOP is removed.
   *
   * @returns the file's SHA-256; null where there is nothing to keep (no GOP, or somebody removed the file)
   * @throws BerthwatchError unavailable: to be called again later
   */
  async seal(): Promise<Buffer | null> {
    try {
      let gone = false;
      if (this.broken) {
        gone = await this.#cutBack();
      } else {
        gone = !(await this.present());
        await this.#close();
      }
      return gone || this.gops.length === 0 ? null : this.#hash.copy().digest();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #soundOf(gop: PendingGop): TrackRun | null {
    if (this.#audio === null) {
      this.#untaken += gop.audio.length;
      return null;
    }
    return this.#audio.run(gop.audio, gop.nextPts ?? (gop.units.at(-1)?.pts as number));
  }

  /** Lets go of the file as it is: the next start recovers what is durable. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    await this.#close();
  }

  /** True where the file is gone. */
  async #cutBack(): Promise<boolean> {
    await this.#close();
    await this.#folder.check(this.plan.log);
    if (this.gops.length === 0) {
      await this.#disk.remove(this.path).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
      // A name that came back after a power cut would bring GOPs that are written again elsewhere.
      await this.#disk.syncFolder(this.#folder.cameraFolder(this.cameraId)).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
      return true;
    }
    let file: DiskFile;
    try {
      file = await this.#disk.openExisting(this.path);
    } catch (error) {
      if (isMissing(error)) return true;
      throw error;
    }
    try {
      await file.truncate(this.#size);
      await file.flush();
    } finally {
      await file.close();
    }
    return false;
  }

  async #make(): Promise<void> {
    // Each step waits for a turn of the event loop, which on a busy machine is long: a killed process loses what is not written by then.
    await this.#folder.checkLately(this.plan.log);
    try {
      this.#file = await this.#disk.create(this.path);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await this.#folder.check(this.plan.log);
      await this.#folder.makeCameraFolder(this.cameraId);
      this.#file = await this.#disk.create(this.path);
    }
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => undefined);
  }

  #header(): SegmentHeader {
    const { log, cameraId, segment, reason, previousEndedAt, track } = this.plan;
    return { version: 1, log, camera: cameraId, segment, codec: track.codec, width: track.width, height: track.height, reason, previousEndedAt };
  }
}
