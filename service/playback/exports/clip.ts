import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { beijingIso } from '../../../base/beijing-time.js';
import { BerthwatchError, messageOf } from '../../../base/errors.js';
import { program } from '../../../base/program-root.js';
import { diskError } from '../../../storage/disk-error.js';
import type { LoggedGop } from '../../../storage/footage/logged-gop.js';
import { headerRoom } from '../../../storage/playback/clip-file.js';
import { readFragmentTracks } from '../../../storage/playback/fragment-tracks.js';
import { readInitSegment, type InitSegment } from '../../../storage/playback/init-segment.js';
import { continues, endOf, TICKS_PER_MS } from '../../../storage/playback/playable-gop.js';
import type { EncoderPool } from '../encoder-pool.js';
import { checkSpan, noFootage, type PlaybackLog } from '../playback.js';
import { fitSize, fragmentOf, h264Init } from '../transcoder.js';
import { ClipWriter, hashFile, type ClipGop } from './clip-writer.js';
import { OverlayMaker } from './overlay.js';

export interface ClipRequest {
  cameraId: string;
  /** Burnt in with a watermark. */
  cameraName: string;
  /** Unix ms. */
  from: number;
  to: number;
  /** Text burnt into every picture with the camera's name and the running time; null: pictures as the camera coded them. */
  watermark: string | null;
}

/** What is said of a clip beside it (`<file>.json`). Times are Unix ms and, for people, Beijing time. */
export interface ClipFacts {
  file: string;
  sha256: string;
  bytes: number;
  camera: { id: string; name: string };
  requested: { from: string; to: string };
  /** What it shows: stretches of footage, and where each begins in the file. What lies between them is missing. */
  stretches: { fileMs: number; from: number; to: number; fromText: string; toText: string }[];
  /** Times without pictures inside of what was asked for. */
  missing: { from: number; to: number; fromText: string; toText: string; reason: string }[];
  durationMs: number;
  video: { codec: string; width: number; height: number; reencoded: boolean; watermark: string | null };
  /** Segments of the footage log that it was made of. */
  source: { segments: number[] };
  /** 90 kHz ticks decoded but not shown, because pictures can be cut only where a key frame stands. */
  skippedTicks: number;
  madeAt: string;
  madeBy: string;
}

export interface ClipParts {
  log: PlaybackLog;
  pool: EncoderPool;
  /** Highest bit rate of pictures coded anew, bits a second. */
  maxBitrate: number;
  longestMs: number;
  now: () => number;
  signal: AbortSignal;
  /** Share of the footage that is done, 0 to 1. */
  onProgress: (share: number) => void;
}

const QUALITY = 21;
const MOST_HEIGHT = 2_160;
const text = (at: number): string => `${beijingIso(at)}+08:00`;

/** Bytes that a clip will have at least as many of, from the catalogue alone. @throws BerthwatchError not-found */
export async function estimateClip(log: PlaybackLog, request: ClipRequest, longestMs: number): Promise<number> {
  checkSpan(request.from, request.to, longestMs);
  const gops = await log.gopsBetween(request.cameraId, request.from, request.to);
  if (gops.length === 0) throw noFootage(request.cameraId, request.from, request.to);
  return gops.reduce((sum, gop) => sum + gop.bytes, 0);
}

/**
 * Makes an MP4 file of the footage between two times, with `<file>.sha256` and `<file>.json` beside it. Begins and ends to the millisecond by an
 * edit list; footage behind a gap follows at once, and the facts tell where. What cannot be read is left out and told too. The file gets its
 * name when it is complete.
 *
 * @throws BerthwatchError bad-input, not-found, conflict (the codec changes), unavailable (disk, encoder), or the signal's reason
 */
export async function makeClip(file: string, request: ClipRequest, parts: ClipParts): Promise<ClipFacts> {
  const { cameraId, from, to, watermark } = request;
  checkSpan(from, to, parts.longestMs);
  const gops = (await parts.log.gopsBetween(cameraId, from, to)).filter((gop) => gop.startedAt < to);
  const [first] = gops;
  if (!first) throw noFootage(cameraId, from, to);
  const other = watermark === null ? gops.find((gop) => gop.codec !== first.codec) : undefined;
  if (other) throw new BerthwatchError('conflict', 'EXPORT_CODEC', `camera ${cameraId} changed from ${first.codec} to ${other.codec} at ${text(other.startedAt)}: export the times before and after it by themselves, or with a watermark, which codes all pictures anew`);
  const partial = `${file}.${randomUUID().slice(0, 8)}.part`;
  try {
    const draft = await new ClipMaking(partial, request, gops, parts).run();
    const facts: ClipFacts = { ...draft, file: basename(file), ...(await hashFile(partial, parts.signal)) };
    await writeFile(`${file}.sha256`, `${facts.sha256}  ${facts.file}\n`);
    await writeFile(`${file}.json`, `${JSON.stringify(facts, null, 2)}\n`);
    await rename(partial, file);
    return facts;
  } catch (error) {
    await rm(partial, { force: true });
    if (parts.signal.aborted) throw parts.signal.reason;
    throw error instanceof BerthwatchError ? error : diskError(error, file);
  }
}

