import type { FastifyBaseLogger, FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { BerthwatchError } from '../../base/errors.js';
import type { Feed } from '../live/feed.js';
import type { Problem } from '../live/problems.js';
import { SiteSchema, withoutPasswords } from '../config/site.js';
import { addFootageRoutes, type FootageSources } from './footage-routes.js';
import type { SiteSources } from './site-routes.js';
import { addDeviceRoutes, type DeviceSources } from './device-routes.js';
import { addDeviceFootageRoutes, type DeviceFootageSources } from './device-footage-routes.js';
import { addArchiveRoutes, type ArchiveSources } from './archive-routes.js';
import { addStorageRoutes, type StorageSources } from './storage-routes.js';
import { CameraAnswer, ErrorAnswer, HealthAnswer, StatusAnswer, VisitAnswer, type CameraView, type StatusView, type VisitView } from './schemas.js';

/** Where the API takes its answers from. */
export interface ApiSources extends SiteSources {
  feed: Feed;
  problems(): Problem[];
  status(): Promise<Omit<StatusView, 'version'>>;
  cameras(): Promise<CameraView[]>;
  visits(filter: VisitFilter): Promise<VisitView[]>;
  visit(uid: string): Promise<VisitView | null>;
  /** JPEG of an evidence picture. */
  picture(pictureId: string): Promise<Uint8Array | null>;
  /** JPEG of the camera's newest key frame in the log. */
  latestFrame(cameraId: string): Promise<Uint8Array | null>;
  metrics(): Promise<{ contentType: string; text: string }>;
  storage: StorageSources;
  devices: DeviceSources;
  /** Recorded footage; absent where there is no footage log. */
  footage?: FootageSources;
  deviceFootage: DeviceFootageSources;
  archive: ArchiveSources;
}

export interface VisitFilter {
  limit: number;
  /** Visits that entered before this time, Unix ms. */
  before: number | null;
  berthId: string | null;
  cameraId: string | null;
}

export type App = FastifyInstance<RawServerDefault, RawRequestDefaultExpression, RawReplyDefaultExpression, FastifyBaseLogger, ZodTypeProvider>;

const found = <T>(value: T | null, what: string): T => {
  if (value === null) throw new BerthwatchError('not-found', 'API_NOT_FOUND', `there is no ${what}`);
  return value;
};

const Jpeg = { description: 'JPEG', content: { 'image/jpeg': { schema: z.any() } } };

/** All routes; OpenAPI at `/api/openapi.json` is generated from them. */
export function addRoutes(app: App, sources: ApiSources, version: string): void {
  app.get('/healthz', { schema: { tags: ['status'], description: 'Liveness for load balancers: 200 while the process serves; `degraded` lists what is wrong.', response: { 200: HealthAnswer } } }, async () => {
    const problems = sources.problems();
    return { status: problems.length === 0 ? ('ok' as const) : ('degraded' as const), problems };
  });

  app.get('/metrics', { schema: { tags: ['status'], description: 'Prometheus metrics' } }, async (_request, reply) => {
    const { contentType, text } = await sources.metrics();
    return reply.type(contentType).send(text);
  });

  addStorageRoutes(app, sources.storage);
  addDeviceRoutes(app, sources.devices);
  addDeviceFootageRoutes(app, sources.deviceFootage);
  addArchiveRoutes(app, sources.archive);

  app.get('/api/openapi.json', { schema: { hide: true } }, async () => app.swagger());

  app.get('/api/status', { schema: { tags: ['status'], response: { 200: StatusAnswer } } }, async () => ({ version, ...(await sources.status()) }));

  app.get('/api/cameras', { schema: { tags: ['live'], description: 'Cameras with the live state of their berths', response: { 200: z.array(CameraAnswer) } } }, () => sources.cameras());

  app.get(
    '/api/cameras/:id/latest.jpg',
    { schema: { tags: ['live'], description: 'Newest key frame of a camera', params: z.object({ id: z.string().max(64) }), response: { 200: Jpeg, 404: ErrorAnswer } } },
    async (request, reply) => {
      const jpeg = found(await sources.latestFrame(request.params.id), `picture of camera ${request.params.id} yet`);
      return reply.type('image/jpeg').header('cache-control', 'no-store').send(Buffer.from(jpeg));
    },
  );

  app.get(
    '/api/visits',
    {
      schema: {
        tags: ['visits'],
        description: 'Visits, newest first',
        querystring: z.object({
          limit: z.coerce.number().int().min(1).max(500).default(50),
          before: z.coerce.number().int().optional(),
          berth: z.string().max(64).optional(),
          camera: z.string().max(64).optional(),
        }),
        response: { 200: z.array(VisitAnswer) },
      },
    },
    ({ query }) => sources.visits({ limit: query.limit, before: query.before ?? null, berthId: query.berth ?? null, cameraId: query.camera ?? null }),
  );

  app.get('/api/visits/:uid', { schema: { tags: ['visits'], params: z.object({ uid: z.string().max(60) }), response: { 200: VisitAnswer, 404: ErrorAnswer } } }, async (request) =>
    found(await sources.visit(request.params.uid), `visit ${request.params.uid}`),
  );

  app.get(
    '/api/evidence/:id',
    { schema: { tags: ['visits'], description: 'An evidence picture', params: z.object({ id: z.string().max(60) }), response: { 200: Jpeg, 404: ErrorAnswer } } },
    async (request, reply) => {
      const jpeg = found(await sources.picture(request.params.id), `picture ${request.params.id}`);
      // The bytes behind an id never change (evidence is deterministic and signed).
      return reply.type('image/jpeg').header('cache-control', 'private, max-age=86400, immutable').send(Buffer.from(jpeg));
    },
  );

  app.get('/api/site', { schema: { tags: ['site'], description: 'The site as a file for `berthwatch site import`; passwords are left out' } }, async () => withoutPasswords(await sources.site()));

  app.put('/api/site', { schema: { tags: ['site'], description: 'Replaces the site (needs the token)', body: SiteSchema } }, async (request) => sources.importSite(request.body));

  if (sources.footage) addFootageRoutes(app, sources.footage);
}
