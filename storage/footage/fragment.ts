import { crc32 } from 'node:zlib';
import type { AccessUnit, Codec } from '../../ingest/access-unit.js';
import { splitAnnexB, type NalSpan } from '../../ingest/media/nal-units.js';
import { audioTrafLength, readAudioTraf, writeAudioTraf, type FragmentAudio } from './audio-box.js';
import type { TrackRun } from './audio-track.js';
import { damaged, onlyBox, readBoxes, readI64 } from './box-reader.js';
import { BoxWriter } from './box-writer.js';

/**
 * One GOP as a movie fragment (ISO/IEC 14496-12, clause 8.8):
 *
 *     moof
 *       mfhd  sequence number = GOP number + 1
 *       traf
 *         tfhd  default-base-is-moof, default flags: not a sync sample
 *         tfdt  decode time of the keyframe, relative to the segment's first (players begin at 0)
 *         trun  duration, size and, where pictures are reordered, composition offset of each unit
 *         uuid  ours: GOP number, absolute pts, capturedAt and CRC-32 of each unit, CRC-32 of the box
 *       traf  sound, where there is any (audio-box.ts)
 *     mdat    units, each NAL unit behind its length in 4 bytes (ISO/IEC 14496-15, clause 4.3); then sound
 *
 * `capturedAt` is not a linear function of the media time (clocks are slewed), hence a value for each unit.
 */
const TIMES_UUID = Buffer.from('a1c0b3f27d0e4c5e8f6962657274685f', 'hex');
const TIMES_HEAD = 16 + 4 + 4 + 8 + 8 + 4;
const TIMES_UNIT = 8;

const SYNC_SAMPLE = 0x02000000;
const OTHER_SAMPLE = 0x01010000;

/** A GOP in memory as the writer gets it: the first unit is its keyframe. */
export interface FragmentInput {
  gop: number;
  units: readonly AccessUnit[];
  /** pts of the segment's first unit. */
  basePts: number;
  /** pts of the unit that follows, where it is known and continues the stream: gives the last unit its duration. */
  nextPts: number | null;
  /** Its sound; absent or null where it has none. */
  audio?: TrackRun | null;
}

export interface WrittenFragment {
  bytes: Buffer;
  /** Bytes up to the end of the keyframe: enough to decode it. */
  headBytes: number;
}

const ASSUMED_DURATION = 3600;
const MAX_NALS = 65_536;

