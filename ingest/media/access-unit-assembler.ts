import type { Codec } from '../access-unit.js';
import { h264 } from './h264.js';
import { h265 } from './h265.js';
import { leadingNal, LONG_START_CODE, splitAnnexB, type NalSpan } from './nal-units.js';
import { ParameterSets } from './parameter-sets.js';
import type { StreamTime } from './stream-timeline.js';
import type { NalSyntax, VideoFormat } from './video-format.js';

/** One whole coded picture, placed in the stream's own time. */
export interface CodedPicture extends StreamTime {
  codec: Codec;
  keyframe: boolean;
  /** Annex-B. */
  data: Buffer;
  /** Arrival of its first byte, as given with the time mark. */
  arrivalMs: number;
}

/** A moment of the stream: what comes from here on has this time. */
export interface TimeMark extends StreamTime {
  arrivalMs: number;
}

/**
 * Why pictures were not handed on: `no-keyframe`: waiting for one after the start or a loss; `no-parameters`: a keyframe
 * whose parameter sets never came; `damaged`: incomplete by loss or contradiction; `too-large`.
 */
export type DropReason = 'no-keyframe' | 'no-parameters' | 'damaged' | 'too-large';

export interface AssemblerSink {
  picture(picture: CodedPicture): void;
  /** A keyframe of another codec or size than before is about to follow. */
  format(format: VideoFormat): void;
  dropped(reason: DropReason): void;
}

export interface AssemblerOptions {
  maxUnitBytes?: number;
}

const SYNTAXES: readonly NalSyntax[] = [h264, h265];
/** Time marks within one unfinished picture; more of them mean that nothing there is video. */
const MAX_MARKS = 64;
/** 25 pictures a second. */
const DEFAULT_TICKS = 3600;
const DELIMITERS: Record<Codec, (header: number) => boolean> = {
  h264: (header) => (header & 0x1f) === 9,
  h265: (header) => ((header >> 1) & 0x3f) === 35,
};

/**
 * Joins pieces of a video elementary stream to coded pictures. Pure.
 *
 * A picture ends where a new time begins at the start of an access unit. RTP's marker bit is not used: devices set it
 * on every packet, on none, or in the wrong place. Where one time covers several pictures (lost time stamps, small
 * pictures in one PES packet) or a time begins inside a picture's bytes (program streams cut in fixed packs), the slices
 * themselves tell (`first_mb_in_slice`, `first_slice_segment_in_pic_flag`).
 */
export class AccessUnitAssembler {
  readonly #sink: AssemblerSink;
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #size = 0;
  #marks: (TimeMark & { at: number })[] = [];
  /** Pieces of `#chunks` that `beginsAnother` has looked through, and whether a picture's first slice was in them. */
  #looked = 0;
  #sliceSeen = false;
  #syntax: NalSyntax | null = null;
  #sets: ParameterSets | null = null;
  #reported = '';
  #waiting = true;
  #lastTicks = 0;
  /** Whether the last picture had a time of its own: only two such tell the distance between pictures. */
  #lastMarked = false;
  #frameTicks: number | null = null;

  constructor(sink: AssemblerSink, { maxUnitBytes = 8 * 1024 * 1024 }: AssemblerOptions = {}) {
    this.#sink = sink;
    this.#maxBytes = maxUnitBytes;
  }

  /** Bytes of unfinished pictures. */
  get buffered(): number {
    return this.#size;
  }

