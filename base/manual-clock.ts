import type { Clock } from './clock.js';

/** A clock that moves only when told to. Timers fire in order of their due time, inside `advance`. */
export class ManualClock implements Clock {
  #now: number;
  #elapsed = 0;
  #nextId = 0;
  readonly #timers = new Map<number, { due: number; fn: () => void }>();

  constructor(startMs = 1_767_225_600_000) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(ms: number, fn: () => void): () => void {
    const id = this.#nextId++;
    this.#timers.set(id, { due: this.#elapsed + Math.max(0, ms), fn });
    return () => void this.#timers.delete(id);
  }

  /** Moves both clocks on by `ms`, firing what falls due on the way. */
  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (;;) {
      let next: [number, { due: number; fn: () => void }] | undefined;
      for (const entry of this.#timers) {
        if (entry[1].due <= end && (!next || entry[1].due < next[1].due)) next = entry;
      }
      if (!next) break;
      this.#timers.delete(next[0]);
      this.#move(next[1].due - this.#elapsed);
      next[1].fn();
    }
    this.#move(end - this.#elapsed);
  }

  /** Sets the wall clock alone, as an operator or NTP would. */
  setWall(ms: number): void {
    this.#now = ms;
  }

  #move(ms: number): void {
    this.#elapsed += ms;
    this.#now += ms;
  }
}
