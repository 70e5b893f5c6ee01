import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { diskError, isMissing, isSystemError } from '../disk-error.js';
import { MAX_TRAILER, readTrailer, writeTrailer, type Trailer } from './file-trailer.js';
import { checkKey } from './object-key.js';
import type { ByteRange, ListOptions, ObjectBody, ObjectContent, ObjectInfo, ObjectPage, ObjectStore, PendingUpload, PutOptions } from './object-store.js';

const CHUNK = 256 * 1024;
const MAX_PAGE = 1000;

/**
 * Objects as files of one folder. Folders of the key's parts have a `~` at their end, which no key can have, so that `a` and
 * `a/b` may both be keys. One process at a time uses the folder.
 */
export class FileObjectStore implements ObjectStore {
  readonly #folder: string;
  readonly #clock: Clock;

  constructor(options: { folder: string; clock: Clock }) {
    this.#folder = options.folder;
    this.#clock = options.clock;
  }

  /** Makes the folder and clears what an interrupted `put` left. @throws BerthwatchError unavailable */
  async start(): Promise<void> {
    try {
      await rm(this.#temporary(''), { recursive: true, force: true });
      await mkdir(this.#temporary(''), { recursive: true });
      await mkdir(join(this.#folder, 'objects'), { recursive: true });
      await syncFolder(this.#folder);
    } catch (error) {
      throw diskError(error, this.#folder);
    }
  }

  get place(): string {
    return `folder ${this.#folder}`;
  }

  async check(): Promise<void> {
    try {
      await readdir(this.#temporary(''));
    } catch (error) {
      throw diskError(error, this.#folder);
    }
  }

  async put(key: string, body: ObjectBody, options: PutOptions): Promise<ObjectInfo> {
    const path = this.#path(key);
    if (!/^[\x21-\x7e][\x20-\x7e]{0,199}$/.test(options.contentType)) throw new BerthwatchError('bad-input', 'OBJECT_TYPE', `object ${key}: ${JSON.stringify(options.contentType)} is no media type`);
    const temporary = this.#temporary(randomBytes(12).toString('hex'));
    try {
      const trailer = await this.#write(temporary, key, body, options);
      await this.#makeFolders(dirname(path));
      if (options.ifAbsent ?? false) await this.#linkNew(temporary, path, key);
      else await rename(temporary, path);
      await syncFolder(dirname(path));
      return { key, ...trailer };
    } catch (error) {
      // What the source of a stream throws is not the disk's.
      throw isSystemError(error) ? diskError(error, path) : error;
    } finally {
      await unlink(temporary).catch(() => undefined);
    }
  }

  async get(key: string, range?: ByteRange): Promise<ObjectContent> {
    const info = await this.head(key);
    if (!info) throw notFound(key);
    if (range && !(Number.isSafeInteger(range.from) && range.from >= 0 && range.to >= range.from && range.from < info.size)) {
      throw new BerthwatchError('bad-input', 'OBJECT_RANGE', `object ${key} has ${info.size} bytes: there is no range ${range.from}-${range.to}`);
    }
    return { info, body: this.#body(info, range ?? null) };
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const file = await this.#open(key);
    if (!file) return null;
    try {
      return { key, ...(await this.#trailer(file, key)) };
    } catch (error) {
      throw diskError(error, this.#path(key));
    } finally {
      await file.close();
    }
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ObjectPage> {
    const { after = '', limit = MAX_PAGE } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) throw new BerthwatchError('bad-input', 'OBJECT_LIMIT', `a page of ${limit} keys: give 1 to ${MAX_PAGE}`);
    const objects: ObjectPage['objects'] = [];
    for await (const key of this.#keys('', prefix, after)) {
      if (objects.length === limit) return { objects, next: objects.at(-1)?.key ?? null };
      const info = await this.#listed(key);
      // Removed since the folder was read.
      if (info) objects.push({ key, size: info.size, storedAt: info.storedAt });
    }
    return { objects, next: null };
  }

  /** One that cannot be read is there all the same: what is wrong with it, `head` says. */
  async #listed(key: string): Promise<Pick<ObjectInfo, 'size' | 'storedAt'> | null> {
    try {
      return await this.head(key);
    } catch (error) {
      if (!(error instanceof BerthwatchError && error.kind === 'bad-input')) throw error;
      return stat(this.#path(key)).then(({ size, mtimeMs }) => ({ size, storedAt: Math.floor(mtimeMs) }), () => null);
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    try {
      await unlink(path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (!isMissing(error)) throw diskError(error, path);
    }
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    keys.forEach(checkKey);
    for (const key of keys) await this.delete(key);
  }

  /** A folder has no address: the HTTP API serves its objects. */
  presignedGet(key: string): Promise<string> {
    return Promise.reject(unsupported(key, 'has no address of its own: get it from the HTTP API'));
  }

  /** What is not complete has no key here. */
  pendingUploads(): Promise<PendingUpload[]> {
    return Promise.resolve([]);
  }

  abortUpload(): Promise<void> {
    return Promise.resolve();
  }

  lock(key: string): Promise<void> {
    return Promise.reject(unsupported(key, 'cannot be locked in a folder: keep it in an S3 bucket with object lock'));
  }

  lockedUntil(): Promise<number | null> {
    return Promise.resolve(null);
  }

  #temporary(name: string): string {
    return join(this.#folder, 'temporary', name);
  }

  #path(key: string): string {
    const parts = checkKey(key).split('/');
    return join(this.#folder, 'objects', ...parts.slice(0, -1).map((part) => `${part}~`), parts.at(-1) as string);
  }

  /** Null where there is no such object. */
  async #open(key: string): Promise<FileHandle | null> {
    const path = this.#path(key);
    try {
      return await open(path, 'r');
    } catch (error) {
      if (isMissing(error)) return null;
      throw diskError(error, path);
    }
  }

  /** The file is opened only when somebody reads, so that a body nobody reads holds nothing. */
  async *#body(info: ObjectInfo, range: ByteRange | null): AsyncGenerator<Uint8Array> {
    const { key } = info;
    const file = await this.#open(key);
    if (!file) throw notFound(key);
    try {
      const now = await this.#trailer(file, key);
      if (now.sha256 !== info.sha256 || now.size !== info.size) throw new BerthwatchError('unavailable', 'OBJECT_REPLACED', `object ${key} was replaced before it was read: get it again`);
      yield* readBytes(file, info, range);
    } catch (error) {
      throw diskError(error, this.#path(key));
    } finally {
      await file.close();
    }
  }

  async #trailer(file: FileHandle, key: string): Promise<Trailer> {
    const { size } = await file.stat();
    const tail = Buffer.alloc(Math.min(MAX_TRAILER, size));
    const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length);
    try {
      return readTrailer(tail.subarray(0, bytesRead), size);
    } catch (error) {
      throw new BerthwatchError('bad-input', 'OBJECT_DAMAGED', `object ${key}: ${messageOf(error)}`, { cause: error });
    }
  }

  async #write(path: string, key: string, body: ObjectBody, options: PutOptions): Promise<Trailer> {
    const file = await open(path, 'wx', 0o640);
    try {
      const wanted = body instanceof Uint8Array ? body.length : body.size;
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of body instanceof Uint8Array ? [body] : body.stream) {
        if (size + chunk.length > wanted) throw new BerthwatchError('bad-input', 'OBJECT_SIZE', `object ${key}: more than the ${wanted} bytes that were announced`);
        hash.update(chunk);
        await writeAll(file, chunk, size);
        size += chunk.length;
      }
      if (size !== wanted) throw new BerthwatchError('bad-input', 'OBJECT_SIZE', `object ${key}: ${size} bytes came, ${wanted} were announced`);
      const sha256 = hash.digest('hex');
      if (options.sha256 !== undefined && options.sha256 !== sha256) throw new BerthwatchError('bad-input', 'OBJECT_CHECKSUM', `object ${key}: the bytes have SHA-256 ${sha256}, not ${options.sha256}`);
      const trailer: Trailer = { size, contentType: options.contentType, sha256, storedAt: this.#clock.now() };
      await writeAll(file, writeTrailer(trailer), size);
      await file.datasync();
      return trailer;
    } finally {
      await file.close();
    }
  }

  async #linkNew(temporary: string, path: string, key: string): Promise<void> {
    try {
      await link(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new BerthwatchError('conflict', 'OBJECT_EXISTS', `there is an object ${key} already`, { cause: error });
      throw error;
    }
  }

  /** Makes folders and their names durable. */
  async #makeFolders(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true });
    if (first === undefined) return;
    for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
  }

  /** Keys in the order of their bytes, without reading folders that can hold none of them. */
  async *#keys(base: string, prefix: string, after: string): AsyncGenerator<string> {
    const folder = join(this.#folder, 'objects', ...base.split('/').filter(Boolean).map((part) => `${part}~`));
    let names: string[];
    try {
      names = await readdir(folder);
    } catch (error) {
      if (isMissing(error)) return;
      throw diskError(error, folder);
    }
    const entries = names.map((name) => base + (name.endsWith('~') ? `${name.slice(0, -1)}/` : name));
    for (const entry of entries.sort(byBytes)) {
      if (!entry.endsWith('/')) {
        if (entry.startsWith(prefix) && entry > after) yield entry;
        continue;
      }
      const mayMatch = entry.startsWith(prefix) || prefix.startsWith(entry);
      if (mayMatch && (entry > after || after.startsWith(entry))) yield* this.#keys(entry, prefix, after);
    }
  }
}

const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function notFound(key: string): BerthwatchError {
  return new BerthwatchError('not-found', 'OBJECT_NOT_FOUND', `there is no object ${key}`);
}

function unsupported(key: string, why: string): BerthwatchError {
  return new BerthwatchError('bad-input', 'OBJECT_UNSUPPORTED', `object ${checkKey(key)} ${why}`);
}

async function* readBytes(file: FileHandle, info: ObjectInfo, range: ByteRange | null): AsyncGenerator<Uint8Array> {
  const end = Math.min(info.size, (range?.to ?? Infinity) + 1);
  const hash = range === null ? createHash('sha256') : null;
  for (let at = range?.from ?? 0; at < end; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, end - at));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) throw new BerthwatchError('bad-input', 'OBJECT_DAMAGED', `object ${info.key} ends at byte ${at} of ${info.size}`);
    at += bytesRead;
    const bytes = chunk.subarray(0, bytesRead);
    hash?.update(bytes);
    yield bytes;
  }
  if (hash && hash.digest('hex') !== info.sha256) throw new BerthwatchError('bad-input', 'OBJECT_DAMAGED', `the bytes of object ${info.key} are not those that were stored: SHA-256 differs from ${info.sha256}`);
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
