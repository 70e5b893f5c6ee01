import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { BerthwatchError } from '../../base/errors.js';
import { withoutPasswords, type Site } from '../config/site.js';
import type { OpenVisit, SiteImport } from '../records/site-store.js';
import type { UnusedChannel } from '../site-import/channels.js';
import { siteDiff } from '../site-import/diff.js';
import { problemsError, readSiteFile } from '../site-import/read-file.js';
import { LIMITS } from '../site-import/table.js';
import { siteXlsx, templateCsv, templateXlsx } from '../site-import/write-files.js';
import { ErrorAnswer } from './schemas.js';

export interface SiteSources {
  site(): Promise<Site>;
  importSite(site: Site, options?: { remove?: boolean }): Promise<SiteImport>;
  /** Visits that stand in berths which a site lacks. */
  openVisitsWithout(site: Site): Promise<OpenVisit[]>;
  unusedChannels(): UnusedChannel[];
}

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';

const flag = z.enum(['0', '1', 'true', 'false']).default('0').transform((text) => text === '1' || text === 'true');

const FieldAnswer = z.object({ zh: z.string(), en: z.string(), from: z.string(), to: z.string() });
const change = z.enum(['added', 'changed', 'removed']);
const BerthChangeAnswer = z.object({ id: z.string(), number: z.string(), change, fields: z.array(FieldAnswer) });

const ImportAnswer = z.object({
  /** False for a dry run: nothing was changed. */
  applied: z.boolean(),
  lots: z.array(z.object({ code: z.string(), name: z.string(), change, fields: z.array(FieldAnswer) })),
  cameras: z.array(z.object({ id: z.string(), name: z.string(), change, fields: z.array(FieldAnswer), berths: z.array(BerthChangeAnswer) })),
  unchangedCameras: z.number(),
  /** Visits in berths that go: applying needs `remove=1`, which ends them. */
  openVisits: z.array(z.object({ uid: z.string(), cameraId: z.string(), berthId: z.string(), enteredAt: z.number() })),
  endedVisits: z.array(z.string()),
});

const ProblemsAnswer = ErrorAnswer.extend({
  /** Every problem of the file, with its place; the first 1,000. */
  problems: z
    .array(z.object({ sheet: z.string().nullable(), row: z.number().nullable(), column: z.string().nullable(), value: z.string().nullable(), zh: z.string(), en: z.string() }))
    .optional(),
  total: z.number().optional(),
});

const ChannelAnswer = z.object({
  deviceId: z.string(),
  channelId: z.string(),
  name: z.string(),
  manufacturer: z.string().nullable(),
  model: z.string().nullable(),
  deviceOnline: z.boolean(),
  channelOnline: z.boolean().nullable(),
  longitude: z.number().nullable(),
  latitude: z.number().nullable(),
});

/** The site as files: import with a preview, export, templates, and channels that wait to become cameras. */
export function addSiteRoutes(app: FastifyInstance, sources: SiteSources, read: typeof readSiteFile = readSiteFile): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  const download = (name: string, type: string, write: () => Promise<Buffer>, description: string): void => {
    typed.get(name, { schema: { tags: ['site'], description, response: { 200: { description, content: { [type]: { schema: z.any() } } } } } }, async (_request, reply) =>
      reply.type(type).header('content-disposition', `attachment; filename="${name.slice(name.lastIndexOf('/') + 1)}"`).send(await write()),
    );
  };
  download('/api/site/template.xlsx', XLSX, templateXlsx, 'A workbook to fill in: one row a berth, headers explained');
  download('/api/site/template.csv', 'text/csv; charset=utf-8', async () => templateCsv(), 'The same as CSV');
  download('/api/site/site.xlsx', XLSX, async () => siteXlsx(withoutPasswords(await sources.site()), { passwords: false }), 'The site as a workbook for import; passwords are left out, and an import with empty ones keeps them');

  typed.get('/api/devices/unused-channels', { schema: { tags: ['site'], description: 'Channels of registered GB/T 28181 devices that no camera of the site uses yet', response: { 200: z.array(ChannelAnswer) } } }, async () => sources.unusedChannels());

  // The file comes as it is, whatever its type is said to be.
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: LIMITS.fileBytes }, (_request: FastifyRequest, body: Buffer, done: (error: Error | null, body?: Buffer) => void) => done(null, body));
    scope.withTypeProvider<ZodTypeProvider>().post(
      '/api/site/import',
      {
        bodyLimit: LIMITS.fileBytes,
        schema: {
          tags: ['site'],
          description: 'Replaces the site by a file: YAML, CSV (UTF-8 or GB18030) or XLSX as the request body (needs the token). Answers what changed; with dryRun=1, what would',
          querystring: z.object({ dryRun: flag, remove: flag, name: z.string().max(200).default('site') }),
          response: { 200: ImportAnswer, 400: ProblemsAnswer, 409: ErrorAnswer },
        },
      },
      async (request, reply) => {
        const { dryRun, remove, name } = request.query;
        if (request.headers['content-type']?.startsWith('multipart/')) throw new BerthwatchError('bad-input', 'SITE_MULTIPART', 'the file is the body itself, not a form: curl --data-binary @site.xlsx');
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const before = await sources.site();
        const { site, problems } = await read(body, name, before);
        if (site === null) {
          const { message } = problemsError(name, problems, 'en');
          return reply.code(400).send({ error: 'SITE_PROBLEMS', message, problems: [...problems.list], total: problems.total });
        }
        const diff = siteDiff(before, site);
        const openVisits = await sources.openVisitsWithout(site);
        const done = dryRun ? null : await sources.importSite(site, { remove });
        return { ...diff, openVisits, applied: done !== null, endedVisits: done?.endedVisits ?? [] };
      },
    );
  });
}
