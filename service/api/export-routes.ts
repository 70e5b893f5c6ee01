import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BerthwatchError } from '../../base/errors.js';
import { diskError } from '../../storage/disk-error.js';
import type { ExportJobs, ExportRequest, Made, Requester } from '../playback/exports/export-jobs.js';
import type { SizedBody } from '../playback/sized-body.js';
import { Moment } from '../playback/time-parameter.js';
import type { Tickets } from '../playback/tickets.js';
import type { App } from './routes.js';
import { ErrorAnswer } from './schemas.js';
import { sendSized } from './send-sized.js';

/** Where the routes of exports take their answers from. */
export interface ExportSources {
  jobs: ExportJobs;
  tickets: Tickets;
  /** A new empty folder's prefix for exports that are sent at once. */
  temporary: string;
  makeVisit(request: Extract<ExportRequest, { kind: 'visit' }>, folder: string, signal: AbortSignal): Promise<Made>;
}

/** Exports that are made while somebody waits for them. */
const MOST_DIRECT = 2;
const MARGIN_MOST_S = 600;

const Time = z.union([z.number().int().min(0), Moment]);
const Watermark = z.string().trim().max(100).nullable().default(null).describe('text burnt into every picture with the name of the camera and the running time; pictures are then coded anew');
const By = z.string().trim().min(1).max(100);
const Margin = z.coerce.number().min(0).max(MARGIN_MOST_S);
const ExportBody = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('clip'), camera: z.string().min(1).max(64), from: Time, to: Time, watermark: Watermark, requestedBy: By }),
  z.strictObject({
    kind: z.literal('visit'),
    visit: z.string().min(1).max(60),
    before: Margin.default(15).describe('seconds of footage before enter and leave'),
    after: Margin.default(30).describe('seconds of footage behind enter and leave'),
    wholeStay: z.boolean().default(false),
    watermark: Watermark,
    requestedBy: By,
  }),
]);

const ExportAnswer = z.object({
  id: z.string(),
  request: z.looseObject({ kind: z.string() }),
  requestedBy: z.string(),
  state: z.enum(['waiting', 'running', 'done', 'failed', 'cancelled']),
  progress: z.number(),
  error: z.string().nullable(),
  file: z.string().nullable(),
  bytes: z.number().nullable(),
  sha256: z.string().nullable(),
  /** Of a clip: what it shows and what is missing; of a visit: the manifest. */
  facts: z.unknown(),
  createdAt: z.number(),
  finishedAt: z.number().nullable(),
  /** When its file is deleted. */
  expiresAt: z.number().nullable(),
});
const AuditAnswer = z.object({ id: z.number(), at: z.number(), who: z.string(), via: z.string(), event: z.string(), what: z.unknown(), exportId: z.string().nullable(), bytes: z.number().nullable(), sha256: z.string().nullable() });

const Id = z.object({ id: z.string().max(40) });
const Page = z.object({ limit: z.coerce.number().int().min(1).max(500).default(50), before: z.coerce.number().int().optional() });
const File = { 200: { description: 'the file', content: { 'application/octet-stream': { schema: z.any() } } }, 404: ErrorAnswer, 409: ErrorAnswer };

