import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { seededRandom } from '../../base/fuzz-target.js';
import { silentLogger } from '../../base/logger.js';
import { haveTool } from '../../base/test-tools.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import { AudioReader, type AudioFrame } from '../../ingest/media/audio-reader.js';
import { fixture, picturesOf } from '../../ingest/media/test-muxer.js';
import { startTestPostgres, type TestPostgres } from '../catalogue/testing.js';
import { audioCodecString } from './audio-entry.js';
import { FootageLog, type FootageLogOptions } from './footage-log.js';
import { decodeG711, type G711Law } from './g711.js';
import { SegmentScanner } from './segment-scanner.js';

const run = promisify(execFile);
const WALL = 1_767_225_600_000;
const PTS = 2 ** 33 + 900_000;
const pictures = picturesOf(fixture('h264.es'), 'h264');

/** Whole seconds of small pictures that really decode: 25 a second, a keyframe each second. */
function video(seconds: number): AccessUnit[] {
  return Array.from({ length: seconds * 25 }, (_, i) => ({ cameraId: 'c', codec: 'h264', keyframe: i % 25 === 0, pts: PTS + i * 3600, capturedAt: WALL + i * 40, data: pictures[i % 50] as Buffer }));
}

const g711 = (codec: G711Law, data: Buffer, atSample: number): AudioUnit => ({ cameraId: 'c', codec, sampleRate: 8000, channels: 1, config: null, pts: PTS + Math.round(atSample * 11.25), capturedAt: WALL + Math.round(atSample / 8), data });

/** A tone that ends in noise, as codes, in pieces of 40 ms. */
function tone(codec: G711Law, seconds: number): AudioUnit[] {
  const random = seededRandom(3);
  const codes = Buffer.from(Array.from({ length: seconds * 8000 }, () => Math.floor(random() * 256)));
  return Array.from({ length: seconds * 25 }, (_, i) => g711(codec, codes.subarray(i * 320, (i + 1) * 320), i * 320));
}

interface Probe {
  streams: { codec_name: string; codec_type: string; codec_tag_string: string; sample_rate?: string; channels?: number; duration_ts?: number }[];
  packets: { codec_type: string; pts: number; size: string }[];
}

async function probe(path: string): Promise<Probe> {
  const { stdout, stderr } = await run('ffprobe', ['-v', 'warning', '-show_streams', '-show_packets', '-of', 'json', path], { maxBuffer: 1 << 26 });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Probe;
}

