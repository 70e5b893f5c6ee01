import { sleep, type Clock } from '../../base/clock.js';

/** A bucket of tokens, one a byte, shared by all uploads: at most `bytesPerSecond` on the average, a second's worth at once. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #rate: number | null;
  #free = 0;
  #filledAt: number;

  /** @param bytesPerSecond null: no limit */
  constructor(clock: Clock, bytesPerSecond: number | null) {
    this.#clock = clock;
    this.#rate = bytesPerSecond;
    this.#filledAt = clock.monotonic();
  }

  /** Resolves when `bytes` may go, in the order of the calls. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#rate === null) return;
    const now = this.#clock.monotonic();
    this.#free = Math.min(this.#rate, this.#free + ((now - this.#filledAt) / 1000) * this.#rate) - bytes;
    this.#filledAt = now;
    // What is missing is owed: whoever comes next waits for it as well.
    if (this.#free < 0) await sleep(this.#clock, (-this.#free / this.#rate) * 1000, signal);
  }
}
