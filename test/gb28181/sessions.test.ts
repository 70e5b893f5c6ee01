import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { haveTool } from '../../base/test-tools.js';
import type { DialogStore, OpenDialog } from '../../ingest/gb28181/open-dialogs.js';
import { MEDIA_TRANSPORTS, type MediaTransportKind } from '../../ingest/media/media-transport.js';
import { DevicePlaybacks } from '../../service/device-footage/device-playbacks.js';
import { DeviceRecordings } from '../../service/device-footage/device-recordings.js';
import { RecordingRecords } from '../../service/device-footage/recording-records.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import { FileObjectStore } from '../../storage/objects/file-object-store.js';
import { readObject } from '../../storage/objects/read-object.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import type { CameraConfigInput } from '../simulators/camera/config.js';
import { makeTestClip, pictureHashes, probe } from '../simulators/camera/testing/clips.js';
import { deviceId, PASSWORD, SERVER_ID, siteCamera, TestPlatform, until } from './platform.js';

const ready = haveTool('ffmpeg') && haveTool('ffprobe');
const DEVICE = deviceId(1);
const CHANNEL = deviceId(2);
/** The clip that the camera recorded: four seconds, again and again; a time at which it begins. */
const CLIP_MS = 4_000;
const FROM = Math.floor(1_760_000_000_000 / CLIP_MS) * CLIP_MS;
const PICTURES = 100;

const folder = mkdtempSync(join(tmpdir(), 'bw-sessions-'));
let clip = '';
let smallClip = '';
let hashes: string[] = [];
const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function platform(...args: ConstructorParameters<typeof TestPlatform>): Promise<TestPlatform> {
  const made = new TestPlatform(...args);
  await made.start();
  open.push(made);
  return made;
}

async function camera(at: TestPlatform, more: Partial<CameraConfigInput> = {}): Promise<CameraSimulator> {
  const made = new CameraSimulator({
    server: { id: SERVER_ID, port: at.server.address.udpPort },
    device: { id: DEVICE, password: PASSWORD },
    channels: [{ id: CHANNEL, clip, subClip: smallClip }],
    registration: { keepaliveMs: 2_000, backoffMinMs: 100, backoffMaxMs: 500 },
    ...more,
  });
  open.push({ close: () => made.crash() });
  await made.start();
  await until('the camera is online', () => at.server.device(DEVICE)?.online === true);
  return made;
}

