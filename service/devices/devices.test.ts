import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BerthwatchError } from '../../base/errors.js';
import { ManualClock } from '../../base/manual-clock.js';
import type { DeviceAlarm } from '../../ingest/gb28181/alarm.js';
import type { DeviceStatus } from '../../ingest/gb28181/device.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import { deviceSettings } from '../config/device-quirks.js';
import type { SiteCamera } from '../config/site.js';
import { AlarmKeeper } from './alarm-keeper.js';
import { AlarmStore, type AlarmFilter } from './alarm-store.js';
import { deviceView } from './device-view.js';
import { takePicture } from './snapshots.js';

const DEVICE = '34020000001320000001';
const CHANNEL = '34020000001310000001';
const alarm = (at: number | null, more: Partial<DeviceAlarm> = {}): DeviceAlarm => ({
  deviceId: DEVICE, sourceId: CHANNEL, priority: 1, method: 5, type: 2, eventType: null, at, receivedAt: (at ?? 0) + 1, description: 'motion', longitude: 120.5, latitude: null, ...more,
});
const ALL: AlarmFilter = { deviceId: null, sourceId: null, before: null, open: false, limit: 100 };

describe('alarms in the catalogue', () => {
  let postgres: TestPostgres;
  beforeAll(async () => void (postgres = await startTestPostgres()));
  afterAll(() => postgres.stop());

  it('are there once each, newest first, by page, and reset', async () => {
    const store = new AlarmStore(await postgres.freshDatabase());
    for (const one of [alarm(10), alarm(10), alarm(20, { description: 'a\u0000b' }), alarm(null), alarm(null), alarm(30, { deviceId: '34020000001320000002', method: 2 })]) await store.put(one);
    const all = await store.list(ALL);
    expect(all.map(({ at, description }) => [at, description])).toEqual([[30, 'motion'], [null, 'motion'], [null, 'motion'], [20, 'ab'], [10, 'motion']]);
    expect(all[4]).toMatchObject({ ...alarm(10), resetAt: null });
    expect((await store.list({ ...ALL, before: all[1]!.id, limit: 2 })).map(({ id }) => id)).toEqual([all[2]!.id, all[3]!.id]);
    expect(await store.reset(DEVICE, { sourceId: null, method: 2, type: null }, 99)).toBe(0);
    expect(await store.reset(DEVICE, { sourceId: CHANNEL, method: 5, type: 2 }, 99)).toBe(4);
    expect((await store.list({ ...ALL, open: true })).map(({ at }) => at)).toEqual([30]);
    expect((await store.list({ ...ALL, deviceId: DEVICE, sourceId: CHANNEL })).every(({ resetAt }) => resetAt === 99)).toBe(true);
  });

  it('go when they are old, and when there are too many', async () => {
    const store = new AlarmStore(await postgres.freshDatabase());
    for (const at of [10, 20, 30, 40]) await store.put(alarm(at));
    expect(await store.expire(20, 100)).toBe(1);
    expect(await store.expire(0, 2)).toBe(1);
    expect((await store.list(ALL)).map(({ at }) => at)).toEqual([40, 30]);
  });
});

it('alarms wait, not without end, for a database that does not work, and keep their order', async () => {
  const clock = new ManualClock();
  const written: (number | null)[] = [];
  const trouble: (string | null)[] = [];
  let works = false;
  const store = { put: (one: DeviceAlarm) => (works ? (written.push(one.at), Promise.resolve()) : Promise.reject(new BerthwatchError('unavailable', 'X', 'no database'))), expire: () => Promise.resolve(0) };
  const told: string[] = [];
  const keeper = new AlarmKeeper({ store, clock, retentionMs: 1000, onKept: (_alarm, words) => told.push(words), onTrouble: (message) => trouble.push(message) });
  for (let at = 0; at < 1003; at++) keeper.take(alarm(at));
  await new Promise((resolve) => setImmediate(resolve));
  expect(trouble.at(-1)).toMatch(/no database \(1000 wait, 3 were lost\)/);
  works = true;
  clock.advance(5000);
  await keeper.close();
  expect([written.length, written[0], written.at(-1)]).toEqual([1000, 3, 1002]);
  expect([told.length, told[0], trouble.at(-1)]).toEqual([1003, 'video alarm: motion', null]);
});

