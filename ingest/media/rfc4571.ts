import { isRtcpType } from './rtp-packet.js';

/**
 * RTP over TCP. RFC 4571: a 16-bit big-endian length before each packet; RTSP style (RFC 2326 section 10.12), which some
 * devices use on GB/T 28181 sockets too: `$`, channel, 16-bit length.
 *
 * Senders that ignore short writes of a non-blocking socket leave holes in the byte stream. A frame is therefore believed
 * only where an RTP or RTCP header stands behind its length; after damage the place to go on is found by the stream's SSRC
 * standing twice at the right distance, else by a PS pack header at the start of a payload.
 */
export interface DeframerStats {
  frames: number;
  /** Times the byte stream had to be searched for the next packet. */
  resyncs: number;
  skippedBytes: number;
}

/** `afterDamage`: bytes before this frame were thrown away. The frame is a view, valid until the caller's next `push`. */
export type FrameSink = (frame: Buffer, afterDamage: boolean) => void;

const RTP_HEADER = 12;
/** Longest frame believed without its SSRC being known: real senders stay near 1.4 kB, some write up to 8 kB. */
const MAX_UNPROVEN = 10_240;
/** Packets of another SSRC in a row that make it the stream's. */
const ADOPT_AFTER = 3;
const MAX_FRAME = 65_535;
const DOLLAR = 0x24;
const PACK_START = Buffer.from([0, 0, 1, 0xba]);
const EMPTY = Buffer.alloc(0);

type Verdict = 'good' | 'bad' | 'more';

export class Rfc4571Deframer {
  readonly #sink: FrameSink;
  #rest: Buffer = EMPTY;
  #dollar: boolean | null = null;
  #ssrc: number | null;
  #ssrcNeedle: Buffer | null = null;
  #newcomer: { ssrc: number; frames: number } | null = null;
  #searching = false;
  #damaged = false;
  readonly stats: DeframerStats = { frames: 0, resyncs: 0, skippedBytes: 0 };

  /** @param ssrc the stream's SSRC where it was negotiated; otherwise that of the first packet is taken */
  constructor(sink: FrameSink, ssrc: number | null = null) {
    this.#sink = sink;
    this.#ssrc = ssrc;
  }

