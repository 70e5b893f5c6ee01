import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { AccessUnit, Codec } from '../../ingest/access-unit.js';
import { audioIsSound } from './audio-box.js';
import type { AudioFormat } from './audio-entry.js';
import { readFragment, toAccessUnit, unitIsSound, type Fragment, type FragmentUnit } from './fragment.js';
import type { IndexedGop } from './gop-index.js';
import type { IndexedSegment, LogPosition } from './segment.js';
import type { SegmentBytes } from './segment-bytes.js';

/** The sound of a GOP, whole frames without a hole between them. */
export interface LoggedAudio {
  format: AudioFormat;
  /** 90 kHz ticks on the line of the GOP's pictures, of the first sample. */
  pts: number;
  /** `duration` in samples (1 / `format.sampleRate` seconds). */
  samples: { duration: number; data: Buffer }[];
}

/** A GOP in the footage log: durable, and the same whenever and from wherever it is read (disk or archive). */
export class LoggedGop {
  readonly cameraId: string;
  readonly position: LogPosition;
  /** capturedAt of its first and of its last unit, Unix ms. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly codec: Codec;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Access units in it. */
  readonly units: number;
  /** Bytes on disk. */
  readonly bytes: number;
  readonly #entry: IndexedGop;
  readonly #headerBytes: number;
  readonly #source: SegmentBytes;

  constructor(segment: IndexedSegment, entry: IndexedGop, source: SegmentBytes) {
    this.cameraId = segment.cameraId;
    this.position = { segment: segment.segment, gop: entry.gop };
    this.startedAt = entry.startedAt;
    this.endedAt = entry.endedAt;
    this.codec = segment.codec;
    this.width = segment.width;
    this.height = segment.height;
    this.units = entry.units;
    this.bytes = entry.length;
    this.#entry = entry;
    this.#headerBytes = segment.gops[0]?.offset ?? 0;
    this.#source = source;
  }

  /**
   * All its units in decode order, the keyframe first; every NAL unit behind a four-byte start code.
   *
   * @throws BerthwatchError not-found (retention removed it), bad-input (it is damaged), unavailable (the disk, or the archive)
   */
  async read(): Promise<AccessUnit[]> {
    const { bytes, fragment } = await this.#load(this.#entry.length);
    return fragment.units.map((unit, i) => this.#unit(bytes, unit, i === 0));
  }

  /** Its keyframe alone, without reading the rest. @throws BerthwatchError as `read` */
  async readKeyframe(): Promise<AccessUnit> {
    const { bytes, fragment } = await this.#load(this.#entry.headBytes);
    return this.#unit(bytes, fragment.units[0] as FragmentUnit, true);
  }

  /**
   * Its fragment as it is stored (fragment.ts), pictures and sound checked. The bytes are the caller's own.
   *
   * @throws BerthwatchError as `read`
   */
  async readFragment(): Promise<Buffer> {
    const { bytes, fragment } = await this.#load(this.#entry.length);
    const bad = fragment.units.find((unit) => !unitIsSound(bytes, unit));
    if (bad) throw this.#damaged(new Error(`the picture captured at ${bad.capturedAt} fails its checksum`));
    if (fragment.audio && !audioIsSound(bytes, fragment.audio)) throw this.#damaged(new Error('its sound fails its checksum'));
    return bytes;
  }

  /** The boxes before the first fragment of its segment (segment-header.ts): what a player must have first. @throws BerthwatchError as `read` */
  readHeader(): Promise<Buffer> {
    return this.#source.read(this.#segment, 0, this.#headerBytes);
  }

  /** Its sound; null where it has none. @throws BerthwatchError as `read` */
  async readAudio(): Promise<LoggedAudio | null> {
    const { bytes, fragment } = await this.#load(this.#entry.length);
    const { audio } = fragment;
    if (audio === null) return null;
    if (!audioIsSound(bytes, audio)) throw this.#damaged(new Error('its sound fails its checksum'));
    return { format: audio.format, pts: audio.pts, samples: audio.samples.map(({ duration, from, to }) => ({ duration, data: bytes.subarray(from, to) })) };
  }

  #unit(bytes: Buffer, unit: FragmentUnit, keyframe: boolean): AccessUnit {
    try {
      return toAccessUnit(bytes, unit, { cameraId: this.cameraId, codec: this.codec, keyframe });
    } catch (error) {
      throw this.#damaged(error);
    }
  }

  async #load(length: number): Promise<{ bytes: Buffer; fragment: Fragment }> {
    const bytes = await this.#source.read(this.#segment, this.#entry.offset, length);
    try {
      const fragment = readFragment(bytes);
      if (fragment.gop !== this.#entry.gop || fragment.units.length !== this.#entry.units || fragment.length !== this.#entry.length) throw new Error('another GOP stands in its place');
      return { bytes, fragment };
    } catch (error) {
      throw this.#damaged(error);
    }
  }

  get #segment(): { cameraId: string; segment: number } {
    return { cameraId: this.cameraId, segment: this.position.segment };
  }

  #damaged(error: unknown): BerthwatchError {
    return new BerthwatchError('bad-input', 'FOOTAGE_DAMAGED', `${this.#source.describe(this.#segment)}, GOP ${this.#entry.gop} at byte ${this.#entry.offset}: ${messageOf(error)}`, { cause: error });
  }
}
