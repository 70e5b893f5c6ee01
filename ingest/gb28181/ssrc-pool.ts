import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';

const NUMBERS = 10_000;

export interface SsrcPoolOptions {
  /** 20 digits; digits 4 to 8 become digits 2 to 6 of every SSRC. */
  serverId: string;
  clock: Clock;
  /** How long a released number rests, ms: a camera may go on sending for a while after BYE. */
  quarantineMs?: number;
}

/**
 * SSRCs of one domain (GB/T 28181-2016 annex C.2.4): digit 1 is 0 live or 1 history, digits 2 to 6 name the domain, digits
 * 7 to 10 are unique in it. As a number it fits RTP's 32 bits.
 */
export class SsrcPool {
  readonly #options: Required<SsrcPoolOptions>;
  readonly #inUse = new Set<number>();
  /** Number → monotonic ms from which it may be used again; in order of release. */
  readonly #resting = new Map<number, number>();
  /** A random start keeps away from numbers that cameras still use for us after a restart. */
  #next = randomInt(NUMBERS);

  constructor(options: SsrcPoolOptions) {
    this.#options = { quarantineMs: 20_000, ...options };
  }

  get inUse(): number {
    return this.#inUse.size;
  }

  /** @returns ten digits. @throws BerthwatchError unavailable where all 10 000 are in use or resting */
  allocate(kind: 'live' | 'history' = 'live'): string {
    const now = this.#options.clock.monotonic();
    for (const [number, freeAt] of this.#resting) {
      if (freeAt > now) break;
      this.#resting.delete(number);
    }
    for (let i = 0; i < NUMBERS; i++) {
      const number = (this.#next + i) % NUMBERS;
      if (this.#inUse.has(number) || this.#resting.has(number)) continue;
      this.#next = (number + 1) % NUMBERS;
      this.#inUse.add(number);
      return `${kind === 'live' ? 0 : 1}${this.#options.serverId.slice(3, 8)}${String(number).padStart(4, '0')}`;
    }
    throw new BerthwatchError('unavailable', 'GB_SSRC_EXHAUSTED', `all ${NUMBERS} SSRCs of the domain are in use or resting; end some streams`);
  }

  /** Whether an SSRC, as RTP carries it, is one of this pool's that is in use or was until a moment ago. */
  holds(ssrc: number): boolean {
    const digits = String(ssrc).padStart(10, '0');
    const number = Number(digits.slice(-4));
    return digits.length === 10 && digits.slice(1, 6) === this.#options.serverId.slice(3, 8) && (this.#inUse.has(number) || this.#resting.has(number));
  }

  /** Gives a number back; unknown and already released ones are ignored. */
  release(ssrc: string): void {
    const number = Number(ssrc.slice(-4));
    if (!this.#inUse.delete(number)) return;
    this.#resting.delete(number);
    this.#resting.set(number, this.#options.clock.monotonic() + this.#options.quarantineMs);
  }
}
