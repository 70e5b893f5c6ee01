import type { Clock } from '../../base/clock.js';

/** A bell: whoever waits is woken; a ring while nobody waits is not kept. */
export class Wake {
  readonly #waiting = new Set<() => void>();

  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** Resolves at the next ring, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    return this.#wait(signal, () => () => undefined);
  }

  /** The same, but not longer than `ms`. Leaves nothing behind, however often nobody rings. */
  waitAtMost(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    return this.#wait(signal, (done) => clock.after(ms, done));
  }

  #wait(signal: AbortSignal, limit: (done: () => void) => () => void): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        cancel();
        resolve();
      };
      const cancel = limit(done);
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