describe.skipIf(!ready)('sessions with a simulated camera', () => {
  beforeAll(() => {
    clip = makeTestClip(folder, 'h264', { seconds: 4, gop: 10 });
    smallClip = makeTestClip(folder, 'h264', { seconds: 4, gop: 10, size: '160x120' });
    hashes = pictureHashes(clip);
    expect(hashes).toHaveLength(PICTURES);
  });

  describe('live', () => {
    it.each(['streamnumber', 'streamprofile', 'streamMode', 'stream'])('main and sub stream run beside each other, asked for by %s', async (streamDialect) => {
      const at = await platform();
      await camera(at);
      const site = siteCamera(DEVICE, CHANNEL, 'tcp-passive', { streamDialect });
      const main = at.watch(DEVICE, CHANNEL, 'tcp-passive', { camera: site });
      const sub = at.watch(DEVICE, CHANNEL, 'tcp-passive', { camera: site, stream: 'sub' });
      const size = ({ events }: typeof main): number | null => events.map((event) => (event.type === 'first-keyframe' ? event.format.width : null)).find((width) => width !== null) ?? null;
      await until('both show pictures', () => size(main) !== null && size(sub) !== null);
      expect([size(main), size(sub)]).toEqual([320, 160]);
      const before = [main.units.length, sub.units.length];
      await until('both go on', () => main.units.length > (before[0] as number) + 10 && sub.units.length > (before[1] as number) + 10);
    });

    it('a camera that refreshes its call by re-INVITE goes on, one that would change its SSRC so does not get to', async () => {
      const at = await platform();
      const device = await camera(at);
      const { units } = at.watch(DEVICE, CHANNEL, 'udp');
      await until('pictures', () => units.length > 5);
      expect(await device.refreshCalls()).toEqual([200]);
      expect(await device.refreshCalls({ ssrc: '0999999999' })).toEqual([488]);
      const before = units.length;
      await until('it goes on', () => units.length > before + 20);
      expect(at.server.sessions()).toHaveLength(1);
      expect(device.log.events('no-ack')).toEqual([]);
    });

    it('a server that died without a word ends what it left, and the camera sends once again', async () => {
      const kept = new Map<string, OpenDialog>();
      const store: DialogStore = { load: () => Promise.resolve([...kept.values()]), put: (one) => Promise.resolve(void kept.set(one.dialog.callId, one)), remove: (callId) => Promise.resolve(void kept.delete(callId)) };
      const first = await platform({ dialogs: store });
      const device = await camera(first, { misbehaviour: { ignoreIcmp: true } });
      const watched = first.watch(DEVICE, CHANNEL, 'udp');
      await until('pictures', () => watched.units.length > 5 && kept.size === 1);
      // What the catalogue holds when the process is killed; then its BYE is no more than what a lost packet would be.
      const left = [...kept.values()].map((one) => structuredClone(one));
      const { udpPort } = first.server.address;
      await first.close();
      open.splice(open.indexOf(first), 1);
      await device.log.waitFor('bye');
      kept.clear();
      for (const one of left) kept.set(one.dialog.callId, one);
      const second = await platform({ dialogs: store, port: udpPort });
      expect(second.server.leftOpen()).toHaveLength(1);
      device.registerAgain();
      await until('the call is no more', () => second.server.leftOpen().length === 0 && kept.size === 0);
      const again = second.watch(DEVICE, CHANNEL, 'udp');
      await until('pictures', () => again.units.length > 5);
    });
  });

  describe('recordings', () => {
    let postgres: TestPostgres;
    beforeAll(async () => void (postgres = await startTestPostgres()));
    afterAll(() => postgres.stop());

    async function fetcher(at: TestPlatform, transport: MediaTransportKind = 'tcp-passive', gb28181: Record<string, unknown> = {}): Promise<{ recordings: DeviceRecordings; objects: FileObjectStore; records: RecordingRecords; cameraId: string; parts: string }> {
      const data = mkdtempSync(join(folder, 'data-'));
      const objects = new FileObjectStore({ folder: join(data, 'objects'), clock: systemClock });
      await objects.start();
      const records = new RecordingRecords(await postgres.freshDatabase());
      const site = siteCamera(DEVICE, CHANNEL, transport, gb28181);
      const parts = join(data, 'parts');
      const recordings = new DeviceRecordings({ records, objects, calls: at.calls, camera: (id) => (id === site.id ? site : undefined), clock: systemClock, logger: silentLogger, folder: parts, atOnce: 2, speed: 8, retry: { firstMs: 200, longestMs: 1_000 } });
      await recordings.start();
      open.push(recordings);
      return { recordings, objects, records, cameraId: site.id, parts };
    }

    async function settled(recordings: DeviceRecordings, id: string): Promise<Awaited<ReturnType<DeviceRecordings['get']>>> {
      let view = await recordings.get(id);
      const end = Date.now() + 60_000;
      while (['queued', 'running'].includes(view.state) && Date.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        view = await recordings.get(id);
      }
      return view;
    }

    async function stored(objects: FileObjectStore, key: string): Promise<string> {
      const file = join(folder, 'fetched.mp4');
      writeFileSync(file, await readObject(objects, key));
      return file;
    }

    it.each(MEDIA_TRANSPORTS)('are fetched whole over %s, as an MP4 that players read', async (transport) => {
      const at = await platform();
      const device = await camera(at);
      const { recordings, objects, cameraId, parts } = await fetcher(at, transport);
      const wish = await recordings.request({ cameraId, from: FROM, to: FROM + 2 * CLIP_MS });
      expect(wish).toMatchObject({ state: expect.stringMatching(/queued|running/) as string, progress: 0 });
      await expect(recordings.request({ cameraId, from: FROM, to: FROM + 2 * CLIP_MS })).rejects.toMatchObject({ kind: 'conflict', message: expect.stringContaining('being fetched already') as string });
      const done = await settled(recordings, wish.id);
      expect(done).toMatchObject({ state: 'done', complete: true, note: null, progress: 1, firstAt: FROM, codec: 'h264', gaps: [], attempts: 1 });
      expect(done.announcedBytes).toBeGreaterThan(0);
      expect(Math.abs((done.lastAt as number) - (FROM + 2 * CLIP_MS - 40))).toBeLessThan(5);
      const key = `device-recordings/${cameraId}/${FROM}-${FROM + 2 * CLIP_MS}.mp4`;
      expect(done).toMatchObject({ objectKey: key, bytes: (await objects.head(key))?.size });
      const file = await stored(objects, key);
      expect(probe(file)).toMatchObject([{ codec_name: 'h264', width: 320, height: 240 }]);
      expect(pictureHashes(file)).toEqual([...hashes, ...hashes]);
      await device.log.waitFor('bye');
      expect(at.server.sessions()).toEqual([]);
      expect(existsSync(parts) ? readdirSync(parts) : []).toEqual([]);
      await recordings.remove(wish.id);
      expect(await objects.head(key)).toBeNull();
      await expect(recordings.get(wish.id)).rejects.toMatchObject({ kind: 'not-found' });
    });

    it.each(['bye', 'quiet'] as const)('are whole also where the device ends by %s', async (end) => {
      const at = await platform({}, '127.0.0.1', { silenceTimeoutMs: 1_500 });
      await camera(at, { recordings: { end } });
      const { recordings, cameraId, objects } = await fetcher(at);
      const { id } = await recordings.request({ cameraId, from: FROM + 1_000, to: FROM + 4_000 });
      const done = await settled(recordings, id);
      expect(done).toMatchObject({ state: 'done', complete: true });
      // From the key picture at or before what was asked for.
      expect(pictureHashes(await stored(objects, done.objectKey as string))).toEqual(hashes.slice(20));
    });

    it('show their gaps, and say where they end early', async () => {
      const at = await platform({}, '127.0.0.1', { silenceTimeoutMs: 1_500 });
      const piece = (from: number, to: number): object => ({ channelId: CHANNEL, startsAt: FROM + from, endsAt: FROM + to });
      await camera(at, { recordings: { list: [piece(0, 4_000), piece(40_000, 44_000)] as never } });
      const { recordings, cameraId, objects } = await fetcher(at);
      const { id } = await recordings.request({ cameraId, from: FROM, to: FROM + 120_000 });
      const done = await settled(recordings, id);
      expect(done).toMatchObject({ state: 'done', complete: false, note: expect.stringMatching(/^it ends 76 s early: the camera said that the media ended$/) as string });
      expect(done.gaps).toEqual([{ from: FROM + 3_960, to: FROM + 40_000 }]);
      expect(pictureHashes(await stored(objects, done.objectKey as string))).toHaveLength(2 * PICTURES);
    });

    it('that the device has not are refused in words, tried again where that may help, and given up when asked', async () => {
      const at = await platform();
      const piece = { channelId: CHANNEL, startsAt: FROM, endsAt: FROM + 4_000 };
      const device = await camera(at, { recordings: { list: [piece], maxSpeed: 1 } });
      const { recordings, cameraId, records, parts } = await fetcher(at);
      const none = await recordings.request({ cameraId, from: FROM + 100_000, to: FROM + 104_000 });
      await until('it was refused and waits', () => device.log.events('invite-refused').length > 0);
      let waits = await recordings.get(none.id);
      for (; waits.note === null; waits = await recordings.get(none.id)) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(waits.note).toMatch(/refused INVITE with 404/);
      await recordings.remove(none.id);
      expect(await recordings.get(none.id)).toMatchObject({ state: 'cancelled', note: 'it was given up' });
      const slow = await recordings.request({ cameraId, from: FROM, to: FROM + 4_000 });
      let running = await recordings.get(slow.id);
      for (; running.progress === 0; running = await recordings.get(slow.id)) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(running).toMatchObject({ state: 'running' });
      expect(running.bytes).toBeGreaterThan(0);
      await recordings.remove(slow.id);
      expect(await recordings.get(slow.id)).toMatchObject({ state: 'cancelled' });
      expect(readdirSync(parts)).toEqual([]);
      await until('the device was told', () => at.server.sessions().length === 0);
      expect((await recordings.list({ limit: 10 })).map(({ state }) => state)).toEqual(['cancelled', 'cancelled']);
      // A stop of the service in the middle: the next run begins it anew.
      const again = await recordings.request({ cameraId, from: FROM, to: FROM + 4_000 });
      while ((await recordings.get(again.id)).state !== 'running') await new Promise((resolve) => setTimeout(resolve, 20));
      await recordings.close();
      expect(await records.get(again.id)).toMatchObject({ state: 'queued' });
      await expect(recordings.content(again.id)).rejects.toMatchObject({ kind: 'conflict' });
      for (const wish of [{ from: 5, to: 5 }, { from: 0, to: 90_000_000 }, { from: Date.now() + 60_000, to: Date.now() + 120_000 }]) await expect(recordings.request({ cameraId, ...wish })).rejects.toMatchObject({ kind: 'bad-input' });
      await expect(recordings.request({ cameraId: 'x', from: 0, to: 1 })).rejects.toMatchObject({ kind: 'not-found' });
    });
  });

  describe('playbacks', () => {
    function player(at: TestPlatform, more: Partial<ConstructorParameters<typeof DevicePlaybacks>[0]> = {}): { playbacks: DevicePlaybacks; cameraId: string } {
      const site = siteCamera(DEVICE, CHANNEL, 'tcp-passive');
      const playbacks = new DevicePlaybacks({ calls: at.calls, camera: (id) => (id === site.id ? site : undefined), clock: systemClock, logger: silentLogger, most: 2, unwatchedMs: 60_000, ...more });
      open.push(playbacks);
      return { playbacks, cameraId: site.id };
    }

    it('are read as an MP4 while they come, paused, wound and sped up, and end with BYE when the reader goes away', async () => {
      const at = await platform();
      const device = await camera(at, { device: { id: DEVICE, password: PASSWORD, version: '3.0' } });
      const { playbacks, cameraId } = player(at);
      const { id } = await playbacks.open({ cameraId, from: FROM, to: FROM + 600_000, stream: 'main' });
      const chunks: Buffer[] = [];
      const reader = playbacks.read(id);
      reader.on('data', (chunk: Buffer) => chunks.push(chunk));
      expect(() => playbacks.read(id)).toThrow(/has a reader already/);
      const position = (): number => (playbacks.get(id).position ?? 0) - FROM;
      await until('it plays', () => position() > 500 && chunks.length > 1);
      expect(await playbacks.steer(id, { paused: true })).toMatchObject({ state: 'paused' });
      // What was on its way still comes; then nothing moves for a while.
      let still = position();
      let since = performance.now();
      await until('it stands still', () => {
        if (position() !== still) [still, since] = [position(), performance.now()];
        return performance.now() - since > 500;
      });
      expect(await playbacks.steer(id, { paused: false })).toMatchObject({ state: 'playing' });
      await until('it goes on', () => position() > still + 200);
      await playbacks.steer(id, { position: 300 });
      await until('it is there', () => position() >= 300_000 - 400 && position() < 330_000);
      await playbacks.steer(id, { speed: 4 });
      const began = { at: performance.now(), position: position() };
      await until('four times as fast', () => position() > began.position + 6_000);
      expect((position() - began.position) / (performance.now() - began.at)).toBeGreaterThan(2);
      await playbacks.steer(id, { speed: -2 });
      const turned = position();
      await until('backwards', () => position() < turned - 1_500);
      const steered = device.log.events('steered');
      expect(steered.map((event) => [event['method'], event['scale'], event['range']])).toEqual([
        ['PAUSE', null, null],
        ['PLAY', null, 'npt=now-'],
        ['PLAY', null, 'npt=300-'],
        ['PLAY', '4.0', 'npt=now-'],
        ['PLAY', '-2.0', 'npt=now-'],
      ]);
      await expect(playbacks.steer(id, { speed: 9 })).rejects.toMatchObject({ kind: 'bad-input' });
      await expect(playbacks.steer(id, { position: 9_999 })).rejects.toMatchObject({ kind: 'bad-input' });
      reader.destroy();
      await until('BYE', () => at.server.sessions().length === 0);
      expect(playbacks.get(id)).toMatchObject({ state: 'ended', endedBecause: 'its reader went away' });
      const file = join(folder, 'played.mp4');
      writeFileSync(file, Buffer.concat(chunks));
      expect(probe(file)).toMatchObject([{ codec_name: 'h264', width: 320 }]);
      expect(readFileSync(file).subarray(4, 8).toString()).toBe('ftyp');
      await expect(playbacks.steer(id, { paused: true })).rejects.toMatchObject({ kind: 'conflict' });
    });

    it('stand still for longer than a silence may last where they are paused', async () => {
      const at = await platform({}, '127.0.0.1', { silenceTimeoutMs: 600, firstPacketTimeoutMs: 3_000 });
      await camera(at);
      const { playbacks, cameraId } = player(at);
      const { id } = await playbacks.open({ cameraId, from: FROM, to: FROM + 600_000, stream: 'sub' });
      playbacks.read(id).resume();
      await until('it plays', () => playbacks.get(id).position !== null);
      await playbacks.steer(id, { paused: true });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(playbacks.get(id)).toMatchObject({ state: 'paused' });
      const before = playbacks.get(id).position as number;
      await playbacks.steer(id, { paused: false });
      await until('it goes on', () => (playbacks.get(id).position as number) > before + 400);
      await playbacks.end(id);
      expect(playbacks.get(id)).toMatchObject({ state: 'ended', endedBecause: 'it was ended' });
    });

    it('run to their end, bounded in number, and end where nobody reads them', async () => {
      const at = await platform();
      const device = await camera(at);
      const { playbacks, cameraId } = player(at, { unwatchedMs: 4_000 });
      const short = await playbacks.open({ cameraId, from: FROM, to: FROM + 2_000, stream: 'main' });
      const unread = await playbacks.open({ cameraId, from: FROM, to: FROM + 600_000, stream: 'main' });
      await expect(playbacks.open({ cameraId, from: FROM, to: FROM + 1_000, stream: 'main' })).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('2 playbacks run already') as string });
      const chunks: Buffer[] = [];
      for await (const chunk of playbacks.read(short.id)) chunks.push(chunk as Buffer);
      const file = join(folder, 'short.mp4');
      writeFileSync(file, Buffer.concat(chunks));
      expect(pictureHashes(file)).toEqual(hashes.slice(0, 50));
      await until('the other one ends', () => playbacks.get(unread.id).state === 'ended');
      expect(playbacks.get(unread.id).endedBecause).toMatch(/nobody read it for 4 s/);
      await until('no call is left', () => at.server.sessions().length === 0 && device.sessions.length === 0);
    });

    it('whose device takes a speed and keeps its own tell where they truly are', async () => {
      const at = await platform();
      const device = await camera(at, { misbehaviour: { ignoresScale: true } });
      const { playbacks, cameraId } = player(at);
      const { id } = await playbacks.open({ cameraId, from: FROM, to: FROM + 600_000, stream: 'main' });
      playbacks.read(id).resume();
      const position = (): number => (playbacks.get(id).position ?? 0) - FROM;
      await until('it plays', () => position() > 300);
      await playbacks.steer(id, { speed: 4 });
      const began = { at: performance.now(), position: position() };
      await until('it plays on', () => position() > began.position + 1_200);
      // Four times as fast would be done in 300 ms; a device that fell behind catches up at twice the speed.
      expect(performance.now() - began.at).toBeGreaterThan(400);
      expect(device.log.events('steered').at(-1)).toMatchObject({ method: 'PLAY', scale: '4.0' });
      await playbacks.end(id);
    });

    it.each([
      ['unknown', 'conflict', /does not take PAUSE by INFO/],
      ['refused', 'conflict', /took PAUSE but refuses it: 455/],
      ['ignored', 'unavailable', /did not answer PAUSE/],
    ] as const)('whose device has INFO %s say so and play on', async (info, kind, message) => {
      const at = await platform({ infoTimeoutMs: 300 });
      await camera(at, { misbehaviour: { info } });
      const { playbacks, cameraId } = player(at);
      const { id } = await playbacks.open({ cameraId, from: FROM, to: FROM + 600_000, stream: 'main' });
      playbacks.read(id).resume();
      await expect(playbacks.steer(id, { paused: true })).rejects.toMatchObject({ kind, message: expect.stringMatching(message) as string });
      const before = playbacks.get(id).position ?? 0;
      await until('it plays on', () => (playbacks.get(id).position ?? 0) > before + 400);
      expect(playbacks.get(id).state).toBe('playing');
    });
  });
});