describe('sound in the footage log', () => {
  let postgres: TestPostgres;
  let folder: string;
  let count = 0;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    folder = await mkdtemp(join(tmpdir(), 'berthwatch-sound-'));
  });
  afterAll(async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function log(options: Partial<FootageLogOptions> = {}): Promise<{ log: FootageLog; files: () => Promise<string[]> }> {
    const own = join(folder, String(count++));
    const made = new FootageLog({ folder: own, database: await postgres.freshDatabase(), clock: systemClock, logger: silentLogger, queueGops: 1000, ...options });
    await made.start();
    return { log: made, files: async () => (await readdir(join(own, 'cameras', 'c'))).sort().map((name) => join(own, 'cameras', 'c', name)) };
  }

  /** Pictures and sound in the order of their times, the sound `lag` ticks late. */
  function feed(to: FootageLog, units: readonly AccessUnit[], sound: readonly AudioUnit[], lag = 900): void {
    const both = [...units.map((unit) => ({ at: unit.pts, give: () => to.append(unit) })), ...sound.map((unit) => ({ at: unit.pts + lag, give: () => to.appendAudio(unit) }))];
    for (const { give } of both.sort((a, b) => a.at - b.at)) give();
  }

  it.skipIf(!haveTool('ffprobe') || !haveTool('ffmpeg'))('G.711 comes back sample by sample, and lasts as long as the pictures', async () => {
    for (const law of ['g711a', 'g711u'] as const) {
      const sound = tone(law, 6);
      const { log: footage, files } = await log({ segmentMs: 60_000 });
      feed(footage, video(6), sound);
      await footage.close();
      const kept: Buffer[] = [];
      for (const path of await files()) {
        const { streams, packets } = await probe(path);
        expect(streams).toMatchObject([
          { codec_name: 'h264', codec_tag_string: 'avc3' },
          { codec_name: 'flac', codec_tag_string: 'fLaC', sample_rate: '8000', channels: 1 },
        ]);
        const decoded = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', path, '-map', '0', '-f', 'null', '-']);
        expect(decoded.stderr).toBe('');
        const pcm = execFileSync('ffmpeg', ['-v', 'error', '-i', path, '-map', '0:a', '-f', 's16le', '-']);
        const pictureSeconds = packets.filter((packet) => packet.codec_type === 'video').length / 25;
        expect(Math.abs(pcm.length / 16_000 - pictureSeconds), 'sound and pictures last equally long, within a picture').toBeLessThanOrEqual(0.04);
        kept.push(pcm);
      }
      const sent = decodeG711(law, Buffer.concat(sound.map((unit) => unit.data)));
      const pcm = Buffer.concat(kept);
      // Sound that arrives behind the keyframe that begins the next segment is sound of the old one, and stays out.
      const whole = Buffer.from(sent.buffer);
      expect(kept.length).toBeLessThanOrEqual(2);
      if (kept.length === 1) expect(whole.equals(pcm)).toBe(true);
      for (const part of kept) expect(whole.includes(part)).toBe(true);
      expect(pcm.length).toBeGreaterThanOrEqual(whole.length - 640 * kept.length);
    }
  });

  it.skipIf(!haveTool('ffprobe') || !haveTool('ffmpeg'))('AAC stays as it came', async () => {
    const adts = execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'sine=440:sample_rate=16000:duration=5', '-c:a', 'aac', '-b:a', '32k', '-f', 'adts', '-']);
    const frames: AudioFrame[] = [];
    const reader = new AudioReader({ frame: (frame) => frames.push(frame), codec: () => undefined, damaged: () => undefined });
    reader.push(adts, true, true, 0, 'aac');
    expect(frames.length).toBeGreaterThan(70);
    const sound = frames.map((frame, i): AudioUnit => ({ cameraId: 'c', codec: 'aac', sampleRate: frame.sampleRate, channels: frame.channels, config: frame.config, pts: PTS + i * 5760, capturedAt: WALL + i * 64, data: frame.data }));
    const { log: footage, files } = await log();
    feed(footage, video(5), sound);
    await footage.close();
    const bytes: number[] = [];
    for (const path of await files()) {
      const { streams, packets } = await probe(path);
      expect(streams[1]).toMatchObject({ codec_name: 'aac', codec_tag_string: 'mp4a', sample_rate: '16000', channels: 1 });
      const decoded = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', path, '-map', '0:a', '-f', 'null', '-']);
      expect(decoded.stderr).toBe('');
      bytes.push(...packets.filter((packet) => packet.codec_type === 'audio').map((packet) => Number(packet.size)));
    }
    expect(bytes.length).toBeGreaterThanOrEqual(sound.length - 4);
    expect(bytes).toEqual(expect.arrayContaining(sound.slice(0, 70).map((unit) => unit.data.length)));
  });

  it('is read with its GOP, and never changes what is read of the pictures', async () => {
    const { log: silent } = await log();
    const { log: loud } = await log();
    feed(silent, video(4), []);
    feed(loud, video(4), tone('g711a', 4));
    silent.streamEnded('c');
    loud.streamEnded('c');
    const all = async (from: FootageLog): Promise<{ audio: unknown; units: AccessUnit[] }[]> => {
      await until(async () => (await from.gopsBetween('c', 0, WALL * 2)).length === 4);
      return Promise.all((await from.gopsBetween('c', 0, WALL * 2)).map(async (gop) => ({ audio: await gop.readAudio(), units: await gop.read() })));
    };
    const [a, b] = [await all(silent), await all(loud)];
    expect(b.map(({ units }) => units)).toEqual(a.map(({ units }) => units));
    expect(a.every(({ audio }) => audio === null)).toBe(true);
    const gops = await loud.gopsBetween('c', 0, WALL * 2);
    const heard = await Promise.all(gops.map((gop) => gop.readAudio()));
    expect(heard.map((audio) => audio?.format.codec)).toEqual(['flac', 'flac', 'flac', 'flac']);
    expect(audioCodecString(heard[0]?.format as never)).toBe('flac');
    // One follows the other without a hole.
    let at = heard[0]?.pts as number;
    expect(at).toBe(PTS);
    for (const audio of heard) {
      expect(Math.abs((audio?.pts as number) - at)).toBeLessThanOrEqual(1);
      at = (audio?.pts as number) + (audio?.samples ?? []).reduce((sum, { duration }) => sum + duration, 0) * 11.25;
    }
    const keyframes = await Promise.all(gops.map((gop) => gop.readKeyframe()));
    expect(keyframes.map((unit) => unit.capturedAt)).toEqual([0, 1, 2, 3].map((s) => WALL + s * 1000));
    await silent.close();
    await loud.close();
  });

  it.skipIf(!haveTool('ffprobe'))('holes are filled with silence, doubles and the far future left out, another codec kept out until the next segment', async () => {
    const { log: footage, files } = await log({ segmentMs: 300_000 });
    const sound = tone('g711a', 12).filter((_, i) => i < 75 || i >= 125);
    const wild = [...sound, ...sound.slice(10, 40)];
    const aac: AudioUnit = { cameraId: 'c', codec: 'aac', sampleRate: 16_000, channels: 1, config: Buffer.from([0x14, 0x08]), pts: PTS + 90_000 * 5, capturedAt: WALL + 5000, data: Buffer.alloc(50, 1) };
    const surround: AudioUnit = { ...aac, channels: 6 };
    const units = video(12);
    feed(footage, units.slice(0, 150), wild.filter((unit) => unit.pts < (units[150] as AccessUnit).pts));
    for (const unit of sound.slice(0, 20)) footage.appendAudio({ ...unit, pts: unit.pts + 90_000 * 3600 });
    footage.appendAudio(aac);
    footage.appendAudio(surround);
    feed(footage, units.slice(150), sound.filter((unit) => unit.pts >= (units[150] as AccessUnit).pts));
    await footage.close();
    const paths = await files();
    let video_ = 0;
    let audio = 0;
    for (const path of paths) {
      const { packets } = await probe(path);
      const pcm = execFileSync('ffmpeg', ['-v', 'error', '-i', path, '-map', '0:a', '-f', 's16le', '-']);
      const starts = packets.filter(({ codec_type }) => codec_type === 'audio').map(({ pts }) => pts);
      expect(starts[0]).toBe(0);
      for (let i = 1; i < starts.length; i++) expect((starts[i] as number) - (starts[i - 1] as number)).toBeLessThanOrEqual(1024);
      audio += pcm.length / 16_000;
      video_ += packets.filter(({ codec_type }) => codec_type === 'video').length / 25;
    }
    expect(video_).toBe(12);
    expect(Math.abs(audio - 12)).toBeLessThan(0.3);
    expect(footage.stats().cameras.get('c')?.droppedAudio).toBeGreaterThanOrEqual(20 + 2 + 26);
  });

  it('a flood of sound stops nothing and grows nothing', async () => {
    const { log: footage } = await log();
    const units = video(3);
    for (const [i, unit] of units.entries()) {
      footage.append(unit);
      for (let n = 0; n < 2000; n++) footage.appendAudio(g711('g711a', Buffer.alloc(8000, 0x55), i * 320 + n * 8000));
      expect(footage.stats().queuedBytes).toBeLessThan(32 * 1024 * 1024);
    }
    footage.streamEnded('c');
    await until(async () => (await footage.gopsBetween('c', 0, WALL * 2)).length === 3);
    const stats = footage.stats().cameras.get('c');
    expect(stats).toMatchObject({ droppedGops: 0, droppedUnits: 0, units: 75 });
    expect(stats?.droppedAudio).toBeGreaterThan(100_000);
    for (const gop of await footage.gopsBetween('c', 0, WALL * 2)) expect(gop.bytes).toBeLessThan(100_000);
    await footage.close();
  });

  it('a write that was torn in the sound is not a whole fragment, and flipped sound is named', async () => {
    const { log: footage, files } = await log();
    feed(footage, video(3), tone('g711a', 3));
    await footage.close();
    const bytes = await readFile((await files())[0] as string);
    const scan = (of: Buffer): ReturnType<SegmentScanner['end']> => {
      const scanner = new SegmentScanner();
      scanner.push(of);
      return scanner.end();
    };
    const whole = scan(bytes);
    expect(whole).toMatchObject({ damage: null, wholeBytes: bytes.length });
    const last = whole.gops.length - 1;
    const torn = Buffer.from(bytes);
    // The end of the file is sound of the last GOP.
    torn.fill(0, bytes.length - 40);
    expect(scan(torn).gops).toHaveLength(last);
    expect(scan(torn).damage).toMatch(/the sound of GOP \d+ fails its checksum/);
    expect(scan(bytes.subarray(0, bytes.length - 1)).gops).toHaveLength(last);
  });

  it('a segment without sound has one track, and nothing in it speaks of sound', async () => {
    const { log: footage, files } = await log();
    feed(footage, video(2), []);
    await footage.close();
    const bytes = await readFile((await files())[0] as string);
    for (const name of ['soun', 'fLaC', 'mp4a', 'smhd']) expect(bytes.includes(name), name).toBe(false);
    expect(bytes.toString('latin1').split('trak').length - 1).toBe(1);
    expect(bytes.toString('latin1').split('traf').length - 1).toBe(2);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
