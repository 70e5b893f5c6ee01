import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import iconv from 'iconv-lite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthwatchError } from '../../base/errors.js';
import { SiteSchema, type Site } from '../config/site.js';
import type { OpenVisit } from '../records/site-store.js';
import { readSiteHere } from '../site-import/read-here.js';
import { templateCsv, templateXlsx } from '../site-import/write-files.js';
import { addSiteRoutes } from './site-routes.js';

interface Answer {
  applied: boolean;
  cameras: { id: string; change: string; berths: { change: string }[] }[];
  openVisits: OpenVisit[];
  unchangedCameras: number;
  problems?: { sheet: string; row: number; column: string; zh: string }[];
  error?: string;
}

/** The routes on a site that is kept in memory. Who may call them is `guard`'s, tested with the whole API. */
describe('the routes of the site', () => {
  let app: FastifyInstance;
  let site: Site;
  let standing: OpenVisit[];
  const imports: { remove?: boolean }[] = [];
  beforeEach(async () => {
    site = { lots: [], cameras: [] };
    standing = [];
    imports.length = 0;
    app = Fastify();
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    app.setErrorHandler((error, _request, reply) => reply.code(error instanceof BerthwatchError ? (error.kind === 'conflict' ? 409 : 400) : ((error as { statusCode?: number }).statusCode ?? 500)).send({ error: error instanceof BerthwatchError ? error.code : 'X', message: (error as Error).message }));
    addSiteRoutes(app, {
      site: () => Promise.resolve(site),
      openVisitsWithout: (next) => Promise.resolve(standing.filter((visit) => !next.cameras.some((camera) => camera.berths.some((berth) => berth.id === visit.berthId)))),
      importSite: (next, options = {}) => {
        imports.push(options);
        site = next;
        return Promise.resolve({ lots: 1, cameras: 1, berths: 2, removedCameras: [], endedVisits: options.remove ? standing.map((visit) => visit.uid) : [] });
      },
      unusedChannels: () => [],
    }, readSiteHere);
    await app.ready();
  });
  afterEach(() => app.close());

  async function post(bytes: Buffer | string, query: string, contentType = 'application/octet-stream'): Promise<{ status: number; body: Answer }> {
    const response = await app.inject({ method: 'POST', url: `/api/site/import?${query}`, payload: bytes, headers: { 'content-type': contentType } });
    return { status: response.statusCode, body: response.json() };
  }

  it('previews without changing anything, then applies', async () => {
    const csv = templateCsv();
    const preview = await post(csv, 'dryRun=1&name=site.csv');
    expect(preview).toMatchObject({ status: 200, body: { applied: false, cameras: [{ id: 'xianggang-middle-1', change: 'added', berths: [{ change: 'added' }, { change: 'added' }] }] } });
    expect(imports).toEqual([]);
    expect(await post(csv, 'name=site.csv')).toMatchObject({ status: 200, body: { applied: true } });
    expect(site.cameras[0]?.berths).toHaveLength(2);
    expect((await post(csv, 'dryRun=true&name=site.csv')).body).toMatchObject({ cameras: [], unchangedCameras: 1 });
  });

  it.each([
    ['a workbook', templateXlsx, 'x.xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
    ['GB18030, whatever its name and type', async () => iconv.encode(templateCsv().toString().slice(1), 'gb18030'), 'x', 'text/csv'],
    ['YAML', async () => Buffer.from(JSON.stringify({ lots: [{ code: 'L1', name: 'Lot' }], cameras: [] })), 'x.yaml', 'application/json'],
  ] as const)('takes %s', async (_, make, name, type) => {
    expect(await post(await make(), `dryRun=1&name=${name}`, type)).toMatchObject({ status: 200, body: { applied: false } });
  });

  it('answers every problem with its place, in both languages', async () => {
    const { status, body } = await post('相机编号,泊位编号,四角坐标\nc1,1,x\n', 'dryRun=1&name=a.csv');
    expect([status, body.error]).toEqual([400, 'SITE_PROBLEMS']);
    expect(body.problems?.find((problem) => problem.column === '四角坐标')).toMatchObject({ row: 2, zh: expect.stringContaining('像素坐标') as string });
    expect(await post('', 'dryRun=1')).toMatchObject({ status: 400, body: { error: 'SITE_EMPTY' } });
    expect((await post(Buffer.alloc(9 * 1024 * 1024), 'name=a.csv')).status).toBe(413);
    expect((await post('x', 'dryRun=maybe')).status).toBe(400);
    expect((await post('--b\r\n', 'dryRun=1', 'multipart/form-data; boundary=b')).body.error).toBe('SITE_MULTIPART');
  });

  it('names vehicles that stand in what would go, and passes on that they may', async () => {
    await post(templateCsv(), 'name=site.csv');
    standing = [{ uid: 'V1', cameraId: 'xianggang-middle-1', berthId: 'hz-102', enteredAt: 5 }];
    const smaller = templateCsv().toString().split('\r\n').filter((_, i) => i !== 3).join('\r\n');
    expect((await post(smaller, 'dryRun=1&name=site.csv')).body.openVisits).toEqual(standing);
    expect((await post(smaller, 'remove=1&name=site.csv')).body).toMatchObject({ applied: true, endedVisits: ['V1'] });
    expect(imports.at(-1)).toEqual({ remove: true });
  });

  it('gives templates, and the site as a workbook without passwords that can be imported again', async () => {
    expect((await app.inject('/api/site/template.csv')).body).toContain('相机编号');
    const template = await app.inject('/api/site/template.xlsx');
    expect([template.statusCode, template.headers['content-disposition']]).toEqual([200, 'attachment; filename="template.xlsx"']);
    await post(template.rawPayload, 'name=template.xlsx');
    site = SiteSchema.parse({ ...site, cameras: site.cameras.map((camera) => ({ ...camera, gb28181: camera.gb28181 && { ...camera.gb28181, password: 'very-secret' } })) });
    const before = site;
    const workbook = (await app.inject('/api/site/site.xlsx')).rawPayload;
    expect((await post(workbook, 'name=site.xlsx')).body).toMatchObject({ applied: true, cameras: [], unchangedCameras: 1 });
    expect(site).toEqual(before);
    expect(await app.inject('/api/devices/unused-channels').then((response) => response.json())).toEqual([]);
  });
});
