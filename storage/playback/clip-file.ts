import { BoxWriter } from '../footage/box-writer.js';
import type { InitTrack } from './init-segment.js';
import { PLAYER_NAMES } from './init-segment.js';

/** One sample of a clip; times in ticks of its track. */
export interface ClipSample {
  size: number;
  duration: number;
  compositionOffset: number;
  sync: boolean;
}

/** All samples of one track, as tables: a day of 25 pictures a second takes about 40 MB. */
export class ClipTrack {
  readonly format: InitTrack;
  readonly sizes: number[] = [];
  readonly durations: number[] = [];
  readonly offsets: number[] = [];
  readonly syncs: number[] = [];
  /** Where the samples lie that were appended together, from the beginning of the media. */
  readonly chunks: { at: number; samples: number }[] = [];
  /** Ticks of all samples. */
  duration = 0;
  /** Parameter sets changed on the way: players must look for them in the pictures. */
  mixed = false;

  constructor(format: InitTrack) {
    this.format = format;
  }

  append(samples: readonly ClipSample[], at: number): void {
    if (samples.length === 0) return;
    for (const { size, duration, compositionOffset, sync } of samples) {
      if (sync) this.syncs.push(this.sizes.length + 1);
      this.sizes.push(size);
      this.durations.push(duration);
      this.offsets.push(compositionOffset);
      this.duration += duration;
    }
    this.chunks.push({ at, samples: samples.length });
  }

  /** Makes the last sample longer or shorter, so that what follows begins at `tick`. */
  fill(tick: number): void {
    const last = this.durations.length - 1;
    if (last < 0) return;
    const duration = Math.max(0, (this.durations[last] as number) + tick - this.duration);
    this.duration += duration - (this.durations[last] as number);
    this.durations[last] = duration;
  }
}

export interface ClipPlan {
  tracks: readonly ClipTrack[];
  /** What is shown of the media, 90 kHz ticks: the clip begins between keyframes. */
  skip: number;
  shown: number;
  /** When a track begins in the media, 90 kHz ticks. */
  startOf: (track: ClipTrack) => number;
  /** Wall clock of the first picture, Unix ms. */
  createdAt: number;
  /** Of the media's first byte in the file. */
  mediaAt: number;
}

const TIMESCALE = 90_000;
const NO_FLAGS = 0;

/** Enough room for the header of a clip, so that it can be written when all samples are known and yet stand at the beginning. */
export function headerRoom(units: number, gops: number, seconds: number, withSound: boolean): number {
  return 4_096 + units * 20 + gops * 48 + (withSound ? Math.ceil(seconds) * 1_000 : 0);
}

/** `ftyp` of a clip. */
export function clipType(): Buffer {
  const out = new BoxWriter(64);
  out.box('ftyp', () => out.ascii('isom').u32(0x200).ascii('isom').ascii('iso2').ascii('mp41'));
  return Buffer.from(out.view());
}

/** The `moov` of an MP4 file whose samples lie in one `mdat` (ISO/IEC 14496-12, clauses 8.2 to 8.7). Pure. */
export function clipHeader(plan: ClipPlan): Buffer {
  const out = new BoxWriter(64 * 1024);
  // Seconds since 1904-01-01 UTC.
  const created = Math.floor(plan.createdAt / 1000) + 2_082_844_800;
  out.box('moov', () => {
    out.fullBox('mvhd', 1, NO_FLAGS, () => {
      out.i64(created).i64(created).u32(TIMESCALE).i64(plan.shown).u32(0x00010000).u16(0x0100).zeros(10);
      unityMatrix(out);
      out.zeros(24).u32(plan.tracks.length + 1);
    });
    for (const [i, track] of plan.tracks.entries()) out.box('trak', () => writeTrack(out, plan, track, i + 1, created));
  });
  return Buffer.from(out.view());
}

function unityMatrix(out: BoxWriter): void {
  for (const value of [0x00010000, 0, 0, 0, 0x00010000, 0, 0, 0, 0x40000000]) out.u32(value);
}

