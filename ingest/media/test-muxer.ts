import { readFileSync } from 'node:fs';

/**
 * FOR TESTS: a GB/T 28181 program stream and its RTP packets, written from the standard's tables, with the faults that
 * devices in the field are known for.
 */
export const fixture = (name: string): Buffer => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));

export type TestCodec = 'h264' | 'h265';

const isSlice = (header: number, codec: TestCodec): boolean =>
  codec === 'h264' ? (header & 0x1f) === 1 || (header & 0x1f) === 5 : ((header >> 1) & 0x3f) < 32;

/** Pictures of an elementary stream with `slices` slices each: a picture ends behind its last slice. */
export function picturesOf(es: Buffer, codec: TestCodec, slices = 1): Buffer[] {
  const pictures: Buffer[] = [];
  let begin = 0;
  let seen = 0;
  for (let i = 0; i + 3 < es.length; i++) {
    if (es[i] !== 0 || es[i + 1] !== 0 || es[i + 2] !== 1) continue;
    const codeAt = i > 0 && es[i - 1] === 0 ? i - 1 : i;
    if (seen === slices) {
      pictures.push(es.subarray(begin, codeAt));
      begin = codeAt;
      seen = 0;
    }
    if (isSlice(es[i + 3] as number, codec)) seen++;
  }
  pictures.push(es.subarray(begin));
  return pictures;
}

export interface PsOptions {
  pts?: number | null;
  dts?: number;
  /** Stream type in the map; null leaves the map out. */
  mapType?: number | null;
  /** Payload bytes of one PES packet at most. */
  pesSize?: number;
  zeroLength?: boolean;
  /** 00 00 01 BA alone, as some H.265 cameras send on P pictures. */
  cutPack?: boolean;
  /** Stuffing bytes in the pack header. */
  stuffing?: number;
  badCrc?: boolean;
  /** Bytes of private_stream_1 in front of the video. */
  privateBytes?: number;
  /** Added to every PES length. */
  lengthError?: number;
  /** 00 00 00 01 E0 instead of 00 00 01 E0. */
  longStartCode?: boolean;
  audio?: { data: Buffer; type: number | null };
}

function stamp(value: number, prefix: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = (prefix << 4) | ((Math.floor(value / 2 ** 30) & 7) << 1) | 1;
  bytes.writeUInt16BE((((Math.floor(value / 2 ** 15) & 0x7fff) << 1) | 1) & 0xffff, 1);
  bytes.writeUInt16BE((((value % 2 ** 15) << 1) | 1) & 0xffff, 3);
  return bytes;
}

export function packHeader(stuffing = 0): Buffer {
  const fixed = Buffer.from([0, 0, 1, 0xba, 0x44, 0, 4, 0, 4, 1, 0, 0x03, 0xff, 0xf8 | stuffing]);
  return Buffer.concat([fixed, Buffer.alloc(stuffing, 0xff)]);
}

export function systemHeader(): Buffer {
  return Buffer.from([0, 0, 1, 0xbb, 0, 12, 0x80, 0x1e, 0xff, 0xfe, 0xe1, 0x7f, 0xe0, 0xe0, 0xd8, 0xc0, 0xc0, 0x20]);
}

export function streamMap(videoType: number, audioType: number | null, badCrc = false): Buffer {
  const entries = [Buffer.from([videoType, 0xe0, 0, 0])];
  if (audioType !== null) entries.push(Buffer.from([audioType, 0xc0, 0, 0]));
  const map = Buffer.concat(entries);
  const body = Buffer.alloc(6 + map.length + 4);
  body[0] = 0xe1;
  body[1] = 0xff;
  body.writeUInt16BE(0, 2);
  body.writeUInt16BE(map.length, 4);
  map.copy(body, 6);
  // Receivers here ignore the CRC; two different wrong ones prove it.
  body.writeUInt32BE(badCrc ? 0xdeadbeef : 0, 6 + map.length);
  const head = Buffer.from([0, 0, 1, 0xbc, 0, 0]);
  head.writeUInt16BE(body.length, 4);
  return Buffer.concat([head, body]);
}

