import { PACK, PROGRAM_END, STREAM_MAP, STREAM_TYPES, packLength, parsePes, parseStreamMap } from './ps-headers.js';

/** What the demuxer finds. Buffers are views into the input: keep them only as long as the input itself may be kept. */
export interface PsSink {
  /**
   * A piece of the video elementary stream, in order. `pesStart` marks the first piece of a PES packet; only there may
   * `pts` and `dts` (33 bits, 90 kHz) be other than null.
   */
  video(data: Buffer, pesStart: boolean, pts: number | null, dts: number | null): void;
  /**
   * A piece of the audio stream. `pesEnd` marks the last piece of a PES packet with a length; `declared` is the codec's name
   * (`g711a`, `aac`, …) by the stream map, which may lie; null without one.
   */
  audio(data: Buffer, pesStart: boolean, pesEnd: boolean, pts: number | null, declared: string | null): void;
  /** A program stream map, as names; `null` where none of that kind is listed. It may lie. */
  streamMap(video: string | null, audio: string | null): void;
  damage(what: PsDamage): void;
}

/**
 * - `bad-header`: bytes contradict each other where a header should be; searched for the next start code
 * - `short-length`: a video PES packet went on behind its declared end (read on)
 * - `long-length`: a start code stood inside a declared PES packet (cut there)
 */
export type PsDamage = 'bad-header' | 'short-length' | 'long-length';

export interface PsStats {
  packs: number;
  skippedBytes: number;
  damages: number;
  /** Video and audio of another stream id than the first one seen: one of each is what GB/T 28181 carries. */
  otherVideo: number;
  otherAudio: number;
}

const EMPTY = Buffer.alloc(0);
const START_CODE = Buffer.from([0, 0, 1]);
const PACK_CODE = Buffer.from([0, 0, 1, PACK]);
/** ISO/IEC 13818-1 allows a stream map of 1018 bytes; a longer one is damage. */
const MAX_STREAM_MAP = 4096;

const isPsCode = (id: number): boolean => id >= PROGRAM_END && id <= 0xef;
const isVideo = (id: number): boolean => id >= 0xe0 && id <= 0xef;
const isAudio = (id: number): boolean => id >= 0xc0 && id <= 0xdf;

/** Where the reader stands. `hunt`: looking for a pack header (`huntPack`) or any start code of the program stream. */
type State = 'hunt' | 'header' | 'body';

/**
 * Takes a GB/T 28181 program stream apart. Pure; keeps at most one unfinished header (about 4 KB) between calls, since
 * PES payloads are handed on as they come, so neither endless nor lying lengths can make it grow.
 *
 * No start code of the program stream (id ≥ 0xB9) can occur inside H.264 or H.265 data, because the first bit of a NAL
 * unit is 0 and emulation prevention breaks up 00 00 01: that is what makes recovery from wrong lengths safe.
 */
export class PsDemuxer {
  readonly #sink: PsSink;
  #state: State = 'hunt';
  #huntPack = true;
  #carry: Buffer = EMPTY;
  /** Body bytes to come; Infinity where the PES packet has no length. */
  #left = 0;
  #bodyId = 0;
  #bodyStart = false;
  #pts: number | null = null;
  #dts: number | null = null;
  #videoId = 0;
  #types = new Map<number, number>();
  #audioId = 0;
  #audioCodec: string | null = null;
  readonly stats: PsStats = { packs: 0, skippedBytes: 0, damages: 0, otherVideo: 0, otherAudio: 0 };

  constructor(sink: PsSink) {
    this.#sink = sink;
  }

  /** Bytes kept for the next call. */
  get buffered(): number {
    return this.#carry.length;
  }

  /** True while bytes of a PES packet with a declared length are still to come. */
  get insidePacket(): boolean {
    return this.#state === 'body' && this.#left !== Infinity;
  }

