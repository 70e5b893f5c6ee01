import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { program } from '../../base/program-root.js';
import { haveTool } from '../../base/test-tools.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import { h264 } from '../../ingest/media/h264.js';
import { splitAnnexB } from '../../ingest/media/nal-units.js';
import { RtspSource } from '../../ingest/rtsp/rtsp-source.js';
import { SiteSchema, type SiteCamera } from '../../service/config/site.js';
import type { StreamStatus } from '../../service/live/live-stream.js';
import { RtspStream } from '../../service/live/rtsp-stream.js';
import { Mp4Clip } from '../simulators/camera/media/mp4-clip.js';
import { nalUnits } from '../simulators/camera/media/nal.js';
import { makeTestClip, temporaryFolder } from '../simulators/camera/testing/clips.js';
import { RtspCamera, type RtspCameraOptions } from '../simulators/rtsp/rtsp-camera.js';

const clip = (name: string): string => join(program.root, 'test', 'fixtures', 'scenes', `${name}.mp4`);
const CODECS = { h264: clip('day-parallel'), h265: clip('dusk-angled') } as const;

/** The slices of a picture: parameter sets may be added on the way. */
const slices = (annexB: Uint8Array): string => createHash('sha256').update(Buffer.concat(nalUnits(Buffer.from(annexB)).filter((unit) => [1, 5].includes((unit[0] as number) & 31)))).digest('hex');

/** The size that a keyframe's parameter sets say. */
function formatOf(unit: AccessUnit): string | null {
  const data = Buffer.from(unit.data);
  for (const { from, to } of splitAnnexB(data)) {
    const format = h264.format(data.subarray(from, to));
    if (format) return `${format.width}x${format.height}`;
  }
  return null;
}

let camera: RtspCamera | null = null;
afterEach(async () => {
  await camera?.close();
  camera = null;
});

async function serve(options: Partial<RtspCameraOptions> = {}): Promise<string> {
  camera = new RtspCamera({ clip: CODECS.h264, user: 'admin', password: 'p@ss:w/rd', ...options });
  return `rtsp://127.0.0.1:${await camera.start()}/stream1`;
}

type Wish = Partial<ConstructorParameters<typeof RtspSource>[0]>;
const source = (url: string, over: Wish = {}): RtspSource =>
  new RtspSource({ cameraId: 'cam', url, user: 'admin', password: 'p@ss:w/rd', transport: 'tcp', timeoutMs: 5_000, clock: systemClock, logger: silentLogger, ...over });

async function take(from: RtspSource, count: number): Promise<AccessUnit[]> {
  const units: AccessUnit[] = [];
  for await (const unit of from.units(new AbortController().signal)) {
    units.push(unit);
    if (units.length === count) break;
  }
  return units;
}

