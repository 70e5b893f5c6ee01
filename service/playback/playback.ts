import { beijingMidnight } from '../../base/beijing-time.js';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { FootageLog } from '../../storage/footage/footage-log.js';
import type { LoggedGop } from '../../storage/footage/logged-gop.js';
import type { LogPosition } from '../../storage/footage/segment.js';
import { placeFragment } from '../../storage/playback/fragment-tracks.js';
import { readInitSegment, type InitSegment } from '../../storage/playback/init-segment.js';
import { cutIntoPieces, type Piece } from '../../storage/playback/pieces.js';
import { continues, endOf, TICKS_PER_MS, type PlayableGop } from '../../storage/playback/playable-gop.js';
import { writePlaylist } from '../../storage/playback/playlist.js';
import { layTimeline, type FootageTimeline } from '../../storage/playback/timeline.js';
import { partsBody, type Part, type SizedBody } from './sized-body.js';
import type { Transcoder } from './transcoder.js';

/** What playback asks of the footage log. */
export type PlaybackLog = Pick<FootageLog, 'gopAt' | 'gopsBetween' | 'gopAfter' | 'gop' | 'gaps' | 'segments'>;

/** The longest time that one request may ask for, ms. */
export const TIMELINE_MOST_MS = 8 * 86_400_000;
export const PLAYLIST_MOST_MS = 26 * 3_600_000;

/** A GOP may take this long to become durable: until then a playlist that ends now stays open. */
const SETTLE_MS = 15_000;
/** Headers of segments read side by side: they may lie in an archive. */
const READ_AT_ONCE = 16;
const MOST_KNOWN = 50_000;
/** More GOPs than a piece of ours ever has. */
const MOST_GOPS = 200;

/** A kind of picture in the footage, as players must know it. */
export interface FootageFormat {
  codec: string;
  width: number;
  height: number;
  /** For `MediaSource.isTypeSupported`. */
  mimeType: string;
}

export interface PieceName {
  segment: number;
  first: number;
  last: number;
}

/** Times that a caller may see; null: no bound. */
export interface Bounds {
  from: number;
  to: number | null;
}

/**
 * Recorded footage for players: timelines, HLS playlists and their pieces, progressive MP4. Pictures are sent as the camera coded them; only
 * the times of fragments are written anew (fragment-tracks.ts). In HLS media time counts from the Beijing midnight of the picture's day,
 * whatever playlist led to it, so that a piece is the same for everybody.
 */
export class Playback {
  readonly #log: PlaybackLog;
  readonly #clock: Clock;
  readonly #transcoder: Transcoder;
  /** Looks of segments (they never change). */
  readonly #known = new Map<string, string>();