  /** @param loss bytes are missing before these: everything up to the next pack header is thrown away */
  push(payload: Buffer, loss = false): void {
    if (loss) {
      this.#carry = EMPTY;
      this.#hunt(true);
    } else if (this.#state === 'body' && this.#carry.length === 0 && this.#startsOverLongBody(payload)) {
      this.#damage('long-length');
      this.#state = 'header';
    }
    const bytes = this.#carry.length === 0 ? payload : Buffer.concat([this.#carry, payload]);
    this.#carry = EMPTY;
    let at = 0;
    while (at < bytes.length) {
      const next =
        this.#state === 'body' ? this.#body(bytes, at) : this.#state === 'header' ? this.#header(bytes, at) : this.#search(bytes, at);
      if (next < 0) {
        this.#carry = Buffer.from(bytes.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** Forgets everything but counters (a new stream begins). */
  reset(): void {
    this.#carry = EMPTY;
    this.#videoId = 0;
    this.#types.clear();
    this.#audioId = 0;
    this.#audioCodec = null;
    this.#hunt(true);
  }

  #hunt(pack: boolean): void {
    this.#state = 'hunt';
    this.#huntPack = pack;
  }

  #damage(what: PsDamage): void {
    this.stats.damages++;
    this.#sink.damage(what);
  }

  /** An RTP packet that begins with a PS header while a body is open: the body's length said too much. */
  #startsOverLongBody(payload: Buffer): boolean {
    return (
      this.#left !== Infinity && payload.length >= 4 && payload[0] === 0 && payload[1] === 0 && payload[2] === 1 && isPsCode(payload[3] as number)
    );
  }

