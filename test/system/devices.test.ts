import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { haveTool } from '../../base/test-tools.js';
import type { AlarmView, DeviceView } from '../../service/api/device-schemas.js';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { ConfigSchema, finishConfig } from '../../service/config/config.js';
import { SiteSchema } from '../../service/config/site.js';
import { createLogger } from '../../service/log.js';
import { BerthwatchService } from '../../service/service.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';
import { blindModels, until } from './support/street.js';

const SERVER_ID = '37020000002000000001';
const OLD = '37020000001320000001';
const NEW = '37020000001320000002';
const TOKEN = 'a-token-for-device-tests';

/** The device API of the whole service: an older camera over UDP with GOPs of ten seconds, and one of 2022 over TCP. */
describe.skipIf(!haveTool('ffmpeg'))('devices over HTTP', () => {
  const folder = temporaryFolder('bw-devices-');
  const log: string[] = [];
  let service: BerthwatchService;
  let url = '';
  const cameras: CameraSimulator[] = [];

  const call = async (path: string, method = 'GET', body?: object): Promise<Response> =>
    fetch(url + path, { method, headers: { authorization: `Bearer ${TOKEN}`, ...(body ? { 'content-type': 'application/json' } : {}) }, ...(body ? { body: JSON.stringify(body) } : {}) });
  const get = async <T>(path: string): Promise<T> => (await (await call(path)).json()) as T;
  const told = (): string => log.slice(-40).join('');

  beforeAll(async () => {
    const ports = 22_000 + 2 * Math.floor(Math.random() * 1000);
    const config = finishConfig(
      ConfigSchema.parse({
        dataFolder: join(folder, 'data'),
        http: { port: 0, token: TOKEN },
        time: { ntp: [] },
        gb28181: { serverId: SERVER_ID, domain: SERVER_ID.slice(0, 10), port: 0, defaultPassword: 'pw', keepalive: { interval: '5s', missed: 3 }, mediaPorts: `${ports}-${ports + 99}` },
        footage: { segment: '20s' },
        vision: { manifest: blindModels(join(folder, 'models')) },
      }),
      folder,
      {},
    );
    service = new BerthwatchService({ config, clock: systemClock, logger: createLogger('info', { write: (line: string) => void log.push(line) }) });
    const started = await service.start();
    url = started.url;
    const camera = (id: string, deviceId: string, transport: string): object => ({
      id, name: id, deviceNumber: id, gb28181: { deviceId, channelId: deviceId, transport }, lot: 'DEV1', roadSection: '测试路', direction: '由东向西', width: 320, height: 240,
      berths: [{ id: `${id}-b`, number: id, kind: 'parallel', polygon: [[100, 60], [220, 60], [220, 200], [100, 200]], lengthM: 6, widthM: 2.5, drivingDirection: [0, -1] }],
    });
    await service.importSite(SiteSchema.parse({ lots: [{ code: 'DEV1', name: 'devices' }], cameras: [camera('old', OLD, 'tcp-passive'), camera('new', NEW, 'tcp-passive')] }));
    const long = makeTestClip(folder, 'h264', { seconds: 12, gop: 250, size: '320x240' });
    const short = makeTestClip(folder, 'h264', { seconds: 4, gop: 25, size: '320x240' });
    const jpeg = join(folder, 'snapshot.jpg');
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', short, '-vf', 'scale=160:120', '-frames:v', '1', jpeg]);
    const simulate = async (id: string, version: '2.0' | '3.0', signalling: 'udp' | 'tcp', clip: string): Promise<void> => {
      const simulator = new CameraSimulator({
        server: { id: SERVER_ID, domain: SERVER_ID.slice(0, 10), port: started.sipPort },
        device: { id, password: 'pw', version },
        channels: [{ id, clip }],
        signalling,
        registration: { keepaliveMs: 2000, backoffMinMs: 200 },
        recordings: { list: [{ channelId: id, startsAt: 1_767_585_600_000, endsAt: 1_767_589_200_000 }] },
        snapshotFile: jpeg,
      });
      cameras.push(simulator);
      await simulator.start();
    };
    await simulate(OLD, '2.0', 'udp', long);
    await simulate(NEW, '3.0', 'tcp', short);
    await until('both cameras stream', async () => (await get<{ stream: { state: string } }[]>('/api/cameras')).every(({ stream }) => stream.state === 'streaming'), 120_000, told);
  }, 180_000);
  afterAll(async () => {
    await Promise.all(cameras.map((camera) => camera.close()));
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('tell what they are and what is wrong with them', async () => {
    await until('the devices have described themselves', async () => (await get<DeviceView[]>('/api/devices')).every(({ info, channelCount, clockOffsetMs }) => info !== null && channelCount === 1 && clockOffsetMs !== null), 60_000, told);
    const [older, newer] = await Promise.all([OLD, NEW].map((id) => get<DeviceView>(`/api/devices/${id}`)));
    expect(older).toMatchObject({ id: OLD, online: true, transport: 'UDP', edition: '2016', cameras: ['old'], channels: [{ id: OLD, cameraId: 'old', online: true }], problems: [], source: { host: '127.0.0.1' } });
    expect(newer).toMatchObject({ id: NEW, transport: 'TCP', edition: '2022', gbVersion: '3.0' });
    await until('subscriptions', async () => (await get<DeviceView>(`/api/devices/${NEW}`)).subscriptions.filter(({ state }) => state === 'active').length === 2, 60_000, told);
    expect((await call('/api/devices/37020000001320000009')).status).toBe(404);
  });

  it('are asked and told', async () => {
    expect(await get(`/api/devices/${OLD}/channels/${OLD}/recordings?from=1767585600000&to=1767672000000`)).toMatchObject({ complete: true, items: [{ startsAt: 1_767_585_600_000 }] });
    expect(await get(`/api/devices/${OLD}/config`)).toMatchObject({ basic: { heartBeatIntervalS: 2 } });
    expect((await call(`/api/devices/${OLD}/config`, 'PUT', { name: '香港中路 1 号' })).status).toBe(200);
    expect(cameras[0]?.settings.name).toBe('香港中路 1 号');
    expect((await call(`/api/devices/${OLD}/channels/${OLD}/ptz`, 'POST', { kind: 'move', pan: 'left' })).status).toBe(200);
    await until('it moves', () => cameras[0]?.control.of(OLD)?.moving?.pan === 'left');
    const refused = await fetch(`${url}/api/devices/${OLD}/channels/${OLD}/ptz`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"kind":"stop"}' });
    expect(refused.status).toBe(401);
    expect(cameras[0]?.control.of(OLD)?.moving?.pan).toBe('left');
  });

  it('report alarms, which are kept until they are reset', async () => {
    await cameras[1]?.alarm({ method: 2, type: 2 });
    await until('the alarm is kept', async () => (await get<AlarmView[]>('/api/alarms?open=true')).length === 1, 30_000, told);
    expect(await get('/api/alarms')).toMatchObject([{ deviceId: NEW, cameras: ['new'], words: 'device alarm: device opened or tampered with', resetAt: null }]);
    expect(await (await call(`/api/devices/${NEW}/alarms/reset`, 'POST', {})).json()).toEqual({ reset: 1 });
    expect(cameras[1]?.control.alarming).toBe(false);
    expect(await get('/api/alarms?open=true')).toEqual([]);
  });

  it('give a picture of now: taken by the camera, or from its stream', async () => {
    const picture = async (id: string): Promise<[number, string | null, number]> => {
      const answer = await call(`/api/devices/${id}/channels/${id}/snapshot`, 'POST');
      const bytes = Buffer.from(await answer.arrayBuffer());
      expect(answer.status, bytes.toString()).toBe(200);
      expect(bytes.subarray(0, 3).toString('hex')).toBe('ffd8ff');
      return [answer.status, answer.headers.get('x-snapshot-source'), Number(answer.headers.get('x-snapshot-captured-at'))];
    };
    expect((await picture(NEW)).slice(0, 2)).toEqual([200, 'device']);
    await until('footage', async () => (await call(`/api/devices/${OLD}/channels/${OLD}/snapshot`, 'POST')).status === 200, 60_000, told);
    const [, source, capturedAt] = await picture(OLD);
    expect(source).toBe('stream');
    expect(Date.now() - capturedAt).toBeLessThan(60_000);
  });

  it('with long GOPs are asked for key frames; others are not', async () => {
    await until('a key frame is asked for', () => (cameras[0]?.control.of(OLD)?.keyFrames ?? 0) > 0, 30_000, told);
    expect(cameras[1]?.control.of(NEW)?.keyFrames).toBe(0);
  });
});
