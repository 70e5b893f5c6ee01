import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { haveTool } from '../../base/test-tools.js';
import { MediaReceiver } from '../../ingest/media/media-receiver.js';
import type { MediaEvent } from '../../ingest/media/media-event.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import { FootageLog } from '../../storage/footage/footage-log.js';
import { ClipPlayer } from '../simulators/camera/media/clip-player.js';
import { MediaSession } from '../simulators/camera/media/media-session.js';
import { Mp4Clip } from '../simulators/camera/media/mp4-clip.js';
import { UdpSender } from '../simulators/camera/media/senders.js';
import { misbehaviourSchema, type Misbehaviour } from '../simulators/camera/misbehaviour.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';

const run = promisify(execFile);
const ready = ['ffmpeg', 'ffprobe'].every((tool) => haveTool(tool));
const SSRC = 200_001_234;
const PICTURES = 150;

/** A simulated camera with sound, over real sockets, into the footage log; then what others make of the files. */
describe.skipIf(!ready)('sound of a camera', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berthwatch-sound-e2e-'));
  let postgres: TestPostgres;
  let clip: string;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    clip = makeTestClip(folder, 'h264', { seconds: 2, gop: 25 });
  });
  afterAll(async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function record(name: string, audio: 'g711a' | 'g711u', misbehaviour: Partial<Misbehaviour> = {}): Promise<{ files: string[]; events: MediaEvent[] }> {
    const own = join(folder, name);
    const log = new FootageLog({ folder: own, database: await postgres.freshDatabase(), clock: systemClock, logger: silentLogger, segmentMs: 300_000 });
    await log.start();
    const events: MediaEvent[] = [];
    let pictures = 0;
    const receiver = new MediaReceiver({
      host: '127.0.0.1', ports: 0, transport: 'udp', cameraId: 'cam', expectedSsrc: SSRC, strictSsrc: true, clock: systemClock, logger: silentLogger,
      firstPacketTimeoutMs: 60_000, silenceTimeoutMs: 60_000,
      onUnit: (unit) => {
        pictures++;
        log.append(unit);
      },
      onAudio: (unit) => log.appendAudio(unit),
      onEvent: (event) => events.push(event),
    });
    const { port } = await receiver.start();
    receiver.agree({ ssrc: SSRC, peerHost: '127.0.0.1' });
    const nothing = (): void => undefined;
    const sender = new UdpSender({ host: '127.0.0.1', port }, { connected: nothing, broken: nothing, refused: nothing, received: nothing }, true);
    await sender.open();
    sender.start();
    const player = new ClipPlayer(Mp4Clip.open(clip), { speed: 1, loop: true, timeline: 'held', atEnd: 'still', scenarioStart: null, rewindGops: 0 }, { clipEnded: nothing });
    const session = new MediaSession(player, sender, { ssrc: SSRC, payloadType: 96, transport: 'udp', audio, misbehaviour: misbehaviourSchema.parse(misbehaviour) }, nothing, nothing);
    session.begin();
    while (pictures < PICTURES) await new Promise((resolve) => setTimeout(resolve, 20));
    await session.end();
    player.close();
    await receiver.close();
    await log.close();
    const cameras = join(own, 'cameras', 'cam');
    return { files: readdirSync(cameras).sort().map((file) => join(cameras, file)), events };
  }

  it.each([
    ['g711a', {}],
    ['g711u', { noPsm: false, timestampStart: 2 ** 32 - 200_000, sequenceStart: 65_400 }],
  ] as const)('ffprobe sees both tracks, of one length, and both decode: %s', async (audio, misbehaviour) => {
    const { files, events } = await record(audio, audio, misbehaviour);
    expect(events.filter((event) => event.type === 'audio')).toEqual([{ type: 'audio', codec: audio, kept: true }]);
    let seconds = 0;
    for (const file of files) {
      const probe = await run('ffprobe', ['-v', 'warning', '-show_streams', '-show_packets', '-of', 'json', file], { maxBuffer: 1 << 26 });
      expect(probe.stderr).toBe('');
      const report = JSON.parse(probe.stdout) as { streams: object[]; packets: { codec_type: string }[] };
      expect(report.streams).toMatchObject([{ codec_name: 'h264', codec_tag_string: 'avc3' }, { codec_name: 'flac', sample_rate: '8000', channels: 1 }]);
      const decoded = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', file, '-f', 'null', '-']);
      expect(decoded.stderr).toBe('');
      const pcm = (await run('ffmpeg', ['-v', 'error', '-i', file, '-map', '0:a', '-f', 's16le', '-'], { encoding: 'buffer', maxBuffer: 1 << 26 })).stdout;
      const shown = report.packets.filter((packet) => packet.codec_type === 'video').length / 25;
      // The simulator's sound lies half a picture behind its picture.
      expect(Math.abs(pcm.length / 16_000 - shown)).toBeLessThanOrEqual(0.061);
      seconds += shown;
      if (shown > 2) {
        // The tone of 440 Hz, and nothing but it: as many sign changes as it has half waves.
        const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length >> 1);
        let crossings = 0;
        for (let i = 1; i < samples.length; i++) if (samples[i - 1]! < 0 !== samples[i]! < 0) crossings++;
        expect(Math.abs(crossings / (samples.length / 8000) - 880)).toBeLessThan(15);
      }
    }
    expect(seconds).toBeGreaterThan(4);
  });

  it('loss and disorder cost sound where they cost pictures, and nothing else', async () => {
    const { files } = await record('lossy', 'g711a', { lossPercent: 2, reorderPercent: 2, duplicatePercent: 2, seed: 11 });
    for (const file of files) {
      const decoded = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', file, '-f', 'null', '-']);
      expect(decoded.stderr).toBe('');
    }
  });

  describe.skipIf(!haveTool('chromium'))('in a browser', () => {
    let browser: Browser;
    let server: Server;
    let address: string;
    const served = new Map<string, Buffer>();
    beforeAll(async () => {
      served.set('/', Buffer.from('<!doctype html><video></video>'));
      server = createServer((request, response) => {
        response.setHeader('content-type', request.url === '/' ? 'text/html' : 'video/mp4');
        response.end(served.get(request.url ?? ''));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required', '--disable-background-networking'] });
    });
    afterAll(async () => {
      await browser?.close();
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
    });

    it('a segment as it lies on the disk plays with its sound, as a file and through Media Source Extensions', async () => {
      const { files } = await record('browser', 'g711a');
      served.set('/segment.mp4', readFileSync(files.reduce((a, b) => (readFileSync(b).length > readFileSync(a).length ? b : a))));
      const page = await browser.newPage();
      await page.goto(address);
      // As text: the browser's types are not those of this program.
      const play = (source: string): Promise<{ time: number; sound: number; picture: number; error: string | null }> =>
        page.evaluate(`(async () => {
          const video = document.querySelector('video');
          let error = null;
          video.onerror = () => { error = video.error.message; };
          ${source}
          await video.play().catch((e) => { error = String(e); });
          for (let i = 0; i < 600 && error === null && video.currentTime < 2; i++) await new Promise((r) => setTimeout(r, 50));
          const told = { time: video.currentTime, sound: video.webkitAudioDecodedByteCount, picture: video.webkitVideoDecodedByteCount, error };
          video.removeAttribute('src');
          video.load();
          return told;
        })()`);
      const ways = [
        "video.src = '/segment.mp4';",
        `const media = new MediaSource();
         video.src = URL.createObjectURL(media);
         await new Promise((r) => media.addEventListener('sourceopen', r));
         const buffer = media.addSourceBuffer('video/mp4; codecs="avc3.42e015,flac"');
         buffer.addEventListener('error', () => { error = 'the source buffer refuses it'; });
         buffer.appendBuffer(await (await fetch('/segment.mp4')).arrayBuffer());
         await new Promise((r) => buffer.addEventListener('updateend', r));`,
      ];
      for (const way of ways) {
        const told = await play(way);
        expect(told.error).toBeNull();
        expect(told.time).toBeGreaterThanOrEqual(2);
        expect(told.sound).toBeGreaterThan(1000);
        expect(told.picture).toBeGreaterThan(1000);
      }
    });
  });
});
