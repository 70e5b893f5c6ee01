import { z } from 'zod';
import type { ArchiveStatus } from '../../storage/archive/archiver.js';
import type { Finding } from '../../storage/archive/finding.js';
import type { CheckStatus } from '../../storage/archive/rolling-check.js';
import { ArchiveAnswer } from './archive-answer.js';
import type { App } from './routes.js';

export interface ArchiveView {
  /** Null where nothing is archived. */
  archive: ArchiveStatus | null;
  /** Null where nothing is checked. */
  check: CheckStatus | null;
}

/** Where the routes of the archive take their answers from. Times are Unix ms. */
export interface ArchiveSources {
  status(): ArchiveView;
  findings(limit: number): Promise<{ count: number; findings: (Finding & { foundAt: number })[] }>;
}

const FindingAnswer = z.object({
  kind: z.string(),
  cameraId: z.string().nullable(),
  segment: z.number().nullable(),
  startedAt: z.number().nullable(),
  endedAt: z.number().nullable(),
  where: z.string(),
  expected: z.string().nullable(),
  actual: z.string().nullable(),
  damage: z.object({ gop: z.number().nullable(), offset: z.number().nullable(), at: z.number().nullable(), what: z.string() }).nullable(),
  repaired: z.string().nullable(),
  advice: z.string().nullable(),
  foundAt: z.number(),
});

export function addArchiveRoutes(app: App, sources: ArchiveSources): void {
  app.get('/api/archive', { schema: { tags: ['storage'], description: 'How the archiving of footage stands: backlog, uploads, what keeps it; and the rolling check of what is stored', response: { 200: ArchiveAnswer } } }, async () => sources.status());
  app.get(
    '/api/archive/findings',
    {
      schema: {
        tags: ['storage'],
        description: 'Stored footage that is not as the catalogue says, the newest finding first',
        querystring: z.object({ limit: z.coerce.number().int().min(1).max(1000).default(100) }),
        response: { 200: z.object({ count: z.number(), findings: z.array(FindingAnswer) }) },
      },
    },
    ({ query }) => sources.findings(query.limit),
  );
}
