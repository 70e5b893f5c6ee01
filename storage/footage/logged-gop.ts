import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { AccessUnit, Codec } from '../../ingest/access-unit.js';
import { diskError, isMissing } from '../disk-error.js';
import type { Disk } from './disk.js';
import { readFragment, toAccessUnit, unitIsSound, type Fragment, type FragmentUnit } from './fragment.js';
import type { IndexedGop } from './gop-index.js';
import type { LogFolder } from './log-folder.js';
import type { IndexedSegment, LogPosition } from './segment.js';

/** A GOP in the footage log: durable, and the same whenever it is read. */
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
  readonly #path: string;
  readonly #disk: Disk;

  constructor(segment: IndexedSegment, entry: IndexedGop, folder: LogFolder, disk: Disk) {
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
    this.#path = folder.segmentPath(segment.cameraId, segment.segment);
    this.#disk = disk;
  }

  /**
   * All its units in decode order, the keyframe first; every NAL unit behind a four-byte start code.
   *
   * @throws BerthwatchError not-found (retention removed it), bad-input (the file is damaged), unavailable (the disk)
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
   * Its fragment as it is stored (fragment.ts), every picture checked. The bytes are the caller's own.
   *
   * @throws BerthwatchError as `read`
   */
  async readFragment(): Promise<Buffer> {
    const { bytes, fragment } = await this.#load(this.#entry.length);
    const bad = fragment.units.find((unit) => !unitIsSound(bytes, unit));
    if (bad) throw this.#damaged(new Error(`the picture captured at ${bad.capturedAt} fails its checksum`));
    return bytes;
  }

  /** The boxes before the first fragment of its segment (segment-header.ts): what a player must have first. @throws BerthwatchError as `read` */
  readHeader(): Promise<Buffer> {
    return this.#bytes(0, this.#headerBytes);
  }

  #unit(bytes: Buffer, unit: FragmentUnit, keyframe: boolean): AccessUnit {
    try {
      return toAccessUnit(bytes, unit, { cameraId: this.cameraId, codec: this.codec, keyframe });
    } catch (error) {
      throw this.#damaged(error);
    }
  }

  async #bytes(offset: number, length: number): Promise<Buffer> {
    try {
      return await this.#disk.read(this.#path, offset, length);
    } catch (error) {
      if (isMissing(error)) throw new BerthwatchError('not-found', 'FOOTAGE_GONE', `${this.#path} is not there any more: retention removed it, or it is lost`, { cause: error });
      throw diskError(error, this.#path);
    }
  }

  async #load(length: number): Promise<{ bytes: Buffer; fragment: Fragment }> {
    const bytes = await this.#bytes(this.#entry.offset, length);
    try {
      const fragment = readFragment(bytes);
      if (fragment.gop !== this.#entry.gop || fragment.units.length !== this.#entry.units || fragment.length !== this.#entry.length) throw new Error('another GOP stands in its place');
      return { bytes, fragment };
    } catch (error) {
      throw this.#damaged(error);
    }
  }

  #damaged(error: unknown): BerthwatchError {
    return new BerthwatchError('bad-input', 'FOOTAGE_DAMAGED', `${this.#path}, GOP ${this.#entry.gop} at byte ${this.#entry.offset}: ${messageOf(error)}`, { cause: error });
  }
}
