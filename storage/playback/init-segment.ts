import { createHash } from 'node:crypto';
import { damaged, onlyBox, readBoxes, type Box } from '../footage/box-reader.js';

/** A track as the header of a stored segment describes it. */
export interface InitTrack {
  id: number;
  kind: 'video' | 'audio';
  /** Ticks a second of its times. */
  timescale: number;
  /** The whole `stsd` box. */
  stsd: Buffer;
  /** Four-character code of its sample entry, as stored. */
  entry: string;
  /** RFC 6381 name of its codec for players; null where it is one that browsers have no name for. */
  codecs: string | null;
  /** Pixels; 0 for sound. */
  width: number;
  height: number;
}

export interface InitSegment {
  /** `ftyp` and `moov` for players. */
  bytes: Buffer;
  tracks: InitTrack[];
  /** The same for two segments where a decoder needs to know the same. */
  look: string;
}

/**
 * Sample entries of the log say that parameter sets stand in the samples (`avc3`, `hev1`); they stand in the entry as well. Some players
 * know only the names of the older kind, and all of them take samples that repeat the sets.
 */
export const PLAYER_NAMES: Readonly<Record<string, string>> = { avc3: 'avc1', hev1: 'hvc1' };

/**
 * What players need of a segment's header (segment-header.ts): without our own box, and under the names that all of them know.
 *
 * @param header the bytes before the first fragment
 * @throws BerthwatchError bad-input (`FOOTAGE_DAMAGED`)
 */
export function readInitSegment(header: Buffer): InitSegment {
  const boxes = readBoxes(header, 0, header.length);
  const moov = onlyBox(boxes, 'moov');
  const tracks = readBoxes(header, moov.from, moov.to)
    .filter((box) => box.type === 'trak')
    .map((trak) => readTrack(header, trak));
  if (!tracks.some((track) => track.kind === 'video')) throw damaged('the header of a segment has no video track');
  const whole = (box: Box): Buffer => header.subarray(box.from - 8, box.to);
  const bytes = Buffer.concat(boxes.filter((box) => box.type === 'ftyp' || box.type === 'moov').map(whole));
  const length = bytes.length - (moov.to - moov.from);
  renameEntries(bytes, length);
  const look = createHash('sha256');
  for (const { id, stsd } of tracks) look.update(`${id} `).update(stsd);
  return { bytes, tracks, look: look.digest('base64url').slice(0, 16) };
}

/** Gives the sample entries of a `moov` whose payload begins at `from` the names that players know; in place. */
function renameEntries(bytes: Buffer, from: number): void {
  for (const trak of readBoxes(bytes, from, bytes.length).filter((box) => box.type === 'trak')) {
    const stsd = within(bytes, trak, 'mdia', 'minf', 'stbl', 'stsd');
    renameEntry(bytes, stsd.from + 8);
  }
}

/** The sample entry whose box begins at `at`. */
export function renameEntry(bytes: Buffer, at: number): void {
  const name = PLAYER_NAMES[bytes.toString('latin1', at + 4, at + 8)];
  if (name) bytes.write(name, at + 4, 'latin1');
}

function within(bytes: Buffer, box: Box, ...path: string[]): Box {
  return path.reduce((outer, type) => onlyBox(readBoxes(bytes, outer.from, outer.to), type), box);
}

function readTrack(bytes: Buffer, trak: Box): InitTrack {
  const tkhd = within(bytes, trak, 'tkhd');
  const mdhd = within(bytes, trak, 'mdia', 'mdhd');
  const hdlr = within(bytes, trak, 'mdia', 'hdlr');
  const stsd = within(bytes, trak, 'mdia', 'minf', 'stbl', 'stsd');
  const tkhdWide = bytes[tkhd.from] === 1;
  const mdhdWide = bytes[mdhd.from] === 1;
  if (tkhd.to - tkhd.from < (tkhdWide ? 96 : 84) || mdhd.to - mdhd.from < (mdhdWide ? 36 : 24) || hdlr.to - hdlr.from < 12) throw damaged('the header of a track is too short');
  const id = bytes.readUInt32BE(tkhd.from + (tkhdWide ? 20 : 12));
  const timescale = bytes.readUInt32BE(mdhd.from + (mdhdWide ? 20 : 12));
  if (timescale === 0) throw damaged('a track has no time scale');
  const entries = stsd.to - stsd.from > 8 ? readBoxes(bytes, stsd.from + 8, stsd.to) : [];
  const [entry] = entries;
  if (!entry) throw damaged('a track has no sample entry');
  return {
    id,
    kind: bytes.toString('latin1', hdlr.from + 8, hdlr.from + 12) === 'vide' ? 'video' : 'audio',
    timescale,
    stsd: Buffer.from(bytes.subarray(stsd.from - 8, stsd.to)),
    entry: entry.type,
    codecs: codecsOf(bytes, entry),
    width: bytes.readUInt16BE(tkhd.to - 8),
    height: bytes.readUInt16BE(tkhd.to - 4),
  };
}

/** RFC 6381, clause 3.3, and ISO/IEC 14496-15, annex E. */
function codecsOf(bytes: Buffer, entry: Box): string | null {
  // Visual sample entries have 78 bytes before their boxes.
  const config = (type: string): Box | undefined => (entry.to - entry.from > 78 ? readBoxes(bytes, entry.from + 78, entry.to).find((box) => box.type === type) : undefined);
  if (entry.type === 'avc1' || entry.type === 'avc3') {
    const avcC = config('avcC');
    return avcC && avcC.to - avcC.from >= 4 ? `avc1.${bytes.toString('hex', avcC.from + 1, avcC.from + 4)}` : null;
  }
  if (entry.type === 'hvc1' || entry.type === 'hev1') {
    const hvcC = config('hvcC');
    return hvcC && hvcC.to - hvcC.from >= 13 ? hevcName(bytes.subarray(hvcC.from, hvcC.to)) : null;
  }
  return entry.type === 'mp4a' ? 'mp4a.40.2' : entry.type === 'fLaC' ? 'flac' : null;
}

function hevcName(hvcC: Buffer): string {
  const head = hvcC[1] as number;
  const space = ['', 'A', 'B', 'C'][head >> 6] as string;
  const flags = hvcC.readUInt32BE(2);
  let reversed = 0;
  for (let i = 0; i < 32; i++) reversed = (reversed | (((flags >>> i) & 1) << (31 - i))) >>> 0;
  const constraints = [...hvcC.subarray(6, 12)];
  while (constraints.length > 0 && constraints.at(-1) === 0) constraints.pop();
  const parts = [`hvc1`, `${space}${head & 0x1f}`, reversed.toString(16).toUpperCase(), `${(head >> 5) & 1 ? 'H' : 'L'}${hvcC[12] as number}`];
  return [...parts, ...constraints.map((value) => value.toString(16).toUpperCase())].join('.');
}
