import { systemClock, type Clock } from '../../../base/clock.js';

/** The system's clock, whose wall time can be set as an operator or NTP would set it. */
export class SettableClock implements Clock {
  #offset = 0;

  now(): number {
    return systemClock.now() + this.#offset;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  after(ms: number, fn: () => void): () => void {
    return systemClock.after(ms, fn);
  }

  /** Positive: forward. */
  step(ms: number): void {
    this.#offset += ms;
  }
}
