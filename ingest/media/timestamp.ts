/** RTP timestamps: 32 bits, around every 13.25 hours at 90 kHz. */
export const RTP_MODULUS = 2 ** 32;
/** PES time stamps: 33 bits, around every 26.5 hours. */
export const PTS_MODULUS = 2 ** 33;

/** The signed distance from `from` to `to` on a circle of `modulus`, in [-modulus/2, modulus/2). */
export function circularDelta(from: number, to: number, modulus: number): number {
  const delta = (((to - from) % modulus) + modulus) % modulus;
  return delta >= modulus / 2 ? delta - modulus : delta;
}

/**
 * Turns a wrapping counter into one that goes on: each value is taken as the one nearest to the last.
 * Results stay exact integers for some 3000 years of 90 kHz.
 */
export class TimestampUnwrapper {
  #last: number | null = null;

  constructor(readonly modulus: number) {}

  /** The unwrapped value; may fall where the input falls, may be negative before the first wrap. */
  unwrap(value: number): number {
    this.#last = this.#last === null ? value : this.#last + circularDelta(this.#last, value, this.modulus);
    return this.#last;
  }

  /** What `value` would be, next to the last one; the counter stays where it is. Null before the first. */
  beside(value: number): number | null {
    return this.#last === null ? null : this.#last + circularDelta(this.#last, value, this.modulus);
  }

  reset(): void {
    this.#last = null;
  }
}
