import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { haveTool } from '../../base/test-tools.js';
import type { AccessUnit, Codec } from '../../ingest/access-unit.js';
import { splitAnnexB } from '../../ingest/media/nal-units.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import { FootageLog } from './footage-log.js';
import { syntaxOf } from './sample-entry.js';

const run = promisify(execFile);
const missing = ['ffmpeg', 'ffprobe'].filter((program) => !haveTool(program));

const GOP = 10;
const RATE = 10;
const TICKS = 90_000 / RATE;

/** An encoder's access units. With B-frames, `pts` is the decode time, as `AccessUnit` wants it. */
async function encode(folder: string, codec: Codec, bFrames: number): Promise<AccessUnit[]> {
  const encoded = join(folder, `${codec}-${bFrames}.mp4`);
  const raw = join(folder, `${codec}-${bFrames}.raw`);
  const common = `aud=1:scenecut=0:bframes=${bFrames}:b-adapt=0`;
  const encoder = codec === 'h264' ? ['-c:v', 'libx264', '-x264-params', common] : ['-c:v', 'libx265', '-x265-params', `${common}:log-level=none:open-gop=0`];
  await run('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', `testsrc2=size=128x96:rate=${RATE}`, '-t', '4', '-g', String(GOP), '-pix_fmt', 'yuv420p', ...encoder, encoded]);
  await run('ffmpeg', ['-v', 'error', '-y', '-i', encoded, '-c', 'copy', '-f', codec === 'h264' ? 'h264' : 'hevc', raw]);
  const probe = await run('ffprobe', ['-v', 'error', '-show_entries', 'packet=pts_time,dts_time', '-of', 'json', encoded]);
  const { packets } = JSON.parse(probe.stdout) as { packets: { pts_time: string; dts_time: string }[] };
  const delays = packets.map((packet) => Math.round((Number(packet.pts_time) - Number(packet.dts_time)) * 90_000));

  const bytes = await readFile(raw);
  const delimiter = codec === 'h264' ? (header: number) => (header & 31) === 9 : (header: number) => header >> 1 === 35;
  const delimiters = splitAnnexB(bytes).filter((span) => delimiter(bytes[span.from] as number)).map((span) => span.codeAt);
  // The remuxer may put the first parameter sets before the first delimiter, or leave that one out.
  const starts = [0, ...delimiters.slice(delimiters.length - packets.length + 1)];
  return starts.map((at, i) => {
    const data = bytes.subarray(at, starts[i + 1] ?? bytes.length);
    const keyframe = splitAnnexB(data).some((span) => syntaxOf[codec].isKeySlice(data, span.from));
    return { cameraId: `${codec}-${bFrames}`, codec, keyframe, pts: i * TICKS, compositionOffset: (delays[i] as number) - (delays[0] as number), capturedAt: 1_767_225_600_000 + (i * 1000) / RATE, data };
  });
}

describe.skipIf(missing.length > 0)('segments before players', () => {
  let postgres: TestPostgres;
  let folder: string;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    folder = await mkdtemp(join(tmpdir(), 'berthwatch-players-'));
  });
  afterAll(async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ['h264', 0],
    ['h265', 0],
    ['h264', 2],
  ] as const)('ffprobe and ffmpeg accept every sealed segment: %s, %i B-frames', async (codec, bFrames) => {
    const units = await encode(folder, codec, bFrames);
    expect(units.length).toBe(40);
    expect(units.some((unit) => unit.compositionOffset !== 0)).toBe(bFrames > 0);
    const cameraId = `${codec}-${bFrames}`;
    const database = await postgres.freshDatabase();
    const log = new FootageLog({ folder: join(folder, cameraId), database, clock: systemClock, logger: silentLogger, segmentMs: 2_000, queueGops: 100 });
    await log.start();
    for (const unit of units) log.append(unit);
    await log.close();
    const segments = join(folder, cameraId, 'cameras', cameraId);
    let packets = 0;
    for (const name of (await readdir(segments)).sort()) {
      const path = join(segments, name);
      const probe = await run('ffprobe', ['-v', 'warning', '-count_frames', '-show_streams', '-show_packets', '-show_format', '-of', 'json', path]);
      expect(probe.stderr).toBe('');
      const report = JSON.parse(probe.stdout) as { streams: Record<string, string>[]; format: { duration: string }; packets: { pts: number; dts: number; duration: number; flags: string }[] };
      expect(report.streams).toHaveLength(1);
      expect(report.streams[0]).toMatchObject({ codec_name: codec === 'h264' ? 'h264' : 'hevc', codec_tag_string: codec === 'h264' ? 'avc3' : 'hev1', width: 128, height: 96, time_base: '1/90000' });
      expect(Number(report.streams[0]?.['nb_read_frames'])).toBe(report.packets.length);
      expect(report.packets.map((packet) => packet.dts)).toEqual(report.packets.map((_, i) => i * TICKS));
      expect(report.packets.every((packet) => packet.duration === TICKS)).toBe(true);
      expect(report.packets.map((packet) => packet.flags.startsWith('K'))).toEqual(report.packets.map((_, i) => i % GOP === 0));
      packets += report.packets.length;
      const decoded = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', path, '-f', 'null', '-']);
      expect(decoded.stderr).toBe('');
    }
    expect(packets).toBe(units.length);
  });
});
