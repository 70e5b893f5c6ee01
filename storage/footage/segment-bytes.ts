import { BerthwatchError, messageOf } from '../../base/errors.js';
import { diskError, isMissing } from '../disk-error.js';
import type { Disk } from './disk.js';
import type { LogFolder } from './log-folder.js';
import type { SegmentArchive, SegmentName } from './segment-archive.js';

/**
 * Bytes of segments, wherever they are: on the disk, or else in the archive. The disk is always asked first, so that a segment
 * that leaves it while it is being read is read on from the archive, and one that comes back is read here again.
 */
export class SegmentBytes {
  readonly #disk: Disk;
  readonly #folder: LogFolder;
  readonly #archive: SegmentArchive | null;

  constructor(options: { disk: Disk; folder: LogFolder; archive: SegmentArchive | null }) {
    this.#disk = options.disk;
    this.#folder = options.folder;
    this.#archive = options.archive;
  }

  /**
   * `length` bytes from `offset`; fewer only at the end of the segment.
   *
   * @throws BerthwatchError not-found (retention removed it, or it is lost), unavailable (the disk or the archive does not work
   *   now), bad-input (the archived object is damaged)
   */
  async read(segment: SegmentName, offset: number, length: number): Promise<Buffer> {
    const path = this.#folder.segmentPath(segment.cameraId, segment.segment);
    try {
      return await this.#disk.read(path, offset, length);
    } catch (error) {
      if (!isMissing(error)) throw diskError(error, path);
      return this.#elsewhere(segment, path, offset, length, error);
    }
  }

  /** For messages. */
  describe(segment: SegmentName): string {
    return this.#folder.segmentPath(segment.cameraId, segment.segment);
  }

  async #elsewhere(segment: SegmentName, path: string, offset: number, length: number, cause: unknown): Promise<Buffer> {
    try {
      if (this.#archive) return await this.#archive.read(segment, offset, length);
    } catch (error) {
      if (!(error instanceof BerthwatchError && error.kind === 'not-found')) throw error;
      cause = error;
    }
    // Without its meta file the folder is an unmounted disk, on which nothing is to be found and nothing is lost.
    if ((await this.#folder.readId()) === null) throw new BerthwatchError('unavailable', 'FOOTAGE_WRONG_DISK', `${this.#folder.path} has no meta file: is the disk mounted?`, { cause });
    const why = this.#archive ? messageOf(cause) : 'retention removed it, or it is lost';
    throw new BerthwatchError('not-found', 'FOOTAGE_GONE', `${path} is not there any more: ${why}`, { cause });
  }
}
