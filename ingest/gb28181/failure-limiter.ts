import type { Clock } from '../../base/clock.js';

export interface LimiterOptions {
  clock: Clock;
  /** Failures allowed inside one window. */
  limit: number;
  windowMs: number;
  /** Keys remembered; beyond it the one that failed longest ago is forgotten. */
  maxKeys?: number;
}

/** Counts failures per key (a source address) and says when there were too many lately. Bounded. */
export class FailureLimiter {
  readonly #options: Required<LimiterOptions>;
  readonly #keys = new Map<string, { since: number; count: number }>();

  constructor(options: LimiterOptions) {
    this.#options = { maxKeys: 10_000, ...options };
  }

  get size(): number {
    return this.#keys.size;
  }

  fail(key: string): void {
    const now = this.#options.clock.monotonic();
    const known = this.#keys.get(key);
    const entry = known && now - known.since < this.#options.windowMs ? known : { since: now, count: 0 };
    entry.count++;
    this.#keys.delete(key);
    this.#keys.set(key, entry);
    if (this.#keys.size > this.#options.maxKeys) this.#keys.delete(this.#keys.keys().next().value as string);
  }

  /** Milliseconds until the key may try again; 0 where it may now. */
  blockedFor(key: string): number {
    const entry = this.#keys.get(key);
    if (!entry || entry.count < this.#options.limit) return 0;
    return Math.max(0, entry.since + this.#options.windowMs - this.#options.clock.monotonic());
  }
}
