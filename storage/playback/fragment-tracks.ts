import { damaged, onlyBox, readBoxes, readI64, type Box } from '../footage/box-reader.js';

/** One sample of a fragment; offsets are relative to the fragment. */
export interface FragmentSample {
  from: number;
  to: number;
  /** Ticks of the track. */
  duration: number;
  compositionOffset: number;
  sync: boolean;
}

/** The samples of one track in a fragment. */
export interface TrackFragment {
  id: number;
  /** Ticks of the track. */
  decodeTime: number;
  samples: FragmentSample[];
  /** Where its decode time stands; it has 64 bits. */
  decodeTimeAt: number;
  /** Where the duration of sample i stands: `durationsAt + i * stride`; null where durations are not written one by one. */
  durationsAt: number | null;
  stride: number;
}

const MAX_SAMPLES = 500_000;

/**
 * The tracks of a stored fragment (ISO/IEC 14496-12, clauses 8.8.4 to 8.8.8): one `moof` with one `trun` a track, and one `mdat`.
 *
 * @throws BerthwatchError bad-input (`FOOTAGE_DAMAGED`)
 */
export function readFragmentTracks(bytes: Buffer): TrackFragment[] {
  if (bytes.length < 16 || bytes.toString('latin1', 4, 8) !== 'moof') throw damaged('a fragment does not begin with a moof');
  const moofEnd = bytes.readUInt32BE(0);
  if (moofEnd < 16 || moofEnd > bytes.length) throw damaged('a fragment ends before its moof does');
  return readBoxes(bytes, 8, moofEnd)
    .filter((box) => box.type === 'traf')
    .map((traf) => readTrackFragment(bytes, traf));
}

function readTrackFragment(bytes: Buffer, traf: Box): TrackFragment {
  const boxes = readBoxes(bytes, traf.from, traf.to);
  const tfhd = onlyBox(boxes, 'tfhd');
  const tfdt = onlyBox(boxes, 'tfdt');
  const trun = onlyBox(boxes, 'trun');
  const header = reader(bytes, tfhd);
  const headFlags = header.u32() & 0xffffff;
  const id = header.u32();
  if (headFlags & 0x1) throw damaged('a fragment has an absolute base offset, which we do not write');
  if (headFlags & 0x2) header.u32();
  const defaultDuration = headFlags & 0x8 ? header.u32() : 0;
  const defaultSize = headFlags & 0x10 ? header.u32() : 0;
  const defaultFlags = headFlags & 0x20 ? header.u32() : 0;
  if (tfdt.to - tfdt.from < 12 || bytes[tfdt.from] !== 1) throw damaged('a decode time has no 64 bits');

  const run = reader(bytes, trun);
  const flags = run.u32() & 0xffffff;
  const count = run.u32();
  let at = flags & 0x1 ? run.i32() : damage('a run has no data offset');
  const firstFlags = flags & 0x4 ? run.u32() : null;
  const stride = 4 * [0x100, 0x200, 0x400, 0x800].filter((bit) => flags & bit).length;
  if (count > MAX_SAMPLES || run.left < count * stride) throw damaged(`a run does not hold ${count} samples`);
  const durationsAt = flags & 0x100 ? run.at : null;
  const samples: FragmentSample[] = [];
  for (let i = 0; i < count; i++) {
    const duration = flags & 0x100 ? run.u32() : defaultDuration;
    const size = flags & 0x200 ? run.u32() : defaultSize;
    const ownFlags = flags & 0x400 ? run.u32() : i === 0 && firstFlags !== null ? firstFlags : defaultFlags;
    const compositionOffset = flags & 0x800 ? run.i32() : 0;
    const to = at + size;
    if (at < 0 || to > bytes.length) throw damaged('a sample lies outside its fragment');
    samples.push({ from: at, to, duration, compositionOffset, sync: (ownFlags & 0x10000) === 0 });
    at = to;
  }
  return { id, decodeTime: readI64(bytes, tfdt.from + 4), samples, decodeTimeAt: tfdt.from + 4, durationsAt, stride };
}

function damage(what: string): never {
  throw damaged(what);
}

function reader(bytes: Buffer, box: Box): { u32(): number; i32(): number; readonly at: number; readonly left: number } {
  let at = box.from;
  const take = (): number => {
    if (at + 4 > box.to) throw damaged(`a box "${box.type}" is too short`);
    at += 4;
    return at - 4;
  };
  return {
    u32: () => bytes.readUInt32BE(take()),
    i32: () => bytes.readInt32BE(take()),
    get at() {
      return at;
    },
    get left() {
      return box.to - at;
    },
  };
}

/**
 * Durations that fill `total` ticks: the last picture stays until the end where that is later, and all are scaled where the stream's own
 * clock ran too far.
 */
export function fitDurations(durations: readonly number[], total: number): number[] {
  const before = durations.slice(0, -1).reduce((sum, duration) => sum + duration, 0);
  if (total > before) return [...durations.slice(0, -1), total - before];
  const sum = before + (durations.at(-1) ?? 0);
  let passed = 0;
  let written = 0;
  return durations.map((duration) => {
    passed += duration;
    const end = Math.round((passed / sum) * total);
    const own = end - written;
    written = end;
    return own;
  });
}

/**
 * Puts a fragment elsewhere in media time, in place: the video begins at `decodeTime` and ends at `endTime`, other tracks are moved along.
 *
 * @param place 90 kHz ticks; the video's track has number 1 (segment-header.ts)
 * @param timescaleOf ticks a second of a track
 * @throws BerthwatchError bad-input (`FOOTAGE_DAMAGED`)
 */
export function placeFragment(bytes: Buffer, place: { sequence: number; decodeTime: number; endTime: number }, timescaleOf: (trackId: number) => number): void {
  const tracks = readFragmentTracks(bytes);
  const video = tracks.find((track) => track.id === 1);
  if (!video) throw damaged('a fragment has no video');
  const mfhd = onlyBox(readBoxes(bytes, 8, bytes.readUInt32BE(0)), 'mfhd');
  bytes.writeUInt32BE(place.sequence, mfhd.from + 4);
  const moved = place.decodeTime - video.decodeTime;
  for (const track of tracks) {
    const decodeTime = track === video ? place.decodeTime : Math.max(0, track.decodeTime + Math.round((moved * timescaleOf(track.id)) / 90_000));
    bytes.writeBigInt64BE(BigInt(decodeTime), track.decodeTimeAt);
  }
  if (video.durationsAt === null || video.samples.length === 0) return;
  const durations = fitDurations(
    video.samples.map((sample) => sample.duration),
    place.endTime - place.decodeTime,
  );
  for (const [i, duration] of durations.entries()) bytes.writeUInt32BE(Math.max(0, duration), video.durationsAt + i * video.stride);
}
