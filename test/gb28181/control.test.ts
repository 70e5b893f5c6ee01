import { execFileSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import type { DeviceAlarm } from '../../ingest/gb28181/alarm.js';
import { GbServer, type GbServerOptions } from '../../ingest/gb28181/server.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import type { CameraConfigInput } from '../simulators/camera/config.js';
import { hasProgram, makeTestClip, temporaryFolder } from '../simulators/camera/testing/clips.js';

/** What devices can be asked, told and subscribed to: the server against the simulated camera, written apart from each other. */
const ready = hasProgram('ffmpeg');
const haveV6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));

const SERVER_ID = '34020000002000000001';
const DEVICE = '34020000001320000001';
const CHANNEL = '34020000001310000001';
const NOON = Date.UTC(2026, 5, 1, 4);

async function until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe.skipIf(!ready)('a device that is asked, told and subscribed to', () => {
  const folder = temporaryFolder();
  let clip = '';
  let jpeg = '';
  let server: GbServer;
  let camera: CameraSimulator;
  beforeAll(() => {
    clip = makeTestClip(folder.path, 'h264', { seconds: 2, gop: 10 });
    jpeg = join(folder.path, 'picture.jpg');
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', clip, '-frames:v', '1', jpeg]);
  });
  afterAll(() => folder.remove());
  afterEach(async () => {
    await camera.close();
    await server.close();
  });

  type Parts = Omit<CameraConfigInput, 'server' | 'device' | 'channels'> & { version?: '2.0' | '3.0'; host?: string };

  async function start({ version = '2.0', host = '127.0.0.1', ...parts }: Parts = {}, options: Partial<GbServerOptions> = {}): Promise<void> {
    server = new GbServer({
      serverId: SERVER_ID,
      domain: SERVER_ID.slice(0, 10),
      host: host === '::1' ? '::' : host,
      port: 0,
      devicePassword: () => 'pw',
      keepalive: { intervalMs: 1000, missed: 5 },
      clock: systemClock,
      logger: silentLogger,
      dateHeader: true,
      queryTimeoutMs: 5000,
      catalogQuietMs: 700,
      byeTimeoutMs: 1500,
      snapshotPort: 0,
      ...options,
    });
    await server.start();
    const { udpPort, tcpPort } = server.address;
    camera = new CameraSimulator({
      server: { id: SERVER_ID, host, port: parts.signalling === 'tcp' ? tcpPort : udpPort },
      device: { id: DEVICE, password: 'pw', version },
      channels: [{ id: CHANNEL, clip }],
      registration: { keepaliveMs: 300, backoffMinMs: 50 },
      snapshotFile: jpeg,
      ...parts,
    });
    await camera.start();
    await until('online', () => server.device(DEVICE)?.online === true);
  }

  const move = { kind: 'ptz', ptz: { kind: 'move', pan: 'right', panSpeed: 50 } } as const;

  const ways: [signalling: 'udp' | 'tcp', host: string, version: '2.0' | '3.0'][] = [
    ['udp', '127.0.0.1', '2.0'],
    ['tcp', '127.0.0.1', '3.0'],
    ...(haveV6 ? ([['udp', '::1', '3.0'], ['tcp', '::1', '2.0']] as ['udp' | 'tcp', string, '2.0' | '3.0'][]) : []),
  ];

  it.each(ways)('does all of it over %s from %s as edition %s', async (signalling, host, version) => {
    const list = [0, 1, 2, 3, 4].map((i) => ({ channelId: CHANNEL, startsAt: NOON + i * 60_000, endsAt: NOON + (i + 1) * 60_000, type: i === 3 ? ('alarm' as const) : ('time' as const) }));
    await start({ signalling, host, version, recordings: { list }, presets: [{ number: 3, name: '路口全景' }] });
    const { services } = server;
    expect(server.device(DEVICE)).toMatchObject({ gbVersion: version, address: { host } });
    await until('the version', () => camera.platformVersion === '3.0');

    const query = { channelId: CHANNEL, from: NOON, to: NOON + 600_000 };
    const records = await services.records(DEVICE, query);
    expect(records).toMatchObject({ total: 5, complete: true });
    expect(records.items.map(({ startsAt }) => startsAt)).toEqual(list.map(({ startsAt }) => startsAt));
    expect((await services.records(DEVICE, { ...query, type: 'alarm' })).items).toMatchObject([{ type: 'alarm', startsAt: NOON + 180_000, bytes: 1_048_576, name: '录像' }]);
    expect(await services.records(DEVICE, { ...query, from: NOON + 86_400_000, to: NOON + 90_000_000 })).toEqual({ items: [], total: 0, complete: true });

    expect(await services.presets(DEVICE, CHANNEL)).toEqual({ items: [{ number: 3, name: '路口全景' }], total: 1, complete: true });
    expect(await services.condition(DEVICE)).toMatchObject({ online: true, healthy: true, encoding: true, recording: false, alarms: [{ duty: 'offduty' }] });
    expect(Math.abs((await services.condition(DEVICE)).deviceTime! - Date.now())).toBeLessThan(5000);
    expect(await services.position(DEVICE, CHANNEL)).toMatchObject({ longitude: 120.3826, latitude: 36.0671 });
    const config = await services.config(DEVICE);
    expect(config).toMatchObject({ complete: true, basic: { name: '路侧高位视频', heartBeatCount: 3, expirationS: 3600 }, items: { VideoParamOpt: { Resolution: '5/6' } } });
    if (version === '3.0') expect(config.items['VideoParamAttribute']).toMatchObject({ Item: [{ StreamNumber: '0' }, { StreamNumber: '1' }] });

    await services.control(DEVICE, CHANNEL, move);
    const state = camera.control.of(CHANNEL)!;
    await until('moving', () => state.moving?.pan === 'right' && state.moving.panSpeed === 50);
    for (const ptz of [
      { kind: 'stop' },
      { kind: 'lens', focus: 'near', iris: 'open', focusSpeed: 20, irisSpeed: 30 },
      { kind: 'preset', action: 'set', preset: 9 },
      { kind: 'preset', action: 'call', preset: 9 },
      { kind: 'cruise', action: 'add-preset', group: 1, preset: 9 },
      { kind: 'cruise', action: 'speed', group: 1, value: 300 },
      { kind: 'cruise', action: 'dwell', group: 1, value: 4095 },
      { kind: 'cruise', action: 'start', group: 1 },
      { kind: 'scan', action: 'set-left', group: 2 },
      { kind: 'scan', action: 'set-right', group: 2 },
      { kind: 'scan', action: 'speed', group: 2, value: 257 },
      { kind: 'scan', action: 'start', group: 2 },
      { kind: 'aux', on: true, number: 1 },
    ] as const) {
      await services.control(DEVICE, CHANNEL, { kind: 'ptz', ptz });
    }
    await until('the wiper', () => state.auxiliary.has(1));
    expect(state).toMatchObject({ moving: null, lens: { focus: 'near', iris: 'open', focusSpeed: 20, irisSpeed: 30 }, atPreset: 9, cruising: 1, scanning: 2 });
    expect([state.cruises.get(1), state.scans.get(2)]).toEqual([{ presets: [9], speed: 300, dwell: 4095 }, { left: true, right: true, speed: 257 }]);

    await services.control(DEVICE, CHANNEL, { kind: 'record', on: true, streamNumber: 0 });
    expect(state.recording).toBe(true);
    expect((await camera.log.waitFor('control', ({ command }) => command === 'record')).streamNumber).toBe(version === '3.0' ? '0' : null);
    await services.control(DEVICE, DEVICE, { kind: 'guard', on: true });
    expect((await services.condition(DEVICE)).alarms[0]?.duty).toBe('onduty');
    await services.control(DEVICE, CHANNEL, { kind: 'home', enabled: true, preset: 9, resetTimeS: 120 });
    expect(state.home).toEqual({ resetTimeS: 120, preset: 9 });
    await services.control(DEVICE, CHANNEL, { kind: 'drag-zoom', direction: 'in', box: { displayWidth: 1920, displayHeight: 1080, centreX: 960, centreY: 540, width: 200, height: 100 } });
    await services.control(DEVICE, CHANNEL, { kind: 'key-frame' });
    await until('a key frame', () => state.keyFrames === 1);
    expect(state.zoomedTo).toEqual({ direction: 'in', values: [1920, 1080, 960, 540, 200, 100] });

    expect(await services.configure(DEVICE, { name: '香港中路<1>&2', heartBeatIntervalS: 30, heartBeatCount: 4 })).toBe('confirmed');
    expect(camera.settings).toMatchObject({ name: '香港中路<1>&2', heartBeatIntervalS: 30, heartBeatCount: 4 });
    expect(server.device(DEVICE)?.heartbeat).toEqual({ intervalMs: 30_000, missed: 4 });
    expect(camera.log.events('control-refused')).toEqual([]);
    expect(camera.log.events('query-not-supported')).toEqual([]);
  });

  it('stops by itself after a movement of limited length, unless it was told something else since', async () => {
    await start();
    const { services } = server;
    const state = camera.control.of(CHANNEL)!;
    await services.control(DEVICE, CHANNEL, move, 150);
    await camera.log.waitFor('ptz', ({ code }) => code === 1);
    await camera.log.waitFor('ptz', ({ code }) => code === 0);
    expect(state.moving).toBeNull();
    await services.control(DEVICE, CHANNEL, move, 150);
    await services.control(DEVICE, CHANNEL, { kind: 'ptz', ptz: { kind: 'move', tilt: 'up' } });
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(state.moving?.tilt).toBe('up');
  });

  it('says in words what a device refuses, leaves unanswered or sends in part', async () => {
    const list = Array.from({ length: 7 }, (_, i) => ({ channelId: CHANNEL, startsAt: NOON + i * 60_000 + 5000, endsAt: NOON + (i + 1) * 60_000 }));
    await start({ recordings: { list, itemsPerMessage: 1 }, misbehaviour: { duplicateRecordItems: true, missingRecordItems: 4, sloppyRecordTimes: true, noControlResponse: true, recordsNeedType: true } }, { queryTimeoutMs: 1000 });
    const { services } = server;
    const records = await services.records(DEVICE, { channelId: CHANNEL, from: NOON, to: NOON + 600_000 });
    expect(records).toMatchObject({ total: 7, complete: false });
    expect(records.items.map(({ startsAt }) => startsAt)).toEqual(list.slice(0, 5).map(({ startsAt }) => startsAt));
    await expect(services.control(DEVICE, CHANNEL, { kind: 'record', on: true })).rejects.toMatchObject({ code: 'GB_QUERY_TIMEOUT', message: expect.stringMatching(/took the command but sent no answer in 1000 ms/) as string });
    await expect(services.condition(DEVICE, '34020000001310000099')).rejects.toMatchObject({ code: 'GB_NOT_SUPPORTED', kind: 'conflict' });
    await expect(services.config(DEVICE, ['OSDConfig'])).rejects.toMatchObject({ code: 'GB_NOT_SUPPORTED' });
    await expect(services.control('34020000001320000077', CHANNEL, move)).rejects.toMatchObject({ code: 'GB_NOT_REGISTERED' });
    await expect(services.control(DEVICE, 'gate', move)).rejects.toMatchObject({ code: 'GB_CHANNEL_ID' });
    await expect(services.records(DEVICE, { channelId: CHANNEL, from: 2, to: 1 })).rejects.toMatchObject({ code: 'GB_RECORD_PERIOD' });
    await camera.crash();
    await expect(services.control(DEVICE, CHANNEL, move)).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('takes a configuration as done where the device registers anew instead of answering', async () => {
    await start({ misbehaviour: { registersAfterConfig: true, oneConfigPerMessage: true, saysHeartBeatInterval: '65535' } });
    expect(await server.services.configure(DEVICE, { heartBeatIntervalS: 60 })).toBe('re-registered');
    const config = await server.services.config(DEVICE);
    expect(config).toMatchObject({ complete: true, basic: { heartBeatIntervalS: null } });
    expect(Object.keys(config.items)).toContain('SVACDecodeConfig');
    expect(server.device(DEVICE)?.heartbeat).toBeNull();
  });

  it('is asked for key frames in the spelling of its edition, unless the operator knows better', async () => {
    await start({ version: '2.0' }, { deviceSettings: () => ({ keyFrameCommand: 'IFrameCmd', dateHeader: false }) });
    await server.services.control(DEVICE, CHANNEL, { kind: 'key-frame' });
    await camera.log.waitFor('control-refused', ({ why }) => why === 'a command that this edition does not know');
    expect(camera.log.events('clock-set')).toEqual([]);
    await camera.close();
    await server.close();
    await start({ version: '3.0' }, { deviceSettings: () => ({ gbVersion: '2.0' }) });
    await server.services.control(DEVICE, CHANNEL, { kind: 'key-frame' });
    await camera.log.waitFor('control-refused');
  });

  it('reboots, and everything that it was subscribed to is made anew', async () => {
    await start({}, { subscribe: { kinds: ['Catalog', 'Alarm', 'MobilePosition'], spreadMs: 50 } });
    await until('subscribed', () => camera.notifier.kinds.length === 3);
    const before = camera.log.events('subscribe').length;
    await server.services.control(DEVICE, DEVICE, { kind: 'reboot' });
    await camera.log.waitFor('control', ({ command }) => command === 'reboot');
    await until('subscribed again', () => camera.notifier.kinds.length === 3 && camera.log.events('subscribe').length >= before + 3);
    await until('all active', () => server.services.subscriptions(DEVICE).every(({ state }) => state === 'active'));
    expect(server.services.subscriptions(DEVICE)).toHaveLength(3);
  });

  describe.each(['udp', 'tcp'] as const)('subscriptions over %s', (signalling) => {
    it('follow the catalogue; an OFF ends no stream', async () => {
      await start({ signalling, catalog: { extraChannels: 1 } }, { subscribe: { kinds: ['Catalog'], spreadMs: 0 } });
      await server.queryCatalog(DEVICE);
      await camera.log.waitFor('subscribe', ({ eventHeader }) => /^Catalog;id=\d+$/.test(String(eventHeader)));
      const session = await server.invite({ deviceId: DEVICE, channelId: CHANNEL, transport: 'udp', mediaHost: '127.0.0.1', mediaPort: 9, ssrc: '0200001234', stream: 'main', timeoutMs: 10_000 });
      const online = (id: string): boolean | null | undefined => server.device(DEVICE)?.channels.find((channel) => channel.id === id)?.online;
      await camera.notifier.catalog([{ id: CHANNEL, event: 'OFF' }, { id: '34020000001310000050', event: 'ADD', name: '新通道' }]);
      await until('the change', () => online(CHANNEL) === false);
      expect(server.device(DEVICE)?.channels.map(({ name }) => name)).toContain('新通道');
      expect(server.sessions().map(({ callId }) => callId)).toEqual([session.callId]);
      await camera.notifier.catalog([{ id: CHANNEL, event: 'ON' }, { id: '34020000001310000050', event: 'DEL' }]);
      await until('the change back', () => online(CHANNEL) === true && server.device(DEVICE)?.channels.length === 2);
    });

    it('are refreshed in their dialog before they end, and cancelled by 0', async () => {
      await start({ signalling, misbehaviour: { shortSubscriptionS: 2 } }, { subscribe: { kinds: ['Alarm'], spreadMs: 0 } });
      const first = await camera.log.waitFor('subscribe');
      const second = await camera.log.waitFor('subscribe', ({ refresh }) => refresh === true);
      expect(second.callId).toBe(first.callId);
      expect(camera.notifier.kinds).toEqual(['Alarm']);
      await server.services.unsubscribe(DEVICE, 'Alarm');
      expect(await camera.log.waitFor('subscribe', ({ expires }) => expires === 0)).toMatchObject({ callId: first.callId });
      expect(await camera.log.waitFor('notified', ({ state }) => String(state).startsWith('terminated'))).toMatchObject({ status: 200 });
      expect(camera.notifier.kinds).toEqual([]);
      expect(server.services.subscriptions(DEVICE)).toMatchObject([{ kind: 'Alarm', state: 'ended' }]);
    });
  });

  it('is subscribed to anew where it forgot, and not again where it refuses', async () => {
    await start({ misbehaviour: { shortSubscriptionS: 1, forgetsSubscriptions: true } }, { subscribe: { kinds: ['Catalog'], spreadMs: 0 } });
    const first = await camera.log.waitFor('subscribe');
    await camera.log.waitFor('subscribe', ({ callId }) => callId !== first.callId);
    await camera.close();
    await server.close();
    await start({ misbehaviour: { subscribeStatus: 489 } }, { subscribe: { kinds: ['Catalog'], spreadMs: 0 } });
    await until('refused', () => server.services.subscriptions(DEVICE)[0]?.state === 'refused');
    expect(server.services.subscriptions(DEVICE)[0]?.reason).toMatch(/489/);
    expect(camera.log.events('subscribe-refused')).toHaveLength(1);
  });

  it('is subscribed to again when it ends a subscription for a while', async () => {
    await start({}, { subscribe: { kinds: ['Catalog'], spreadMs: 0 } });
    await camera.log.waitFor('subscribe');
    const again = camera.log.waitForNew('subscribe');
    await camera.notifier.terminate('Catalog', 'deactivated');
    await again;
    expect(camera.notifier.kinds).toEqual(['Catalog']);
  });

  it.each(['udp', 'tcp'] as const)('reports alarms over %s, by MESSAGE and in a subscription, once each; a reset ends its muteness', async (signalling) => {
    const alarms: DeviceAlarm[] = [];
    await start({ signalling }, { subscribe: { kinds: ['Alarm'], spreadMs: 0 } });
    server.on('alarm', ({ alarm }) => alarms.push(alarm));
    await until('subscribed', () => camera.notifier.kinds.includes('Alarm'));
    expect(await camera.alarm({ method: 5, type: 2, channelId: CHANNEL, description: '移动<侦测>&' })).toBe(200);
    const confirmed = await camera.log.waitFor('response');
    expect(confirmed).toMatchObject({ cmdType: 'Alarm', text: expect.stringMatching(/<DeviceID>34020000001310000001<\/DeviceID>[^]*<Result>OK<\/Result>/) as string });
    await camera.alarm({ method: 6, type: 1, by: 'notify' });
    await until('both', () => alarms.length === 2);
    expect(alarms).toMatchObject([{ deviceId: DEVICE, sourceId: CHANNEL, method: 5, type: 2, priority: 4, description: '移动<侦测>&' }, { method: 6, type: 1 }]);
    await camera.alarm({ method: 2, type: 2 });
    expect(await camera.alarm({ method: 2, type: 2 })).toBeNull();
    await server.services.control(DEVICE, DEVICE, { kind: 'reset-alarm', method: 2 });
    expect(await camera.alarm({ method: 2, type: 3 })).toBe(200);
    await until('all', () => alarms.length === 4);
    expect(server.services.alarms(DEVICE)).toEqual(alarms);
  });

  it('tells of its place', async () => {
    await start({}, { subscribe: { kinds: ['MobilePosition'], spreadMs: 0 } });
    const places: [number, number][] = [];
    server.on('position', ({ position }) => places.push([position.longitude, position.latitude]));
    await until('subscribed', () => camera.notifier.kinds.includes('MobilePosition'));
    await camera.notifier.position(121.5, 37.25);
    await until('the place', () => places.some(([longitude, latitude]) => longitude === 121.5 && latitude === 37.25));
  });

  it('ends a session by MediaStatus 121, also where From is not the device', async () => {
    await start({ misbehaviour: { mediaStatusFrom: '34020000001310000042' } });
    const finished: string[] = [];
    server.on('mediaFinished', ({ callId }) => finished.push(callId));
    const session = await server.invite({ deviceId: DEVICE, channelId: CHANNEL, transport: 'udp', mediaHost: '127.0.0.1', mediaPort: 9, ssrc: '0200001234', stream: 'main', timeoutMs: 10_000 });
    expect(await camera.mediaStatus(CHANNEL, session.callId)).toBe(200);
    expect((await session.closed).reason).toMatch(/media ended/);
    expect(finished).toEqual([session.callId]);
    await camera.log.waitFor('bye', ({ by }) => by === 'platform');
  });

  it.each(['right', 'form'] as const)('of 2022 takes and uploads a snapshot (%s)', async (snapshot) => {
    await start({ version: '3.0', misbehaviour: { snapshot } });
    const picture = await server.services.snapshot(DEVICE, CHANNEL, 10_000);
    expect(picture).toMatchObject({ width: 320, height: 240 });
    expect(Math.abs((picture.takenAt ?? 0) - Date.now())).toBeLessThan(10_000);
  });

  it.each([
    ['2.0', 'right', 'GB_NOT_SUPPORTED', /2016 edition/],
    ['3.0', 'refuses', 'GB_NOT_SUPPORTED', /ERROR/],
    ['3.0', 'never-uploads', 'GB_SNAPSHOT', /uploaded no picture in 800 ms: check that it can reach http:/],
    ['3.0', 'garbage', 'GB_SNAPSHOT', /no picture|none came/],
  ] as const)('of edition %s that is %s at snapshots says so', async (version, snapshot, code, message) => {
    await start({ version, misbehaviour: { snapshot } });
    await expect(server.services.snapshot(DEVICE, CHANNEL, 800)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });
});