function writeTrack(out: BoxWriter, plan: ClipPlan, track: ClipTrack, id: number, created: number): void {
  const { kind, timescale, width, height } = track.format;
  const video = kind === 'video';
  out.fullBox('tkhd', 1, 3, () => {
    out.i64(created).i64(created).u32(id).u32(0).i64(plan.shown).zeros(8).u16(0).u16(0).u16(video ? 0 : 0x0100).u16(0);
    unityMatrix(out);
    out.u32(width * 0x10000).u32(height * 0x10000);
  });
  // The edit list: what comes before the moment asked for is decoded, but not shown (clause 8.6.6).
  const begins = plan.skip - plan.startOf(track);
  const edits: [number, number][] = begins < 0 ? [[-begins, -1]] : [];
  edits.push([Math.max(0, plan.shown + Math.min(0, begins)), Math.round((Math.max(0, begins) * timescale) / TIMESCALE) + (video ? (track.offsets[0] ?? 0) : 0)]);
  out.box('edts', () =>
    out.fullBox('elst', 1, NO_FLAGS, () => {
      out.u32(edits.length);
      for (const [duration, from] of edits) out.i64(duration).i64(from).u32(0x00010000);
    }),
  );
  out.box('mdia', () => {
    out.fullBox('mdhd', 1, NO_FLAGS, () => out.i64(created).i64(created).u32(timescale).i64(track.duration).u16(0x55c4).u16(0)); // language und
    out.fullBox('hdlr', 0, NO_FLAGS, () => out.u32(0).ascii(video ? 'vide' : 'soun').zeros(12).ascii(video ? 'camera\0' : 'sound\0'));
    out.box('minf', () => {
      if (video) out.fullBox('vmhd', 0, 1, () => out.zeros(8));
      else out.fullBox('smhd', 0, NO_FLAGS, () => out.zeros(4));
      out.box('dinf', () => out.fullBox('dref', 0, NO_FLAGS, () => out.u32(1).fullBox('url ', 0, 1, () => undefined)));
      out.box('stbl', () => writeSampleTable(out, plan, track));
    });
  });
}

function writeSampleTable(out: BoxWriter, plan: ClipPlan, track: ClipTrack): void {
  const stsd = Buffer.from(track.format.stsd);
  // The entry's type stands behind box header, version, count and its own size. Where sets change on the way, the name says so.
  const name = PLAYER_NAMES[track.format.entry];
  if (name !== undefined && !track.mixed) stsd.write(name, 20, 'latin1');
  out.bytes(stsd);
  runs(out, 'stts', 0, track.durations, false);
  if (track.offsets.some((offset) => offset !== 0)) runs(out, 'ctts', 1, track.offsets, true);
  if (track.syncs.length < track.sizes.length && track.format.kind === 'video') {
    out.fullBox('stss', 0, NO_FLAGS, () => {
      out.u32(track.syncs.length);
      for (const number of track.syncs) out.u32(number);
    });
  }
  out.fullBox('stsc', 0, NO_FLAGS, () => {
    const firsts = track.chunks.map((chunk, i) => ({ ...chunk, i })).filter(({ samples, i }) => samples !== track.chunks[i - 1]?.samples);
    out.u32(firsts.length);
    for (const { samples, i } of firsts) out.u32(i + 1).u32(samples).u32(1);
  });
  out.fullBox('stsz', 0, NO_FLAGS, () => {
    out.u32(0).u32(track.sizes.length);
    for (const size of track.sizes) out.u32(size);
  });
  out.fullBox('co64', 0, NO_FLAGS, () => {
    out.u32(track.chunks.length);
    for (const { at } of track.chunks) out.i64(plan.mediaAt + at);
  });
}

/** A table of how often each value comes in a row. */
function runs(out: BoxWriter, type: string, version: number, values: readonly number[], signed: boolean): void {
  out.fullBox(type, version, NO_FLAGS, () => {
    const countAt = out.length;
    out.u32(0);
    let entries = 0;
    for (let i = 0; i < values.length; ) {
      const value = values[i] as number;
      let end = i + 1;
      while (values[end] === value) end++;
      out.u32(end - i);
      if (signed) out.i32(value);
      else out.u32(value);
      entries++;
      i = end;
    }
    out.patchU32(countAt, entries);
  });
}