  /** @param mark the time that begins with this piece; null where the time before goes on */
  push(data: Buffer, mark: TimeMark | null): void {
    if (mark) {
      if (this.#size > 0) {
        if (this.#startsUnit(data)) this.#close(false);
        else if (this.#marks.length > 1) this.#close(true);
      }
      if (this.#marks.length >= MAX_MARKS) this.#abandon('damaged');
      this.#marks.push({ ...mark, at: this.#size });
    } else if (this.#marks.length === 0) {
      return; // the middle of a picture whose beginning was lost
    }
    this.#chunks.push(data);
    this.#size += data.length;
    if (this.#size > this.#maxBytes) this.#abandon('too-large');
  }

  /** Whether this piece, with no time of its own, can only be the next picture's: it begins one, and the one in work has its slices. */
  beginsAnother(data: Buffer): boolean {
    if (this.#size === 0 || !this.#startsUnit(data)) return false;
    // Each piece is looked through once: a sender that begins again and again must not have us read all of it every time.
    if (this.#looked === 0) this.#sliceSeen = false;
    for (; this.#looked < this.#chunks.length; this.#looked++) this.#sliceSeen ||= this.#holdsSlice(this.#chunks[this.#looked] as Buffer);
    return this.#sliceSeen;
  }

  #holdsSlice(chunk: Buffer): boolean {
    const spans = splitAnnexB(chunk);
    // Before the first parameter sets nobody knows the codec: whatever comes with them counts.
    const syntax = this.#syntax ?? SYNTAXES.find((of) => spans.some(({ from, to }) => of.format(chunk.subarray(from, to)) !== null));
    return syntax !== undefined && spans.some(({ from }) => syntax.role(chunk, from) === 'first-slice');
  }

  /** Bytes were lost: the picture in work is gone, and so is everything up to the next keyframe. */
  loss(): void {
    if (this.#size > 0) this.#abandon('damaged');
    this.#marks = [];
    this.#waiting = true;
  }

  /** From now on nothing but a keyframe is handed on. */
  awaitKeyframe(): void {
    this.#waiting = true;
  }

  /** The stream ends or rests: what is there is the last picture. */
  flush(): void {
    this.#close(false);
  }

  #abandon(reason: DropReason): void {
    this.#chunks = [];
    this.#looked = 0;
    this.#size = 0;
    this.#marks = [];
    this.#waiting = true;
    this.#sink.dropped(reason);
  }

  #startsUnit(data: Buffer): boolean {
    const nal = leadingNal(data);
    if (nal < 0) return false;
    if (SYNTAXES.some((syntax) => syntax.announces(data, nal))) return true;
    const role = this.#syntax?.role(data, nal);
    return role === 'first-slice' || role === 'prefix';
  }

  /** Hands on the pictures gathered; `keepLast` while the last one may still go on. */
  #close(keepLast: boolean): void {
    if (this.#size === 0) return;
    const bytes = Buffer.concat(this.#chunks, this.#size);
    const marks = this.#marks;
    const spans = splitAnnexB(bytes);
    this.#detectCodec(bytes, spans);
    const starts = this.#pictureStarts(bytes, spans);
    this.#chunks = [];
    this.#looked = 0;
    this.#marks = [];
    this.#size = 0;
    let nextMark = 0;
    for (let i = 0; i < starts.length; i++) {
      const first = starts[i] as number;
      const { codeAt, from } = spans[first] as NalSpan;
      let time: (TimeMark & { guessed?: boolean }) | null = null;
      // The newest time that began at or before this picture and was not another's.
      while (nextMark < marks.length && (marks[nextMark] as { at: number }).at <= from) time = marks[nextMark++] as TimeMark;
      time ??= { ticks: this.#lastTicks + this.#distance(), offset: 0, arrivalMs: (marks[Math.max(0, nextMark - 1)] as TimeMark).arrivalMs, guessed: true };
      const last = i + 1 === starts.length;
      if (last && keepLast) {
        const rest = bytes.subarray(codeAt);
        this.#chunks = [rest];
        this.#looked = 0;
        this.#size = rest.length;
        this.#marks = [{ ...time, at: 0 }, ...marks.slice(nextMark).map((mark) => ({ ...mark, at: Math.max(0, mark.at - codeAt) }))];
        return;
      }
      const end = last ? spans.length : (starts[i + 1] as number);
      this.#finish(bytes, spans.slice(first, end), time);
    }
    if (starts.length === 0) this.#nothingFound();
  }

  #nothingFound(): void {
    this.#waiting = true;
    this.#sink.dropped('damaged');
  }

  /** Only sequence parameter sets tell the codecs apart for sure: slice headers of one look like anything of the other. */
  #detectCodec(bytes: Buffer, spans: readonly NalSpan[]): void {
    const declares = (syntax: NalSyntax): boolean => spans.some((s) => syntax.format(bytes.subarray(s.from, s.to)) !== null);
    if (this.#syntax && declares(this.#syntax)) return;
    const found = SYNTAXES.find((syntax) => syntax !== this.#syntax && declares(syntax));
    if (!found) return;
    this.#syntax = found;
    this.#sets = new ParameterSets(found);
    this.#waiting = true;
  }

  /** Indices into `spans` at which pictures begin. */
  #pictureStarts(bytes: Buffer, spans: readonly NalSpan[]): number[] {
    const syntax = this.#syntax;
    if (spans.length === 0) return [];
    const starts = [0];
    if (!syntax) return starts;
    let hasSlice = false;
    for (let i = 0; i < spans.length; i++) {
      const role = syntax.role(bytes, (spans[i] as NalSpan).from);
      if (hasSlice && (role === 'first-slice' || role === 'prefix')) {
        starts.push(i);
        hasSlice = false;
      }
      if (role === 'first-slice' || role === 'slice') hasSlice = true;
    }
    return starts;
  }

  #finish(bytes: Buffer, spans: readonly NalSpan[], time: TimeMark & { guessed?: boolean }): void {
    const syntax = this.#syntax;
    const sets = this.#sets;
    if (!syntax || !sets) return this.#sink.dropped('no-parameters');
    let slices = 0;
    let whole = true;
    let keyframe = false;
    let parametersChanged = false;
    for (const span of spans) {
      const role = syntax.role(bytes, span.from);
      if (role === 'prefix') parametersChanged = sets.learn(bytes.subarray(span.from, span.to)) || parametersChanged;
      if (role !== 'first-slice' && role !== 'slice') continue;
      if (slices === 0) whole = role === 'first-slice';
      slices++;
      keyframe ||= syntax.isKeySlice(bytes, span.from);
    }
    if (slices === 0) return; // parameter sets alone; they are kept
    this.#tellTime(time);
    if (!whole) {
      this.#waiting = true;
      return this.#sink.dropped('damaged');
    }
    if (parametersChanged && !keyframe) this.#waiting = true;
    if (this.#waiting && !keyframe) return this.#sink.dropped('no-keyframe');
    const data = keyframe ? this.#withParameterSets(bytes, spans, syntax, sets) : view(bytes, spans);
    if (data === null) return this.#sink.dropped('no-parameters');
    if (keyframe) this.#reportFormat(sets.format);
    this.#waiting = false;
    this.#sink.picture({ codec: syntax.codec, keyframe, data, ticks: time.ticks, offset: time.offset, arrivalMs: time.arrivalMs });
  }

  #tellTime(time: TimeMark & { guessed?: boolean }): void {
    const delta = time.ticks - this.#lastTicks;
    const marked = time.guessed !== true;
    if (marked && this.#lastMarked && delta >= 90 && delta <= 90_000) this.#frameTicks = delta;
    this.#lastTicks = time.ticks;
    this.#lastMarked = marked;
  }

  /** Ticks between pictures: as measured, else as the parameter sets say, else usual. */
  #distance(): number {
    const rate = this.#sets?.format?.frameRate ?? null;
    return this.#frameTicks ?? (rate === null ? DEFAULT_TICKS : Math.round(90_000 / rate));
  }

  #reportFormat(format: VideoFormat | null): void {
    if (!format) return;
    const key = `${format.codec} ${format.width}x${format.height}`;
    if (key === this.#reported) return;
    this.#reported = key;
    this.#sink.format(format);
  }

  /** The keyframe with every kind of parameter set in front; null where one was never seen. */
  #withParameterSets(bytes: Buffer, spans: readonly NalSpan[], syntax: NalSyntax, sets: ParameterSets): Buffer | null {
    const kinds = new Set<string>();
    for (const span of spans) kinds.add(syntax.parameterSet(bytes.subarray(span.from, span.to))?.slice(0, 3) ?? '');
    if (syntax.parameterSetOrder.every((kind) => kinds.has(kind))) return view(bytes, spans);
    const known = sets.inOrder();
    if (known === null) return null;
    const pieces: Buffer[] = [];
    const first = spans[0] as NalSpan;
    const delimited = DELIMITERS[syntax.codec](bytes[first.from] as number);
    if (delimited) pieces.push(LONG_START_CODE, bytes.subarray(first.from, first.to));
    for (const nal of known) pieces.push(LONG_START_CODE, nal);
    const rest = delimited ? spans.slice(1) : spans;
    if (rest.length > 0) pieces.push(view(bytes, rest));
    return Buffer.concat(pieces);
  }
}

/** The bytes of consecutive units, their start codes included. */
function view(bytes: Buffer, spans: readonly NalSpan[]): Buffer {
  return bytes.subarray((spans[0] as NalSpan).codeAt, (spans[spans.length - 1] as NalSpan).to);
}
