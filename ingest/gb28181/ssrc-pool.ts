import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';

const NUMBERS = 10_000;
/** How long an SSRC is remembered as its last stream's. */
const MEMORY_MS = 86_400_000;
/** For the numbers of calls that a former run left open. */
const LEFT_OVER_REST_MS = 3_600_000;
const MAX_REMEMBERED = 20_000;

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
 *
 * It also remembers whose each SSRC was, those that cameras chose included: what was one stream's shall not be learnt as
 * another's, for a camera that missed its BYE may send it for days.
 */
export class SsrcPool {
  readonly #options: Required<SsrcPoolOptions>;
  readonly #inUse = new Set<number>();
  /** Number → monotonic ms from which it may be used again. */
  readonly #resting = new Map<number, number>();
  /** SSRC as RTP carries it → its stream, and until when that counts; infinite while it is in use. */
  readonly #owners = new Map<number, { owner: string; until: number }>();
  /** A random start keeps away from numbers that cameras still use for us after a restart. */
  #next = randomInt(NUMBERS);

  constructor(options: SsrcPoolOptions) {
    this.#options = { quarantineMs: 20_000, ...options };
  }

  get inUse(): number {
    return this.#inUse.size;
  }

  /**
   * @param owner the stream that it is for, the same text for each of its sessions
   * @returns ten digits. @throws BerthwatchError unavailable where all 10 000 are in use or resting
   */
  allocate(kind: 'live' | 'history' = 'live', owner = ''): string {
    const now = this.#options.clock.monotonic();
    for (let i = 0; i < NUMBERS; i++) {
      const number = (this.#next + i) % NUMBERS;
      if (this.#inUse.has(number) || (this.#resting.get(number) ?? 0) > now) continue;
      this.#resting.delete(number);
      this.#next = (number + 1) % NUMBERS;
      this.#inUse.add(number);
      const ssrc = `${kind === 'live' ? 0 : 1}${this.#options.serverId.slice(3, 8)}${String(number).padStart(4, '0')}`;
      this.claim(ssrc, owner);
      return ssrc;
    }
    throw new BerthwatchError('unavailable', 'GB_SSRC_EXHAUSTED', `all ${NUMBERS} SSRCs of the domain are in use or resting; end some streams`);
  }

  /** An SSRC is a stream's, until it is released: one that its camera chose. */
  claim(ssrc: string, owner: string): void {
    this.#remember(Number(ssrc), owner, Infinity);
  }

  /** An SSRC was a stream's in a former run and its camera may still send it. One of ours is left alone for as long as a restless camera is likely to need. */
  leftOver(ssrc: string, owner: string): void {
    const now = this.#options.clock.monotonic();
    this.#remember(Number(ssrc), owner, now + MEMORY_MS);
    const number = this.#ownNumber(ssrc);
    if (number !== null) this.#resting.set(number, now + LEFT_OVER_REST_MS);
  }

  /** Whether an SSRC, as RTP carries it, is or was lately another stream's than `owner`'s: such a one must never be learnt. */
  isForeign(ssrc: number, owner: string): boolean {
    const known = this.#owners.get(ssrc);
    return known !== undefined && known.owner !== owner && known.until > this.#options.clock.monotonic();
  }

  /** Gives a number back, and what was claimed; unknown and already released ones are ignored. */
  release(ssrc: string): void {
    const now = this.#options.clock.monotonic();
    const known = this.#owners.get(Number(ssrc));
    if (known?.until === Infinity) this.#remember(Number(ssrc), known.owner, now + MEMORY_MS);
    const number = this.#ownNumber(ssrc);
    if (number !== null && this.#inUse.delete(number)) this.#resting.set(number, now + this.#options.quarantineMs);
  }

  #remember(ssrc: number, owner: string, until: number): void {
    this.#owners.delete(ssrc);
    this.#owners.set(ssrc, { owner, until });
    if (this.#owners.size <= MAX_REMEMBERED) return;
    for (const [oldest, known] of this.#owners) {
      if (known.until === Infinity) continue;
      this.#owners.delete(oldest);
      return;
    }
  }

  /** Digits 7 to 10 of an SSRC of this domain; null for others. */
  #ownNumber(ssrc: string): number | null {
    return ssrc.length === 10 && ssrc.slice(1, 6) === this.#options.serverId.slice(3, 8) ? Number(ssrc.slice(-4)) : null;
  }
}
