/**
 * Lets a few cameras flush at a time. Flushes that are under way together share one commit of the file system's journal,
 * and a camera that had to wait makes all that it wrote meanwhile durable with one flush: the slower the disk, the larger the groups.
 * More at a time would only fill Node's pool of four threads, which those who write need: what is written outlives this process.
 */
export class FlushGate {
  readonly #width: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(width: number) {
    this.#width = width;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#width) await new Promise<void>((enter) => this.#waiting.push(enter));
    else this.#inside++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, so that nobody slips in between.
      if (next) next();
      else this.#inside--;
    }
  }
}
