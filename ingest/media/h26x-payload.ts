import type { Codec } from '../access-unit.js';
import type { RtpPacket } from './rtp-packet.js';

/**
 * H.264 and H.265 directly in RTP: RFC 6184 section 5 (single unit, STAP-A, FU-A) and RFC 7798 section 4.4 (single unit, AP,
 * FU). Some cameras answer an offer of PS with such a stream.
 *
 *     H.264 FU-A:  |F|NRI| 28 | |S|E|R| Type |          H.265 FU:  |F| 49 |LayerId|TID| |S|E| Type |
 */
const START = Buffer.from([0, 0, 0, 1]);

/** A piece of Annex-B; pieces of one fragmented unit follow each other. False where the packet is malformed. */
export type AnnexBSink = (piece: Buffer) => void;

/** Takes one packet apart. Pure and without state besides "inside a fragmented unit". */
export class H26xDepayloader {
  readonly #codec: Codec;
  readonly #sink: AnnexBSink;
  #inFragment = false;

  constructor(codec: Codec, sink: AnnexBSink) {
    this.#codec = codec;
    this.#sink = sink;
  }

  /** Returns false where the packet contradicts its format: then the unit in work is not whole. */
  push(packet: RtpPacket, loss: boolean): boolean {
    if (loss) this.#inFragment = false;
    const { payload } = packet;
    return this.#codec === 'h264' ? this.#pushH264(payload) : this.#pushH265(payload);
  }

  #pushH264(payload: Buffer): boolean {
    if (payload.length === 0) return true;
    const header = payload[0] as number;
    const type = header & 0x1f;
    if (type >= 1 && type <= 23) return this.#single(payload);
    if (type === 24) return this.#aggregate(payload, 1);
    if (type !== 28 || payload.length < 3) return false;
    const fu = payload[1] as number;
    return this.#fragment((fu & 0x80) !== 0, (fu & 0x40) !== 0, Buffer.from([(header & 0xe0) | (fu & 0x1f)]), payload.subarray(2));
  }

  #pushH265(payload: Buffer): boolean {
    if (payload.length === 0) return true;
    if (payload.length < 3) return false;
    const header = payload[0] as number;
    const type = (header >> 1) & 0x3f;
    if (type < 48) return this.#single(payload);
    if (type === 48) return this.#aggregate(payload, 2);
    if (type !== 49 || payload.length < 4) return false;
    const fu = payload[2] as number;
    const unit = Buffer.from([(header & 0x81) | ((fu & 0x3f) << 1), payload[1] as number]);
    return this.#fragment((fu & 0x80) !== 0, (fu & 0x40) !== 0, unit, payload.subarray(3));
  }

  #single(unit: Buffer): boolean {
    const complete = !this.#inFragment;
    this.#inFragment = false;
    this.#sink(START);
    this.#sink(unit);
    return complete;
  }

  #aggregate(payload: Buffer, headerLength: number): boolean {
    let at = headerLength;
    while (at + 2 <= payload.length) {
      const length = payload.readUInt16BE(at);
      at += 2;
      if (length === 0 || at + length > payload.length) return false;
      this.#single(payload.subarray(at, at + length));
      at += length;
    }
    return at === payload.length;
  }

  #fragment(first: boolean, last: boolean, header: Buffer, piece: Buffer): boolean {
    if (first) {
      this.#sink(Buffer.concat([START, header, piece]));
    } else if (this.#inFragment) {
      this.#sink(piece);
    } else {
      return false;
    }
    this.#inFragment = !last;
    return true;
  }
}

/** Static and customary payload types of GB/T 28181 (table of clause C.2.4): 98 H.264, 99 and 100 H.265. */
export function customaryCodec(payloadType: number): Codec | null {
  if (payloadType === 98) return 'h264';
  return payloadType === 99 || payloadType === 100 ? 'h265' : null;
}

/** Whether a payload begins like a program stream. */
export function looksLikePs(payload: Buffer): boolean {
  return payload.length >= 4 && payload[0] === 0 && payload[1] === 0 && payload[2] === 1 && (payload[3] as number) >= 0xb9;
}