describe('what is wrong with a device', () => {
  const status = (more: Partial<DeviceStatus> = {}): DeviceStatus => ({
    id: DEVICE, online: true, transport: 'UDP', address: { host: '10.0.0.9', port: 5060 }, registeredAt: 100, expiresAt: 200, lastKeepaliveAt: null, lastSeenAt: 150, healthy: true, faultyChannels: [], gbVersion: '3.0', edition: '2022',
    userAgent: null, channels: [], catalogComplete: true, info: null, heartbeat: null, offlineReason: null, ...more,
  });
  const cameras = [{ id: 'c1', gb28181: { deviceId: DEVICE, channelId: CHANNEL } }] as unknown as SiteCamera[];
  const facts = { cameras, subscriptions: [], clockOffsetMs: null, refused: null };
  const item = { id: '34020000001310000002', name: 'n', manufacturer: null, model: null, civilCode: null, address: null, parentIds: [], parental: false, online: true, longitude: null, latitude: null, ptzType: null };

  it.each<[Partial<DeviceStatus> | null, object, RegExp[]]>([
    [{}, {}, []],
    [null, {}, [/has never registered here/]],
    [null, { refused: { reason: 'the password is wrong', host: '10.0.0.9', at: 5 } }, [/from 10.0.0.9 was refused: the password is wrong/, /never registered/]],
    [{ online: false, offlineReason: 'no keepalive for 210 s' }, {}, [/offline: no keepalive for 210 s/]],
    [{ healthy: false, faultyChannels: ['x'], catalogComplete: false }, {}, [/fault of its own/, /faults of channel x/, /came in part/]],
    [{ channels: [item] }, {}, [/does not list channel 34020000001310000001/]],
    [{}, { clockOffsetMs: -65_000 }, [/clock is 65 s behind/]],
    [{}, { subscriptions: [{ kind: 'Alarm', state: 'failed', expiresAt: null, lastNotifyAt: null, notifies: 0, reason: 'no answer came' }] }, [/Alarm subscription does not work: no answer came/]],
  ])('%j', (device, more, words) => {
    const { problems } = deviceView(DEVICE, { ...facts, ...more, status: device && status(device) });
    expect(problems).toHaveLength(words.length);
    words.forEach((word, i) => expect(problems[i]).toMatch(word));
  });

  it('names the cameras behind its channels', () => {
    expect(deviceView(DEVICE, { ...facts, status: status({ channels: [{ ...item, id: CHANNEL }] }) })).toMatchObject({ edition: '2022', cameras: ['c1'], channels: [{ id: CHANNEL, cameraId: 'c1' }], source: { host: '10.0.0.9' } });
  });
});

describe('a picture of now', () => {
  const unable = new BerthwatchError('conflict', 'GB_NOT_SUPPORTED', 'it speaks the 2016 edition');
  const frame = { jpeg: Uint8Array.of(1), capturedAt: 1_000_000 };
  const parts = { services: { snapshot: () => Promise.reject(unable) }, newestFrame: () => Promise.resolve<typeof frame | null>(frame), now: () => 1_030_000, timeoutMs: 5 };

  it('comes from the device, else from the stream', async () => {
    expect(await takePicture({ ...parts, services: { snapshot: () => Promise.resolve({ jpeg: Uint8Array.of(2), width: 1, height: 1, takenAt: 7 }) } }, DEVICE, CHANNEL)).toMatchObject({ source: 'device', capturedAt: 7, fallbackReason: null });
    expect(await takePicture(parts, DEVICE, CHANNEL)).toEqual({ jpeg: frame.jpeg, source: 'stream', capturedAt: 1_000_000, fallbackReason: 'it speaks the 2016 edition' });
  });

  it('is not an old one, and its absence is explained twice', async () => {
    await expect(takePicture({ ...parts, now: () => 1_061_000 }, DEVICE, CHANNEL)).rejects.toThrow(/2016 edition; and from the stream: the newest picture of its stream is 61 s old/);
    await expect(takePicture({ ...parts, newestFrame: () => Promise.resolve(null) }, DEVICE, CHANNEL)).rejects.toThrow(/nothing is recorded yet/);
    await expect(takePicture({ ...parts, newestFrame: () => Promise.reject(new Error('no vision')) }, DEVICE, CHANNEL)).rejects.toThrow(/from the stream: no vision/);
  });
});

it('a device is set as the first of its cameras that says something', () => {
  const quirks = { dateHeader: null, gbVersion: null, charset: null, keyFrameCommand: null };
  const cameras = [{ gb28181: null }, { gb28181: { deviceId: 'a' } }, { gb28181: { deviceId: 'a', quirks: { ...quirks, dateHeader: false } } }, { gb28181: { deviceId: 'a', quirks: { ...quirks, dateHeader: true, gbVersion: '2.0' } } }, { gb28181: { deviceId: 'b', quirks: { ...quirks, charset: 'UTF-8' as const } } }];
  expect(deviceSettings(cameras, 'a')).toEqual({ dateHeader: false, gbVersion: '2.0', charset: undefined, keyFrameCommand: undefined });
});
