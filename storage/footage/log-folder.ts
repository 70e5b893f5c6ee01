import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { BerthwatchError } from '../../base/errors.js';
import { diskError, isMissing } from '../disk-error.js';
import type { Disk } from './disk.js';

const META = 'meta';
const CAMERAS = 'cameras';
const LATELY_MS = 2_000;

const metaSchema = z.object({ format: z.literal('berthwatch-footage'), version: z.literal(1), log: z.uuid() });

/**
 * The folder of a footage log:
 *
 *     meta                         which log this is
 *     cameras/<camera>/NNNNNNNN.mp4   its segments, by number
 *
 * `meta` is asked for whenever a file is to be made, because an unmounted disk leaves a folder that looks empty and would
 * silently take footage onto the wrong disk.
 */
export class LogFolder {
  readonly path: string;
  readonly #disk: Disk;
  #reading: Promise<string | null> | null = null;
  /** Whose folder it was when that was last looked at, monotonic ms; null: nobody's that we know. */
  #right: { id: string; at: number } | null = null;
  /** Cameras whose folder was made and is not durable. */
  readonly #unsynced = new Set<string>();

  constructor(path: string, disk: Disk) {
    this.path = path;
    this.#disk = disk;
  }

  /**
   * The id in `meta`; null where there is none.
   *
   * @throws BerthwatchError unavailable (the folder cannot be read), conflict (the file is not a footage log's)
   */
  async readId(): Promise<string | null> {
    const path = join(this.path, META);
    let text: string;
    try {
      text = (await this.#disk.read(path, 0, 4096)).toString('utf8');
    } catch (error) {
      if (isMissing(error)) return null;
      throw diskError(error, path);
    }
    let value: unknown = null;
    try {
      value = JSON.parse(text);
    } catch {
      // Told below, with the rest that may be wrong.
    }
    const parsed = metaSchema.safeParse(value);
    if (!parsed.success) throw new BerthwatchError('conflict', 'FOOTAGE_META', `${path} is not the meta file of a footage log of this version: point the footage folder elsewhere, or restore the file`);
    return parsed.data.log;
  }

  /** Makes the folder a log of its own, with a new id. */
  async initialise(): Promise<string> {
    const log = randomUUID();
    try {
      await this.#disk.makeFolder(this.path);
      if ((await this.#disk.list(join(this.path, CAMERAS))).length > 0) {
        throw new BerthwatchError('conflict', 'FOOTAGE_META', `${this.path} holds footage but no meta file: restore the file, or move the footage away`);
      }
      const temporary = join(this.path, `${META}.new`);
      await this.#disk.remove(temporary).catch(() => undefined);
      const file = await this.#disk.create(temporary);
      await file.write(Buffer.from(JSON.stringify({ format: 'berthwatch-footage', version: 1, log })), 0);
      await file.flush();
      await file.close();
      await this.#disk.rename(temporary, join(this.path, META));
      await this.#disk.syncFolder(this.path);
    } catch (error) {
      throw diskError(error, this.path);
    }
    return log;
  }

  /** @throws BerthwatchError unavailable, where the folder is not (any more) that of log `id` */
  async check(id: string): Promise<void> {
    // After a start all cameras ask in the same instant: those who come while it is being read share the answer.
    this.#reading ??= this.readId().finally(() => (this.#reading = null));
    this.#right = null;
    const found = await this.#reading;
    if (found === id) {
      this.#right = { id, at: performance.now() };
      return;
    }
    const what = found === null ? 'has no meta file: is the disk mounted?' : `belongs to footage log ${found}: is the wrong disk mounted?`;
    throw new BerthwatchError('unavailable', 'FOOTAGE_WRONG_DISK', `${this.path} should be footage log ${id} but ${what} Nothing is written there`);
  }

  /** The same, where an answer of the last two seconds will do. @throws BerthwatchError as `check` */
  async checkLately(id: string): Promise<void> {
    if (!this.#wasRight(id, LATELY_MS)) await this.check(id);
  }

  /** A file is going to be made soon: looks ahead, so that it need not wait for the look then. */
  lookAhead(id: string): void {
    if (this.#reading === null && !this.#wasRight(id, LATELY_MS / 2)) this.check(id).catch(() => undefined);
  }

  #wasRight(id: string, withinMs: number): boolean {
    return this.#right?.id === id && performance.now() - this.#right.at < withinMs;
  }

  cameraFolder(cameraId: string): string {
    return join(this.path, CAMERAS, encodeCamera(cameraId));
  }

  segmentPath(cameraId: string, segment: number): string {
    return join(this.cameraFolder(cameraId), `${String(segment).padStart(8, '0')}.mp4`);
  }

  /** Cameras that have a folder; names that we would not have given are left out. */
  async cameras(): Promise<string[]> {
    const names = await this.#list(join(this.path, CAMERAS));
    return names.map(decodeCamera).filter((id) => id !== null);
  }

  /** Segment numbers with a file, rising. */
  async segments(cameraId: string): Promise<number[]> {
    const names = await this.#list(this.cameraFolder(cameraId));
    const numbers = names.map((name) => (/^\d{8,10}\.mp4$/.test(name) ? Number.parseInt(name, 10) : 0));
    return numbers.filter((n) => n > 0).sort((a, b) => a - b);
  }

  /** The camera's folder, not durable yet: what is first written into it need not wait for that. */
  async makeCameraFolder(cameraId: string): Promise<void> {
    this.#unsynced.add(cameraId);
    await this.#disk.makeFolder(this.cameraFolder(cameraId));
  }

  /** Makes the names of the camera's files durable, and its folder where that is new. */
  async syncCameraFolder(cameraId: string): Promise<void> {
    if (this.#unsynced.has(cameraId)) {
      await this.#disk.syncFolder(this.path);
      await this.#disk.syncFolder(join(this.path, CAMERAS));
      this.#unsynced.delete(cameraId);
    }
    await this.#disk.syncFolder(this.cameraFolder(cameraId));
  }

  async #list(path: string): Promise<string[]> {
    try {
      return await this.#disk.list(path);
    } catch (error) {
      throw diskError(error, path);
    }
  }
}

/** A camera's id with the name of a further stream. */
const MAX_CAMERA_ID = 72;

/** Whether a camera id can have a folder: 1 to 72 characters of well-formed Unicode, no control characters. */
export function isCameraId(id: string): boolean {
  if (id.length === 0 || id.length > MAX_CAMERA_ID || encodeCamera(id).length > 240) return false;
  return !/[\0-\x1f\x7f]/.test(id) && Buffer.from(id).toString() === id;
}

/** Injective and safe on every file system: where case does not count, where `.` means something, where `*` is forbidden. */
function encodeCamera(id: string): string {
  let name = '';
  for (const byte of Buffer.from(id)) {
    const char = String.fromCharCode(byte);
    name += /[a-z0-9_-]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return name;
}

function decodeCamera(name: string): string | null {
  if (!/^(?:[a-z0-9_-]|%[0-9a-f]{2})+$/.test(name)) return null;
  const bytes = name.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const id = Buffer.from(bytes, 'latin1').toString();
  return isCameraId(id) && encodeCamera(id) === name ? id : null;
}
