import { randomInt } from 'node:crypto';

/** A small seeded generator (mulberry32), so that a damaged stream can be damaged the same way again. Not for secrets. */
export class SeededRandom {
  private state: number;
  /** The seed in use: the given one, or a fresh one that a test can print. */
  readonly seed: number;

  constructor(seed?: number) {
    this.seed = seed ?? randomInt(0, 2 ** 32);
    this.state = this.seed >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Integer in [from, to), `to` exclusive. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from));
  }

  /** True in `percent` of the calls. */
  percent(percent: number): boolean {
    return percent > 0 && this.next() * 100 < percent;
  }
}
