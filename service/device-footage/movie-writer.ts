import { randomUUID } from 'node:crypto';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { writeFragment } from '../../storage/footage/fragment.js';
import { GopAssembler, type PendingGop } from '../../storage/footage/gop-assembler.js';
import { writeSegmentHeader } from '../../storage/footage/segment-header.js';

/** A piece of an MP4 file: its header, or the fragment of one group of pictures. */
export interface MoviePiece {
  bytes: Buffer;
  /** Of the pictures in it, Unix ms; null for the header. */
  times: { from: number; to: number } | null;
}

export interface MovieWriterOptions {
  cameraId: string;
  /** Said in the file's header. */
  reason: string;
  onPiece(piece: MoviePiece): void;
  /** A picture of another codec came: the file cannot go on, and takes no more. */
  onCodecChange(): void;
}

const LIMITS = { maxGopBytes: 64 * 1024 * 1024, maxGopMs: 60_000 };

/**
 * Makes a fragmented MP4 (video alone) of a recording's pictures as they come: the header with the first group of pictures, then a
 * fragment for each. What is written can be played at any time. Gaps of the recording are kept in its time line.
 */
export class MovieWriter {
  readonly #options: MovieWriterOptions;
  readonly #assembler = new GopAssembler(LIMITS);
  #codec: PendingGop['track']['codec'] | null = null;
  #basePts = 0;
  #gops = 0;
  #over = false;

  constructor(options: MovieWriterOptions) {
    this.#options = options;
  }

  get codec(): string | null {
    return this.#codec;
  }

  push(unit: AccessUnit): void {
    if (this.#over) return;
    const gop = this.#assembler.push(unit);
    if (gop) this.#write(gop);
  }

  /** Writes the group of pictures that is still open. */
  end(): void {
    if (this.#over) return;
    const gop = this.#assembler.cut('the recording ended');
    if (gop) this.#write(gop);
    this.#over = true;
  }

  #write(gop: PendingGop): void {
    const { units, track, nextPts } = gop;
    const first = units[0] as AccessUnit;
    const last = units.at(-1) as AccessUnit;
    if (this.#codec === null) {
      this.#codec = track.codec;
      this.#basePts = first.pts;
      const header = { version: 1 as const, log: randomUUID(), camera: this.#options.cameraId, segment: 1, codec: track.codec, width: track.width, height: track.height, reason: this.#options.reason, previousEndedAt: null };
      this.#options.onPiece({ bytes: writeSegmentHeader(header, track, first.capturedAt), times: null });
    }
    if (track.codec !== this.#codec) {
      this.#over = true;
      this.#options.onCodecChange();
      return;
    }
    const { bytes } = writeFragment({ gop: this.#gops++, units, basePts: this.#basePts, nextPts });
    this.#options.onPiece({ bytes, times: { from: Math.min(first.capturedAt, last.capturedAt), to: Math.max(first.capturedAt, last.capturedAt) } });
  }
}
