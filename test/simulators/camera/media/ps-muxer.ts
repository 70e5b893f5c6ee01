/**
 * MPEG program stream (ISO/IEC 13818-1 §2.5) as GB/T 28181 annex C wants it: a pack for each picture, system header and
 * program stream map before key pictures, video in stream E0, audio in C0. Pure: pictures in, bytes out.
 */
import { nalUnits, START_CODE, type Codec } from './nal.js';

export interface PsMuxerOptions {
  noPsm: boolean;
  psmStreamType: number | null;
  badPsmCrc: boolean;
  zeroPesLength: boolean;
  fourByteStartCodes: boolean;
  truncatedPackHeader: boolean;
  privateStream: boolean;
  splitPes: boolean;
  psmAfterPictures: number;
  pesHeaderLengthError: number;
}

export type AudioCodec = 'g711a' | 'g711u';

const VIDEO = 0xe0;
const AUDIO = 0xc0;
const STREAM_TYPES = { h264: 0x1b, h265: 0x24, g711a: 0x90, g711u: 0x91 } as const;
/** Payload of one PES: PES_packet_length counts 16 bits, of which header fields take up to 8. */
const MAX_PES_PAYLOAD = 65_535 - 8;
const PTS_MODULUS = 2 ** 33;

export class PsMuxer {
  private readonly muxRate: number;
  private pictures = -1;

  /** `peakBitrate` in bits per second fills the mux rate fields, which are in units of 50 bytes per second. */
  constructor(
    private readonly codec: Codec,
    private readonly audioCodec: AudioCodec | null,
    peakBitrate: number,
    private readonly options: PsMuxerOptions,
  ) {
    this.muxRate = Math.min(0x3fffff, Math.max(1, Math.ceil(peakBitrate / 400)));
  }

  /** One picture as a pack. `pts` in 90 kHz ticks, wrapped to 33 bits here. */
  picture(annexB: Buffer, key: boolean, pts: number): Buffer {
    const parts = [this.packHeader(pts)];
    this.pictures += 1;
    if (key) {
      parts.push(this.systemHeader());
      if (!this.options.noPsm && this.pictures >= this.options.psmAfterPictures) parts.push(this.programStreamMap());
    }
    if (this.options.privateStream) parts.push(this.privateData());
    if (this.options.splitPes) {
      nalUnits(annexB).forEach((unit, index) => parts.push(...this.pes(VIDEO, Buffer.concat([START_CODE, unit]), index === 0 ? pts : null)));
    } else parts.push(...this.pes(VIDEO, annexB, pts));
    return Buffer.concat(parts);
  }

  /** A pack with audio alone. */
  audio(bytes: Buffer, pts: number): Buffer {
    return Buffer.concat([this.packHeader(pts), ...this.pes(AUDIO, bytes, pts)]);
  }

  private startCode(id: number): Buffer {
    return this.options.fourByteStartCodes ? Buffer.from([0, 0, 0, 1, id]) : Buffer.from([0, 0, 1, id]);
  }

  /** §2.5.3.3: SCR base 33 bits and extension 9 bits between marker bits, mux rate 22 bits, no stuffing. */
  private packHeader(scr: number): Buffer {
    const code = this.startCode(0xba);
    if (this.options.truncatedPackHeader) return code;
    const base = scr % PTS_MODULUS;
    const high = Math.floor(base / 2 ** 30);
    const middle = Math.floor(base / 2 ** 15) % 2 ** 15;
    const low = base % 2 ** 15;
    const body = Buffer.from([
      0x44 | (high << 3) | (middle >> 13),
      (middle >> 5) & 0xff,
      ((middle & 0x1f) << 3) | 0x04 | (low >> 13),
      (low >> 5) & 0xff,
      ((low & 0x1f) << 3) | 0x04,
      0x01,
      (this.muxRate >> 14) & 0xff,
      (this.muxRate >> 6) & 0xff,
      ((this.muxRate & 0x3f) << 2) | 0x03,
      0xf8,
    ]);
    return Buffer.concat([code, body]);
  }

