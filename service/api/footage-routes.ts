import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { beijingCompact, beijingIso } from '../../base/beijing-time.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Bounds, PieceName, Playback } from '../playback/playback.js';
import { Moment } from '../playback/time-parameter.js';
import type { Ticket, Tickets } from '../playback/tickets.js';
import type { VisitMark } from '../playback/visit-marks.js';
import { addExportRoutes, type ExportSources } from './export-routes.js';
import type { App } from './routes.js';
import { ErrorAnswer } from './schemas.js';
import { sendSized } from './send-sized.js';
import { whileWanted } from './while-wanted.js';

/** Where the routes of recorded footage take their answers from. */
export interface FootageSources {
  playback: Playback;
  tickets: Tickets;
  /** Whether the site has the camera, or the log has footage of it. */
  knowsCamera(cameraId: string): boolean;
  visitMarks(cameraId: string, from: number, to: number): Promise<VisitMark[]>;
  exports: ExportSources;
}

const Range = z.object({ from: z.number(), to: z.number(), codec: z.enum(['h264', 'h265']), width: z.number(), height: z.number(), segments: z.number(), bytes: z.number() });

export const TimelineAnswer = z.object({
  from: z.number(),
  to: z.number(),
  ranges: z.array(Range),
  gaps: z.array(z.object({ from: z.number(), to: z.number().nullable(), reason: z.string() })),
  coveredMs: z.number(),
  /** Where to ask on from; null where this is all. */
  next: z.number().nullable(),
  formats: z.array(z.object({ codec: z.string(), width: z.number(), height: z.number(), mimeType: z.string() })),
});

const MarkAnswer = z.object({ uid: z.string(), berthId: z.string(), plate: z.string().nullable(), plateStatus: z.string(), plateColour: z.string().nullable(), enteredAt: z.number(), leftAt: z.number().nullable() });

const CameraParams = z.object({ id: z.string().min(1).max(64) });
const TicketParams = z.object({ ticket: z.string().max(1_000) });
const Span = z.object({ from: Moment, to: Moment });
const As = z.enum(['h264']).optional().describe('`h264`: H.265 is turned into H.264 on its way, within a limit (503 above it)');
const Name = z.string().regex(/^\d{1,10}(-\d{1,10}){1,2}\.(mp4|m4s)$/);

const binary = (type: string, description: string) => ({ description, content: { [type]: { schema: z.any() } } });
const Errors = { 400: ErrorAnswer, 404: ErrorAnswer, 409: ErrorAnswer, 503: ErrorAnswer };
const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';
const NO_BOUNDS: Bounds = { from: -Infinity, to: null };

interface Viewed {
  cameraId: string;
  bounds: Bounds;
}