  constructor(options: { log: PlaybackLog; clock: Clock; transcoder: Transcoder }) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#transcoder = options.transcoder;
  }

  /** @throws BerthwatchError bad-input (the time is too long), unavailable */
  async timeline(cameraId: string, from: number, to: number, limit: number): Promise<FootageTimeline & { formats: FootageFormat[] }> {
    checkSpan(from, to, TIMELINE_MOST_MS);
    const [segments, gaps] = await Promise.all([this.#log.segments(cameraId, from, to), this.#log.gaps(cameraId, from, to)]);
    const timeline = layTimeline(segments, gaps, { from, to, now: this.#clock.now(), limit });
    const kinds = new Map(timeline.ranges.map((range) => [`${range.codec} ${range.width} ${range.height}`, range]));
    const formats: FootageFormat[] = [];
    for (const { codec, width, height, from: at } of kinds.values()) {
      const gop = await this.#log.gopAt(cameraId, at);
      const init = gop === null ? null : await this.#init(gop).catch(() => null);
      if (init) formats.push({ codec, width, height, mimeType: mimeTypeOf(init) });
    }
    return { ...timeline, formats };
  }

  /**
   * A media playlist of what there is between two times, or up to now and growing where `to` is still to come.
   *
   * @throws BerthwatchError bad-input (the time is too long), not-found (there is no footage)
   */
  async playlist(cameraId: string, from: number, to: number, as: 'stored' | 'h264'): Promise<string> {
    checkSpan(from, to, PLAYLIST_MOST_MS);
    const now = this.#clock.now();
    const growing = now - to < SETTLE_MS;
    const gops = (await this.#log.gopsBetween(cameraId, from, to)).filter((gop) => gop.startedAt < to);
    const last = gops.at(-1);
    const next = last ? await this.#log.gopAfter(cameraId, last.position) : null;
    const looks = await this.#looks(gops);
    const lookOf = (gop: PlayableGop): string => looks.get(gop.position.segment) ?? '';
    const pieces = cutIntoPieces(gops, { next, lookOf, ...(growing ? { growingAt: now } : {}) });
    if (pieces.length === 0) throw noFootage(cameraId, from, to);
    const folder = as === 'h264' ? 'footage/h264' : 'footage';
    return writePlaylist(pieces, {
      ended: !growing,
      pieceUri: (piece) => `${folder}/pieces/${pieceName(piece)}.m4s`,
      initUri: ({ gops: [first] }) => `${folder}/init/${first?.position.segment}-${first?.position.gop}.mp4`,
    });
  }

  /** The initialisation segment for the GOP at a position. @throws BerthwatchError not-found */
  async init(cameraId: string, position: LogPosition, bounds: Bounds, as: 'stored' | 'h264', signal: AbortSignal | null = null): Promise<Buffer> {
    const gop = await this.#log.gop(cameraId, position);
    checkBounds(gop, bounds);
    return as === 'h264' ? this.#transcoder.init(gop, signal) : (await this.#init(gop)).bytes;
  }

  /**
   * Fragments in media time.
   * @param signal who asked does not wait any more: what is turned into H.264 for nobody is given up
   * @throws BerthwatchError not-found, unavailable (no room to transcode)
   */
  async piece(cameraId: string, name: PieceName, bounds: Bounds, as: 'stored' | 'h264', signal: AbortSignal | null = null): Promise<SizedBody> {
    if (name.last < name.first || name.last - name.first >= MOST_GOPS) throw new BerthwatchError('bad-input', 'PLAYBACK_PIECE', `GOPs ${name.first} to ${name.last} are no piece of a playlist`);
    const gops: LoggedGop[] = [await this.#log.gop(cameraId, { segment: name.segment, gop: name.first })];
    let next: LoggedGop | null = null;
    for (;;) {
      const last = gops.at(-1) as LoggedGop;
      next = await this.#log.gopAfter(cameraId, last.position);
      if (last.position.gop === name.last) break;
      if (next?.position.segment !== name.segment) throw new BerthwatchError('not-found', 'FOOTAGE_GONE', `camera ${cameraId} has no GOP ${name.last} in segment ${name.segment}`);
      gops.push(next);
    }
    for (const gop of gops) checkBounds(gop, bounds);
    if (as === 'h264') return this.#transcoder.piece(gops, next, signal);
    const init = await this.#init(gops[0] as LoggedGop);
    const parts = gops.map((gop, i): Part => {
      const end = endOf(gop, gops[i + 1] ?? next);
      const midnight = beijingMidnight(gop.startedAt);
      const place = { sequence: gop.position.gop + 1, decodeTime: (gop.startedAt - midnight) * TICKS_PER_MS, endTime: (end - midnight) * TICKS_PER_MS };
      return { size: gop.bytes, read: () => placed(gop, place, init) };
    });
    return partsBody(parts, 'video/mp4', `"${name.segment}-${name.first}-${name.last}-${endOf(gops.at(-1) as LoggedGop, next)}"`);
  }

  /**
   * One fragmented MP4 of what there is between two times. Its media time begins at 0 and has no holes: footage behind a gap follows at once.
   *
   * @throws BerthwatchError bad-input, not-found, conflict (the codec changes)
   */
  async progressive(cameraId: string, from: number, to: number): Promise<SizedBody & { from: number; to: number }> {
    checkSpan(from, to, PLAYLIST_MOST_MS);
    const gops = (await this.#log.gopsBetween(cameraId, from, to)).filter((gop) => gop.startedAt < to);
    const [first] = gops;
    const last = gops.at(-1);
    if (!first || !last) throw noFootage(cameraId, from, to);
    const other = gops.find((gop) => gop.codec !== first.codec);
    if (other) {
      throw new BerthwatchError('conflict', 'PLAYBACK_CODEC', `camera ${cameraId} changed from ${first.codec} to ${other.codec} at ${new Date(other.startedAt).toISOString()}: ask for the times before and after it in two files, or for HLS`);
    }
    const next = await this.#log.gopAfter(cameraId, last.position);
    const init = await this.#init(first);
    let decodeTime = 0;
    const parts: Part[] = [{ size: init.bytes.length, read: () => Promise.resolve(init.bytes) }];
    for (const [i, gop] of gops.entries()) {
      const following = gops[i + 1] ?? next;
      const end = endOf(gop, following !== null && continues(gop, following) ? following : null);
      const place = { sequence: i + 1, decodeTime, endTime: decodeTime + (end - gop.startedAt) * TICKS_PER_MS };
      decodeTime = place.endTime;
      parts.push({ size: gop.bytes, read: () => placed(gop, place, init) });
    }
    const name = (gop: LoggedGop): string => `${gop.position.segment}-${gop.position.gop}`;
    return { ...partsBody(parts, 'video/mp4', `"${name(first)}-${name(last)}-${gops.length}"`), from: first.startedAt, to: last.endedAt };
  }

  /** What a decoder must know of each segment. One that cannot be read now is taken for like the one before. */
  async #looks(gops: readonly LoggedGop[]): Promise<Map<number, string>> {
    const firsts = gops.filter((gop, i) => gop.position.segment !== gops[i - 1]?.position.segment);
    const looks = new Map<number, string>();
    for (let at = 0; at < firsts.length; at += READ_AT_ONCE) {
      await Promise.all(
        firsts.slice(at, at + READ_AT_ONCE).map(async (gop) => {
          const key = `${gop.cameraId} ${gop.position.segment}`;
          const look = this.#known.get(key) ?? (await this.#init(gop).then(
            (init) => init.look,
            () => null,
          ));
          if (look === null) return;
          looks.set(gop.position.segment, look);
          if (this.#known.size >= MOST_KNOWN) this.#known.clear();
          this.#known.set(key, look);
        }),
      );
    }
    let before = '';
    for (const { position } of firsts) {
      before = looks.get(position.segment) ?? before;
      looks.set(position.segment, before);
    }
    return looks;
  }

  async #init(gop: LoggedGop): Promise<InitSegment> {
    return readInitSegment(await gop.readHeader());
  }
}

async function placed(gop: LoggedGop, place: { sequence: number; decodeTime: number; endTime: number }, init: InitSegment): Promise<Buffer> {
  const bytes = await gop.readFragment();
  placeFragment(bytes, place, (id) => init.tracks.find((track) => track.id === id)?.timescale ?? 90_000);
  return bytes;
}

function pieceName({ gops }: Piece): string {
  const first = gops[0]?.position;
  return `${first?.segment}-${first?.gop}-${gops.at(-1)?.position.gop}`;
}

export function mimeTypeOf(init: InitSegment): string {
  return `video/mp4; codecs="${init.tracks.map((track) => track.codecs).filter((name) => name !== null).join(', ')}"`;
}

export function checkSpan(from: number, to: number, most: number): void {
  if (to <= from) throw new BerthwatchError('bad-input', 'PLAYBACK_RANGE', '"to" must be later than "from"');
  if (to - from > most) throw new BerthwatchError('bad-input', 'PLAYBACK_RANGE', `${Math.round((to - from) / 3_600_000)} hours are too long for one request: ask for at most ${most / 3_600_000} hours at a time`);
}

/** A ticket for some minutes of a camera shows these and the pictures next to them, no others. */
function checkBounds(gop: LoggedGop, bounds: Bounds): void {
  if (gop.endedAt < bounds.from || (bounds.to !== null && gop.startedAt > bounds.to)) throw new BerthwatchError('unauthorised', 'PLAYBACK_TICKET', 'this address was made for other times');
}

export function noFootage(cameraId: string, from: number, to: number): BerthwatchError {
  return new BerthwatchError('not-found', 'FOOTAGE_NONE', `camera ${cameraId} has no footage between ${new Date(from).toISOString()} and ${new Date(to).toISOString()}: /api/cameras/${cameraId}/footage lists what there is`);
}
