import { beijingMidnight } from '../../base/beijing-time.js';
import { BerthwatchError } from '../../base/errors.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { splitAnnexB } from '../../ingest/media/nal-units.js';
import { writeFragment } from '../../storage/footage/fragment.js';
import type { LoggedGop } from '../../storage/footage/logged-gop.js';
import { syntaxOf, type TrackFormat } from '../../storage/footage/sample-entry.js';
import { writeSegmentHeader } from '../../storage/footage/segment-header.js';
import { readInitSegment, type InitSegment } from '../../storage/playback/init-segment.js';
import { endOf, TICKS_PER_MS } from '../../storage/playback/playable-gop.js';
import { ByteCache } from './byte-cache.js';
import type { EncodedUnit } from './child/protocol.js';
import type { EncoderPool } from './encoder-pool.js';
import { memoryBody, type SizedBody } from './sized-body.js';

export interface TranscoderOptions {
  pool: EncoderPool;
  /** Larger pictures are made smaller, keeping their shape, pixels. */
  maxHeight: number;
  /** Bits a second. */
  maxBitrate: number;
  /** Bytes of finished pieces that are kept. */
  cacheBytes: number;
}

/** x264's constant rate factor: good for a look at a street. */
const QUALITY = 24;

interface Making {
  bytes: Promise<Buffer>;
  waiting: number;
  stop: AbortController;
}

/** H.265 footage as H.264, piece by piece, for browsers that know nothing else. Without sound. */
export class Transcoder {
  readonly #options: TranscoderOptions;
  readonly #cache: ByteCache;
  /** Pieces being made: whoever asks for the same one waits for it, and it is given up when nobody does any more. */
  readonly #making = new Map<string, Making>();

  constructor(options: TranscoderOptions) {
    this.#options = options;
    this.#cache = new ByteCache(options.cacheBytes);
  }

