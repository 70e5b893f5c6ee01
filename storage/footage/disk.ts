import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, statfs, unlink, type FileHandle } from 'node:fs/promises';
import { isMissing } from '../disk-error.js';

/** A file being written. */
export interface DiskFile {
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes what was written durable (fdatasync). Fails where the file has no name any more: its bytes would be lost. */
  flush(): Promise<void>;
  /** Whether the file still has a name: nobody removed it. */
  named(): Promise<boolean>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * The few things that the footage log asks of a disk: a seam, so that tests can break each of them. All of them reject
 * with the system's error (`code`: ENOSPC, EROFS, EIO, …).
 */
export interface Disk {
  makeFolder(path: string): Promise<void>;
  /** Makes names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Names in a folder; empty where there is no such folder. */
  list(path: string): Promise<string[]>;
  /** A new file; fails where one exists. */
  create(path: string): Promise<DiskFile>;
  /** An existing file, for repair. */
  openExisting(path: string): Promise<DiskFile>;
  /** `length` bytes from `offset`; fewer only at the end of the file. */
  read(path: string, offset: number, length: number): Promise<Buffer>;
  /** A file from beginning to end. */
  stream(path: string): AsyncIterable<Buffer>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Of the file system that holds `path`. */
  space(path: string): Promise<DiskSpace>;
}

export interface DiskSpace {
  totalBytes: number;
  /** What ordinary users may still take. */
  freeBytes: number;
}

class NodeFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  async flush(): Promise<void> {
    // Side by side: on a busy machine each turn of the event loop is late, and this is done once a second for each camera.
    const [, named] = await Promise.all([this.#handle.datasync(), this.named()]);
    if (!named) throw Object.assign(new Error('the file was removed while it was being written'), { code: 'ENOENT' });
  }

  async named(): Promise<boolean> {
    return (await this.#handle.stat()).nlink > 0;
  }

  truncate(size: number): Promise<void> {
    return this.#handle.truncate(size);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

const CHUNK = 1024 * 1024;

export const nodeDisk: Disk = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true });
  },
  async syncFolder(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async list(path) {
    try {
      return await readdir(path);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  },
  async create(path) {
    return new NodeFile(await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o640));
  },
  async openExisting(path) {
    return new NodeFile(await open(path, 'r+'));
  },
  async read(path, offset, length) {
    const handle = await open(path, 'r');
    try {
      const bytes = Buffer.allocUnsafe(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    } finally {
      await handle.close();
    }
  },
  async *stream(path) {
    const handle = await open(path, 'r');
    try {
      for (let at = 0; ; ) {
        const chunk = Buffer.allocUnsafe(CHUNK);
        const { bytesRead } = await handle.read(chunk, 0, CHUNK, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield chunk.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  },
  rename,
  remove: unlink,
  async space(path) {
    const { bsize, blocks, bavail } = await statfs(path);
    return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
  },
};
