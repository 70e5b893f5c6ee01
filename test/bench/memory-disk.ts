import type { Disk, DiskFile, DiskSpace } from '../../storage/footage/disk.js';

const missing = (path: string): Error => Object.assign(new Error(`${path} is not there`), { code: 'ENOENT' });

/** A disk that holds segment files by name only, millions of them, and small files with their bytes: what is measured on it is not the disk. */
export class MemoryDisk implements Disk {
  readonly #files = new Map<string, Buffer>();
  /** By camera folder: the numbers from 1 to `last`, without those that were removed. */
  readonly #segments = new Map<string, { last: number; removed: Set<number> }>();
  removed = 0;

  /** Lets a camera's folder have the segments 1 to `last`. */
  fill(folder: string, last: number): void {
    this.#segments.set(folder, { last, removed: new Set() });
  }

  async makeFolder(): Promise<void> {
    // Folders are where files are.
  }

  async syncFolder(): Promise<void> {
    // Nothing is lost that could be kept.
  }

  list(path: string): Promise<string[]> {
    const own = this.#segments.get(path);
    if (own) {
      const names: string[] = [];
      for (let n = 1; n <= own.last; n++) if (!own.removed.has(n)) names.push(`${String(n).padStart(8, '0')}.mp4`);
      return Promise.resolve(names);
    }
    return Promise.resolve([...this.#segments.keys()].filter((folder) => folder.startsWith(`${path}/`)).map((folder) => folder.slice(path.length + 1)));
  }

  create(path: string): Promise<DiskFile> {
    this.#files.set(path, Buffer.alloc(0));
    return Promise.resolve({
      write: (bytes, position) => {
        const old = this.#files.get(path) as Buffer;
        const grown = Buffer.alloc(Math.max(old.length, position + bytes.length));
        old.copy(grown);
        grown.set(bytes, position);
        this.#files.set(path, grown);
        return Promise.resolve();
      },
      flush: () => Promise.resolve(),
      named: () => Promise.resolve(true),
      truncate: (size) => {
        this.#files.set(path, (this.#files.get(path) as Buffer).subarray(0, size));
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });
  }

  openExisting(path: string): Promise<DiskFile> {
    return Promise.reject(missing(path));
  }

  read(path: string, offset: number, length: number): Promise<Buffer> {
    const bytes = this.#files.get(path);
    return bytes ? Promise.resolve(bytes.subarray(offset, offset + length)) : Promise.reject(missing(path));
  }

  async *stream(path: string): AsyncGenerator<Buffer> {
    yield await this.read(path, 0, Infinity);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#files.set(to, await this.read(from, 0, Infinity));
    this.#files.delete(from);
  }

  remove(path: string): Promise<void> {
    const cut = path.lastIndexOf('/');
    const own = this.#segments.get(path.slice(0, cut));
    const segment = Number.parseInt(path.slice(cut + 1), 10);
    if (own && segment <= own.last && !own.removed.has(segment)) {
      own.removed.add(segment);
      this.removed++;
      return Promise.resolve();
    }
    return this.#files.delete(path) ? Promise.resolve() : Promise.reject(missing(path));
  }

  space(): Promise<DiskSpace> {
    return Promise.resolve({ totalBytes: 200e12, freeBytes: 100e12 });
  }
}
