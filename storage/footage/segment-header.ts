import { z } from 'zod';
import { messageOf } from '../../base/errors.js';
import { writeAudioEntry, type AudioFormat } from './audio-entry.js';
import { BoxWriter } from './box-writer.js';
import { damaged } from './box-reader.js';
import { writeSampleEntry, type TrackFormat } from './sample-entry.js';

/** 90 kHz, as in RTP and MPEG systems: nothing is rounded. */
export const TIMESCALE = 90_000;

/** Our own box type (ISO/IEC 14496-12, clause 4.2: `uuid`) for what a segment is. */
const HEADER_UUID = Buffer.from('5d3f6c0e8a5b4f0b9d1c62657274685f', 'hex');
const MAX_HEADER_BYTES = 4096;
const SYNC_SAMPLE = 0x02000000;

const schema = z.strictObject({
  version: z.literal(1),
  /** Id of the footage log, as in its `meta` file. */
  log: z.uuid(),
  camera: z.string().min(1).max(200),
  segment: z.int().min(1).max(0x7fffffff),
  codec: z.enum(['h264', 'h265']),
  width: z.int().min(1).max(65_535),
  height: z.int().min(1).max(65_535),
  /** Why a new segment was begun: `interval`, or what separates it from the one before. */
  reason: z.string().max(200),
  /** `capturedAt` of the camera's last unit before this segment; null for its first ever. */
  previousEndedAt: z.int().nullable(),
});

/** What a segment file says about itself, so that the catalogue can be rebuilt from the files alone. */
export type SegmentHeader = z.infer<typeof schema>;

/**
 * The bytes before the first fragment: `ftyp`, our header, and a `moov` without samples (ISO/IEC 14496-12, clauses 4.3,
 * 8.2, 8.8). A pure function of its arguments.
 *
 * @param startedAt capturedAt of the first unit, Unix ms
 * @param audio of the sound track; null where the segment has none
 */
export function writeSegmentHeader(header: SegmentHeader, track: TrackFormat, startedAt: number, audio: AudioFormat | null = null): Buffer {
  const out = new BoxWriter(2048);
  out.box('ftyp', () => out.ascii('iso6').u32(0).ascii('iso6').ascii('mp41'));
  out.box('uuid', () => out.bytes(HEADER_UUID).bytes(Buffer.from(JSON.stringify(header))));
  // Seconds since 1904-01-01 UTC.
  const created = Math.floor(startedAt / 1000) + 2_082_844_800;
  out.box('moov', () => {
    out.fullBox('mvhd', 1, 0, () => {
      out.i64(created).i64(created).u32(1000).i64(0);
      out.u32(0x00010000).u16(0x0100).zeros(10);
      writeUnityMatrix(out);
      out.zeros(24).u32(audio ? 3 : 2); // next_track_ID
    });
    out.box('trak', () => writeTrack(out, track, created));
    if (audio) out.box('trak', () => writeAudioTrack(out, audio, created));
    out.box('mvex', () => {
      out.fullBox('trex', 0, 0, () => out.u32(1).u32(1).u32(0).u32(0).u32(0));
      if (audio) out.fullBox('trex', 0, 0, () => out.u32(2).u32(1).u32(0).u32(0).u32(SYNC_SAMPLE));
    });
  });
  return Buffer.from(out.view());
}

function writeUnityMatrix(out: BoxWriter): void {
  for (const value of [0x00010000, 0, 0, 0, 0x00010000, 0, 0, 0, 0x40000000]) out.u32(value);
}

function writeTrack(out: BoxWriter, track: TrackFormat, created: number): void {
  out.fullBox('tkhd', 1, 3, () => {
    out.i64(created).i64(created).u32(1).u32(0).i64(0).zeros(16);
    writeUnityMatrix(out);
    out.u32(track.width * 0x10000).u32(track.height * 0x10000);
  });
  out.box('mdia', () => {
    out.fullBox('mdhd', 1, 0, () => out.i64(created).i64(created).u32(TIMESCALE).i64(0).u16(0x55c4).u16(0)); // language und
    out.fullBox('hdlr', 0, 0, () => out.u32(0).ascii('vide').zeros(12).ascii('camera\0'));
    out.box('minf', () => {
      out.fullBox('vmhd', 0, 1, () => out.zeros(8));
      writeTables(out, () => writeSampleEntry(out, track));
    });
  });
}

function writeAudioTrack(out: BoxWriter, audio: AudioFormat, created: number): void {
  out.fullBox('tkhd', 1, 3, () => {
    out.i64(created).i64(created).u32(2).u32(0).i64(0).zeros(8);
    out.u16(0).u16(0).u16(0x0100).u16(0); // layer, alternate group, full volume
    writeUnityMatrix(out);
    out.u32(0).u32(0);
  });
  out.box('mdia', () => {
    out.fullBox('mdhd', 1, 0, () => out.i64(created).i64(created).u32(audio.sampleRate).i64(0).u16(0x55c4).u16(0));
    out.fullBox('hdlr', 0, 0, () => out.u32(0).ascii('soun').zeros(12).ascii('microphone\0'));
    out.box('minf', () => {
      out.fullBox('smhd', 0, 0, () => out.zeros(4));
      writeTables(out, () => writeAudioEntry(out, audio));
    });
  });
}

/** Where the media are (in this file), what they are, and empty tables: the samples stand in the fragments. */
function writeTables(out: BoxWriter, entry: () => void): void {
  out.box('dinf', () => out.fullBox('dref', 0, 0, () => out.u32(1).fullBox('url ', 0, 1, () => undefined)));
  out.box('stbl', () => {
    out.fullBox('stsd', 0, 0, () => {
      out.u32(1);
      entry();
    });
    out.fullBox('stts', 0, 0, () => out.u32(0));
    out.fullBox('stsc', 0, 0, () => out.u32(0));
    out.fullBox('stsz', 0, 0, () => out.u32(0).u32(0));
    out.fullBox('stco', 0, 0, () => out.u32(0));
  });
}

/**
 * Reads the payload of the header's `uuid` box.
 *
 * @throws BerthwatchError bad-input, where it is another box or not what we write
 */
export function readSegmentHeader(payload: Buffer): SegmentHeader {
  if (payload.length < 16 || payload.length > MAX_HEADER_BYTES || !payload.subarray(0, 16).equals(HEADER_UUID)) throw damaged('the file does not begin as a footage segment does');
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8', 16));
  } catch (error) {
    throw damaged(`the segment header is not JSON: ${messageOf(error)}`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw damaged(`the segment header is wrong: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
