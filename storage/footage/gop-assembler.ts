import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import { leadingNal, splitAnnexB } from '../../ingest/media/nal-units.js';
import type { AudioFormat } from './audio-entry.js';
import { keptFormat } from './audio-track.js';
import { syntaxOf, type TrackFormat } from './sample-entry.js';

export interface AssemblerLimits {
  /** A GOP that would become larger or longer is cut, and the rest up to the next keyframe dropped. */
  maxGopBytes: number;
  maxGopMs: number;
  /** Time without a picture that is a gap, also inside of a GOP; default: none is. */
  gapMs?: number;
}

/** A complete GOP on its way to the disk. */
export interface PendingGop {
  /** The first is the keyframe; pts and capturedAt are whole numbers. */
  units: AccessUnit[];
  /** Sound that came while it was open. */
  audio: AudioUnit[];
  /** What its sound is kept as; where it has none, that of the sound just before it. */
  audioFormat: AudioFormat | null;
  bytes: number;
  /** pts of the next keyframe, where it continues this GOP without a break. */
  nextPts: number | null;
  track: TrackFormat;
  /** Why this GOP must begin a segment; null where it may continue one. */
  reason: string | null;
}

const TICKS_PER_MS = 90;
/** Sound of one GOP at most: uncompressed stereo would take less than four megabytes a minute at 32 kHz. */
const MAX_AUDIO_BYTES = 4 * 1024 * 1024;
const MAX_AUDIO_UNITS = 20_000;
/** So long after its last sound a camera is taken for one with sound. */
const AUDIO_ALIVE_TICKS = 10 * 90_000;

/** Collects a camera's access units into GOPs. Pure; holds one GOP, bounded by its limits. */
export class GopAssembler {
  readonly #limits: AssemblerLimits;
  #open: PendingGop | null = null;
  #track: TrackFormat | null = null;
  #last: AccessUnit | null = null;
  #reason: string | null = null;
  /** Units that became part of no GOP: before the first keyframe, behind a cut, or not usable. */
  droppedUnits = 0;
  /** Sound that is not kept: outside of any GOP, of a kind that cannot be kept, or too much. */
  droppedAudio = 0;
  #audioBytes = 0;
  #heard: { format: AudioFormat; pts: number } | null = null;

  constructor(limits: AssemblerLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#open === null;
  }

  /** Takes a unit; returns the GOP that it completes. */
  push(given: AccessUnit): PendingGop | null {
    const unit = normalise(given);
    if (unit === null) {
      this.droppedUnits++;
      return null;
    }
    let done: PendingGop | null = null;
    const { gapMs = Infinity } = this.#limits;
    if (this.#last !== null && !follows(this.#last, unit, this.#limits)) done = this.cut('time stamps jumped');
    else if (this.#last !== null && !unit.keyframe && unit.capturedAt - this.#last.capturedAt > gapMs) done = this.cut('gap');
    if (unit.keyframe) {
      const track = this.#readTrack(unit);
      done ??= this.#complete(this.#last?.codec === unit.codec ? unit.pts : null);
      if (track === null) {
        this.droppedUnits++;
        return done;
      }
      const changed = this.#track !== null && !sameTrack(this.#track, track);
      this.#audioBytes = 0;
      this.#open = { units: [unit], audio: [], audioFormat: this.#recentAudio(unit.pts), bytes: unit.data.length, nextPts: null, track, reason: this.#reason ?? (changed ? 'parameters changed' : null) };
      this.#track = track;
      this.#reason = null;
    } else if (this.#open === null) {
      this.droppedUnits++;
      return done;
    } else if (this.#exceeds(this.#open, unit)) {
      this.droppedUnits++;
      return this.cut('group of pictures too long');
    } else {
      this.#open.units.push(unit);
      this.#open.bytes += unit.data.length;
    }
    this.#last = unit;
    return done;
  }

  /** Takes a piece of sound: it goes with the GOP that is open, or nowhere. True where it was kept. */
  pushAudio(unit: AudioUnit): boolean {
    const open = this.#open;
    const format = open === null || !Number.isSafeInteger(unit.pts) ? null : keptFormat(unit);
    if (open === null || format === null || this.#audioBytes + unit.data.length > MAX_AUDIO_BYTES || open.audio.length >= MAX_AUDIO_UNITS) {
      this.droppedAudio++;
      return false;
    }
    if (open.audio.length === 0) open.audioFormat = format;
    open.audio.push(unit);
    open.bytes += unit.data.length;
    this.#audioBytes += unit.data.length;
    this.#heard = { format, pts: unit.pts };
    return true;
  }

  #recentAudio(pts: number): AudioFormat | null {
    return this.#heard !== null && Math.abs(pts - this.#heard.pts) < AUDIO_ALIVE_TICKS ? this.#heard.format : null;
  }

  /** Ends the GOP in flight; the next one begins a segment because of `reason`. */
  cut(reason: string): PendingGop | null {
    const done = this.#complete(null);
    this.#reason ??= reason.slice(0, 200);
    this.#last = null;
    return done;
  }

  #complete(nextPts: number | null): PendingGop | null {
    const done = this.#open;
    this.#open = null;
    if (done) done.nextPts = nextPts;
    return done;
  }

