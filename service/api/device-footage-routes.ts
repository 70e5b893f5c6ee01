import { Readable } from 'node:stream';
import { z } from 'zod';
import { STREAM_KINDS } from '../../ingest/gb28181/offer.js';
import type { DevicePlaybacks } from '../device-footage/device-playbacks.js';
import type { DeviceRecordings } from '../device-footage/device-recordings.js';
import type { App } from './routes.js';
import { ErrorAnswer } from './schemas.js';

/** What cameras recorded by themselves. */
export interface DeviceFootageSources {
  recordings: Pick<DeviceRecordings, 'request' | 'list' | 'get' | 'remove' | 'info' | 'content'>;
  playbacks: Pick<DevicePlaybacks, 'open' | 'list' | 'get' | 'read' | 'steer' | 'end'>;
}

const instant = z.number().int().min(0).max(4_294_967_295_000);
const CameraParams = z.object({ id: z.string().max(64) });
const IdParams = z.object({ id: z.uuid() });

const RecordingAnswer = z.object({
  id: z.string(),
  cameraId: z.string(),
  from: z.number(),
  to: z.number(),
  speed: z.number(),
  state: z.enum(['queued', 'running', 'done', 'failed', 'cancelled']),
  /** 0 to 1, by time. */
  progress: z.number(),
  attempts: z.number(),
  createdAt: z.number(),
  finishedAt: z.number().nullable(),
  /** Why it waits, failed, or is not complete. */
  note: z.string().nullable(),
  firstAt: z.number().nullable(),
  lastAt: z.number().nullable(),
  codec: z.string().nullable(),
  bytes: z.number(),
  announcedBytes: z.number().nullable(),
  complete: z.boolean().nullable(),
  gaps: z.array(z.object({ from: z.number(), to: z.number() })),
  sha256: z.string().nullable(),
});

const PlaybackAnswer = z.object({
  id: z.string(),
  cameraId: z.string(),
  from: z.number(),
  to: z.number(),
  state: z.enum(['waiting', 'playing', 'paused', 'ended']),
  speed: z.number(),
  position: z.number().nullable(),
  codec: z.string().nullable(),
  watched: z.boolean(),
  droppedGops: z.number(),
  endedBecause: z.string().nullable(),
});

const Mp4 = { description: 'MP4', content: { 'video/mp4': { schema: z.any() } } };
const errors = { 400: ErrorAnswer, 404: ErrorAnswer, 409: ErrorAnswer, 503: ErrorAnswer };
const tags = ['device footage'];