/** `/api/cameras/:id/footage…` for who has the token, and the same under `/api/play/:ticket/` for who has a ticket. */
export function addFootageRoutes(app: App, sources: FootageSources): void {
  const { playback, tickets } = sources;
  addExportRoutes(app, sources.exports);

  const camera = (id: string): Viewed => {
    if (!sources.knowsCamera(id)) throw new BerthwatchError('not-found', 'API_NOT_FOUND', `there is no camera ${id}`);
    return { cameraId: id, bounds: NO_BOUNDS };
  };
  const bearer = (ticket: string): Viewed & { ticket: Ticket } => {
    const read = tickets.read(ticket);
    if (read?.kind !== 'camera') throw new BerthwatchError('unauthorised', 'PLAYBACK_TICKET', 'this address is not valid, or its time is over: ask for a new one');
    return { ...camera(read.id), bounds: read, ticket: read };
  };
  const inBounds = (value: number, { from, to }: Bounds): number => Math.max(from, Math.min(value, to ?? Infinity));

  const playlist = async (reply: FastifyReply, { cameraId, bounds }: Viewed, query: { from: number; to: number; as?: 'h264' | undefined }): Promise<FastifyReply> => {
    const text = await playback.playlist(cameraId, inBounds(query.from, bounds), inBounds(query.to, bounds), query.as ?? 'stored');
    return reply.type(PLAYLIST_TYPE).header('cache-control', 'no-store').send(text);
  };
  const init = async (request: FastifyRequest, reply: FastifyReply, { cameraId, bounds }: Viewed, name: string, as: 'stored' | 'h264'): Promise<FastifyReply> => {
    const [segment = 0, gop = 0] = numbers(name);
    const bytes = await whileWanted(request, (signal) => playback.init(cameraId, { segment, gop }, bounds, as, signal));
    return reply.type('video/mp4').header('cache-control', 'private, max-age=3600').send(bytes);
  };
  const piece = async (request: FastifyRequest, reply: FastifyReply, { cameraId, bounds }: Viewed, name: string, as: 'stored' | 'h264'): Promise<FastifyReply> => {
    const [segment = 0, first = 0, last = first] = numbers(name);
    return sendSized(request, reply, await whileWanted(request, (signal) => playback.piece(cameraId, { segment, first, last } satisfies PieceName, bounds, as, signal)));
  };
  const progressive = async (request: FastifyRequest, reply: FastifyReply, { cameraId, bounds }: Viewed, query: { from: number; to: number }): Promise<FastifyReply> => {
    const body = await playback.progressive(cameraId, inBounds(query.from, bounds), inBounds(query.to, bounds));
    return sendSized(request, reply, body, {
      'footage-from': `${beijingIso(body.from)}+08:00`,
      'footage-to': `${beijingIso(body.to)}+08:00`,
      'content-disposition': `inline; filename="${cameraId.replace(/[^\w-]/g, '_')}-${beijingCompact(body.from)}.mp4"`,
      'cache-control': 'private, no-cache',
    });
  };

  app.get(
    '/api/cameras/:id/footage',
    {
      schema: {
        tags: ['footage'],
        description: 'What footage there is of a camera between two times (8 days at most): ranges without a break, and the holes with their reasons. Where `next` is set, ask on from there.',
        params: CameraParams,
        querystring: Span.extend({ limit: z.coerce.number().int().min(1).max(5_000).default(1_000) }),
        response: { 200: TimelineAnswer, ...Errors },
      },
    },
    ({ params, query }) => playback.timeline(camera(params.id).cameraId, query.from, query.to, query.limit),
  );

  app.get(
    '/api/cameras/:id/footage/visits',
    { schema: { tags: ['footage'], description: "Visits of the camera's berths that reach into a time, as marks for a timeline (2,000 at most, newest first)", params: CameraParams, querystring: Span, response: { 200: z.array(MarkAnswer), ...Errors } } },
    ({ params, query }) => sources.visitMarks(camera(params.id).cameraId, query.from, query.to),
  );

  app.get(
    '/api/cameras/:id/footage/link',
    {
      schema: {
        tags: ['footage'],
        description: 'Addresses of footage between two times that work without the token for a while: for video elements, downloads and players outside of the browser.',
        params: CameraParams,
        querystring: Span,
        response: { 200: z.object({ expiresAt: z.number(), playlist: z.string(), mp4: z.string() }), ...Errors },
      },
    },
    async ({ params, query }, reply) => {
      const { from, to } = query;
      const { ticket, expiresAt } = tickets.issue({ kind: 'camera', id: camera(params.id).cameraId, from, to });
      void reply.header('cache-control', 'no-store');
      return { expiresAt, playlist: `/api/play/${ticket}/footage.m3u8?from=${from}&to=${to}`, mp4: `/api/play/${ticket}/footage.mp4?from=${from}&to=${to}` };
    },
  );

  const Playlist = {
    tags: ['footage'],
    description: 'HLS media playlist (fragmented MP4, coded as the camera coded it) of at most 26 hours. It grows while `to` lies ahead. Wall clock by EXT-X-PROGRAM-DATE-TIME.',
    querystring: Span.extend({ as: As }),
    response: { 200: binary(PLAYLIST_TYPE, 'media playlist'), ...Errors },
  };
  app.get('/api/cameras/:id/footage.m3u8', { schema: { ...Playlist, params: CameraParams } }, ({ params, query }, reply) => playlist(reply, camera(params.id), query));
  app.get('/api/play/:ticket/footage.m3u8', { schema: { ...Playlist, params: TicketParams } }, ({ params, query }, reply) => playlist(reply, bearer(params.ticket), query));

  const Progressive = {
    tags: ['footage'],
    description: 'One fragmented MP4 of at most 26 hours, with HTTP ranges. Gaps are left out of its media time.',
    querystring: Span,
    response: { 200: binary('video/mp4', 'fragmented MP4'), 206: binary('video/mp4', 'a range of it'), ...Errors, 416: ErrorAnswer },
  };
  app.get('/api/cameras/:id/footage.mp4', { schema: { ...Progressive, params: CameraParams } }, (request, reply) => progressive(request, reply, camera(request.params.id), request.query));
  app.get('/api/play/:ticket/footage.mp4', { schema: { ...Progressive, params: TicketParams } }, (request, reply) => progressive(request, reply, bearer(request.params.ticket), request.query));

  for (const as of ['stored', 'h264'] as const) {
    const folder = as === 'h264' ? 'footage/h264' : 'footage';
    const Part = { tags: ['footage'], description: 'A part of a playlist; its name stands there', response: { 200: binary('video/mp4', 'fragmented MP4'), ...Errors } };
    app.get(`/api/cameras/:id/${folder}/init/:name`, { schema: { ...Part, params: CameraParams.extend({ name: Name }) } }, (request, reply) => init(request, reply, camera(request.params.id), request.params.name, as));
    app.get(`/api/play/:ticket/${folder}/init/:name`, { schema: { ...Part, params: TicketParams.extend({ name: Name }) } }, (request, reply) => init(request, reply, bearer(request.params.ticket), request.params.name, as));
    app.get(`/api/cameras/:id/${folder}/pieces/:name`, { schema: { ...Part, params: CameraParams.extend({ name: Name }) } }, (request, reply) => piece(request, reply, camera(request.params.id), request.params.name, as));
    app.get(`/api/play/:ticket/${folder}/pieces/:name`, { schema: { ...Part, params: TicketParams.extend({ name: Name }) } }, (request, reply) => piece(request, reply, bearer(request.params.ticket), request.params.name, as));
  }
}

const numbers = (name: string): number[] => name.replace(/\.\w+$/, '').split('-').map(Number);
