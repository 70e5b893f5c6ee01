import { sleep, type Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../access-unit.js';
import type { FrameSource } from '../frame-source.js';
import { AccessUnitAssembler, type CodedPicture, type DropReason } from '../media/access-unit-assembler.js';
import { demuxFile } from './demuxer.js';

export interface FileSourceOptions {
  cameraId: string;
  /** MP4, MPEG-TS, MPEG-PS, Matroska, AVI, or a bare H.264 or H.265 stream. */
  file: string;
  /** Unix ms at which the file's first keyframe was taken. */
  startAt: number;
  /** Seconds of the recording per second of the clock; null: as fast as the pictures are taken. */
  speed: number | null;
  clock: Clock;
  logger: Logger;
}

const TICKS_PER_MS = 90;
const DEFAULT_TICKS = 3600;
/** Times that go back further than pictures are ever reordered mean that the file was joined from pieces. */
const MAX_BACK_TICKS = 90_000;

/**
 * A recording as a source of access units, in decode order: the first one is a keyframe with `capturedAt` = `startAt` and
 * `pts` 0. Files with B-frames are taken as they are (see `AccessUnit`): `pts` and `capturedAt` follow the decode times, exact
 * at keyframes and rising between them, `compositionOffset` keeps the presentation times.
 */
export class FileSource implements FrameSource {
  readonly cameraId: string;
  readonly #options: FileSourceOptions;
  readonly #dropped: Record<DropReason, number> = { 'no-keyframe': 0, 'no-parameters': 0, damaged: 0, 'too-large': 0 };

  constructor(options: FileSourceOptions) {
    this.cameraId = options.cameraId;
    this.#options = options;
  }

  /** Pictures of the last run that were not handed on, by reason (those before the first keyframe above all). */
  get dropped(): Readonly<Record<DropReason, number>> {
    return this.#dropped;
  }

  /** @throws BerthwatchError not-found, bad-input or unavailable, see `demuxFile`; an abort just ends it */
  async *units(signal: AbortSignal): AsyncGenerator<AccessUnit, void> {
    const { file, logger } = this.#options;
    let ready: CodedPicture[] = [];
    const assembler = new AccessUnitAssembler(
      {
        picture: (picture) => ready.push(picture),
        format: (format) => logger.info({ cameraId: this.cameraId, file, ...format }, 'recording begins or changes its format'),
        dropped: (reason) => this.#dropped[reason]++,
      },
      { maxUnitBytes: 32 * 1024 * 1024 },
    );
    const timeline = new FileTimeline();
    const pace = new Pace(this.#options);
    let last: number | null = null;
    let distance = DEFAULT_TICKS;
    for await (const { dts, offset, data } of demuxFile(file, signal, logger)) {
      // Bare streams may come without times: then one picture follows the other at the last distance known.
      const ticks: number = dts ?? (last === null ? 0 : last + distance);
      if (last !== null && ticks > last && ticks - last <= 90_000) distance = ticks - last;
      last = ticks;
      assembler.push(data, { ticks, offset, arrivalMs: 0 });
      for (const picture of ready) {
        const unit = this.#unit(picture, timeline);
        if (!(await pace.wait(unit.pts, signal))) return;
        yield unit;
        if (signal.aborted) return;
      }
      ready = [];
    }
    if (signal.aborted) return;
    assembler.flush();
    for (const picture of ready) {
      const unit = this.#unit(picture, timeline);
      if (!(await pace.wait(unit.pts, signal))) return;
      yield unit;
    }
  }

  #unit(picture: CodedPicture, timeline: FileTimeline): AccessUnit {
    const { pts, compositionOffset } = timeline.place(picture);
    const { codec, keyframe, data } = picture;
    return {
      cameraId: this.cameraId,
      codec,
      keyframe,
      pts,
      capturedAt: timeline.capturedAt(this.#options.startAt, pts),
      data,
      ...(compositionOffset === 0 ? {} : { compositionOffset }),
    };
  }
}

/** Turns the decode times of a file into the `pts` of access units. */
class FileTimeline {
  #keyOffset = 0;
  /** Added to the file's times. */
  #shift: number | null = null;
  #lastPts = -1;
  #lastCapturedAt = 0;

  place(picture: CodedPicture): { pts: number; compositionOffset: number } {
    if (picture.keyframe) this.#keyOffset = picture.offset;
    const ticks = picture.ticks + this.#keyOffset;
    this.#shift ??= -ticks;
    let pts = ticks + this.#shift;
    if (pts < this.#lastPts - MAX_BACK_TICKS) {
      this.#shift = this.#lastPts + DEFAULT_TICKS - ticks;
      pts = ticks + this.#shift;
    }
    const rising = Math.max(pts, this.#lastPts + 1);
    this.#lastPts = rising;
    return { pts: rising, compositionOffset: picture.offset - this.#keyOffset + pts - rising };
  }

  capturedAt(startAt: number, pts: number): number {
    const at = Math.round(startAt + pts / TICKS_PER_MS);
    this.#lastCapturedAt = this.#lastCapturedAt === 0 ? at : Math.max(at, this.#lastCapturedAt + 1);
    return this.#lastCapturedAt;
  }
}

/** Holds units back until their time has come, where a speed is set. */
class Pace {
  readonly #speed: number | null;
  readonly #clock: Clock;
  #startedAt: number | null = null;

  constructor({ speed, clock }: FileSourceOptions) {
    this.#speed = speed;
    this.#clock = clock;
  }

  /** False where the signal was aborted meanwhile. */
  async wait(pts: number, signal: AbortSignal): Promise<boolean> {
    if (this.#speed === null) return !signal.aborted;
    this.#startedAt ??= this.#clock.monotonic();
    const due = this.#startedAt + pts / TICKS_PER_MS / this.#speed;
    const ahead = due - this.#clock.monotonic();
    if (ahead > 0) await sleep(this.#clock, ahead, signal).catch(() => undefined);
    return !signal.aborted;
  }
}