/** Serialises a GOP; a pure function of its arguments. */
export function writeFragment(input: FragmentInput): WrittenFragment {
  const { units, audio = null } = input;
  const first = units[0] as AccessUnit;
  const spans = units.map((unit) => splitAnnexB(asBuffer(unit.data), MAX_NALS));
  const sizes = spans.map(sampleSize);
  const payload = sizes.reduce((sum, size) => sum + size, 0);
  const reordered = units.some((unit) => (unit.compositionOffset ?? 0) !== 0);

  // The media first, into its place behind a moof whose length follows from the number of units.
  const pictures = 8 + 20 + 20 + (8 + 16 + units.length * (reordered ? 12 : 8)) + (8 + TIMES_HEAD + units.length * TIMES_UNIT + 4);
  const moofLength = 8 + 16 + pictures + (audio ? audioTrafLength(audio) : 0);
  const soundBytes = audio ? audio.samples.reduce((sum, { data }) => sum + data.length, 0) : 0;
  const bytes = Buffer.allocUnsafe(moofLength + 8 + payload + soundBytes);
  let at = moofLength;
  at = bytes.writeUInt32BE(8 + payload + soundBytes, at);
  at += bytes.write('mdat', at, 'latin1');
  const checksums: number[] = [];
  for (const [i, unit] of units.entries()) {
    const from = at;
    const data = asBuffer(unit.data);
    for (const span of spans[i] as NalSpan[]) {
      at = bytes.writeUInt32BE(span.to - span.from, at);
      at += data.copy(bytes, at, span.from, span.to);
    }
    checksums.push(crc32(bytes.subarray(from, at)));
  }
  const soundFrom = at;
  for (const { data } of audio?.samples ?? []) {
    bytes.set(data, at);
    at += data.length;
  }

  const out = new BoxWriter(moofLength);
  out.box('moof', () => {
    out.fullBox('mfhd', 0, 0, () => out.u32(input.gop + 1));
    out.box('traf', () => {
      out.fullBox('tfhd', 0, 0x020020, () => out.u32(1).u32(OTHER_SAMPLE));
      out.fullBox('tfdt', 1, 0, () => out.i64(first.pts - input.basePts));
      out.fullBox('trun', reordered ? 1 : 0, reordered ? 0xb05 : 0x305, () => {
        out.u32(units.length).i32(moofLength + 8).u32(SYNC_SAMPLE);
        for (const [i, unit] of units.entries()) {
          out.u32(durationOf(units, i, input.nextPts)).u32(sizes[i] as number);
          if (reordered) out.i32(unit.compositionOffset ?? 0);
        }
      });
      out.box('uuid', () => {
        const from = out.length;
        out.bytes(TIMES_UUID).u32(0x01000000).u32(input.gop).i64(first.pts).i64(first.capturedAt).u32(units.length);
        for (const [i, unit] of units.entries()) out.i32(unit.capturedAt - first.capturedAt).u32(checksums[i] as number);
        out.u32(crc32(out.view(from)));
      });
    });
    if (audio) writeAudioTraf(out, audio, soundFrom, crc32(bytes.subarray(soundFrom, at)));
  });
  if (out.length !== moofLength) throw new Error(`moof has ${out.length} bytes, not ${moofLength}`);
  bytes.set(out.view(), 0);
  return { bytes, headBytes: moofLength + 8 + (sizes[0] as number) };
}

function durationOf(units: readonly AccessUnit[], i: number, nextPts: number | null): number {
  const pts = (units[i] as AccessUnit).pts;
  const next = units[i + 1]?.pts ?? nextPts;
  if (next !== null) return next - pts;
  const before = units[i - 1]?.pts;
  return before === undefined ? ASSUMED_DURATION : pts - before;
}

const asBuffer = (data: Uint8Array): Buffer => (Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength));

const sampleSize = (spans: readonly NalSpan[]): number => spans.reduce((sum, span) => sum + 4 + span.to - span.from, 0);

/** One unit of a parsed fragment; offsets are relative to the fragment. */
export interface FragmentUnit {
  pts: number;
  compositionOffset: number;
  capturedAt: number;
  crc: number;
  from: number;
  to: number;
}

export interface Fragment {
  gop: number;
  units: FragmentUnit[];
  /** Null where it has no sound. */
  audio: FragmentAudio | null;
  /** Bytes of the whole fragment, mdat included. */
  length: number;
}

/** Most units of a GOP: ten minutes of 100 pictures a second. */
const MAX_UNITS = 60_000;

/**
 * Reads a fragment's `moof` and the header of its `mdat`, which must lie in `bytes` from 0; the media need not.
 *
 * @throws BerthwatchError bad-input (`FOOTAGE_DAMAGED`)
 */
