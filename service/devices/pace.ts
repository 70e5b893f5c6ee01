import type { Clock } from '../../base/clock.js';

/** Begins pieces of work one after the other, a pause apart, in the order in which they came; the first at once. */
export class Pace {
  readonly #clock: Clock;
  readonly #pauseMs: number;
  readonly #waiting = new Map<string, () => void>();
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, pauseMs: number) {
    this.#clock = clock;
    this.#pauseMs = pauseMs;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Begins `work` when its turn comes, instead of what waits under the same name. */
  take(name: string, work: () => void): void {
    this.#waiting.set(name, work);
    if (this.#cancel === null) this.#next();
  }

  /** What waits under this name is not begun. */
  drop(name: string): void {
    this.#waiting.delete(name);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#waiting.clear();
  }

  #next(): void {
    const [first] = this.#waiting;
    // The pause holds behind the last piece too.
    this.#cancel = first ? this.#clock.after(this.#pauseMs, () => this.#next()) : null;
    if (!first) return;
    this.#waiting.delete(first[0]);
    first[1]();
  }
}