describe('RTSP', () => {
  it.each([['h264', 'tcp'], ['h265', 'tcp'], ['h264', 'udp'], ['h265', 'udp']] as const)('pulls %s over %s, with digest authentication', async (codec, transport) => {
    const began = Date.now();
    const units = await take(source(await serve({ clip: CODECS[codec] }), { transport }), 60);
    expect(units[0]).toMatchObject({ cameraId: 'cam', codec, keyframe: true });
    expect(units.map((unit) => unit.codec)).toEqual(units.map(() => codec));
    for (let i = 1; i < units.length; i++) {
      expect((units[i] as AccessUnit).pts).toBeGreaterThan((units[i - 1] as AccessUnit).pts);
      expect((units[i] as AccessUnit).capturedAt).toBeGreaterThan((units[i - 1] as AccessUnit).capturedAt);
    }
    const [first, last] = [units[0] as AccessUnit, units.at(-1) as AccessUnit];
    expect(first.capturedAt).toBeGreaterThanOrEqual(began);
    expect(Math.abs(first.capturedAt - began)).toBeLessThan(20_000);
    // The stream's own time: 59 pictures at 25 a second, whatever the machine did meanwhile.
    expect(Math.abs(last.pts - first.pts - 59 * 3600)).toBeLessThan(3600);
    expect(units.filter((unit) => unit.keyframe).length).toBeGreaterThanOrEqual(1);
    expect(camera?.requests).toEqual(expect.arrayContaining(['DESCRIBE', 'SETUP', 'PLAY']));
  });

  it.each<[string, Partial<RtspCameraOptions>, Wish, RegExp]>([
    ['a wrong password', {}, { password: 'wrong' }, /wants another user or password \(401\)/],
    ['no password', {}, { user: null, password: null }, /wants another user or password \(401\)/],
    ['a path that it does not know', { path: '/other' }, {}, /does not know this path \(404\)/],
    ['a transport that it refuses', { misbehaviour: { refuses: 'udp' } }, { transport: 'udp' }, /choose the other rtsp\.transport|cannot be opened/],
  ])('says what is wrong: %s', async (_, options, wish, message) => {
    const url = await serve(options);
    await expect(take(source(url, wish), 1)).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(message) as string });
  });

  it('never tells the password', async () => {
    const url = await serve();
    const error = await take(source(url, { password: 'verysecret' }), 1).catch((e: unknown) => e as Error);
    expect(String((error as Error).message)).not.toContain('verysecret');
    expect((error as Error).message).toContain(url);
  });

  it('says so when nobody is there, when the camera falls silent, and when it hangs up', async () => {
    await expect(take(source('rtsp://127.0.0.1:1/stream1'), 1)).rejects.toThrow(/refused/);
    const silent = await serve({ misbehaviour: { silentAfter: 60 } });
    await expect(take(source(silent, { timeoutMs: 1_500 }), 500)).rejects.toThrow(/sends no more/);
    await camera?.close();
    const gone = await serve({ misbehaviour: { hangUpAfter: 60 } });
    await expect(take(source(gone), 500)).rejects.toThrow(/ended the stream|sends no more/);
  });

  it('an abort ends it at once, without an error', async () => {
    const abort = new AbortController();
    let seen = 0;
    for await (const unit of source(await serve()).units(abort.signal)) {
      seen += unit.data.length > 0 ? 1 : 0;
      if (seen === 10) abort.abort();
    }
    expect(seen).toBe(10);
  });

  it('dates its first picture when it came', async () => {
    const url = await serve();
    const from = source(url);
    let first = 0;
    for await (const unit of from.units(new AbortController().signal)) {
      first ||= Date.now() - unit.capturedAt;
      break;
    }
    // Looking at the stream for seconds before giving out its first picture would show here.
    expect(first).toBeLessThan(1_000);
  });

  it.each(['tcp', 'udp'] as const)('brings its sound along over %s, beside the pictures', async (transport) => {
    const url = await serve({ audio: 'g711a' });
    const sound: AudioUnit[] = [];
    const units: AccessUnit[] = [];
    for await (const unit of source(url, { transport, onAudio: (piece) => sound.push(piece) }).units(new AbortController().signal)) {
      units.push(unit);
      if (sound.length >= 50) break;
    }
    expect(sound[0]).toMatchObject({ cameraId: 'cam', codec: 'g711a', sampleRate: 8000, channels: 1, config: null });
    expect(Buffer.concat(sound.map(({ data }) => data)).length).toBeGreaterThanOrEqual(50 * 300);
    const last = units.at(-1) as AccessUnit;
    expect(Math.abs((sound.at(-1) as AudioUnit).capturedAt - last.capturedAt)).toBeLessThan(3_000);
    for (let i = 1; i < sound.length; i++) expect((sound[i] as AudioUnit).pts).toBeGreaterThan((sound[i - 1] as AudioUnit).pts);
  });

  it.each([['sound of another kind', { audio: 'g726' }], ['no sound', {}]] as const)('%s costs nothing', async (_, options) => {
    const url = await serve(options);
    let heard = 0;
    let seen = 0;
    for await (const unit of source(url, { onAudio: () => heard++ }).units(new AbortController().signal)) {
      seen += unit.data.length > 0 ? 1 : 0;
      if (seen >= 100) break;
    }
    expect(heard).toBe(0);
  });

  it('packets lost on UDP cost pictures up to the next keyframe, never let a broken one through', async () => {
    const url = await serve({ misbehaviour: { lossPercent: 0.3 } });
    const wanted = new Set<string>();
    const player = Mp4Clip.open(CODECS.h264);
    for (let i = 0; i < player.length; i++) wanted.add(slices(player.picture(i).annexB));
    const from = source(url, { transport: 'udp' });
    let seen = 0;
    for await (const unit of from.units(new AbortController().signal)) {
      expect(wanted.has(slices(unit.data)), `picture ${seen} is whole`).toBe(true);
      seen++;
      if (from.losses >= 4 && seen >= 60) break;
    }
    expect(from.dropped.damaged).toBeGreaterThanOrEqual(4);
  });

  it('a clock that is set back in the middle is told once, and times go on', async () => {
    const url = await serve({ misbehaviour: { clockJumpAfter: 40 } });
    let cuts = 0;
    const units = await take(source(url, { onDiscontinuity: () => cuts++ }), 80);
    expect(cuts).toBe(1);
    for (let i = 1; i < units.length; i++) {
      expect((units[i] as AccessUnit).capturedAt).toBeGreaterThan((units[i - 1] as AccessUnit).capturedAt);
      expect((units[i] as AccessUnit).pts - (units[i - 1] as AccessUnit).pts).toBeLessThan(10 * 90_000);
    }
  });

  it.skipIf(!haveTool('ffmpeg'))('another size in the middle begins with a keyframe that carries its parameter sets', async () => {
    const folder = temporaryFolder();
    try {
      const other = makeTestClip(folder.path, 'h264', { seconds: 2, gop: 25, size: '320x240' });
      const url = await serve({ misbehaviour: { otherClip: { after: 30, clip: other } } });
      const units = await take(source(url), 70);
      const sizes = units.map((unit) => (unit.keyframe ? formatOf(unit) : null));
      expect([...new Set(sizes.filter((size) => size !== null))]).toEqual(['1920x1080', '320x240']);
      expect(sizes[30]).toBe('320x240');
      for (let i = 1; i < units.length; i++) expect((units[i] as AccessUnit).pts - (units[i - 1] as AccessUnit).pts).toBe(3600);
    } finally {
      folder.remove();
    }
  });

  it.skipIf(!haveTool('ffprobe'))('the simulated camera is one that others understand too', async () => {
    const url = (await serve({ clip: CODECS.h265 })).replace('rtsp://', 'rtsp://admin:p%40ss%3Aw%2Frd@');
    const child = spawn('ffprobe', ['-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0', url]);
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    expect(out.trim()).toBe('hevc,1920,1080');
  });
});

