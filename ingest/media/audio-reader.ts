import type { AudioCodec } from '../audio-unit.js';
import { AAC_FRAME_SAMPLES, MAX_ADTS_FRAME, mpegAudioFrameLength, parseAdts, type AdtsHeader } from './adts.js';

/** Sound in the stream's own time. */
export interface AudioFrame {
  codec: AudioCodec;
  sampleRate: number;
  channels: number;
  config: Buffer | null;
  /** 33 bits as sent, of its first sample; null where the stream does not say: it follows the frame before. */
  pts: number | null;
  /** 90 kHz ticks. */
  duration: number;
  data: Buffer;
}

export interface AudioReaderSink {
  frame(frame: AudioFrame): void;
  /** Another codec than before, by name; `kept` is false where it is one that we leave out. */
  codec(name: string, kept: boolean): void;
  /** Bytes that are not what the codec says. */
  damaged(bytes: number): void;
}

const EMPTY = Buffer.alloc(0);
/** A larger packet is handed on in pieces. */
const MAX_PACKET = 64 * 1024;
/** Packets in a row that must contradict what their bytes said before. */
const PATIENCE = 16;

const isG711 = (name: string): name is 'g711a' | 'g711u' => name === 'g711a' || name === 'g711u';

/**
 * Makes frames of the audio PES packets of a program stream. Pure; holds at most one packet and one ADTS frame.
 *
 * The stream map may lie, or be missing (then G.711 A-law is the custom, GB/T 28181 annex C): a chain of ADTS or MPEG audio
 * headers at the distances that they themselves declare is believed instead. One header alone proves nothing: quiet µ-law
 * is full of bytes that look like a sync word.
 */
export class AudioReader {
  readonly #sink: AudioReaderSink;
  #packet: Buffer[] = [];
  #packetBytes = 0;
  #pts: number | null = null;
  #declared = 'g711a';
  /** What the bytes said, against the map. */
  #proven: string | null = null;
  #contradictions = 0;
  #told = '';
  /** AAC: the beginning of a frame that goes on in the next packet. */
  #rest: Buffer = EMPTY;
  #restPts: number | null = null;

  constructor(sink: AudioReaderSink) {
    this.#sink = sink;
  }

  /** Bytes kept for the next call. */
  get buffered(): number {
    return this.#packetBytes + this.#rest.length;
  }

  /**
   * A piece of a PES packet.
   * @param start it begins the packet, @param end it ends it (false where the packet has no length)
   * @param pts 33 bits, where the packet has one
   * @param declared codec by the stream map, null without a map
   */
  push(data: Buffer, start: boolean, end: boolean, pts: number | null, declared: string | null): void {
    if (start) {
      this.#finish();
      this.#pts = pts;
      this.#declare(declared ?? 'g711a');
    }
    this.#packet.push(data);
    this.#packetBytes += data.length;
    if (end || this.#packetBytes > MAX_PACKET) this.#finish();
  }

  /** Bytes were lost. */
  loss(): void {
    this.#packet = [];
    this.#packetBytes = 0;
    this.#rest = EMPTY;
    this.#restPts = null;
    this.#pts = null;
  }

  /** Another stream follows. */
  reset(): void {
    this.loss();
    this.#proven = null;
    this.#contradictions = 0;
    this.#told = '';
  }

  #declare(codec: string): void {
    if (codec === this.#declared) return;
    this.#declared = codec;
    this.#proven = null;
    this.#contradictions = 0;
  }

  #finish(): void {
    if (this.#packetBytes === 0) return;
    // Pieces may be views of buffers that are used again.
    const bytes = Buffer.concat(this.#packet, this.#packetBytes);
    const pts = this.#pts;
    this.#packet = [];
    this.#packetBytes = 0;
    this.#pts = null;
    const codec = this.#judge(bytes);
    const kept = codec === 'aac' || isG711(codec);
    if (codec !== this.#told) {
      this.#told = codec;
      this.#sink.codec(codec, kept);
    }
    if (isG711(codec)) this.#sink.frame({ codec, sampleRate: 8000, channels: 1, config: null, pts, duration: (bytes.length * 90_000) / 8000, data: bytes });
    else if (codec === 'aac') this.#aac(bytes, pts);
  }

  #judge(bytes: Buffer): string {
    const seen = this.#sniff(bytes);
    if (seen !== null) {
      this.#proven = seen;
      this.#contradictions = 0;
    } else if (this.#proven !== null && this.#proven !== this.#declared && ++this.#contradictions >= PATIENCE) {
      this.#proven = null;
    }
    return this.#proven ?? this.#declared;
  }

  /** Two headers where the first one says that the second stands; or one that says that the packet ends with its frame. */
  #sniff(bytes: Buffer): string | null {
    for (let at = bytes.indexOf(0xff); at >= 0 && at < bytes.length - 6; at = bytes.indexOf(0xff, at + 1)) {
      const adts = parseAdts(bytes, at);
      if (adts && continues(bytes, at, adts.frameLength, (next) => sameStream(adts, parseAdts(bytes, next)))) return 'aac';
      const length = mpegAudioFrameLength(bytes, at);
      const alike = (next: number): boolean => mpegAudioFrameLength(bytes, next) > 0 && ((bytes[next + 1] as number) & 0xfe) === ((bytes[at + 1] as number) & 0xfe);
      if (length > 0 && continues(bytes, at, length, alike)) return 'mpeg-audio';
    }
    return null;
  }

  #aac(packet: Buffer, packetPts: number | null): void {
    const carried = this.#rest.length;
    const bytes = carried === 0 ? packet : Buffer.concat([this.#rest, packet]);
    this.#rest = EMPTY;
    // The packet's time is that of the first frame that begins in it (ISO/IEC 13818-1, clause 2.4.3.7).
    let begun = this.#restPts;
    let pts = packetPts;
    let skipped = 0;
    let at = 0;
    while (at < bytes.length) {
      const header = parseAdts(bytes, at);
      if (header === null) {
        // Too short to tell, or garbage: the next sync word.
        if (bytes[at] === 0xff && bytes.length - at < 7) break;
        const next = bytes.indexOf(0xff, at + 1);
        const to = next < 0 ? bytes.length : next;
        skipped += to - at;
        at = to;
        continue;
      }
      if (at + header.frameLength > bytes.length) break;
      const { sampleRate, channels, config } = header;
      if (at >= carried) {
        begun = pts;
        pts = null;
      }
      this.#sink.frame({ codec: 'aac', sampleRate, channels, config, pts: begun, duration: (AAC_FRAME_SAMPLES * 90_000) / sampleRate, data: bytes.subarray(at + header.headerLength, at + header.frameLength) });
      begun = null;
      at += header.frameLength;
    }
    if (skipped > 0) this.#sink.damaged(skipped);
    if (bytes.length - at > MAX_ADTS_FRAME) return;
    this.#rest = Buffer.from(bytes.subarray(at));
    this.#restPts = at >= carried ? pts : begun;
  }
}

function continues(bytes: Buffer, at: number, length: number, next: (at: number) => boolean): boolean {
  return at + length === bytes.length ? at === 0 : at + length < bytes.length && next(at + length);
}

const sameStream = (a: AdtsHeader, b: AdtsHeader | null): boolean => b !== null && a.sampleRate === b.sampleRate && a.channels === b.channels;