  /** Initialisation segment for a GOP's pieces. @throws BerthwatchError unavailable, bad-input */
  init(gop: LoggedGop, signal: AbortSignal | null = null): Promise<Buffer> {
    const { width, height } = this.#sizeOf(gop);
    // The settings, not the picture, make the parameter sets; how pictures are coloured is part of them.
    return this.#once(`init ${gop.cameraId} ${gop.position.segment} ${width}x${height}`, signal, async (stop) => {
      const [unit] = await this.#encode([await gop.readKeyframe()], gop, stop);
      return h264Init(unit as EncodedUnit, { width, height }, gop).bytes;
    });
  }

  /**
   * Fragments of one piece, in media time.
   * @param signal who asked does not wait any more
   * @throws BerthwatchError unavailable (no room), bad-input, not-found
   */
  async piece(gops: readonly LoggedGop[], next: LoggedGop | null, signal: AbortSignal | null = null): Promise<SizedBody> {
    const first = gops[0] as LoggedGop;
    const last = gops.at(-1) as LoggedGop;
    const { width, height } = this.#sizeOf(first);
    const end = endOf(last, next);
    const name = `${first.position.segment}-${first.position.gop}-${last.position.gop}-${end}-${width}x${height}`;
    const bytes = await this.#once(`piece ${first.cameraId} ${name}`, signal, async (stop) => {
      const fragments: Buffer[] = [];
      for (const [i, gop] of gops.entries()) {
        const units = await gop.read();
        const encoded = await this.#encode(units, gop, stop);
        fragments.push(fragmentOf(gop, units, encoded, endOf(gop, gops[i + 1] ?? next)));
      }
      return Buffer.concat(fragments);
    });
    return memoryBody(bytes, 'video/mp4', `"h264-${name}"`);
  }

  async #once(key: string, signal: AbortSignal | null, make: (stop: AbortSignal) => Promise<Buffer>): Promise<Buffer> {
    const cached = this.#cache.get(key);
    if (cached) return cached;
    signal?.throwIfAborted();
    const making = this.#making.get(key) ?? this.#begin(key, make);
    making.waiting++;
    let onAbort = (): void => undefined;
    const left = new Promise<never>((_, reject) => {
      onAbort = () => {
        reject(signal?.reason as Error);
        if (--making.waiting > 0) return;
        // Who asks for it again begins anew.
        this.#forget(key, making);
        making.stop.abort(signal?.reason);
      };
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([making.bytes, left]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #begin(key: string, make: (stop: AbortSignal) => Promise<Buffer>): Making {
    const stop = new AbortController();
    const bytes = make(stop.signal).then((made) => (this.#cache.set(key, made), made));
    const making = { bytes, waiting: 0, stop };
    this.#making.set(key, making);
    const done = (): void => this.#forget(key, making);
    bytes.then(done, done);
    return making;
  }

  #forget(key: string, making: Making): void {
    if (this.#making.get(key) === making) this.#making.delete(key);
  }

  #encode(units: AccessUnit[], gop: LoggedGop, stop: AbortSignal): Promise<EncodedUnit[]> {
    const { pool, maxBitrate } = this.#options;
    return pool.encode({ units, ...this.#sizeOf(gop), quality: QUALITY, maxBitrate, preset: 'veryfast', threads: 1, overlay: null }, stop);
  }

  #sizeOf(gop: LoggedGop): { width: number; height: number } {
    return fitSize(gop.width, gop.height, this.#options.maxHeight);
  }
}

/** Even sizes at most `maxHeight` high, of about the same shape. */
export function fitSize(width: number, height: number, maxHeight: number): { width: number; height: number } {
  const scale = Math.min(1, maxHeight / height);
  const even = (value: number): number => Math.max(2, Math.round((value * scale) / 2) * 2);
  return { width: even(width), height: even(height) };
}

/** The H.264 track that a coded keyframe begins. @throws BerthwatchError internal */
export function h264Track(unit: Pick<EncodedUnit, 'data'>, size: { width: number; height: number }): TrackFormat {
  const data = Buffer.from(unit.data.buffer, unit.data.byteOffset, unit.data.byteLength);
  const nals = splitAnnexB(data).map((span) => Buffer.from(data.subarray(span.from, span.to)));
  const parameterSets = nals.filter((nal) => syntaxOf.h264.parameterSet(nal) !== null);
  if (parameterSets.length < 2) throw new BerthwatchError('internal', 'PLAYBACK_ENCODER', 'the encoder gave a keyframe without parameter sets');
  return { codec: 'h264', ...size, parameterSets };
}

export function h264Init(unit: EncodedUnit, size: { width: number; height: number }, gop: LoggedGop): InitSegment {
  const { cameraId, position, startedAt } = gop;
  // Our own box in the header, which needs a log's id, is left out of what players get.
  const header = { version: 1, log: '00000000-0000-4000-8000-000000000000', camera: cameraId, segment: position.segment, codec: 'h264', ...size, reason: 'transcoded', previousEndedAt: null } as const;
  return readInitSegment(writeSegmentHeader(header, h264Track(unit, size), startedAt));
}

/** Pictures are shown when those were that they are made of. */
export function fragmentOf(gop: LoggedGop, units: readonly AccessUnit[], encoded: readonly EncodedUnit[], endsAt: number): Buffer {
  const midnight = beijingMidnight(gop.startedAt);
  const firstPts = (units[0] as AccessUnit).pts;
  const start = (gop.startedAt - midnight) * TICKS_PER_MS;
  const end = (endsAt - midnight) * TICKS_PER_MS;
  const shown: AccessUnit[] = [];
  for (const { index, keyframe, data } of encoded) {
    const source = units[index];
    if (!source) continue;
    const pts = start + source.pts - firstPts + (source.compositionOffset ?? 0);
    // Slewed clocks: a picture must not come after the end of its GOP, nor before the one shown before it.
    const least = (shown.at(-1)?.pts ?? start - 1) + 1;
    shown.push({ cameraId: gop.cameraId, codec: 'h264', keyframe, pts: Math.max(least, Math.min(pts, end - (encoded.length - shown.length))), capturedAt: source.capturedAt, data });
  }
  if (shown[0]) shown[0].pts = start;
  return writeFragment({ gop: gop.position.gop, units: shown, basePts: 0, nextPts: end }).bytes;
}
