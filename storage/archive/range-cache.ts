/** A block of an archived segment, by its number from the beginning. */
const BLOCK = 1024 * 1024;

/** Reads bytes `from` to `to` (behind the last) from the store. */
export type RangeLoader = (from: number, to: number) => Promise<Buffer>;

/**
 * Blocks of archived segments in memory, the least lately used go first: analysis, evidence and playback read neighbouring GOPs, and
 * a key frame before its GOP. Whoever asks for a block that somebody is just fetching waits for the same.
 */
export class RangeCache {
  readonly #limit: number;
  readonly #blocks = new Map<string, Promise<Buffer>>();
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `length` bytes from `offset` of an object of `size` bytes; fewer only at its end. */
  async read(name: string, size: number, offset: number, length: number, load: RangeLoader): Promise<Buffer> {
    const end = Math.min(size, offset + length);
    if (end <= offset) return Buffer.alloc(0);
    const first = Math.floor(offset / BLOCK);
    const last = Math.floor((end - 1) / BLOCK);
    const wanted: Promise<Buffer>[] = [];
    for (let block = first; block <= last; ) {
      const key = `${name}#${block}`;
      const known = this.#blocks.get(key);
      if (known) {
        // To the end of the line of those that go.
        this.#blocks.delete(key);
        this.#blocks.set(key, known);
        wanted.push(known);
        block++;
        continue;
      }
      let behind = block + 1;
      while (behind <= last && !this.#blocks.has(`${name}#${behind}`)) behind++;
      wanted.push(...this.#fetch(name, size, block, behind, load));
      block = behind;
    }
    const blocks = await Promise.all(wanted);
    const all = blocks.length === 1 ? (blocks[0] as Buffer) : Buffer.concat(blocks);
    // A copy: readers change what they get, and a small one must not hold a large block.
    return Buffer.from(all.subarray(offset - first * BLOCK, end - first * BLOCK));
  }

  /** Forgets an object. */
  drop(name: string): void {
    for (const key of [...this.#blocks.keys()]) if (key.startsWith(`${name}#`)) this.#forget(key);
  }

  /** One request for the blocks from `first` to before `behind`. */
  #fetch(name: string, size: number, first: number, behind: number, load: RangeLoader): Promise<Buffer>[] {
    const loading = load(first * BLOCK, Math.min(size, behind * BLOCK));
    return Array.from({ length: behind - first }, (_, i) => {
      const key = `${name}#${first + i}`;
      const block = loading.then((bytes) => {
        const part = Buffer.from(bytes.subarray(i * BLOCK, (i + 1) * BLOCK));
        if (this.#blocks.get(key) === block) this.#keep(key, part.length);
        return part;
      });
      this.#blocks.set(key, block);
      block.catch(() => this.#blocks.get(key) === block && this.#forget(key));
      return block;
    });
  }

  #keep(key: string, size: number): void {
    this.#sizes.set(key, size);
    this.#bytes += size;
    for (const oldest of this.#blocks.keys()) {
      if (this.#bytes <= this.#limit) break;
      // What is still being fetched holds nothing yet.
      if (this.#sizes.has(oldest)) this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#blocks.delete(key);
    this.#bytes -= this.#sizes.get(key) ?? 0;
    this.#sizes.delete(key);
  }
}
