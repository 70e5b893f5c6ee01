import { crc32 } from 'node:zlib';
import type { AudioFormat } from './audio-entry.js';
import type { TrackRun } from './audio-track.js';
import { damaged, onlyBox, readBoxes, readI64, type Box } from './box-reader.js';
import type { BoxWriter } from './box-writer.js';

/**
 * The sound of a GOP, as a second track of its fragment; its samples lie behind the pictures in the same `mdat`:
 *
 *     traf
 *       tfhd  track 2, default-base-is-moof
 *       tfdt  samples since the segment's first picture
 *       trun  duration and size of each sample
 *       uuid  ours: format, pts of the first sample, CRC-32 of all samples, CRC-32 of the box
 */
const AUDIO_UUID = Buffer.from('3c94d1a86b2f4f7a9e0d62657274685f', 'hex');
/** uuid, version, codec, rate, channels, length of the configuration, pts, checksum of the samples. */
const HEAD = 16 + 4 + 4 + 4 + 2 + 2 + 8 + 4;
const VERSION = 0x01000000;
const CODECS = { flac: 'fLaC', aac: 'mp4a' } as const;
const MAX_CONFIG = 64;
/** Ten minutes of the shortest frames. */
const MAX_SAMPLES = 60_000;

export interface FragmentAudio {
  format: AudioFormat;
  /** 90 kHz ticks, on the line of the pictures, of the first sample. */
  pts: number;
  /** Offsets are relative to the fragment; durations in samples. */
  samples: { duration: number; from: number; to: number }[];
  from: number;
  to: number;
  /** Of the bytes from `from` to `to`. */
  crc: number;
}

/** Bytes of the `traf`. */
export function audioTrafLength(run: TrackRun): number {
  return 8 + 16 + 20 + (8 + 12 + run.samples.length * 8) + (8 + HEAD + run.format.config.length + 4);
}

/**
 * @param offset of the first sample from the beginning of the `moof`
 * @param checksum CRC-32 of all samples
 */
export function writeAudioTraf(out: BoxWriter, run: TrackRun, offset: number, checksum: number): void {
  out.box('traf', () => {
    out.fullBox('tfhd', 0, 0x020000, () => out.u32(2));
    out.fullBox('tfdt', 1, 0, () => out.i64(run.start));
    out.fullBox('trun', 0, 0x301, () => {
      out.u32(run.samples.length).i32(offset);
      for (const { duration, data } of run.samples) out.u32(duration).u32(data.length);
    });
    out.box('uuid', () => {
      const from = out.length;
      const { codec, sampleRate, channels, config } = run.format;
      out.bytes(AUDIO_UUID).u32(VERSION).ascii(CODECS[codec]).u32(sampleRate).u16(channels).u16(config.length).i64(run.pts).u32(checksum).bytes(config);
      out.u32(crc32(out.view(from)));
    });
  });
}

/**
 * Reads the second `traf` of a fragment whose pictures end at `mediaFrom`.
 *
 * @throws BerthwatchError bad-input (`FOOTAGE_DAMAGED`)
 */
export function readAudioTraf(bytes: Buffer, traf: Box, mediaFrom: number): FragmentAudio {
  const parts = readBoxes(bytes, traf.from, traf.to);
  const trun = onlyBox(parts, 'trun');
  const own = onlyBox(parts, 'uuid');
  if (trun.to - trun.from < 12 || (bytes.readUInt32BE(trun.from) & 0xffffff) !== 0x301) throw damaged('the sound has a trun that we do not write');
  const count = bytes.readUInt32BE(trun.from + 4);
  if (count < 1 || count > MAX_SAMPLES || trun.to - trun.from !== 12 + count * 8) throw damaged(`the sound's trun does not hold ${count} samples`);
  if (bytes.readInt32BE(trun.from + 8) !== mediaFrom) throw damaged('the sound lies elsewhere than behind the pictures');
  const u = own.from;
  if (own.to - u < HEAD + 4 || !bytes.subarray(u, u + 16).equals(AUDIO_UUID)) throw damaged('the sound has no box of ours');
  if (crc32(bytes.subarray(u, own.to - 4)) !== bytes.readUInt32BE(own.to - 4)) throw damaged("the sound's box fails its checksum");
  const name = bytes.toString('latin1', u + 20, u + 24);
  const codec = name === CODECS.flac ? 'flac' : name === CODECS.aac ? 'aac' : null;
  const configLength = bytes.readUInt16BE(u + 30);
  if (bytes.readUInt32BE(u + 16) !== VERSION || codec === null || configLength > MAX_CONFIG || own.to - u !== HEAD + configLength + 4) throw damaged("the sound's box has an unknown form");
  const format: AudioFormat = { codec, sampleRate: bytes.readUInt32BE(u + 24), channels: bytes.readUInt16BE(u + 28), config: Buffer.from(bytes.subarray(u + HEAD, u + HEAD + configLength)) };
  if (format.sampleRate < 1 || format.channels < 1) throw damaged('the sound has no rate or no channels');
  let at = mediaFrom;
  const samples: FragmentAudio['samples'] = [];
  for (let i = 0; i < count; i++) {
    const entry = trun.from + 12 + i * 8;
    const to = at + bytes.readUInt32BE(entry + 4);
    samples.push({ duration: bytes.readUInt32BE(entry), from: at, to });
    at = to;
  }
  return { format, pts: readI64(bytes, u + 32), samples, from: mediaFrom, to: at, crc: bytes.readUInt32BE(u + 40) };
}

/** Whether the samples' bytes are those that were written. */
export function audioIsSound(bytes: Buffer, audio: FragmentAudio): boolean {
  return audio.to <= bytes.length && crc32(bytes.subarray(audio.from, audio.to)) === audio.crc;
}