describe('a camera of the site that is taken in by RTSP', () => {
  const site = (rtsp: object, gb28181: object | null = null): { lots: object[]; cameras: object[] } => ({
    lots: [{ code: 'L', name: 'L' }],
    cameras: [{ id: 'c', name: 'c', deviceNumber: 'c', lot: 'L', roadSection: 'r', direction: 'd', width: 1920, height: 1080, rtsp, gb28181, berths: [{ id: 'b', number: '1', kind: 'parallel', polygon: [[100, 100], [200, 100], [200, 200], [100, 200]], lengthM: 6, widthM: 2.5, drivingDirection: [1, 0] }] }],
  });

  it('has an address without secrets, and no other source', () => {
    const parse = (rtsp: object, gb: object | null = null): string => JSON.stringify(SiteSchema.safeParse(site(rtsp, gb)).error?.issues.map((issue) => issue.message) ?? []);
    expect(parse({ url: 'rtsp://192.0.2.5:554/Streaming/Channels/101', user: 'a', password: 'b' })).toBe('[]');
    expect(parse({ url: 'rtsp://a:b@192.0.2.5/x' })).toContain('write them into rtsp.user and rtsp.password');
    expect(parse({ url: 'http://192.0.2.5/x' })).toContain('rtsp://');
    expect(parse({ url: 'rtsp://192.0.2.5/x' }, { deviceId: '34020000001320000001', channelId: '34020000001320000001' })).toContain('not by both');
  });

  it('is pulled again after whatever ended it', async () => {
    const url = await serve({ misbehaviour: { hangUpAfter: 60 } });
    const parsed = SiteSchema.parse(site({ url, user: 'admin', password: 'p@ss:w/rd' }));
    const states: StreamStatus[] = [];
    const units: AccessUnit[] = [];
    let ended = 0;
    const stream = new RtspStream({
      camera: parsed.cameras[0] as SiteCamera,
      sink: { append: (unit) => units.push(unit), discontinuity: () => undefined, streamEnded: () => ended++ },
      clock: systemClock, logger: silentLogger, timeoutMs: 5_000, retry: { firstMs: 100, longestMs: 400 }, onState: (status) => states.push(status),
    });
    stream.start();
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await until(() => states.filter((status) => status.state === 'streaming').length >= 2 && units.length > 60);
    await stream.close();
    expect(states.map((status) => status.state).join(' ')).toMatch(/^inviting streaming waiting inviting streaming/);
    expect(states.find((status) => status.state === 'waiting')?.diagnosis).toMatch(/the camera at rtsp:\/\/127\.0\.0\.1:\d+\/stream1 (ended the stream|sends no more)/);
    expect(ended).toBeGreaterThanOrEqual(2);
    expect(stream.status).toMatchObject({ codec: 'h264' });
  });

  it('that allows one session keeps its pictures, and is not asked for its sound again', async () => {
    const url = await serve({ audio: 'g711a', misbehaviour: { oneSession: true } });
    const parsed = SiteSchema.parse(site({ url, user: 'admin', password: 'p@ss:w/rd' }));
    let units = 0;
    let ends = 0;
    const stream = new RtspStream({
      camera: parsed.cameras[0] as SiteCamera,
      sink: { append: () => units++, appendAudio: () => undefined, discontinuity: () => undefined, streamEnded: () => ends++ },
      clock: systemClock, logger: silentLogger, timeoutMs: 5_000, retry: { firstMs: 100, longestMs: 400 }, onState: () => undefined,
    });
    stream.start();
    while (ends === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const before = units;
    while (units < before + 100) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ends).toBe(1);
    await stream.close();
  });
});
