import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import Fastify from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { afterEach, describe, expect, it } from 'vitest';
import { BerthwatchError } from '../../base/errors.js';
import { addDeviceRoutes } from './device-routes.js';
import { CHANNEL_ID, DEVICE_ID, DEVICE_VIEW, fakeDevices } from './testing/fake-devices.js';

let app: FastifyInstance;
let asked: unknown[][];
afterEach(() => app.close());

function build(fails: BerthwatchError | null = null): FastifyInstance {
  asked = [];
  app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(async (error, _request, reply) => reply.code(error instanceof BerthwatchError ? { conflict: 409, unavailable: 503, 'bad-input': 400, 'not-found': 404 }[error.kind as 'conflict'] : ((error as { statusCode?: number }).statusCode ?? 500)).send({ error: 'X', message: (error as Error).message }));
  addDeviceRoutes(app.withTypeProvider<ZodTypeProvider>(), fakeDevices(asked, fails));
  return app;
}

const device = `/api/devices/${DEVICE_ID}`;
const channel = `${device}/channels/${CHANNEL_ID}`;
const post = async (url: string, payload?: object): Promise<LightMyRequestResponse> => app.inject({ method: 'POST', url, ...(payload ? { payload } : {}) });

describe('device routes', () => {
  it('show devices and what they answer', async () => {
    build();
    const { channels, ...listed } = DEVICE_VIEW;
    expect((await app.inject('/api/devices')).json()).toEqual([listed]);
    expect(channels).toHaveLength(listed.channelCount);
    expect((await app.inject(device)).json()).toEqual(DEVICE_VIEW);
    expect((await app.inject('/api/devices/34020000001320000009')).statusCode).toBe(404);
    expect((await app.inject('/api/devices/gate')).statusCode).toBe(400);
    expect((await app.inject(`${device}/status`)).json()).toMatchObject({ healthy: true, alarms: [{ duty: 'alarm' }] });
    expect((await post(`${device}/catalog`)).json()).toEqual({ channels: 0, announced: 3, complete: false });
    expect((await app.inject(`${channel}/recordings?from=1000&to=2000&type=alarm&stream=1`)).json()).toMatchObject({ complete: true, items: [{ name: '录像', bytes: 9 }] });
    expect(asked.at(-1)).toEqual(['records', DEVICE_ID, { channelId: CHANNEL_ID, from: 1000, to: 2000, type: 'alarm', streamNumber: 1 }]);
    expect((await app.inject(`${channel}/recordings?from=1000`)).statusCode).toBe(400);
    expect((await app.inject(`${channel}/presets`)).json()).toEqual({ complete: true, items: [{ number: 1, name: '路口' }] });
    expect((await app.inject(`${device}/position`)).json()).toBeNull();
    expect((await app.inject(`${device}/config?types=osdconfig,BasicParam`)).json()).toEqual({ basic: null, items: { OSDConfig: { Item: ['a', 'b'] } }, complete: true });
    expect(asked.at(-1)).toEqual(['config', DEVICE_ID, ['OSDConfig', 'BasicParam']]);
    expect((await app.inject(`${device}/config?types=Secret`)).json()).toMatchObject({ message: expect.stringMatching(/"Secret" is not a kind of configuration: give BasicParam/) as string });
  });

  it.each<[string, object | undefined, string, unknown]>([
    [`${channel}/ptz`, { kind: 'move', pan: 'left', panSpeed: 9 }, CHANNEL_ID, { kind: 'ptz', ptz: { kind: 'move', pan: 'left', panSpeed: 9 } }],
    [`${channel}/ptz`, { kind: 'cruise', action: 'dwell', group: 1, value: 300 }, CHANNEL_ID, { kind: 'ptz', ptz: { kind: 'cruise', action: 'dwell', group: 1, value: 300 } }],
    [`${channel}/ptz`, { kind: 'aux', on: true, number: 1 }, CHANNEL_ID, { kind: 'ptz', ptz: { kind: 'aux', on: true, number: 1 } }],
    [`${channel}/preset`, { action: 'set', preset: 4, name: '路口' }, CHANNEL_ID, { kind: 'ptz', ptz: { kind: 'preset', action: 'set', preset: 4 }, presetName: '路口' }],
    [`${channel}/home`, { enabled: true, preset: 4, resetTimeS: 60 }, CHANNEL_ID, { kind: 'home', enabled: true, preset: 4, resetTimeS: 60 }],
    [`${channel}/record`, { on: true }, CHANNEL_ID, { kind: 'record', on: true }],
    [`${channel}/key-frame`, undefined, CHANNEL_ID, { kind: 'key-frame' }],
    [`${channel}/drag-zoom`, { direction: 'in', displayWidth: 100, displayHeight: 50, centreX: 1, centreY: 2, width: 3, height: 4 }, CHANNEL_ID, { kind: 'drag-zoom', direction: 'in', box: { displayWidth: 100, displayHeight: 50, centreX: 1, centreY: 2, width: 3, height: 4 } }],
    [`${device}/guard`, { on: false }, DEVICE_ID, { kind: 'guard', on: false }],
    [`${device}/reboot`, undefined, DEVICE_ID, { kind: 'reboot' }],
  ])('tell a device: %s %j', async (url, body, about, command) => {
    build();
    expect((await post(url, body)).json()).toEqual({ done: true });
    expect(asked).toEqual([['control', DEVICE_ID, about, command]]);
  });

  it('end a movement by themselves where that is asked for', async () => {
    build();
    expect((await post(`${channel}/ptz`, { kind: 'move', pan: 'left', forMs: 500 })).json()).toEqual({ done: true });
    expect(asked).toEqual([['control', DEVICE_ID, CHANNEL_ID, { kind: 'ptz', ptz: { kind: 'move', pan: 'left' } }, 500]]);
  });

  it.each([
    ['ptz', { kind: 'stop', forMs: 500 }],
    ['ptz', { kind: 'move', pan: 'sideways' }],
    ['ptz', { kind: 'cruise', action: 'start', group: 1, preset: 3 }],
    ['ptz', {}],
    ['preset', { action: 'call', preset: 0 }],
    ['record', { on: 'yes' }],
    ['drag-zoom', { direction: 'in' }],
  ])('refuse nonsense: %s %j', async (what, body) => {
    build();
    expect((await post(`${channel}/${what}`, body)).statusCode).toBe(400);
    expect(asked).toEqual([]);
  });

  it('set the basic parameters, list alarms and reset them', async () => {
    build();
    expect((await app.inject({ method: 'PUT', url: `${device}/config`, payload: { heartBeatIntervalS: 30 } })).json()).toEqual({ outcome: 'confirmed' });
    expect((await app.inject({ method: 'PUT', url: `${device}/config`, payload: { heartBeatIntervalS: 1 } })).statusCode).toBe(400);
    expect((await app.inject(`/api/alarms?device=${DEVICE_ID}&open=true&before=9&limit=2`)).json()).toMatchObject([{ id: 5, words: 'video alarm: motion', cameras: ['c1'] }]);
    expect(asked.at(-1)).toEqual(['alarms', { deviceId: DEVICE_ID, sourceId: null, before: 9, open: true, limit: 2 }]);
    expect((await post(`${device}/alarms/reset`, { method: 5 })).json()).toEqual({ reset: 2 });
  });

  it('give a picture and say which way it came', async () => {
    build();
    const answer = await post(`${channel}/snapshot`);
    expect([answer.statusCode, answer.headers['content-type'], [...answer.rawPayload]]).toEqual([200, 'image/jpeg', [0xff, 0xd8]]);
    expect(answer.headers).toMatchObject({ 'x-snapshot-source': 'stream', 'x-snapshot-captured-at': '8', 'x-snapshot-fallback-reason': 'it speaks 2016 ?' });
  });

  it('pass on why a device did not do it', async () => {
    build(new BerthwatchError('conflict', 'GB_NOT_SUPPORTED', 'it cannot'));
    expect((await post(`${device}/reboot`)).statusCode).toBe(409);
    expect((await post(`${channel}/snapshot`)).statusCode).toBe(409);
    await app.close();
    build(new BerthwatchError('unavailable', 'GB_OFFLINE', 'device is offline'));
    expect((await post(`${device}/reboot`)).json()).toMatchObject({ message: 'device is offline' });
  });
});
