import type { AudioCodec } from '../audio-unit.js';

/** What a demux child reads. It comes by its environment, for an address may hold a password. */
export type DemuxInput =
  | { kind: 'file'; path: string }
  /** `url` with user and password where the camera wants them. */
  | { kind: 'rtsp'; media: 'video' | 'audio'; url: string; transport: 'tcp' | 'udp'; timeoutMs: number };

/** The environment variable that holds a `DemuxInput` as JSON. */
export const INPUT_VARIABLE = 'BERTHWATCH_DEMUX_INPUT';

/**
 * What the demux child writes to its parent, message after message:
 *
 *     | kind 1 | body length 4 BE | body |
 *
 * `P`: one coded picture: decode time and presentation minus decode time as two big-endian doubles (90 kHz ticks; NaN where
 * the file has none), then Annex-B bytes; of sound, one packet in the same form. `A`: what the sound is, JSON `DemuxedSound`, before
 * the first packet. `L`: packets were lost on the way: the next picture is not whole. `E`: the file cannot be used, JSON
 * `DemuxFault`. `W`: a warning, text. `D`: the end.
 *
 * The parent writes one byte for each picture it took; the child stays at most `WINDOW` pictures ahead.
 */
export type MessageKind = 'P' | 'A' | 'L' | 'E' | 'W' | 'D';

export interface DemuxedSound {
  codec: AudioCodec;
  sampleRate: number;
  channels: number;
  /** AAC: AudioSpecificConfig in base64. */
  config: string | null;
}

/** Pictures under way between child and parent. */
export const WINDOW = 16;

export interface DemuxFault {
  code: string;
  message: string;
}

export interface Message {
  kind: MessageKind;
  body: Buffer;
}

const HEADER = 5;
const PICTURE_HEADER = 16;
/** The child is our own program; the limit catches a broken pipe's garbage, not an attack. */
const MAX_BODY = 64 * 1024 * 1024;

export function encodeMessage(kind: MessageKind, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER + body.length);
  bytes[0] = kind.charCodeAt(0);
  bytes.writeUInt32BE(body.length, 1);
  body.copy(bytes, HEADER);
  return bytes;
}

export function encodePicture(dts: number | null, offset: number, data: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER + PICTURE_HEADER + data.length);
  bytes[0] = 'P'.charCodeAt(0);
  bytes.writeUInt32BE(PICTURE_HEADER + data.length, 1);
  bytes.writeDoubleBE(dts ?? NaN, HEADER);
  bytes.writeDoubleBE(offset, HEADER + 8);
  data.copy(bytes, HEADER + PICTURE_HEADER);
  return bytes;
}

export function decodePicture(body: Buffer): { dts: number | null; offset: number; data: Buffer } {
  const dts = body.readDoubleBE(0);
  return { dts: Number.isNaN(dts) ? null : dts, offset: body.readDoubleBE(8), data: body.subarray(PICTURE_HEADER) };
}

/** Joins the chunks of the pipe to messages. @throws RangeError where the length makes no sense */
export class MessageReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #needed = HEADER;

  *push(chunk: Buffer): Generator<Message> {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size >= this.#needed) {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.#size);
      this.#chunks = [bytes];
      const length = bytes.readUInt32BE(1);
      if (length > MAX_BODY) throw new RangeError(`a message of ${length} bytes from the demuxer`);
      this.#needed = HEADER + length;
      if (bytes.length < this.#needed) return;
      const rest = bytes.subarray(this.#needed);
      const body = bytes.subarray(HEADER, this.#needed);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#size = rest.length;
      this.#needed = HEADER;
      yield { kind: String.fromCharCode(bytes[0] as number) as MessageKind, body };
    }
  }
}