export function readFragment(bytes: Buffer): Fragment {
  if (bytes.length < 16) throw damaged('a fragment ends before its first box does');
  const moofLength = bytes.readUInt32BE(0);
  if (bytes.toString('latin1', 4, 8) !== 'moof' || moofLength < 8 || moofLength + 8 > bytes.length) throw damaged('a fragment does not begin with a whole moof');
  const [traf, sound, ...more] = readBoxes(bytes, 8, moofLength).filter((box) => box.type === 'traf');
  if (!traf || more.length > 0) throw damaged('a fragment has one track of pictures and at most one of sound');
  const parts = readBoxes(bytes, traf.from, traf.to);
  const trun = onlyBox(parts, 'trun');
  const times = onlyBox(parts, 'uuid');

  if (trun.to - trun.from < 16) throw damaged('trun is too short');
  const flags = bytes.readUInt32BE(trun.from) & 0xffffff;
  const reordered = flags === 0xb05;
  if (!reordered && flags !== 0x305) throw damaged(`trun has flags 0x${flags.toString(16)}, which we do not write`);
  const count = bytes.readUInt32BE(trun.from + 4);
  const entry = reordered ? 12 : 8;
  if (count < 1 || count > MAX_UNITS || trun.to - trun.from !== 16 + count * entry) throw damaged(`trun does not hold ${count} units`);
  if (bytes.readInt32BE(trun.from + 8) !== moofLength + 8) throw damaged('trun points elsewhere than behind its moof');
  if (times.to - times.from !== TIMES_HEAD + count * TIMES_UNIT + 4 || !bytes.subarray(times.from, times.from + 16).equals(TIMES_UUID)) throw damaged('the times box does not fit the units');
  if (crc32(bytes.subarray(times.from, times.to - 4)) !== bytes.readUInt32BE(times.to - 4)) throw damaged('the times box fails its checksum');
  if (bytes.readUInt32BE(times.from + 16) !== 0x01000000) throw damaged('the times box has an unknown version');

  let pts = readI64(bytes, times.from + 24);
  const capturedAt = readI64(bytes, times.from + 32);
  let at = moofLength + 8;
  const units: FragmentUnit[] = [];
  for (let i = 0; i < count; i++) {
    const run = trun.from + 16 + i * entry;
    const time = times.from + TIMES_HEAD + i * TIMES_UNIT;
    const to = at + bytes.readUInt32BE(run + 4);
    units.push({
      pts,
      compositionOffset: reordered ? bytes.readInt32BE(run + 8) : 0,
      capturedAt: capturedAt + bytes.readInt32BE(time),
      crc: bytes.readUInt32BE(time + 4),
      from: at,
      to,
    });
    pts += bytes.readUInt32BE(run);
    at = to;
  }
  const audio = sound ? readAudioTraf(bytes, sound, at) : null;
  if (audio) at = audio.to;
  if (bytes.toString('latin1', moofLength + 4, moofLength + 8) !== 'mdat' || bytes.readUInt32BE(moofLength) !== at - moofLength) throw damaged('mdat does not hold what its moof says');
  return { gop: bytes.readUInt32BE(times.from + 20), units, audio, length: at };
}

/** Whether the unit's bytes are those that were written. */
export function unitIsSound(bytes: Buffer, unit: FragmentUnit): boolean {
  return unit.to <= bytes.length && crc32(bytes.subarray(unit.from, unit.to)) === unit.crc;
}

/**
 * The unit as an access unit again. Works in place: the NAL lengths in `bytes` become start codes, so call it once a unit.
 *
 * @throws BerthwatchError bad-input, where the bytes are not those that were written
 */
export function toAccessUnit(bytes: Buffer, unit: FragmentUnit, camera: { cameraId: string; codec: Codec; keyframe: boolean }): AccessUnit {
  if (!unitIsSound(bytes, unit)) throw damaged(`the picture captured at ${unit.capturedAt} fails its checksum`);
  const data = bytes.subarray(unit.from, unit.to);
  let at = 0;
  while (at < data.length) {
    const length = data.length - at < 4 ? 0 : data.readUInt32BE(at);
    if (length === 0 || length > data.length - at - 4) throw damaged(`the picture captured at ${unit.capturedAt} is not a row of NAL units`);
    data.writeUInt32BE(1, at);
    at += 4 + length;
  }
  const plain: AccessUnit = { ...camera, pts: unit.pts, capturedAt: unit.capturedAt, data };
  return unit.compositionOffset === 0 ? plain : { ...plain, compositionOffset: unit.compositionOffset };
}
