import { messageOf } from '../../base/errors.js';
import { audioIsSound } from './audio-box.js';
import { damaged } from './box-reader.js';
import { readFragment, unitIsSound, type Fragment, type FragmentUnit } from './fragment.js';
import type { IndexedGop } from './gop-index.js';
import { readSegmentHeader, type SegmentHeader } from './segment-header.js';

/** Larger fragments are damage: the writer cuts GOPs well below. */
export const MAX_FRAGMENT_BYTES = 128 * 1024 * 1024;
const MAX_HEADER_BOX_BYTES = 1024 * 1024;
const HEADER_BOXES = ['ftyp', 'uuid', 'moov'];

export interface SegmentScan {
  /** Null where not even the header is whole. */
  header: SegmentHeader | null;
  /** Every whole fragment from the first on. */
  gops: IndexedGop[];
  /** Bytes up to the end of the last whole fragment (of the header, where there is none). */
  wholeBytes: number;
  totalBytes: number;
  /** Why the rest is not usable; null where nothing is left over. */
  damage: string | null;
}

/**
 * Reads a segment file from its beginning, in chunks of any size, and finds how far it is whole: header, then fragments
 * whose boxes fit, whose numbers follow one another and whose pictures have their checksums. Pure; holds at most one
 * fragment in memory.
 */
export class SegmentScanner {
  #chunks: Buffer[] = [];
  #held = 0;
  #needed = 8;
  #header: SegmentHeader | null = null;
  #headerBoxes = 0;
  #gops: IndexedGop[] = [];
  #whole = 0;
  #total = 0;
  #damage: string | null = null;

  push(chunk: Uint8Array): void {
    this.#total += chunk.length;
    if (this.#damage !== null || chunk.length === 0) return;
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    let bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.#held);
    try {
      for (let used = this.#take(bytes); used > 0; used = this.#take(bytes)) {
        bytes = bytes.subarray(used);
        this.#whole += used;
      }
    } catch (error) {
      this.#damage = `at byte ${this.#whole}: ${messageOf(error)}`;
      bytes = Buffer.alloc(0);
    }
    this.#chunks = bytes.length > 0 ? [bytes] : [];
    this.#held = bytes.length;
  }

  end(): SegmentScan {
    const rest = this.#total - this.#whole;
    const missing = this.#headerBoxes < HEADER_BOXES.length ? 'the file ends within its header' : null;
    const damage = this.#damage ?? (rest > 0 ? `at byte ${this.#whole}: ${rest} bytes are no whole fragment` : missing);
    return { header: this.#header, gops: this.#gops, wholeBytes: this.#whole, totalBytes: this.#total, damage };
  }

  /** Bytes of the next whole part at the beginning of `bytes`; 0 where it is not whole yet (sets `#needed`). */
  #take(bytes: Buffer): number {
    this.#needed = 8;
    if (bytes.length < 8) return 0;
    const size = bytes.readUInt32BE(0);
    if (this.#headerBoxes < HEADER_BOXES.length) return this.#takeHeaderBox(bytes, size);
    if (size < 8 || size > MAX_FRAGMENT_BYTES) throw damaged(`a box of ${size} bytes`);
    this.#needed = size + 8;
    if (bytes.length < this.#needed) return 0;
    const media = bytes.readUInt32BE(size);
    if (media < 8 || size + media > MAX_FRAGMENT_BYTES) throw damaged(`an mdat of ${media} bytes`);
    this.#needed = size + media;
    if (bytes.length < this.#needed) return 0;
    const fragment = readFragment(bytes.subarray(0, this.#needed));
    this.#check(bytes, fragment);
    const first = fragment.units[0] as FragmentUnit;
    const last = fragment.units.at(-1) as FragmentUnit;
    this.#gops.push({ gop: fragment.gop, offset: this.#whole, length: fragment.length, headBytes: first.to, startedAt: first.capturedAt, endedAt: last.capturedAt, units: fragment.units.length });
    this.#needed = 8;
    return fragment.length;
  }

  #takeHeaderBox(bytes: Buffer, size: number): number {
    const type = HEADER_BOXES[this.#headerBoxes] as string;
    if (bytes.toString('latin1', 4, 8) !== type || size < 8 || size > MAX_HEADER_BOX_BYTES) throw damaged(`no ${type} of a footage segment`);
    this.#needed = size;
    if (bytes.length < size) return 0;
    if (type === 'uuid') this.#header = readSegmentHeader(bytes.subarray(8, size));
    this.#headerBoxes++;
    return size;
  }

  #check(bytes: Buffer, fragment: Fragment): void {
    if (fragment.gop !== this.#gops.length) throw damaged(`GOP ${fragment.gop} follows ${this.#gops.length - 1}`);
    const times = fragment.units.map((unit) => unit.capturedAt);
    if (times.some((time, i) => i > 0 && time < (times[i - 1] as number))) throw damaged(`the times of GOP ${fragment.gop} fall`);
    const bad = fragment.units.find((unit) => !unitIsSound(bytes, unit));
    if (bad) throw damaged(`the picture captured at ${bad.capturedAt} fails its checksum`);
    if (fragment.audio && !audioIsSound(bytes, fragment.audio)) throw damaged(`the sound of GOP ${fragment.gop} fails its checksum`);
  }
}
