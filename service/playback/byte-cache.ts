/** The most recently used buffers, as many as fit. */
export class ByteCache {
  readonly #most: number;
  readonly #entries = new Map<string, Buffer>();
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#most = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Buffer | null {
    const found = this.#entries.get(key);
    if (!found) return null;
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found;
  }

  set(key: string, bytes: Buffer): void {
    const before = this.#entries.get(key);
    this.#entries.delete(key);
    this.#bytes += bytes.length - (before?.length ?? 0);
    this.#entries.set(key, bytes);
    for (const [oldest, { length }] of this.#entries) {
      if (this.#bytes <= this.#most) break;
      this.#entries.delete(oldest);
      this.#bytes -= length;
    }
  }
}
