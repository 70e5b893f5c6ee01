/**
 * Headers of the MPEG program stream: ISO/IEC 13818-1 section 2.5 (and ISO/IEC 11172-1 section 2.4, which older muxers
 * write), as GB/T 28181 annex C carries them.
 */

export const PACK = 0xba;
export const SYSTEM_HEADER = 0xbb;
export const STREAM_MAP = 0xbc;
export const PROGRAM_END = 0xb9;

/** Stream types of the program stream map: ISO/IEC 13818-1 table 2-34 and GB/T 28181 annex C. */
export const STREAM_TYPES: Readonly<Record<number, string>> = {
  0x01: 'mpeg1-video',
  0x02: 'mpeg2-video',
  0x10: 'mpeg4',
  0x1b: 'h264',
  0x24: 'h265',
  0x80: 'svac',
  0x0f: 'aac',
  0x03: 'mp2',
  0x04: 'mp2',
  0x90: 'g711a',
  0x91: 'g711u',
  0x92: 'g722.1',
  0x93: 'g723.1',
  0x99: 'g729',
  0x9b: 'svac-audio',
};

export interface PesHeader {
  /** Offset of the first payload byte from the start code. */
  payloadAt: number;
  /** Payload bytes; null where the packet length is 0: until the next start code of the program stream. */
  payloadLength: number | null;
  /** 33 bits, 90 kHz; null where absent. */
  pts: number | null;
  dts: number | null;
}

/** `more`: too few bytes to tell; `bad`: no header of that kind stands here. */
export type Unparsed = 'more' | 'bad';

function timestamp(bytes: Buffer, at: number): number {
  const high = ((bytes[at] as number) >> 1) & 0x07;
  const middle = bytes.readUInt16BE(at + 1) >> 1;
  const low = bytes.readUInt16BE(at + 3) >> 1;
  return high * 2 ** 30 + middle * 2 ** 15 + low;
}

/** Length of the pack header at `at` (start code included). A cut one, as some H.265 cameras send, is 4 bytes long. */
export function packLength(bytes: Buffer, at: number): number | 'more' {
  if (bytes.length < at + 5) return 'more';
  const mark = bytes[at + 4] as number;
  if (mark >> 6 === 0b01) {
    if (bytes.length < at + 14) return 'more';
    return 14 + ((bytes[at + 13] as number) & 0x07);
  }
  return mark >> 4 === 0b0010 ? 12 : 4;
}

/** Reads the PES header whose start code stands at `at`. */
export function parsePes(bytes: Buffer, at: number): PesHeader | Unparsed {
  if (bytes.length < at + 9) return 'more';
  const declared = bytes.readUInt16BE(at + 4);
  const flags = bytes[at + 6] as number;
  if (flags >> 6 !== 0b10) return parseMpeg1Pes(bytes, at, declared);
  const present = (bytes[at + 7] as number) >> 6;
  // Some firmware counts its header fields one short: time stamps that are flagged and stand there take their room all the same.
  const stamps = present === 3 ? 10 : present === 2 ? 5 : 0;
  const counted = bytes[at + 8] as number;
  const short = counted < stamps && bytes.length > at + 9 && (bytes[at + 9] as number) >> 4 === present;
  const headerLength = short ? stamps : counted;
  if (bytes.length < at + 9 + headerLength) return 'more';
  if (declared !== 0 && declared < 3 + headerLength) return 'bad';
  const hasPts = present >= 2 && headerLength >= 5;
  const hasDts = present === 3 && headerLength >= 10;
  return {
    payloadAt: 9 + headerLength,
    payloadLength: declared === 0 ? null : declared - 3 - headerLength,
    pts: hasPts ? timestamp(bytes, at + 9) : null,
    dts: hasDts ? timestamp(bytes, at + 14) : null,
  };
}

/** ISO/IEC 11172-1: up to 16 stuffing bytes, an optional buffer size, then time stamps told apart by their first nibble. */
function parseMpeg1Pes(bytes: Buffer, at: number, declared: number): PesHeader | Unparsed {
  const LONGEST = 6 + 16 + 2 + 10;
  if (bytes.length < at + Math.min(LONGEST, 6 + declared)) return 'more';
  const end = at + 6 + declared;
  let p = at + 6;
  while (p < end && p < at + 6 + 16 && bytes[p] === 0xff) p++;
  if (((bytes[p] ?? 0) & 0xc0) === 0x40) p += 2;
  const nibble = (bytes[p] ?? 0) >> 4;
  let pts: number | null = null;
  let dts: number | null = null;
  if (nibble === 0b0010 && p + 5 <= end) {
    pts = timestamp(bytes, p);
    p += 5;
  } else if (nibble === 0b0011 && p + 10 <= end) {
    pts = timestamp(bytes, p);
    dts = timestamp(bytes, p + 5);
    p += 10;
  } else if (bytes[p] === 0x0f) {
    p += 1;
  } else {
    return 'bad';
  }
  return p > end ? 'bad' : { payloadAt: p - at, payloadLength: end - p, pts, dts };
}

/**
 * Stream id → stream type from the program stream map at `at` whose whole length is `length`.
 * Lenient on purpose: checksums and inner lengths are often wrong in the field, so the CRC is ignored and lengths are
 * cut to what is there.
 */
export function parseStreamMap(bytes: Buffer, at: number, length: number): Map<number, number> {
  const types = new Map<number, number>();
  const end = Math.min(at + length, bytes.length);
  if (at + 12 > end) return types;
  let p = at + 10 + bytes.readUInt16BE(at + 8);
  if (p + 2 > end) return types;
  const mapEnd = Math.min(p + 2 + bytes.readUInt16BE(p), end);
  p += 2;
  while (p + 4 <= mapEnd) {
    types.set(bytes[p + 1] as number, bytes[p] as number);
    p += 4 + bytes.readUInt16BE(p + 2);
  }
  return types;
}