  /** §2.5.3.5: rate bound, one video and at most one audio stream, buffer bounds. */
  private systemHeader(): Buffer {
    const streams = [VIDEO, 0xff, 0xe0];
    // Buffer bound in units of 1024 bytes for video, 128 bytes for audio (scale bit clear).
    streams[1] = 0xe0 | ((2048 >> 8) & 0x1f);
    streams[2] = 2048 & 0xff;
    if (this.audioCodec) streams.push(AUDIO, 0xc0 | ((32 >> 8) & 0x1f), 32);
    const body = Buffer.from([
      0x80 | (this.muxRate >> 15),
      (this.muxRate >> 7) & 0xff,
      ((this.muxRate & 0x7f) << 1) | 0x01,
      (this.audioCodec ? 1 : 0) << 2,
      0xe0 | 1,
      0x7f,
      ...streams,
    ]);
    return Buffer.concat([this.startCode(0xbb), uint16(body.length), body]);
  }

  /** §2.5.4.1: types of the elementary streams, CRC_32 over the whole section. */
  private programStreamMap(): Buffer {
    const entries = [this.options.psmStreamType ?? STREAM_TYPES[this.codec], VIDEO, 0, 0];
    if (this.audioCodec) entries.push(STREAM_TYPES[this.audioCodec], AUDIO, 0, 0);
    const fields = Buffer.concat([Buffer.from([0xe1, 0xff, 0, 0]), uint16(entries.length), Buffer.from(entries)]);
    const covered = Buffer.concat([Buffer.from([0, 0, 1, 0xbc]), uint16(fields.length + 4), fields]);
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(this.options.badPsmCrc ? 0xdeadbeef : crc32Mpeg(covered));
    return Buffer.concat([this.startCode(0xbc), covered.subarray(4), crc]);
  }

  /** Vendor data such as some devices put before pictures. */
  private privateData(): Buffer {
    const body = Buffer.concat([Buffer.from([0x80, 0x00, 0x00]), Buffer.from('VENDORDATA\0\0\x02\xff\xfa', 'latin1')]);
    return Buffer.concat([this.startCode(0xbd), uint16(body.length), body]);
  }

  /** §2.4.3.6: as many PES packets as the bytes need; only the first carries the PTS. */
  private pes(id: number, bytes: Buffer, pts: number | null): Buffer[] {
    const packets: Buffer[] = [];
    const endless = this.options.zeroPesLength && id === VIDEO;
    for (let at = 0; at < bytes.length; ) {
      const first = at === 0 && pts !== null;
      const payload = bytes.subarray(at, endless ? bytes.length : at + MAX_PES_PAYLOAD);
      const header = Buffer.from([first ? 0x84 : 0x80, first ? 0x80 : 0x00, (first ? 5 : 0) + (id === VIDEO && first ? this.options.pesHeaderLengthError : 0)]);
      const length = endless ? 0 : payload.length + header.length + (first ? 5 : 0);
      packets.push(this.startCode(id), uint16(length), header);
      if (first) packets.push(ptsField(pts));
      packets.push(payload);
      at += payload.length;
    }
    return packets;
  }
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

/** 33 bits in 5 bytes with prefix '0010' and marker bits. */
export function ptsField(pts: number): Buffer {
  const value = pts % PTS_MODULUS;
  const high = Math.floor(value / 2 ** 30);
  const middle = Math.floor(value / 2 ** 15) % 2 ** 15;
  const low = value % 2 ** 15;
  return Buffer.from([0x21 | (high << 1), middle >> 7, ((middle & 0x7f) << 1) | 1, low >> 7, ((low & 0x7f) << 1) | 1]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

/** CRC_32 of annex A: polynomial 04C11DB7, preset ones, not reflected, not inverted. */
export function crc32Mpeg(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = ((crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ byte) & 0xff]!) >>> 0;
  return crc;
}