  #exceeds(open: PendingGop, unit: AccessUnit): boolean {
    const { maxGopBytes, maxGopMs } = this.#limits;
    const first = open.units[0] as AccessUnit;
    return open.bytes - this.#audioBytes + unit.data.length > maxGopBytes || unit.pts - first.pts > maxGopMs * TICKS_PER_MS || unit.capturedAt - first.capturedAt > maxGopMs;
  }

  /** What the keyframe says about its stream; without parameter sets of its own, those before still hold. */
  #readTrack(unit: AccessUnit): TrackFormat | null {
    if (unit.data.length > this.#limits.maxGopBytes) return null;
    const syntax = syntaxOf[unit.codec];
    const data = Buffer.from(unit.data.buffer, unit.data.byteOffset, unit.data.byteLength);
    const sets = new Map<string, Buffer>();
    for (const span of splitAnnexB(data)) {
      const key = syntax.parameterSet(data.subarray(span.from, Math.min(span.to, span.from + 8192)));
      if (key !== null && !sets.has(key)) sets.set(key, Buffer.from(data.subarray(span.from, span.to)));
    }
    const ordered: Buffer[] = [];
    for (const kind of syntax.parameterSetOrder) for (const [key, nal] of sets) if (key.startsWith(kind)) ordered.push(nal);
    const format = ordered.map((nal) => syntax.format(nal)).find((found) => found !== null);
    if (!format) return this.#track?.codec === unit.codec ? this.#track : null;
    return { codec: unit.codec, width: format.width, height: format.height, parameterSets: ordered };
  }
}

/** Whole numbers, and bytes that are Annex-B; null where the unit cannot be kept. */
function normalise(unit: AccessUnit): AccessUnit | null {
  const pts = Math.round(unit.pts);
  const capturedAt = Math.round(unit.capturedAt);
  const compositionOffset = Math.round(unit.compositionOffset ?? 0);
  if (!Number.isSafeInteger(pts) || !Number.isSafeInteger(capturedAt) || Math.abs(compositionOffset) > 0x7fffffff) return null;
  if (!(unit.codec in syntaxOf) || leadingNal(unit.data) < 0) return null;
  return { ...unit, pts, capturedAt, compositionOffset };
}

function follows(last: AccessUnit, unit: AccessUnit, limits: AssemblerLimits): boolean {
  const ticks = unit.pts - last.pts;
  const wall = unit.capturedAt - last.capturedAt;
  return unit.codec === last.codec ? ticks > 0 && wall >= 0 && ticks <= limits.maxGopMs * TICKS_PER_MS && wall <= limits.maxGopMs : unit.keyframe;
}

export function sameTrack(a: TrackFormat, b: TrackFormat): boolean {
  if (a === b) return true;
  return a.codec === b.codec && a.parameterSets.length === b.parameterSets.length && a.parameterSets.every((nal, i) => nal.equals(b.parameterSets[i] as Buffer));
}
