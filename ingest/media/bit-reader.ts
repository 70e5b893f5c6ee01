/**
 * Bits of a NAL unit's payload, emulation prevention bytes removed on the way (H.264 clause 7.3.1, H.265 clause 7.3.1.1)
 * and Exp-Golomb codes (H.264 clause 9.1). Reading past the end gives zeros and sets `exhausted`, so that parsers of
 * hostile bytes need one check at their end instead of one a field.
 */
export class BitReader {
  readonly #bytes: Uint8Array;
  #bit = 0;
  exhausted = false;

  constructor(nalPayload: Uint8Array) {
    this.#bytes = withoutEmulationPrevention(nalPayload);
  }

  /** Up to 32 bits as an unsigned number. */
  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + this.bit();
    return value;
  }

  bit(): 0 | 1 {
    const byte = this.#bytes[this.#bit >> 3];
    if (byte === undefined) {
      this.exhausted = true;
      return 0;
    }
    const value = (byte >> (7 - (this.#bit & 7))) & 1;
    this.#bit++;
    return value as 0 | 1;
  }

  flag(): boolean {
    return this.bit() === 1;
  }

  skip(count: number): void {
    this.#bit += count;
    if (this.#bit > this.#bytes.length * 8) this.exhausted = true;
  }

  /** ue(v); at most 32 leading zeros, as the standards allow. */
  ue(): number {
    let zeros = 0;
    while (this.bit() === 0) {
      if (this.exhausted || ++zeros > 32) {
        this.exhausted = true;
        return 0;
      }
    }
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** se(v). */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -(code / 2);
  }
}

function withoutEmulationPrevention(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length);
  let length = 0;
  let zeros = 0;
  for (const byte of bytes) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length++] = byte;
  }
  return out.subarray(0, length);
}
