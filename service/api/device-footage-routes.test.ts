import { Readable } from 'node:stream';
import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthwatchError } from '../../base/errors.js';
import type { ByteRange } from '../../storage/objects/object-store.js';
import type { DeviceRecordingView } from '../device-footage/device-recordings.js';
import type { PlaybackView } from '../device-footage/playback.js';
import { addDeviceFootageRoutes, readRange } from './device-footage-routes.js';

const ID = '3f0c1f0e-9d51-4b43-8f2a-0c2f9d1d6f10';
const BYTES = Buffer.from('0123456789');
const recording: DeviceRecordingView = {
  id: ID, cameraId: 'cam', from: 1000, to: 2000, speed: 4, state: 'done', attempts: 1, createdAt: 1, finishedAt: 2, note: null, firstAt: 1000, lastAt: 1960, codec: 'h264',
  bytes: 10, announcedBytes: null, complete: true, gaps: [], objectKey: 'k', sha256: 'ab', progress: 1,
};
const playback: PlaybackView = { id: ID, cameraId: 'cam', from: 1000, to: 2000, state: 'playing', speed: 1, position: null, codec: null, watched: false, droppedGops: 0, endedBecause: null };

describe('the API of what cameras recorded', () => {
  let app: FastifyInstance;
  let calls: unknown[];
  beforeEach(() => {
    calls = [];
    app = Fastify();
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    const called = <T>(name: string, answer: T) => (...args: unknown[]): Promise<T> => Promise.resolve((calls.push([name, ...args]), answer));
    addDeviceFootageRoutes(app.withTypeProvider<ZodTypeProvider>(), {
      recordings: {
        request: called('request', { ...recording, state: 'queued' as const, progress: 0 }),
        list: called('list', [recording]),
        get: called('get', recording),
        remove: called('remove', undefined),
        info: () => Promise.resolve({ key: 'k', size: 10, contentType: 'video/mp4', sha256: 'ab', storedAt: 1 }),
        content: (_id: string, range?: ByteRange) =>
          Promise.resolve({ info: { key: 'k', size: 10, contentType: 'video/mp4', sha256: 'ab', storedAt: 1 }, body: Readable.from([BYTES.subarray(range?.from ?? 0, (range?.to ?? 9) + 1)]) }),
      },
      playbacks: {
        open: called('open', playback),
        list: () => [playback],
        get: () => playback,
        read: () => Readable.from([BYTES]),
        steer: called('steer', { ...playback, state: 'paused' as const }),
        end: () => Promise.reject(new BerthwatchError('not-found', 'PLAYBACK', 'gone')),
      },
    });
  });
  afterEach(() => app.close());

  it('takes wishes and shows what came of them', async () => {
    const made = await app.inject({ method: 'POST', url: '/api/cameras/cam/device-recordings', payload: { from: 1000, to: 2000 } });
    expect([made.statusCode, made.json()]).toEqual([202, expect.objectContaining({ state: 'queued', progress: 0 })]);
    expect(made.json()).not.toHaveProperty('objectKey');
    expect((await app.inject('/api/device-recordings?camera=cam&limit=5')).json()).toHaveLength(1);
    expect((await app.inject({ method: 'DELETE', url: `/api/device-recordings/${ID}` })).statusCode).toBe(204);
    expect(calls).toEqual([
      ['request', { cameraId: 'cam', from: 1000, to: 2000 }],
      ['list', { cameraId: 'cam', limit: 5 }],
      ['remove', ID],
    ]);
    for (const payload of [{}, { from: -1, to: 5 }, { from: 1.5, to: 5 }, { from: 1, to: 2, speed: 0 }, { from: 1, to: 2, x: 1 }]) {
      expect((await app.inject({ method: 'POST', url: '/api/cameras/cam/device-recordings', payload })).statusCode, JSON.stringify(payload)).toBe(400);
    }
    expect((await app.inject('/api/device-recordings/../../etc')).statusCode).toBe(404);
    expect((await app.inject('/api/device-recordings/nothing')).statusCode).toBe(400);
  });

  it('serves the file whole and in parts', async () => {
    const url = `/api/device-recordings/${ID}/file.mp4`;
    const get = async (range?: string): Promise<[number, string, unknown]> => {
      const answer = await app.inject({ url, headers: range ? { range } : {} });
      return [answer.statusCode, answer.body, answer.headers['content-range']];
    };
    expect(await get()).toEqual([200, '0123456789', undefined]);
    expect(await get('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await get('bytes=8-')).toEqual([206, '89', 'bytes 8-9/10']);
    expect(await get('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10']);
    expect((await get('bytes=10-'))[0]).toBe(416);
    expect(await get('bytes=1-2,4-5')).toEqual([200, '0123456789', undefined]);
    const head = await app.inject({ method: 'HEAD', url });
    expect([head.statusCode, head.headers['content-length'], head.body]).toEqual([200, '10', '']);
    expect((await app.inject({ method: 'HEAD', url: `/api/device-playbacks/${ID}/stream.mp4` })).statusCode).toBe(404);
  });

  it('begins, steers and streams playbacks', async () => {
    expect((await app.inject({ method: 'POST', url: '/api/cameras/cam/device-playbacks', payload: { from: 1, to: 2 } })).statusCode).toBe(201);
    expect((await app.inject({ method: 'PATCH', url: `/api/device-playbacks/${ID}`, payload: { paused: true, speed: -0.5, position: 3 } })).json()).toMatchObject({ state: 'paused' });
    expect(calls).toEqual([
      ['open', { cameraId: 'cam', from: 1, to: 2, stream: 'main' }],
      ['steer', ID, { paused: true, speed: -0.5, position: 3 }],
    ]);
    const stream = await app.inject(`/api/device-playbacks/${ID}/stream.mp4`);
    expect([stream.statusCode, stream.headers['content-type'], stream.body]).toEqual([200, 'video/mp4', '0123456789']);
    expect((await app.inject({ method: 'PATCH', url: `/api/device-playbacks/${ID}`, payload: { position: -1 } })).statusCode).toBe(400);
    expect((await app.inject('/api/device-playbacks')).json()).toEqual([playback]);
  });
});

it.each([
  [undefined, null],
  ['bytes=-', null],
  ['bytes=5-2', null],
  ['items=0-1', null],
  ['bytes=0-0', { from: 0, to: 0 }],
  ['bytes=0-99', { from: 0, to: 9 }],
  ['bytes=-99', { from: 0, to: 9 }],
  ['bytes=-0', 'beyond'],
  ['bytes=10-20', 'beyond'],
])('reads the range %j of ten bytes', (header, range) => expect(readRange(header, 10)).toEqual(range));
