/**
 * FLAC (RFC 9639) for one channel of 16-bit samples: small, without loss, and a pure function. It is how G.711 is kept: the
 * samples stay exactly what the camera sent, and every player takes them, browsers included, which refuse `alaw` in MP4.
 *
 *     frame: header | subframe | zero bits to a byte | CRC-16
 */
export const FLAC_BITS = 16;
/** Samples of a frame at most; smaller than the format allows, so that a player can start anywhere. */
export const FLAC_BLOCK = 1024;
const LEAST_BLOCK = 16;
/** Rice parameters of 4 bits (section 9.2.7). */
const MAX_RICE = 14;

/** STREAMINFO (section 8.2), 34 bytes: sizes and checksum of the whole are unknown while recording. */
export function flacStreamInfo(sampleRate: number): Buffer {
  const info = Buffer.alloc(34);
  info.writeUInt16BE(LEAST_BLOCK, 0);
  info.writeUInt16BE(FLAC_BLOCK, 2);
  // 20 bits of rate, 3 of channels - 1, 5 of bits - 1, 36 of samples.
  info.writeUInt32BE(((sampleRate << 12) | ((FLAC_BITS - 1) << 4)) >>> 0, 10);
  return info;
}

/** How `count` samples are cut into frames of nearly the same length. */
export function flacBlocks(count: number): number[] {
  const frames = Math.ceil(count / FLAC_BLOCK);
  return Array.from({ length: frames }, (_, i) => Math.floor(((i + 1) * count) / frames) - Math.floor((i * count) / frames));
}

/**
 * One frame.
 * @param first number of its first sample in the track
 */
export function flacFrame(samples: Int16Array, first: number): Buffer {
  const out = new BitWriter(64 + samples.length * 3);
  writeHeader(out, samples.length, first);
  writeSubframe(out, samples);
  out.align();
  const crc = crc16(out.bytes());
  return Buffer.concat([out.bytes(), Buffer.from([crc >> 8, crc & 0xff])]);
}

/** Section 9.1: blocks of any size, 8 kHz or as STREAMINFO says, one channel, 16 bits. */
function writeHeader(out: BitWriter, length: number, first: number): void {
  out.put(0xfff9, 16);
  out.put(0b0111, 4); // block size - 1 in 16 bits below
  out.put(0, 4); // rate as STREAMINFO has it
  out.put(0, 4);
  out.put(0b1000, 4); // 16 bits, reserved bit
  writeCodedNumber(out, first);
  out.put(length - 1, 16);
  out.put(crc8(out.bytes()), 8);
}

/** Section 9.1.5: up to 36 bits, extended UTF-8. */
function writeCodedNumber(out: BitWriter, value: number): void {
  if (value < 0x80) return out.put(value, 8);
  let continuation = 1;
  while (value >= 2 ** (continuation * 5 + 6)) continuation++;
  out.put(((0xff00 >> (continuation + 1)) & 0xff) | Math.floor(value / 2 ** (6 * continuation)), 8);
  for (let i = continuation - 1; i >= 0; i--) out.put(0x80 | (Math.floor(value / 2 ** (6 * i)) & 0x3f), 8);
}

/** Section 9.2: whichever of constant, fixed predictor of order 0 to 2, and verbatim takes the fewest bits. */
function writeSubframe(out: BitWriter, samples: Int16Array): void {
  const n = samples.length;
  let together = 0;
  let constant = true;
  for (let i = 0; i < n; i++) {
    together |= samples[i] as number;
    if (samples[i] !== samples[0]) constant = false;
  }
  if (constant) {
    out.put(0, 8);
    return out.put((samples[0] as number) & 0xffff, 16);
  }
  // G.711 has 13 or 14 bits: the zeros below are "wasted bits" (section 9.2.2).
  let wasted = 0;
  while (((together >> wasted) & 1) === 0) wasted++;
  const bits = FLAC_BITS - wasted;
  const values = wasted === 0 ? samples : samples.map((sample) => sample >> wasted);
  const { order, parameter, cost } = bestPredictor(values);
  const verbatim = order < 0 || cost >= bits * n;
  out.put(((verbatim ? 0b000001 : 0b001000 | order) << 1) | (wasted > 0 ? 1 : 0), 8);
  if (wasted > 0) out.put(1, wasted);
  const mask = 2 ** bits - 1;
  const plain = verbatim ? n : order;
  for (let i = 0; i < plain; i++) out.put((values[i] as number) & mask, bits);
  if (verbatim) return;
  out.put(0, 6); // Rice parameters of 4 bits, one partition
  out.put(parameter, 4);
  for (let i = order; i < n; i++) out.rice(residual(values, i, order), parameter);
}

function residual(values: Int16Array, i: number, order: number): number {
  const value = values[i] as number;
  if (order === 0) return value;
  const before = values[i - 1] as number;
  return order === 1 ? value - before : value - 2 * before + (values[i - 2] as number);
}

function bestPredictor(values: Int16Array): { order: number; parameter: number; cost: number } {
  let best = { order: -1, parameter: 0, cost: Infinity };
  for (let order = 0; order <= 2 && order < values.length; order++) {
    let sum = 0;
    for (let i = order; i < values.length; i++) sum += Math.abs(residual(values, i, order));
    const count = values.length - order;
    // The folded values (section 9.2.7.1) are about twice as large as the magnitudes.
    const mean = (2 * sum) / count;
    const parameter = Math.min(MAX_RICE, Math.max(0, Math.round(Math.log2(Math.max(1, mean * 0.7)))));
    const cost = 10 + order * FLAC_BITS + count * (1 + parameter) + (2 * sum) / 2 ** parameter;
    if (cost < best.cost) best = { order, parameter, cost };
  }
  return best;
}

class BitWriter {
  #bytes: Buffer;
  #at = 0;
  /** Bits in the byte in work. */
  #filled = 0;
  #byte = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.alloc(capacity);
  }

  /** The low `count` bits (at most 24) of `value`. */
  put(value: number, count: number): void {
    for (let left = count; left > 0; ) {
      const take = Math.min(8 - this.#filled, left);
      left -= take;
      this.#byte = (this.#byte << take) | ((value >>> left) & ((1 << take) - 1));
      this.#filled += take;
      if (this.#filled === 8) this.#flush();
    }
  }

  /** Section 9.2.7: folded, the high part in zeros before a one, the low part as it is. */
  rice(value: number, parameter: number): void {
    const folded = value < 0 ? -2 * value - 1 : 2 * value;
    for (let high = folded >>> parameter; high > 0; ) {
      const zeros = Math.min(16, high);
      this.put(0, zeros);
      high -= zeros;
    }
    this.put(1, 1);
    if (parameter > 0) this.put(folded & ((1 << parameter) - 1), parameter);
  }

  align(): void {
    if (this.#filled > 0) this.put(0, 8 - this.#filled);
  }

  /** Whole bytes so far; valid until the next write. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #flush(): void {
    if (this.#at === this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    this.#bytes[this.#at++] = this.#byte;
    this.#byte = 0;
    this.#filled = 0;
  }
}

const CRC8 = Uint8Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 0x80) !== 0 ? (value << 1) ^ 0x07 : value << 1;
  return value & 0xff;
});

const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 8;
  for (let bit = 0; bit < 8; bit++) value = (value & 0x8000) !== 0 ? (value << 1) ^ 0x8005 : value << 1;
  return value & 0xffff;
});

function crc8(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = CRC8[crc ^ byte] as number;
  return crc;
}

function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (CRC16[(crc >> 8) ^ byte] as number);
  return crc;
}