/** Downloads and playbacks of what cameras recorded by themselves (GB/T 28181-2016 9.8 and 9.9). Times are Unix ms. */
export function addDeviceFootageRoutes(app: App, { recordings, playbacks }: DeviceFootageSources): void {
  app.post(
    '/api/cameras/:id/device-recordings',
    {
      schema: {
        tags,
        description: 'Fetches what the camera recorded by itself, at most 24 hours, as an MP4: to fill a gap of the footage, for example (needs the token)',
        params: CameraParams,
        body: z.strictObject({ from: instant, to: instant, speed: z.number().min(1).max(64).optional() }),
        response: { 202: RecordingAnswer, ...errors },
      },
    },
    async (request, reply) => reply.code(202).send(await recordings.request({ cameraId: request.params.id, ...request.body })),
  );

  app.get(
    '/api/device-recordings',
    { schema: { tags, description: 'What was fetched from cameras, or is to be, newest wish first', querystring: z.object({ camera: z.string().max(64).optional(), limit: z.coerce.number().int().min(1).max(1000).default(100) }), response: { 200: z.array(RecordingAnswer) } } },
    ({ query }) => recordings.list({ cameraId: query.camera, limit: query.limit }),
  );

  app.get('/api/device-recordings/:id', { schema: { tags, description: 'One of them, with its progress', params: IdParams, response: { 200: RecordingAnswer, 404: ErrorAnswer } } }, ({ params }) => recordings.get(params.id));

  app.delete('/api/device-recordings/:id', { schema: { tags, description: 'Gives up what waits or is being fetched; deletes what has been (needs the token)', params: IdParams, response: { 204: z.null(), 404: ErrorAnswer } } }, async (request, reply) => {
    await recordings.remove(request.params.id);
    return reply.code(204).send(null);
  });

  app.get(
    '/api/device-recordings/:id/file.mp4',
    { schema: { tags, description: 'Its pictures; takes Range', params: IdParams, response: { 200: Mp4, 206: Mp4, ...errors } } },
    async (request, reply) => {
      const { id } = request.params;
      const { size, sha256 } = await recordings.info(id);
      const range = readRange(request.headers.range, size);
      reply.type('video/mp4').header('accept-ranges', 'bytes').header('cache-control', 'private').header('etag', `"${sha256}"`);
      if (range === 'beyond') return reply.code(416).header('content-range', `bytes */${size}`).send();
      reply.header('content-length', range ? range.to - range.from + 1 : size);
      if (range) reply.code(206).header('content-range', `bytes ${range.from}-${range.to}/${size}`);
      if (request.method === 'HEAD') return reply.send(Readable.from([]));
      return reply.send(Readable.from((await recordings.content(id, range ?? undefined)).body));
    },
  );

  app.post(
    '/api/cameras/:id/device-playbacks',
    {
      schema: {
        tags,
        description: 'Begins a playback of what the camera recorded by itself; its pictures are then read from stream.mp4 (needs the token)',
        params: CameraParams,
        body: z.strictObject({ from: instant, to: instant, stream: z.enum(STREAM_KINDS).default('main') }),
        response: { 201: PlaybackAnswer, ...errors },
      },
    },
    async (request, reply) => reply.code(201).send(await playbacks.open({ cameraId: request.params.id, ...request.body })),
  );

  app.get('/api/device-playbacks', { schema: { tags, description: 'Playbacks under way, and those that ended within the last minute', response: { 200: z.array(PlaybackAnswer) } } }, async () => playbacks.list());

  app.get('/api/device-playbacks/:id', { schema: { tags, params: IdParams, response: { 200: PlaybackAnswer, 404: ErrorAnswer } } }, async ({ params }) => playbacks.get(params.id));

  app.patch(
    '/api/device-playbacks/:id',
    {
      schema: {
        tags,
        description: 'Pauses, goes on, changes the speed (0.25 to 4, negative backwards where the device can), or goes to `position`, seconds from the beginning (needs the token)',
        params: IdParams,
        body: z.strictObject({ paused: z.boolean().optional(), speed: z.number().min(-4).max(4).optional(), position: z.number().min(0).max(86_400).optional() }),
        response: { 200: PlaybackAnswer, ...errors },
      },
    },
    (request) => playbacks.steer(request.params.id, request.body),
  );

  app.delete('/api/device-playbacks/:id', { schema: { tags, description: 'Ends it (needs the token)', params: IdParams, response: { 204: z.null(), 404: ErrorAnswer } } }, async (request, reply) => {
    await playbacks.end(request.params.id);
    return reply.code(204).send(null);
  });

  app.get(
    '/api/device-playbacks/:id/stream.mp4',
    // Its one reader shall not be somebody who only asks for the headers.
    { exposeHeadRoute: false, schema: { tags, description: 'Its pictures as they come, from the beginning, for one reader; the playback ends when the reader goes away', params: IdParams, response: { 200: Mp4, 404: ErrorAnswer, 409: ErrorAnswer } } },
    async (request, reply) => {
      const stream = playbacks.read(request.params.id);
      return reply.type('video/mp4').header('cache-control', 'no-store').header('x-accel-buffering', 'no').send(stream);
    },
  );
}

/** RFC 9110 14.2: a single range; anything else is answered with the whole. */
export function readRange(header: string | undefined, size: number): { from: number; to: number } | 'beyond' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  if (match[1] === '') {
    const last = Math.min(size, Number(match[2]));
    return last === 0 ? 'beyond' : { from: size - last, to: size - 1 };
  }
  const from = Number(match[1]);
  const to = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== '' && Number(match[2]) < from) return null;
  return from >= size ? 'beyond' : { from, to };
}
