import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../base/program-root.js';
import { haveTool } from '../../base/test-tools.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';
import { Street, until } from './support/street.js';
import { FootageStage, GREY, greyPictures, nearest, run, TOKEN } from './support/footage-stage.js';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];

/** 10:00 Beijing time; 10 s of footage, half a minute of nothing, the same 10 s again. */
const START = Date.parse('2026-01-05T10:00:00+08:00');
const SECOND = START + 40_000;
const SECONDS = 10;
const FPS = 10;
const GOP = 20;

describe.skipIf(['ffmpeg', 'ffprobe', 'chromium'].map(haveTool).includes(false))('recorded footage', () => {
  const stage = new FootageStage();
  let pictures: Buffer[];
  beforeAll(async () => {
    await stage.start();
    const clip = (codec: 'h264' | 'h265'): string => makeTestClip(stage.folder, codec, { seconds: SECONDS, gop: GOP, fps: FPS, size: '320x240', quality: 18 });
    pictures = await greyPictures(clip('h264'));
    for (const codec of ['h264', 'h265'] as const) {
      await stage.append(`cam-${codec}`, clip(codec), START);
      await stage.append(`cam-${codec}`, clip(codec), SECOND);
    }
    await stage.append('cam-sound', clip('h264'), START, 'gap', true);
    await stage.serve();
  });
  afterAll(() => stage.close());

  const span = `from=${START}&to=${SECOND + 20_000}`;
  const address = (camera: string, rest: string): string => `${stage.url}/api/cameras/${camera}/${rest}`;

  it('is listed as ranges and gaps with their reasons, by ISO times too', async () => {
    const answer = await (await stage.get(`/api/cameras/cam-h265/footage?from=2026-01-05T10:00:00%2B08:00&to=2026-01-05 10:01`)).json();
    expect(answer).toMatchObject({
      ranges: [
        { from: START, to: START + 9_900, codec: 'h265', width: 320, height: 240 },
        { from: SECOND, to: SECOND + 9_900, codec: 'h265' },
      ],
      gaps: [{ from: START + 9_900, to: SECOND, reason: 'the test took the camera away' }, { from: SECOND + 9_900, to: null }],
      coveredMs: 19_800,
      formats: [{ codec: 'h265', mimeType: expect.stringMatching(/^video\/mp4; codecs="hvc1\.1\.6\.L\d+\.[0-9A-F.]+"$/) as string }],
    });
    expect((await stage.get('/api/cameras/cam-x/footage?from=0&to=1')).status).toBe(404);
    expect(await (await stage.get(`/api/cameras/cam-h264/footage?from=soon&to=1`)).json()).toMatchObject({ message: expect.stringMatching(/is no time/) as string });
    expect((await stage.get(`/api/cameras/cam-h264/footage?from=0&to=${START}`)).status).toBe(400);
  });

  it('is described by OpenAPI, times and exports included', async () => {
    const { paths } = (await (await stage.get('/api/openapi.json')).json()) as { paths: Record<string, Record<string, { parameters?: { name: string }[] }>> };
    for (const path of ['/api/cameras/{id}/footage', '/api/cameras/{id}/footage.m3u8', '/api/cameras/{id}/footage.mp4', '/api/play/{ticket}/footage.m3u8', '/api/exports', '/api/exports/{id}/file', '/api/visits/{uid}/export.zip']) expect(paths, path).toHaveProperty([path]);
    expect(paths['/api/cameras/{id}/footage']?.['get']?.parameters?.map((parameter) => parameter.name)).toEqual(expect.arrayContaining(['from', 'to', 'limit']));
  });

  it.each(['h264', 'h265'] as const)('as HLS (%s): ffmpeg and ffprobe find every picture at its time, unchanged', async (codec) => {
    const url = address(`cam-${codec}`, `footage.m3u8?${span}`);
    const probe = JSON.parse((await run('ffprobe', ['-v', 'warning', '-show_packets', '-show_streams', '-of', 'json', url])).toString()) as { streams: { codec_name: string }[]; packets: { pts_time: string; duration_time: string; flags: string }[] };
    expect(probe.streams.map((stream) => stream.codec_name)).toEqual([codec === 'h264' ? 'h264' : 'hevc']);
    expect(probe.packets).toHaveLength(2 * SECONDS * FPS);
    const times = probe.packets.map((packet) => Number(packet.pts_time));
    const first = times[0] as number;
    // Media time of each stretch: a tenth of a second a picture, no hole, no overlap.
    for (let i = 1; i < SECONDS * FPS; i++) expect((times[i] as number) - first).toBeCloseTo(i / FPS, 3);
    for (const shown of [await greyPictures(url), await greyPictures(address(`cam-${codec}`, `footage.mp4?${span}`))]) {
      expect(shown).toHaveLength(2 * SECONDS * FPS);
      for (const [i, picture] of shown.entries()) if (i % 7 === 0) expect(nearest(picture, pictures).index).toBe(i % (SECONDS * FPS));
    }
  });

  it('carries sound beside the pictures, in HLS, in one file and in clips', async () => {
    const export_ = await fetch(`${stage.url}/api/exports`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }, body: JSON.stringify({ kind: 'clip', camera: 'cam-sound', from: START + 2_500, to: START + 8_500, requestedBy: 'test' }) });
    const { id } = (await export_.json()) as { id: string };
    let clip: Response;
    for (const until = Date.now() + 60_000; !(clip = await stage.get(`/api/exports/${id}/file`)).ok && Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 100)));
    const file = join(stage.folder, 'sound.mp4');
    writeFileSync(file, Buffer.from(await clip.arrayBuffer()));
    for (const [input, seconds] of [[address('cam-sound', `footage.m3u8?${span}`), 10], [address('cam-sound', `footage.mp4?${span}`), 10], [file, 6]] as const) {
      const probe = JSON.parse((await run('ffprobe', ['-v', 'error', '-show_packets', '-show_streams', '-of', 'json', input])).toString()) as { streams: { codec_name: string; index: number }[]; packets: { stream_index: number; pts_time: string; duration_time?: string; flags: string }[] };
      expect(probe.streams.map((stream) => stream.codec_name)).toEqual(['h264', 'flac']);
      const span = (index: number): [number, number] => {
        const packets = probe.packets.filter((packet) => packet.stream_index === index && !packet.flags.includes('D')).sort((a, b) => Number(a.pts_time) - Number(b.pts_time));
        return [Number(packets[0]?.pts_time), Number(packets.at(-1)?.pts_time) + Number(packets.at(-1)?.duration_time ?? 0)];
      };
      const [videoFrom, videoTo] = span(0);
      const [soundFrom, soundTo] = span(1);
      expect(Math.abs(soundFrom - videoFrom)).toBeLessThan(0.25);
      expect(Math.abs(soundTo - videoTo)).toBeLessThan(0.4);
      expect(videoTo - Math.max(0, videoFrom)).toBeGreaterThan(seconds - 0.3);
      await run('ffmpeg', ['-v', 'error', '-xerror', '-i', input, '-f', 'null', '-']);
    }
  });

  it('refuses to turn more into H.264 than it is allowed to, in words', async () => {
    const names = (await (await stage.get(`/api/cameras/cam-h265/footage.m3u8?${span}&as=h264`)).text()).split('\n').filter((line) => line.endsWith('.m4s'));
    const small = new FootageStage({ playback: { transcode: { children: 0 } } });
    await small.start();
    try {
      await small.append('cam-h265', makeTestClip(small.folder, 'h265', { seconds: 2, gop: GOP, fps: FPS }), START);
      await small.serve();
      const refused = await small.get('/api/cameras/cam-h265/footage/h264/pieces/1-0-0.m4s');
      expect([refused.status, await refused.json()]).toEqual([503, { error: 'PLAYBACK_OFF', message: expect.stringMatching(/playback\.transcode\.children is 0/) as string }]);
    } finally {
      await small.close();
    }
    // The same piece for many at once is made once.
    const answers = await Promise.all(Array.from({ length: 20 }, () => stage.get(`/api/cameras/cam-h265/${names[1]}`)));
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    const bodies = await Promise.all(answers.map(async (answer) => Buffer.from(await answer.arrayBuffer())));
    expect(bodies.every((body) => body.equals(bodies[0] as Buffer))).toBe(true);
  });

  it('tells the wall clock and the breaks in playlists', async () => {
    const lines = (await (await stage.get(`/api/cameras/cam-h264/footage.m3u8?${span}`)).text()).split('\n');
    expect(lines.filter((line) => line.startsWith('#EXT-X-PROGRAM-DATE-TIME'))).toEqual(['#EXT-X-PROGRAM-DATE-TIME:2026-01-05T10:00:00.000+08:00', '#EXT-X-PROGRAM-DATE-TIME:2026-01-05T10:00:40.000+08:00']);
    expect(lines.filter((line) => line === '#EXT-X-DISCONTINUITY')).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('#EXTINF')).reduce((sum, line) => sum + Number(line.slice(8, -1)), 0)).toBeCloseTo(20, 6);
    expect(lines).toContain('#EXT-X-ENDLIST');
  });

  it('grows while the camera records, and never takes back what it said', async () => {
    const now = Date.now();
    const clip = makeTestClip(stage.folder, 'h264', { seconds: 10, gop: GOP, fps: FPS, size: '320x240', quality: 18 });
    await stage.append('cam-live', clip, now - 12_000, 'goes on');
    const playlist = async (): Promise<string> => {
      for (const until = Date.now() + 30_000; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 100))) {
        const response = await stage.get(`/api/cameras/cam-live/footage.m3u8?from=${now - 60_000}&to=${now + 3_600_000}`);
        if (response.ok) return response.text();
      }
      throw new Error('no playlist came');
    };
    const before = await playlist();
    expect(before).toContain('#EXT-X-PLAYLIST-TYPE:EVENT');
    expect(before).not.toContain('#EXT-X-ENDLIST');
    await stage.append('cam-live', clip, now - 2_000);
    const after = await playlist();
    expect(after.startsWith(before)).toBe(true);
    expect(after.length).toBeGreaterThan(before.length);
  });

  it('serves ranges of one MP4 that fit together', async () => {
    const path = `/api/cameras/cam-h264/footage.mp4?${span}`;
    const whole = Buffer.from(await (await stage.get(path)).arrayBuffer());
    const head = await fetch(`${stage.url}${path}`, { method: 'HEAD' });
    expect(Number(head.headers.get('content-length'))).toBe(whole.length);
    expect(head.headers.get('footage-from')).toBe('2026-01-05T10:00:00.000+08:00');
    const cuts = [0, 1, 700, 701, Math.floor(whole.length / 3), whole.length - 5, whole.length];
    const parts: Buffer[] = [];
    for (let i = 1; i < cuts.length; i++) {
      const response = await stage.get(path, { range: `bytes=${cuts[i - 1]}-${(cuts[i] as number) - 1}` });
      expect(response.status).toBe(206);
      expect(response.headers.get('content-range')).toBe(`bytes ${cuts[i - 1]}-${(cuts[i] as number) - 1}/${whole.length}`);
      parts.push(Buffer.from(await response.arrayBuffer()));
    }
    expect(Buffer.concat(parts).equals(whole)).toBe(true);
    expect(Buffer.from(await (await stage.get(path, { range: 'bytes=-100' })).arrayBuffer()).equals(whole.subarray(-100))).toBe(true);
    expect((await stage.get(path, { range: `bytes=${whole.length}-` })).status).toBe(416);
    const file = join(stage.folder, 'whole.mp4');
    writeFileSync(file, whole);
    await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', file, '-f', 'null', '-']);
  });

  it('opens to who has a ticket, for its times only and until it ends', async () => {
    const exposed = new FootageStage({ playback: { links: '1h' } });
    await exposed.start();
    try {
      await exposed.append('cam-1', makeTestClip(exposed.folder, 'h264', { seconds: 4, gop: GOP, fps: FPS }), START);
      await exposed.serve('0.0.0.0');
      const plain = `/api/cameras/cam-1/footage.m3u8?from=${START}&to=${START + 4_000}`;
      expect((await exposed.get(plain)).status).toBe(401);
      const bearer = { authorization: `Bearer ${TOKEN}` };
      expect((await exposed.get(plain, bearer)).status).toBe(200);
      const link = (await (await exposed.get(`/api/cameras/cam-1/footage/link?from=${START}&to=${START + 1_900}`, bearer)).json()) as { playlist: string; mp4: string };
      expect((await run('ffprobe', ['-v', 'error', '-count_packets', '-show_entries', 'stream=nb_read_packets', '-of', 'csv=p=0', `${exposed.url}${link.playlist}`])).toString().trim()).toMatch(/^20\b/);
      expect((await exposed.get(link.mp4)).status).toBe(200);
      // The second GOP lies outside of the ticket's time.
      const prefix = link.playlist.replace(/footage\.m3u8.*/, '');
      expect((await exposed.get(`${prefix}footage/pieces/1-0-0.m4s`)).status).toBe(200);
      expect((await exposed.get(`${prefix}footage/pieces/1-1-1.m4s`)).status).toBe(401);
      const forged = link.playlist.replace(/play\/./, (text) => `play/${text.endsWith('W') ? 'X' : 'W'}`);
      expect((await exposed.get(forged)).status).toBe(401);
      expect((await fetch(`${exposed.url}${link.mp4}`, { method: 'POST' })).status).toBe(401);
    } finally {
      await exposed.close();
    }
  });

  it('comes from a running service while its camera records', async () => {
    const street = new Street({ cameras: [{ transport: 'tcp-passive' }] });
    const since = Date.now();
    try {
      await street.start();
      await street.streaming();
      const path = `/api/cameras/cam-1/footage.m3u8?from=${since}&to=${since + 3_600_000}`;
      await until('two pieces are told', async () => ((await (await fetch(`${street.url}${path}`)).text()).match(/\.m4s/g) ?? []).length >= 2, 60_000, () => street.told());
      const playlist = await (await fetch(`${street.url}${path}`)).text();
      const piece = playlist.split('\n').find((line) => line.endsWith('.m4s')) as string;
      const init = /MAP:URI="([^"]+)"/.exec(playlist)?.[1] as string;
      const file = join(stage.folder, 'live.mp4');
      const part = async (uri: string): Promise<Buffer> => Buffer.from(await (await fetch(`${street.url}/api/cameras/cam-1/${uri}`)).arrayBuffer());
      writeFileSync(file, Buffer.concat([await part(init), await part(piece)]));
      // Whole GOPs, as the camera codes them: 25 pictures each.
      const count = (await greyPictures(file)).length;
      expect([count > 0, count % 25]).toEqual([true, 0]);
      const timeline = await street.get<{ ranges: { codec: string }[] }>(`/api/cameras/cam-1/footage?from=${since}&to=${since + 3_600_000}`);
      expect(timeline.ranges[0]).toMatchObject({ codec: 'h264' });
    } finally {
      await street.close();
    }
  });

  describe('in Chromium', () => {
    let browser: Browser;
    let page: Page;
    const errors: string[] = [];
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
      page = await browser.newPage({ viewport: { width: 400, height: 300 } });
      page.on('pageerror', (error) => errors.push(error.message));
      const hls = readFileSync(join(program.root, 'node_modules', 'hls.js', 'dist', 'hls.min.js'), 'utf8');
      await page.route('**/player.html', (route) => route.fulfill({ contentType: 'text/html', body: '<video id="v" muted></video><canvas id="c"></canvas><script src="/hls.js"></script>' }));
      await page.route('**/hls.js', (route) => route.fulfill({ contentType: 'text/javascript', body: hls }));
      await page.goto(`${stage.url}/player.html`);
    });
    afterAll(() => browser?.close());

    /** Plays an address with hls.js from `at` seconds on for a second, stands still, and gives what is seen and when it was taken. */
    async function look(url: string, at: number): Promise<{ played: number; takenAt: number; grey: number[]; breaks: string[] }> {
      return page.evaluate(
        async ({ url, at, width, height }) => {
          const global = globalThis as unknown as { Hls: new (options: object) => Record<string, (...args: unknown[]) => void> & { playingDate: Date | null }; document: { getElementById(id: string): unknown } };
          const video = global.document.getElementById('v') as { currentTime: number; play(): Promise<void>; pause(): void; seeking: boolean; readyState: number };
          const canvas = global.document.getElementById('c') as { width: number; height: number; getContext(kind: string): { drawImage(...args: unknown[]): void; getImageData(x: number, y: number, w: number, h: number): { data: Uint8ClampedArray } } };
          const breaks: string[] = [];
          const hls = new global.Hls({ startPosition: at, enableWorker: false });
          hls.on?.('hlsError', (_: unknown, data: unknown) => breaks.push(`${(data as { details: string }).details} ${String((data as { reason?: string }).reason ?? '')}`));
          hls.loadSource?.(url);
          hls.attachMedia?.(video);
          const wait = async (what: () => boolean): Promise<void> => {
            for (let i = 0; i < 1_500 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
            if (!what()) throw new Error(`nothing is played: ${breaks.join(', ')}`);
          };
          await wait(() => video.readyState >= 2);
          const before = video.currentTime;
          await video.play();
          await wait(() => video.currentTime > before + 1);
          video.pause();
          // In the middle of a picture, so that rounding cannot show its neighbour.
          video.currentTime = Math.floor(video.currentTime * 10) / 10 + 0.05;
          await wait(() => !video.seeking && video.readyState >= 2);
          await new Promise((resolve) => setTimeout(resolve, 200));
          canvas.width = width;
          canvas.height = height;
          const context = canvas.getContext('2d');
          (context as unknown as { imageSmoothingQuality: string }).imageSmoothingQuality = 'high';
          context.drawImage(video, 0, 0, width, height);
          const { data } = context.getImageData(0, 0, width, height);
          const grey = Array.from({ length: width * height }, (_, i) => Math.round(0.299 * data[4 * i]! + 0.587 * data[4 * i + 1]! + 0.114 * data[4 * i + 2]!));
          const result = { played: video.currentTime - before, takenAt: hls.playingDate?.getTime() ?? 0, grey, breaks };
          hls.destroy?.();
          return result;
        },
        { url, at, ...GREY },
      );
    }

    it.each([
      ['H.264', 'cam-h264', '', 2.5, START],
      ['H.264 behind a gap', 'cam-h264', '', 12.5, SECOND - 10_000],
      ['H.264 with sound', 'cam-sound', '', 2.5, START],
      ['H.265, which it does not know, as H.264', 'cam-h265', '&as=h264', 4.5, START],
    ])('plays %s: time goes on, and the picture is the one of that time', async (_, camera, as, at, origin) => {
      if (camera === 'cam-h265') expect(await page.evaluate(() => (globalThis as unknown as { MediaSource: { isTypeSupported(type: string): boolean } }).MediaSource.isTypeSupported('video/mp4; codecs="hvc1.1.6.L60.90"'))).toBe(false);
      const seen = await look(`/api/cameras/${camera}/footage.m3u8?${span}${as}`, at);
      expect(seen.breaks).toEqual([]);
      expect(seen.played).toBeGreaterThan(1);
      expect(seen.takenAt).toBeGreaterThan(origin + at * 1_000);
      const { index } = nearest(Uint8Array.from(seen.grey), pictures);
      expect(index).toBe(Math.floor(((seen.takenAt - START) % 40_000) / (1_000 / FPS)));
      expect(errors).toEqual([]);
    });
  });
});