  /** Bytes kept for the next call: less than two of the longest frames. */
  get buffered(): number {
    return this.#rest.length;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at < bytes.length) {
      if (this.#searching) {
        const found = this.#search(bytes, at);
        this.stats.skippedBytes += found.at - at;
        at = found.at;
        if (!found.sure) break;
        this.#searching = false;
      }
      const head = this.#headLength(bytes, at);
      if (head === 0) break;
      const verdict = this.#judge(bytes, at, head);
      if (verdict === 'more') break;
      if (verdict === 'bad') {
        this.stats.resyncs++;
        this.stats.skippedBytes++;
        this.#searching = true;
        this.#damaged = true;
        at++;
        continue;
      }
      const length = bytes.readUInt16BE(at + head - 2);
      const start = at + head;
      const swallowed = this.#swallowed(bytes, at, head, start + length);
      if (swallowed !== null) {
        this.stats.resyncs++;
        this.stats.skippedBytes += swallowed - at;
        this.#damaged = true;
        at = swallowed;
        continue;
      }
      at = start + length;
      if (length > 0) this.#emit(bytes.subarray(start, at));
    }
    // A copy: a view would keep the whole chunk alive for a few bytes.
    this.#rest = at >= bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
  }

  /**
   * A short write leaves a frame with too few bytes of its own, so that it takes those of its successors, and no header stands
   * where it ends. Then the packet that it swallowed is found inside it: where that begins. Null where the frame is what it says,
   * and while too little has come to tell: no frame is held back for it.
   */
  #swallowed(bytes: Buffer, at: number, head: 2 | 4, ends: number): number | null {
    if (this.#ssrc === null || bytes.length < ends + 4 + RTP_HEADER || ends - at < 2 * RTP_HEADER) return null;
    const next = this.#headLength(bytes, ends);
    if (next === 0 || this.#judge(bytes, ends, next) !== 'bad') return null;
    const inside = this.#searchNeedle(bytes, at + 1, head, this.#needleOf(this.#ssrc), 8, ends + head + RTP_HEADER);
    return inside?.sure && inside.at < ends ? inside.at : null;
  }

  #emit(frame: Buffer): void {
    const damaged = this.#damaged;
    this.#damaged = false;
    this.stats.frames++;
    if (!isRtcpType(frame[1] as number)) this.#learn(frame.readUInt32BE(8));
    this.#sink(frame, damaged);
  }

  /** Another SSRC becomes the stream's after a few packets only: damage can make up one or two. */
  #learn(ssrc: number): void {
    if (ssrc === this.#ssrc) {
      this.#newcomer = null;
      return;
    }
    if (this.#newcomer?.ssrc === ssrc) this.#newcomer.frames++;
    else this.#newcomer = { ssrc, frames: 1 };
    if (this.#ssrc !== null && this.#newcomer.frames < ADOPT_AFTER) return;
    this.#ssrc = ssrc;
    this.#ssrcNeedle = null;
    this.#newcomer = null;
  }

  /** Bytes before the packet (2 or 4); 0 where too few are there to tell. */
  #headLength(bytes: Buffer, at: number): 0 | 2 | 4 {
    if (bytes.length - at < 2) return 0;
    if (bytes[at] !== DOLLAR || this.#dollar === false) return 2;
    if (bytes.length - at < 6) return 0;
    // "$ ch" read as a length is 9216 or more, which hardly any sender writes; the version bits settle it.
    const dollar = (bytes[at + 1] as number) < 8 && (bytes[at + 4] as number) >> 6 === 2;
    return dollar ? 4 : 2;
  }

  /** Is there a believable packet behind the length at `at`? */
  #judge(bytes: Buffer, at: number, head: 2 | 4): Verdict {
    const length = bytes.readUInt16BE(at + head - 2);
    if (length === 0) return 'good';
    const start = at + head;
    const there = bytes.length - start;
    if (there < Math.min(length, RTP_HEADER)) return 'more';
    if (length < 8 || (bytes[start] as number) >> 6 !== 2) return 'bad';
    const ends = start + length;
    if (isRtcpType(bytes[start + 1] as number)) {
      // RFC 3550 section 6.4: the length field of the first packet of a compound is in words less one.
      if ((bytes.readUInt16BE(start + 2) + 1) * 4 > length || length > MAX_UNPROVEN) return 'bad';
      if (bytes.length < ends) return 'more';
      // RTCP of another source than the stream's: believed if the stream goes on behind it.
      return this.#ssrc === null || bytes.readUInt32BE(start + 4) === this.#ssrc ? 'good' : this.#confirmed(bytes, ends, head, this.#ssrc);
    }
    if (length < RTP_HEADER) return 'bad';
    const ssrc = bytes.readUInt32BE(start + 8);
    if (ssrc === this.#ssrc) {
      this.#dollar ??= head === 4;
      return bytes.length < ends ? 'more' : 'good';
    }
    if (length > MAX_UNPROVEN) return 'bad';
    if (this.#ssrc === null || this.stats.frames === 0) return bytes.length < ends ? 'more' : 'good';
    // Another SSRC in mid-stream: either damage or a restarted encoder, whose next packet has the new one too.
    const verdict = this.#confirmed(bytes, ends, head, ssrc);
    // While that packet is awaited: the old SSRC going on behind this place proves that it was damage.
    if (verdict === 'more' && this.#searchNeedle(bytes, at + 1, head, this.#needleOf(this.#ssrc), 8)?.sure) return 'bad';
    return verdict;
  }

  /** Does a packet of `ssrc` begin at `at`? */
  #confirmed(bytes: Buffer, at: number, head: 2 | 4, ssrc: number): Verdict {
    const start = at + head;
    if (bytes.length < start + RTP_HEADER) return 'more';
    if ((bytes[start] as number) >> 6 !== 2) return 'bad';
    return bytes.readUInt32BE(start + 8) === ssrc ? 'good' : 'bad';
  }

  /** The next place where a frame begins; where none is `sure`, the place from which to keep bytes. */
  #search(bytes: Buffer, from: number): { at: number; sure: boolean } {
    const head = this.#dollar === true ? 4 : 2;
    const bySsrc = this.#ssrc === null ? null : this.#searchNeedle(bytes, from, head, this.#needleOf(this.#ssrc), 8);
    if (bySsrc?.sure) return bySsrc;
    const byPack = this.#searchNeedle(bytes, from, head, PACK_START, RTP_HEADER);
    if (byPack?.sure) return byPack;
    // Nothing yet: keep what could still hold the beginning of a frame, and never more than the longest one.
    const tail = Math.max(from, bytes.length - (head + RTP_HEADER + PACK_START.length));
    const keep = Math.min(bySsrc?.at ?? tail, byPack?.at ?? tail);
    return { at: Math.max(keep, bytes.length - MAX_FRAME - 2 * RTP_HEADER), sure: false };
  }

  /**
   * Looks for an RTP packet that has `needle` at `offset` and is followed by another one of the same SSRC: what stands
   * before the hole's end may look like a header, but its length leads nowhere. Needles behind `until` are not looked for.
   */
  #searchNeedle(bytes: Buffer, from: number, head: 2 | 4, needle: Buffer, offset: number, until = bytes.length): { at: number; sure: boolean } | null {
    let open: number | null = null;
    const area = bytes.subarray(0, until);
    for (let hit = area.indexOf(needle, from); hit >= 0; hit = area.indexOf(needle, hit + 1)) {
      const start = hit - offset;
      const at = start - head;
      if (at < from || (bytes[start] as number) >> 6 !== 2 || isRtcpType(bytes[start + 1] as number)) continue;
      const length = bytes.readUInt16BE(start - 2);
      if (length < RTP_HEADER || bytes.length < start + RTP_HEADER) continue;
      const next = this.#confirmed(bytes, start + length, head, bytes.readUInt32BE(start + 8));
      if (next === 'good') return { at, sure: true };
      if (next === 'more' && open === null) open = at;
    }
    return open === null ? null : { at: open, sure: false };
  }

  #needleOf(ssrc: number): Buffer {
    if (!this.#ssrcNeedle) {
      this.#ssrcNeedle = Buffer.alloc(4);
      this.#ssrcNeedle.writeUInt32BE(ssrc);
    }
    return this.#ssrcNeedle;
  }
}
