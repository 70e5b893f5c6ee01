import type { Clock } from '../../base/clock.js';

/** The timers of one transaction, by the letters that RFC 3261 gives them; once ended, none is set any more. */
export class NamedTimers {
  readonly #clock: Clock;
  readonly #pending = new Map<string, () => void>();
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sets a timer anew. */
  arm(name: string, ms: number, fn: () => void): void {
    this.disarm(name);
    if (this.#ended) return;
    const cancel = this.#clock.after(ms, () => {
      this.#pending.delete(name);
      fn();
    });
    this.#pending.set(name, cancel);
  }

  disarm(name: string): void {
    this.#pending.get(name)?.();
    this.#pending.delete(name);
  }

  end(): void {
    this.#ended = true;
    for (const cancel of this.#pending.values()) cancel();
    this.#pending.clear();
  }
}
