import { z } from 'zod';
import type { FootageHold, HeldFootage } from '../../storage/footage/holds.js';
import type { StorageStatus } from '../../storage/footage/retention-job.js';
import type { HoldRequest } from '../footage/visit-holds.js';
import type { App } from './routes.js';
import { ErrorAnswer, StorageAnswer } from './schemas.js';

/** Where the routes of the footage's disk and holds take their answers from. Times are Unix ms. */
export interface StorageSources {
  status(): StorageStatus;
  holds(filter: { active: boolean; cameraId?: string; visitUid?: string; limit: number }): Promise<FootageHold[]>;
  /** What a hold keeps now. */
  covers(hold: FootageHold): Promise<HeldFootage>;
  addHold(request: HoldRequest): Promise<FootageHold & { covers: HeldFootage }>;
  releaseHold(id: number, by: string): Promise<FootageHold>;
}

const CameraStorageAnswer = z.object({
  cameraId: z.string(),
  segments: z.number(),
  bytes: z.number(),
  /** Beginning of the oldest day (UTC) that has footage on the disk. */
  oldestDay: z.number().nullable(),
  bytesPerDay: z.number().nullable(),
  retentionMs: z.number(),
  quotaBytes: z.number().nullable(),
  /** Why it is not recorded. */
  refused: z.string().nullable(),
});

const HoldAnswer = z.object({
  id: z.number(),
  cameraId: z.string(),
  from: z.number(),
  to: z.number().nullable(),
  visitUid: z.string().nullable(),
  reason: z.string(),
  heldBy: z.string(),
  createdAt: z.number(),
  until: z.number().nullable(),
  releasedAt: z.number().nullable(),
  releasedBy: z.string().nullable(),
});

const CoversAnswer = z.object({ segments: z.number(), bytes: z.number(), gone: z.number() });

const name = z.string().trim().min(1).max(64);
const time = z.number().int().min(0).max(8_640_000_000_000_000);

export function addStorageRoutes(app: App, sources: StorageSources): void {
  app.get(
    '/api/storage',
    { schema: { tags: ['storage'], description: 'The disk of the footage: how much lies there, how fast it grows, how long it lasts, by camera', response: { 200: StorageAnswer.extend({ cameras: z.array(CameraStorageAnswer) }) } } },
    async () => sources.status(),
  );

  app.get(
    '/api/holds',
    {
      schema: {
        tags: ['storage'],
        description: 'Holds on footage, newest first; `all` also lists those that were released; with `covers`, how much each keeps now and how much of it was gone before (null of a released one)',
        querystring: z.object({ camera: z.string().max(64).optional(), visit: z.string().max(60).optional(), all: z.enum(['true', 'false']).default('false'), covers: z.enum(['true', 'false']).default('false'), limit: z.coerce.number().int().min(1).max(1000).default(100) }),
        response: { 200: z.array(HoldAnswer.extend({ covers: CoversAnswer.nullable() })) },
      },
    },
    async ({ query }) => {
      const holds = await sources.holds({ active: query.all === 'false', limit: query.limit, ...(query.camera === undefined ? {} : { cameraId: query.camera }), ...(query.visit === undefined ? {} : { visitUid: query.visit }) });
      const answer = [];
      for (const hold of holds) answer.push({ ...hold, covers: query.covers === 'true' && hold.releasedAt === null ? await sources.covers(hold) : null });
      return answer;
    },
  );

  app.post(
    '/api/holds',
    {
      schema: {
        tags: ['storage'],
        description: 'Keeps footage from being deleted (needs the token): of a visit, from ten minutes before it to ten minutes after it, or of a camera from one time to another. `covers` says what is kept, and what was gone already',
        body: z.strictObject({ visitUid: z.string().min(1).max(60).optional(), cameraId: z.string().min(1).max(64).optional(), from: time.optional(), to: time.optional(), reason: z.string().trim().min(1).max(500), heldBy: name, until: time.optional() }),
        response: { 201: HoldAnswer.extend({ covers: CoversAnswer }), 400: ErrorAnswer, 404: ErrorAnswer },
      },
    },
    async (request, reply) => reply.code(201).send(await sources.addHold(request.body)),
  );

  app.delete(
    '/api/holds/:id',
    {
      schema: {
        tags: ['storage'],
        description: 'Releases a hold (needs the token); it stays in the list with who released it',
        params: z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }),
        querystring: z.object({ by: name }),
        response: { 200: HoldAnswer, 404: ErrorAnswer, 409: ErrorAnswer },
      },
    },
    (request) => sources.releaseHold(request.params.id, request.query.by),
  );
}