  #search(bytes: Buffer, at: number): number {
    const needle = this.#huntPack ? PACK_CODE : START_CODE;
    for (let hit = bytes.indexOf(needle, at); hit >= 0; hit = bytes.indexOf(needle, hit + 3)) {
      if (hit + 3 >= bytes.length) break;
      if (!isPsCode(bytes[hit + 3] as number)) continue;
      this.stats.skippedBytes += hit - at;
      this.#state = 'header';
      return hit;
    }
    const keep = Math.min(3, bytes.length - at);
    this.stats.skippedBytes += bytes.length - at - keep;
    this.#carry = Buffer.from(bytes.subarray(bytes.length - keep));
    return bytes.length;
  }

  /** Reads one header at `at`; returns where to go on, or -1 for "more bytes needed". */
  #header(bytes: Buffer, at: number): number {
    if (bytes.length < at + 4) return -1;
    if (bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== 1) return this.#noStartCode(bytes, at);
    const id = bytes[at + 3] as number;
    if (id === PACK) return this.#pack(bytes, at);
    if (id === PROGRAM_END) return at + 4;
    if (!isPsCode(id) && id < 0xf0) return this.#noStartCode(bytes, at);
    if (isVideo(id) || isAudio(id)) return this.#pes(bytes, at, id);
    if (bytes.length < at + 6) return -1;
    const length = bytes.readUInt16BE(at + 4);
    if (id === STREAM_MAP) return this.#map(bytes, at, length);
    // System header, private data (HIK puts its own there), padding, directory: skipped by length.
    this.#open(id, length);
    return at + 6;
  }

  #noStartCode(bytes: Buffer, at: number): number {
    if (bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 0) return at + 1; // 00 00 00 01: zero byte first
    if (isVideo(this.#bodyId)) {
      // The payload of a video PES packet goes on behind its declared length (16-bit lengths that ran over do that).
      this.#damage('short-length');
      this.#state = 'body';
      this.#left = Infinity;
      return at;
    }
    this.#damage('bad-header');
    this.#hunt(false);
    return at;
  }

  #pack(bytes: Buffer, at: number): number {
    const length = packLength(bytes, at);
    if (length === 'more' || bytes.length < at + length) return -1;
    this.stats.packs++;
    this.#bodyId = 0;
    return at + length;
  }

  #map(bytes: Buffer, at: number, length: number): number {
    if (length > MAX_STREAM_MAP) {
      this.#damage('bad-header');
      this.#hunt(false);
      return at + 4;
    }
    if (bytes.length < at + 6 + length) return -1;
    this.#types = parseStreamMap(bytes, at, 6 + length);
    let video: string | null = null;
    let audio: string | null = null;
    for (const [id, type] of this.#types) {
      const name = STREAM_TYPES[type] ?? `type 0x${type.toString(16)}`;
      if (isVideo(id)) video ??= name;
      else if (isAudio(id)) audio ??= name;
    }
    if (audio !== null) this.#audioCodec = audio;
    this.#sink.streamMap(video, audio);
    this.#bodyId = 0;
    return at + 6 + length;
  }

  #pes(bytes: Buffer, at: number, id: number): number {
    const pes = parsePes(bytes, at);
    if (pes === 'more') return -1;
    if (pes === 'bad') {
      this.#damage('bad-header');
      this.#bodyId = 0;
      this.#hunt(false);
      return at + 4;
    }
    let { payloadAt } = pes;
    if (isVideo(id) && pes.pts !== null) {
      // Some firmware miscounts its header by one: the picture's start code tells.
      if (bytes.length < at + payloadAt + 3) return -1;
      payloadAt += this.#headerSlip(bytes, at + payloadAt);
    }
    this.#open(id, pes.payloadLength === null ? Infinity : Math.max(0, pes.payloadLength + pes.payloadAt - payloadAt));
    this.#bodyStart = true;
    this.#pts = pes.pts;
    this.#dts = pes.dts;
    if (isVideo(id) && this.#videoId === 0) this.#videoId = id;
    if (isAudio(id) && this.#audioId === 0) this.#audioId = id;
    return at + payloadAt;
  }

  #headerSlip(bytes: Buffer, p: number): -1 | 0 | 1 {
    const [before, a, b, c] = [bytes[p - 1], bytes[p], bytes[p + 1], bytes[p + 2]];
    if (before === 0 && a === 0 && b === 1) return -1;
    return a === 0xff && b === 0 && c === 0 ? 1 : 0;
  }

  #open(id: number, length: number): void {
    this.#bodyId = id;
    this.#left = length;
    this.#bodyStart = false;
    this.#state = length === 0 ? 'header' : 'body';
  }

  #body(bytes: Buffer, at: number): number {
    if (this.#left === Infinity) return this.#endlessBody(bytes, at);
    let end = Math.min(bytes.length, at + this.#left);
    if (isVideo(this.#bodyId)) {
      const pack = bytes.indexOf(PACK_CODE, at);
      if (pack >= 0 && pack < end) {
        this.#damage('long-length');
        end = pack;
        this.#left = end - at;
      }
    }
    this.#left -= end - at;
    if (end > at) this.#deliver(bytes.subarray(at, end));
    if (this.#left === 0) this.#state = 'header';
    return end;
  }

  /** A body without length ends at the next start code of the program stream. */
  #endlessBody(bytes: Buffer, at: number): number {
    for (let hit = bytes.indexOf(START_CODE, at); hit >= 0; hit = bytes.indexOf(START_CODE, hit + 3)) {
      if (hit + 3 >= bytes.length) break;
      if (!isPsCode(bytes[hit + 3] as number)) continue;
      if (hit > at) this.#deliver(bytes.subarray(at, hit));
      this.#state = 'header';
      return hit;
    }
    const keep = trailingStartCodePrefix(bytes, at);
    const end = bytes.length - keep;
    if (end > at) this.#deliver(bytes.subarray(at, end));
    if (keep === 0) return end;
    this.#carry = Buffer.from(bytes.subarray(end));
    return bytes.length;
  }

  #deliver(data: Buffer): void {
    const start = this.#bodyStart;
    this.#bodyStart = false;
    if (isVideo(this.#bodyId)) {
      if (this.#bodyId === this.#videoId) this.#sink.video(data, start, start ? this.#pts : null, start ? this.#dts : null);
      else this.stats.otherVideo++;
    } else if (isAudio(this.#bodyId)) {
      if (this.#bodyId === this.#audioId) this.#sink.audio(data, start, this.#left === 0, start ? this.#pts : null, this.#audioCodec);
      else this.stats.otherAudio++;
    }
  }
}

/** How many of the last bytes could be the beginning of 00 00 01 xx. */
function trailingStartCodePrefix(bytes: Buffer, from: number): number {
  const n = bytes.length;
  if (n - from >= 3 && bytes[n - 3] === 0 && bytes[n - 2] === 0 && bytes[n - 1] === 1) return 3;
  if (n - from >= 2 && bytes[n - 2] === 0 && bytes[n - 1] === 0) return 2;
  return bytes[n - 1] === 0 ? 1 : 0;
}
