import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import type { MediaEvent } from '../../ingest/media/media-event.js';
import { splitAnnexB } from '../../ingest/media/nal-units.js';
import { pumpPackets, type PipelineStats } from '../../ingest/media/pipeline.js';
import { rtpPacket, streamMap } from '../../ingest/media/test-muxer.js';

const folder = mkdtempSync(join(tmpdir(), 'berthwatch-ffps-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ffmpeg = (...args: string[]): Buffer => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args], { maxBuffer: 1 << 28 });

interface Packet {
  pts?: number;
  dts?: number;
  flags: string;
}

/** Packets of the video as ffprobe reads the program stream, with the times of those that have one. */
function probed(file: string): Packet[] {
  const text = execFileSync('ffprobe', ['-v', 'error', '-f', 'mpeg', '-select_streams', 'v', '-show_entries', 'packet=pts,dts,flags', '-of', 'json', file], { maxBuffer: 1 << 28 }).toString();
  return (JSON.parse(text) as { packets: Packet[] }).packets;
}

/** RTP packets as a device sends such a stream: fixed pieces, each with the SCR of the pack that it belongs to as its time. */
function rtp(bytes: Buffer, mtu: number): Buffer[] {
  const packets: Buffer[] = [];
  let time = 0;
  for (let at = 0, n = 0; at < bytes.length; at += mtu, n++) {
    const piece = bytes.subarray(at, at + mtu);
    const pack = piece.indexOf(Buffer.from([0, 0, 1, 0xba]));
    packets.push(rtpPacket(piece, n & 0xffff, time, false));
    if (pack >= 0 && pack + 9 < piece.length && (piece[pack + 4] as number) >> 6 === 1) {
      const [a, b, c, d, e] = [...piece.subarray(pack + 4, pack + 9)] as [number, number, number, number, number];
      time = ((((a >> 3) & 7) * 2 ** 30 + (a & 3) * 2 ** 28 + b * 2 ** 20 + (c >> 3) * 2 ** 15 + (c & 3) * 2 ** 13 + d * 2 ** 5 + (e >> 3)) % 2 ** 32) >>> 0;
    }
  }
  return packets;
}

interface Got {
  units: AccessUnit[];
  sound: AudioUnit[];
  events: MediaEvent[];
  stats: PipelineStats;
}

function receive(packets: readonly Buffer[], seconds: number): Got {
  const units: AccessUnit[] = [];
  const sound: AudioUnit[] = [];
  const events: MediaEvent[] = [];
  const stats = pumpPackets(packets, { cameraId: 'c', reorder: false, onUnit: (unit) => units.push(unit), onAudio: (unit) => sound.push(unit), onEvent: (event) => events.push(event) }, 1_000_000, (seconds * 1000) / packets.length);
  return { units, sound, events, stats };
}

const nalSizes = (bytes: Buffer): number[] => splitAnnexB(bytes, 1e6).map((span) => span.to - span.from);

/** The same stream with a program stream map behind its first system header, such as GB/T 28181 wants and ffmpeg does not write. */
function withMap(bytes: Buffer, video: number, audio: number | null): Buffer {
  const system = bytes.indexOf(Buffer.from([0, 0, 1, 0xbb]));
  const at = system + 6 + bytes.readUInt16BE(system + 4);
  return Buffer.concat([bytes.subarray(0, at), streamMap(video, audio), bytes.subarray(at)]);
}

describe.skipIf(!haveTool('ffmpeg') || !haveTool('ffprobe'))('program streams written by ffmpeg', () => {
  const SECONDS = 3;
  const made = new Map<string, string>();
  beforeAll(() => {
    for (const [codec, encoder] of [['h264', ['libx264', '-preset', 'ultrafast']], ['h265', ['libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none']]] as const) {
      for (const b of [0, 2]) {
        const file = join(folder, `${codec}-${b}.mkv`);
        ffmpeg('-f', 'lavfi', '-i', `testsrc2=s=640x360:r=25:d=${SECONDS}`, '-c:v', ...encoder, '-bf', String(b), '-g', '25', '-qp', '18', '-pix_fmt', 'yuv420p', file);
        made.set(`${codec}-${b}`, file);
      }
    }
  });

  const CASES = (['h264', 'h265'] as const).flatMap((codec) =>
    (['mpeg', 'vob', 'dvd'] as const).flatMap((muxer) => [[codec, muxer, 'none', 0, muxer === 'vob'], [codec, muxer, 'mp2', 0, muxer !== 'mpeg']] as const),
  );
  it.each([...CASES, ['h264', 'vob', 'ac3', 0, false], ['h265', 'vob', 'ac3', 0, true], ['h264', 'vob', 'none', 2, true], ['h265', 'mpeg', 'none', 2, false]] as const)('%s in -f %s, sound %s, %i B-frames, stream map %s', (codec, muxer, audio, b, map) => {
    const source = made.get(`${codec}-${b}`) as string;
    const file = join(folder, `${codec}-${muxer}-${audio}-${b}.ps`);
    const sound = audio === 'none' ? [] : ['-f', 'lavfi', '-i', `sine=500:sample_rate=48000:duration=${SECONDS}`];
    const soundOut = audio === 'none' ? ['-an'] : ['-map', '0:v', '-map', '1:a', '-c:a', audio, '-b:a', '128k', '-ar', '48000'];
    ffmpeg('-i', source, ...sound, ...soundOut, '-c:v', 'copy', '-bsf:v', codec === 'h264' ? 'h264_mp4toannexb' : 'hevc_mp4toannexb', '-f', muxer, file);
    const plain = readFileSync(file);
    const mapped = withMap(plain, codec === 'h264' ? 0x1b : 0x24, audio === 'mp2' ? 0x04 : null);
    const bytes = map ? mapped : plain;
    // ffprobe may need the map that ffmpeg does not write.
    const known = `${file}-mapped`;
    writeFileSync(known, mapped);
    const wanted = probed(known);
    expect(wanted).toHaveLength(SECONDS * 25);
    const elementary = ffmpeg('-f', 'mpeg', '-i', known, '-map', '0:v', '-c', 'copy', '-f', codec === 'h264' ? 'h264' : 'hevc', '-');
    for (const mtu of [1400, 2048, 500]) {
      const { units, sound: heard, events, stats } = receive(rtp(bytes, mtu), SECONDS);
      expect(stats).toMatchObject({ units: SECONDS * 25, damages: 0, lostPackets: 0, discontinuities: 0 });
      expect(units.every((unit) => unit.codec === codec)).toBe(true);
      expect(units.map((unit) => unit.keyframe)).toEqual(wanted.map(({ flags }) => flags.startsWith('K')));
      // Presentation times, where ffprobe has them: relative to the first one.
      const shown = units.map((unit) => unit.pts + (unit.compositionOffset ?? 0));
      const first = wanted[0]?.pts as number;
      wanted.forEach(({ pts }, i) => pts === undefined || expect(Math.abs((shown[i] as number) - (shown[0] as number) - (pts - first)), `picture ${i}`).toBeLessThanOrEqual(2));
      expect(nalSizes(Buffer.concat(units.map(({ data }) => data)))).toEqual(nalSizes(elementary));
      // Neither MPEG layers nor AC-3 are taken for G.711.
      expect(heard.length).toBeLessThanOrEqual(1);
      const told = events.filter((event) => event.type === 'audio').map((event) => event.kept);
      expect(told.at(-1) ?? false).toBe(false);
    }
    const decodable = Buffer.concat(receive(rtp(bytes, 1400), SECONDS).units.map(({ data }) => data));
    execFileSync('ffmpeg', ['-v', 'error', '-xerror', '-f', codec === 'h264' ? 'h264' : 'hevc', '-i', '-', '-f', 'null', '-'], { input: decodable });
  });

  it.each([['mpeg4', 0x10, /mpeg4/], ['mpeg2video', 0x02, /mpeg2-video/]] as const)('video of another kind (%s) is named, and nothing of it is kept', (encoder, type, name) => {
    const file = join(folder, `${encoder}.ps`);
    ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=25:d=1', '-c:v', encoder, '-f', 'vob', file);
    const { units, events } = receive(rtp(withMap(readFileSync(file), type, null), 1400), 1);
    expect(units).toEqual([]);
    expect(events).toContainEqual({ type: 'unsupported', what: expect.stringMatching(name) as string });
  });

  it.each([33, 96, 69])('a transport stream by payload type %i is named, and nothing of it is kept', (payloadType) => {
    const bytes = ffmpeg('-i', made.get('h264-0') as string, '-an', '-c', 'copy', '-f', 'mpegts', '-');
    const packets = Array.from({ length: Math.ceil(bytes.length / 1316) }, (_, i) => rtpPacket(bytes.subarray(i * 1316, (i + 1) * 1316), i & 0xffff, i, false, { payloadType }));
    const { units, events, stats } = receive(packets, SECONDS);
    expect(units).toEqual([]);
    expect(events.filter((event) => event.type === 'unsupported')).toEqual([{ type: 'unsupported', what: 'mpeg-ts' }]);
    expect(stats.bufferedBytes).toBeLessThan(10_000);
  });
});
