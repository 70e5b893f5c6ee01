import { createHash, type Hash } from 'node:crypto';
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
 * One segment file while it is being written. Only GOPs that are durable are listed in `gops`; after a failure the file is
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
  #broken = false;
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
    return this.#broken;
  }

  get bytes(): number {
    return this.#size;
  }

  /** Pieces of sound that did not fit into the segment's track. */
  get droppedAudio(): number {
    return this.#audio?.dropped ?? this.#untaken;
  }

  /**
   * Appends GOPs and makes them durable together with one flush. The first call makes the file: write, flush, then its name.
   *
   * @throws BerthwatchError unavailable: nothing of these GOPs counts as written
   */
  async append(gops: readonly PendingGop[]): Promise<void> {
    const parts: Buffer[] = [];
    const entries: IndexedGop[] = [];
    const first = gops[0]?.units[0];
    if (!first) return;
    const making = this.#file === null;
    this.#basePts ??= first.pts;
    let size = this.#size;
    if (making) {
      // The track is settled here: sound that begins later, or changes, comes with the next segment.
      const format = gops[0]?.audioFormat ?? null;
      this.#audio = format && new AudioTrack(format, this.#basePts);
      const header = writeSegmentHeader(this.#header(), this.plan.track, first.capturedAt, format);
      parts.push(header);
      size += header.length;
    }
    for (const gop of gops) {
      const number = this.gops.length + entries.length;
      const audio = this.#soundOf(gop);
      const { bytes, headBytes } = writeFragment({ gop: number, units: gop.units, basePts: this.#basePts, nextPts: gop.nextPts, audio });
      const startedAt = gop.units[0]?.capturedAt as number;
      entries.push({ gop: number, offset: size, length: bytes.length, headBytes, startedAt, endedAt: gop.units.at(-1)?.capturedAt as number, units: gop.units.length });
      parts.push(bytes);
      size += bytes.length;
    }
    try {
      if (making) await this.#make();
      const file = this.#file as unknown as DiskFile;
      const bytes = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      await file.write(bytes, this.#size);
      await file.flush();
      if (making) await this.#disk.syncFolder(this.#folder.cameraFolder(this.cameraId));
      this.#hash.update(bytes);
    } catch (error) {
      this.#broken = true;
      throw diskError(error, this.path);
    }
    this.#size = size;
    this.gops.push(...entries);
  }

  /**
   * Ends the file. After a failure it is first cut back to what is durable, so that a GOP which is written again elsewhere
   * cannot turn up twice; a file without any GOP is removed.
   *
   * @returns the file's SHA-256; null where there is nothing to keep (no GOP, or somebody removed the file)
   * @throws BerthwatchError unavailable: to be called again later
   */
  async seal(): Promise<Buffer | null> {
    try {
      let gone = false;
      if (this.#broken) {
        gone = await this.#cutBack();
      } else {
        await this.#file?.flush().catch((error: unknown) => {
          if (!isMissing(error)) throw error;
          gone = true;
        });
        await this.#close();
      }
      return gone || this.gops.length === 0 ? null : this.#hash.copy().digest();
    } catch (error) {
      this.#broken = true;
      throw diskError(error, this.path);
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
    this.#broken = true;
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
    await this.#folder.check(this.plan.log);
    try {
      this.#file = await this.#disk.create(this.path);
    } catch (error) {
      if (!isMissing(error)) throw error;
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