/** One clip on its way. */
class ClipMaking {
  readonly #path: string;
  readonly #request: ClipRequest;
  readonly #gops: readonly LoggedGop[];
  readonly #parts: ClipParts;
  readonly #stretches: ClipFacts['stretches'] = [];
  readonly #unread: { from: number; to: number; reason: string }[] = [];
  readonly #size: { width: number; height: number };
  #writer: ClipWriter | null = null;
  #overlay: OverlayMaker | null = null;
  #look = '';
  /** Header of the segment being read: one for all its GOPs. */
  #source: { segment: number; init: InitSegment } | null = null;
  /** The last GOP that was written, and its end. */
  #last: { gop: LoggedGop; endsAt: number } | null = null;
  #skip = 0;
  #createdAt = 0;

  constructor(path: string, request: ClipRequest, gops: readonly LoggedGop[], parts: ClipParts) {
    this.#path = path;
    this.#request = request;
    this.#gops = gops;
    this.#parts = parts;
    const [first] = gops as [LoggedGop];
    this.#size = request.watermark === null ? { width: first.width, height: first.height } : fitSize(first.width, first.height, MOST_HEIGHT);
  }

  async run(): Promise<Omit<ClipFacts, 'file' | 'sha256' | 'bytes'>> {
    const { request, parts, gops } = { request: this.#request, parts: this.#parts, gops: this.#gops };
    const last = gops.at(-1) as LoggedGop;
    const behind = await parts.log.gopAfter(request.cameraId, last.position);
    try {
      for (const [i, gop] of gops.entries()) {
        parts.signal.throwIfAborted();
        await this.#add(gop, gops[i + 1] ?? behind);
        parts.onProgress((i + 1) / gops.length);
      }
      const writer = this.#writer;
      const end = this.#last;
      if (!writer || !end) throw new BerthwatchError('unavailable', 'EXPORT_UNREADABLE', `none of the footage can be read: ${this.#unread[0]?.reason ?? ''}`);
      const cut = Math.max(0, Math.min(end.endsAt - request.to, end.endsAt - end.gop.startedAt - 1)) * TICKS_PER_MS;
      await writer.finish({ skip: this.#skip, cut, createdAt: this.#createdAt });
      const shown = (writer.ticks - this.#skip - cut) / TICKS_PER_MS;
      return this.#facts(shown, await this.#missing());
    } finally {
      await this.#writer?.close();
    }
  }

  async #add(gop: LoggedGop, following: LoggedGop | null): Promise<void> {
    const { signal } = this.#parts;
    const endsAt = endOf(gop, following);
    let made: { init: InitSegment; clip: ClipGop };
    try {
      made = await this.#read(gop, endsAt);
    } catch (error) {
      signal.throwIfAborted();
      // Damaged, deleted meanwhile, or undecodable: the rest is worth having. A broken encoder or an absent archive is another matter.
      if (!(error instanceof BerthwatchError) || error.retryable || error.kind === 'internal') throw error;
      this.#unread.push({ from: gop.startedAt, to: endsAt, reason: messageOf(error) });
      return;
    }
    if (!this.#writer) {
      this.#writer = await this.#begin(gop, made.init);
      this.#look = made.init.look;
    } else if (made.init.look !== this.#look) this.#writer.mix();
    const goesOn = this.#last !== null && this.#last.endsAt === gop.startedAt && continues(this.#last.gop, gop);
    const shownFrom = Math.max(gop.startedAt, this.#request.from);
    const shownTo = Math.min(endsAt, this.#request.to);
    const stretch = this.#stretches.at(-1);
    if (goesOn && stretch) Object.assign(stretch, { to: shownTo, toText: text(shownTo) });
    else this.#stretches.push({ fileMs: Math.round((this.#writer.ticks - this.#skip) / TICKS_PER_MS) + (stretch ? 0 : this.#skip / TICKS_PER_MS), from: shownFrom, to: shownTo, fromText: text(shownFrom), toText: text(shownTo) });
    await this.#writer.append(made.clip);
    this.#last = { gop, endsAt };
  }

  async #begin(gop: LoggedGop, init: InitSegment): Promise<ClipWriter> {
    const units = this.#gops.reduce((sum, { units }) => sum + units, 0);
    const seconds = (this.#request.to - this.#request.from) / 1000 + 120;
    const withSound = init.tracks.some((track) => track.kind === 'audio');
    // Whole frames are not cut: what is shown begins at the moment asked for, or with the footage where that begins later.
    this.#createdAt = Math.max(gop.startedAt, this.#request.from);
    this.#skip = (this.#createdAt - gop.startedAt) * TICKS_PER_MS;
    return ClipWriter.create(this.#path, init.tracks, headerRoom(units, this.#gops.length, seconds, withSound));
  }

  async #read(gop: LoggedGop, endsAt: number): Promise<{ init: InitSegment; clip: ClipGop }> {
    if (this.#source?.segment !== gop.position.segment) this.#source = { segment: gop.position.segment, init: readInitSegment(await gop.readHeader()) };
    const { init } = this.#source;
    const bytes = await gop.readFragment();
    const tracks = readFragmentTracks(bytes);
    const video = tracks.find((track) => track.id === 1);
    if (!video) throw new BerthwatchError('bad-input', 'FOOTAGE_DAMAGED', 'a fragment has no video');
    const soundId = init.tracks.find((track) => track.kind === 'audio')?.id;
    const soundTrack = tracks.find((track) => track.id === soundId);
    const sound = soundTrack ? { bytes, track: soundTrack, videoStart: video.decodeTime } : null;
    const ticks = (endsAt - gop.startedAt) * TICKS_PER_MS;
    if (this.#request.watermark === null) return { init, clip: { video: { bytes, track: video }, sound, ticks } };
    return this.#burn(gop, endsAt, init, sound, ticks);
  }

  /** The GOP with the watermark in its pictures. */
  async #burn(gop: LoggedGop, endsAt: number, init: InitSegment, sound: ClipGop['sound'], ticks: number): Promise<{ init: InitSegment; clip: ClipGop }> {
    const { pool, maxBitrate, signal } = this.#parts;
    this.#overlay ??= await OverlayMaker.create([this.#request.cameraName, this.#request.watermark ?? ''], this.#size);
    const units = await gop.read();
    const overlay = await this.#overlay.overlay(units.map((unit) => unit.capturedAt));
    const encoded = await pool.encode({ units, ...this.#size, quality: QUALITY, maxBitrate, preset: 'veryfast', threads: 1, overlay }, signal);
    const bytes = fragmentOf(gop, units, encoded, endsAt);
    const track = readFragmentTracks(bytes).find(({ id }) => id === 1);
    const key = encoded[0];
    if (!track || !key) throw new BerthwatchError('bad-input', 'PLAYBACK_DECODE', 'no picture of this footage can be decoded');
    const coded = h264Init(key, this.#size, gop);
    return { init: { ...coded, tracks: [...coded.tracks, ...init.tracks.filter((own) => own.kind === 'audio')] }, clip: { video: { bytes, track }, sound, ticks } };
  }

  /** Holes between the stretches, with what the log says of them. */
  async #missing(): Promise<ClipFacts['missing']> {
    const { cameraId, from, to } = this.#request;
    const known = [...this.#unread, ...(await this.#parts.log.gaps(cameraId, from, to))];
    const missing: ClipFacts['missing'] = [];
    let at = from;
    for (const stretch of [...this.#stretches, { from: to, to }]) {
      if (stretch.from > at) {
        const hole = { from: at, to: stretch.from };
        const reasons = known.filter((gap) => gap.from < hole.to && (gap.to ?? Infinity) > hole.from).map((gap) => gap.reason);
        missing.push({ ...hole, fromText: text(hole.from), toText: text(hole.to), reason: [...new Set(reasons)].join('; ') || 'no footage' });
      }
      at = Math.max(at, stretch.to);
    }
    return missing;
  }

  #facts(shownMs: number, missing: ClipFacts['missing']): Omit<ClipFacts, 'file' | 'sha256' | 'bytes'> {
    const { cameraId, cameraName, from, to, watermark } = this.#request;
    const [first] = this.#gops as [LoggedGop];
    return {
      camera: { id: cameraId, name: cameraName },
      requested: { from: text(from), to: text(to) },
      stretches: this.#stretches,
      missing,
      durationMs: Math.round(shownMs),
      video: { codec: watermark === null ? first.codec : 'h264', ...this.#size, reencoded: watermark !== null, watermark },
      source: { segments: [...new Set(this.#gops.map((gop) => gop.position.segment))] },
      skippedTicks: this.#skip,
      madeAt: text(this.#parts.now()),
      madeBy: `berthwatch ${program.version}`,
    };
  }
}