export function pes(id: number, payload: Buffer, pts: number | null, dts: number | null, zeroLength = false, lengthError = 0): Buffer {
  const stamps = pts === null ? [] : dts === null ? [stamp(pts, 2)] : [stamp(pts, 3), stamp(dts, 1)];
  const times = Buffer.concat(stamps);
  const head = Buffer.from([0, 0, 1, id, 0, 0, 0x80, pts === null ? 0 : dts === null ? 0x80 : 0xc0, times.length]);
  head.writeUInt16BE(zeroLength ? 0 : 3 + times.length + payload.length + lengthError, 4);
  return Buffer.concat([head, times, payload]);
}

/** One picture as a GB/T 28181 device sends it; `keyframe` puts system header and stream map in front. */
export function psPicture(picture: Buffer, keyframe: boolean, options: PsOptions = {}): Buffer {
  const { pts = null, dts = null, mapType = null, pesSize = 65_000, zeroLength = false, lengthError = 0 } = options;
  const parts: Buffer[] = [options.cutPack && !keyframe ? Buffer.from([0, 0, 1, 0xba]) : packHeader(options.stuffing)];
  if (keyframe) {
    parts.push(systemHeader());
    if (mapType !== null) parts.push(streamMap(mapType, options.audio?.type ?? null, options.badCrc));
  }
  if (options.privateBytes) {
    const head = Buffer.from([0, 0, 1, 0xbd, 0, 0]);
    head.writeUInt16BE(options.privateBytes, 4);
    parts.push(head, Buffer.alloc(options.privateBytes, 0x42));
  }
  for (let at = 0; at < picture.length; at += pesSize) {
    if (options.longStartCode) parts.push(Buffer.from([0]));
    parts.push(pes(0xe0, picture.subarray(at, at + pesSize), at === 0 ? pts : null, at === 0 ? dts : null, zeroLength, lengthError));
  }
  if (options.audio) parts.push(pes(0xc0, options.audio.data, pts, null));
  return Buffer.concat(parts);
}

export interface RtpOptions {
  ssrc?: number;
  payloadType?: number;
  mtu?: number;
  /** Bytes of CSRC list, extension and padding, to be skipped by the receiver. */
  ornate?: boolean;
}

export function rtpPacket(payload: Buffer, sequence: number, timestamp: number, marker: boolean, options: RtpOptions = {}): Buffer {
  const { ssrc = 0x0bebc1f2, payloadType = 96, ornate = false } = options;
  const head = Buffer.alloc(12);
  head[0] = ornate ? 0x80 | 0x20 | 0x10 | 2 : 0x80;
  head[1] = (marker ? 0x80 : 0) | payloadType;
  head.writeUInt16BE(sequence & 0xffff, 2);
  head.writeUInt32BE(timestamp >>> 0, 4);
  head.writeUInt32BE(ssrc, 8);
  if (!ornate) return Buffer.concat([head, payload]);
  const extras = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
  return Buffer.concat([head, extras, payload, Buffer.from([0, 0, 3])]);
}

/** Cuts payloads into RTP packets with running sequence numbers. */
export class Packetizer {
  sequence: number;
  readonly options: RtpOptions;

  constructor(options: RtpOptions = {}, sequence = 0) {
    this.options = options;
    this.sequence = sequence;
  }

  packets(payload: Buffer, timestamp: number): Buffer[] {
    const mtu = this.options.mtu ?? 1400;
    const packets: Buffer[] = [];
    for (let at = 0; at < payload.length; at += mtu) {
      const piece = payload.subarray(at, at + mtu);
      packets.push(rtpPacket(piece, this.sequence++, timestamp, at + mtu >= payload.length, this.options));
    }
    return packets;
  }
}

/** A whole stream: every picture its own RTP timestamp. */
export function streamPackets(pictures: readonly Buffer[], ps: (index: number) => PsOptions, rtp: RtpOptions = {}, from = { sequence: 0, timestamp: 0 }): Buffer[] {
  const packetizer = new Packetizer(rtp, from.sequence);
  return pictures.flatMap((picture, i) => {
    const keyframe = i % 25 === 0;
    return packetizer.packets(psPicture(picture, keyframe, ps(i)), from.timestamp + i * 3600);
  });
}