/** `POST /api/exports` and what follows from it, and a visit's ZIP at once. */
export function addExportRoutes(app: App, sources: ExportSources): void {
  const { jobs, tickets } = sources;
  let direct = 0;

  const sendFile = async (request: FastifyRequest, reply: FastifyReply, id: string, by: Requester): Promise<FastifyReply> => {
    const file = await jobs.file(id, by);
    return sendSized(request, reply, fileBody(file.path, file.bytes, `"${file.sha256}"`, file.name.endsWith('.zip') ? 'application/zip' : 'video/mp4'), {
      'content-disposition': attachment(file.name),
      'repr-digest': `sha-256=:${Buffer.from(file.sha256, 'hex').toString('base64')}:`,
      'x-sha256': file.sha256,
    });
  };

  app.post(
    '/api/exports',
    { schema: { tags: ['exports'], description: 'Asks for an export of footage (MP4 with `<name>.sha256` told here) or of a visit (ZIP). It is made in the background.', body: ExportBody, response: { 202: ExportAnswer, 400: ErrorAnswer, 404: ErrorAnswer, 409: ErrorAnswer, 503: ErrorAnswer } } },
    async (request, reply) => {
      const { body } = request;
      const asked: ExportRequest =
        body.kind === 'clip'
          ? { kind: 'clip', cameraId: body.camera, from: body.from, to: body.to, watermark: body.watermark || null }
          : { kind: 'visit', uid: body.visit, beforeMs: body.before * 1000, afterMs: body.after * 1000, wholeStay: body.wholeStay, watermark: body.watermark || null };
      return reply.code(202).send(await jobs.request(asked, requester(request, body.requestedBy)));
    },
  );

  app.get('/api/exports', { schema: { tags: ['exports'], description: 'Exports, newest first', querystring: Page, response: { 200: z.array(ExportAnswer) } } }, ({ query }) => jobs.list(query.limit, query.before ?? null));

  app.get('/api/exports/audit', { schema: { tags: ['exports'], description: 'Who took what out, and when: newest first', querystring: Page, response: { 200: z.array(AuditAnswer) } } }, ({ query }) => jobs.auditLines(query.limit, query.before ?? null));

  app.get('/api/exports/:id', { schema: { tags: ['exports'], description: 'One export with its progress', params: Id, response: { 200: ExportAnswer, 404: ErrorAnswer } } }, ({ params }) => jobs.get(params.id));

  app.get('/api/exports/:id/file', { schema: { tags: ['exports'], description: 'The file of a finished export, with ranges', params: Id, response: File } }, (request, reply) => sendFile(request, reply, request.params.id, requester(request, null)));

  app.get(
    '/api/exports/:id/link',
    { schema: { tags: ['exports'], description: 'An address of the file that works without the token for a while', params: Id, response: { 200: z.object({ expiresAt: z.number(), file: z.string() }), 404: ErrorAnswer, 409: ErrorAnswer } } },
    async ({ params }, reply) => {
      const { id, file, state } = await jobs.get(params.id);
      if (file === null) throw new BerthwatchError('conflict', 'EXPORT_STATE', `export ${id} is ${state}`);
      const { ticket, expiresAt } = tickets.issue({ kind: 'export', id, from: 0, to: null });
      void reply.header('cache-control', 'no-store');
      return { expiresAt, file: `/api/play/${ticket}/export/${encodeURIComponent(file)}` };
    },
  );

  app.get('/api/play/:ticket/export/:name', { schema: { tags: ['exports'], description: 'The file of a finished export, for who has its address', params: z.object({ ticket: z.string().max(1_000), name: z.string().max(300) }), response: File } }, (request, reply) => {
    const ticket = tickets.read(request.params.ticket);
    if (ticket?.kind !== 'export') throw new BerthwatchError('unauthorised', 'PLAYBACK_TICKET', 'this address is not valid, or its time is over: ask for a new one');
    return sendFile(request, reply, ticket.id, { ...requester(request, null), via: `link from ${request.ip}` });
  });

  app.delete('/api/exports/:id', { schema: { tags: ['exports'], description: 'Cancels an export, or deletes a finished one', params: Id, response: { 204: z.null(), 404: ErrorAnswer } } }, async (request, reply) => {
    await jobs.remove(request.params.id, requester(request, null));
    return reply.code(204).send(null);
  });

  app.get(
    '/api/visits/:uid/export.zip',
    {
      schema: {
        tags: ['exports', 'visits'],
        description: 'A visit as one ZIP: clips around enter and leave, pictures, record, and a manifest with the SHA-256 of each file. The whole stay is exported by `POST /api/exports`.',
        params: z.object({ uid: z.string().min(1).max(60) }),
        querystring: z.object({ before: Margin.default(15), after: Margin.default(30), watermark: z.string().trim().max(100).optional(), by: By.optional() }),
        response: { ...File, 503: ErrorAnswer },
      },
    },
    async (request, reply) => {
      if (direct >= MOST_DIRECT) throw new BerthwatchError('unavailable', 'EXPORT_BUSY', `${MOST_DIRECT} exports are being made just now: try again in a moment, or use POST /api/exports`);
      direct++;
      const abort = new AbortController();
      const gone = (): void => abort.abort(new BerthwatchError('unavailable', 'EXPORT_CANCELLED', 'nobody waits for this export any more'));
      request.raw.socket.once('close', gone);
      const folder = await mkdtemp(sources.temporary).catch((error: unknown) => {
        direct--;
        throw diskError(error, sources.temporary);
      });
      const clean = async (): Promise<void> => {
        direct--;
        request.raw.socket.off('close', gone);
        await rm(folder, { recursive: true, force: true });
      };
      try {
        const { before, after, watermark, by } = request.query;
        const asked = { kind: 'visit' as const, uid: request.params.uid, beforeMs: before * 1000, afterMs: after * 1000, wholeStay: false, watermark: watermark || null };
        const made = await sources.makeVisit(asked, folder, abort.signal);
        await jobs.audit({ who: requester(request, by ?? null), event: 'downloaded', what: asked, bytes: made.bytes, sha256: made.sha256 });
        reply.raw.once('close', () => void clean());
        return await sendSized(request, reply, fileBody(`${folder}/${made.file}`, made.bytes, `"${made.sha256}"`, 'application/zip'), { 'content-disposition': attachment(made.file), 'x-sha256': made.sha256, 'cache-control': 'no-store' });
      } catch (error) {
        await clean();
        throw error;
      }
    },
  );
}

function requester(request: FastifyRequest, name: string | null): Requester {
  const token = request.headers.authorization !== undefined || (request.query as { access_token?: string }).access_token !== undefined;
  return { name: name ?? request.ip, via: `${token ? 'token' : 'no token'} from ${request.ip}` };
}

function fileBody(path: string, size: number, etag: string, contentType: string): SizedBody {
  return { size, etag, contentType, read: (from, to) => createReadStream(path, { start: from, end: to - 1, highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer> };
}

/** RFC 6266: a name for old programs, and the real one. */
function attachment(name: string): string {
  return `attachment; filename="${name.replace(/[^\w.-]/g, '_')}"; filename*=UTF-8''${encodeURIComponent(name)}`;
}
