import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.js';
import { ManualClock } from '../../base/manual-clock.js';
import { Feed } from '../live/feed.js';
import type { ApiSources } from './routes.js';
import { createApi } from './server.js';

const TOKEN = 'a-token-for-this-test';

function sources(feed: Feed): ApiSources {
  return {
    feed,
    problems: () => [{ part: 'footage', message: 'disk full', since: 1 }],
    status: () => Promise.resolve({ startedAt: 0, now: 1, problems: [], platforms: [], counts: { visits: 0, openVisits: 0, pictures: 0, pendingEvidence: 0 } }),
    cameras: () => Promise.resolve([]),
    visits: () => Promise.resolve([]),
    visit: () => Promise.resolve(null),
    picture: (id) => Promise.resolve(id === 'p' ? new Uint8Array([0xff, 0xd8]) : null),
    latestFrame: () => Promise.resolve(null),
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'x 1' }),
    site: () => Promise.resolve({ lots: [], cameras: [] }),
    importSite: () => Promise.resolve({ lots: 1, cameras: 0, berths: 0, removedCameras: [], endedVisits: [] }),
  };
}

async function build(host: string, token: string | null): Promise<{ app: FastifyInstance; feed: Feed }> {
  const feed = new Feed(new ManualClock());
  const app = await createApi({ host, port: 0, token, consoleFolder: '/nowhere', version: '0', logger: silentLogger }, sources(feed));
  return { app, feed };
}

describe('the HTTP API', () => {
  let app: FastifyInstance;
  let feed: Feed;
  beforeEach(async () => ({ app, feed } = await build('127.0.0.1', TOKEN)));
  afterEach(() => app.close());

  it('describes every route by OpenAPI', async () => {
    const document = (await app.inject('/api/openapi.json')).json<{ paths: Record<string, unknown> }>();
    for (const path of ['/api/status', '/api/cameras', '/api/visits', '/api/visits/{uid}', '/api/evidence/{id}', '/api/cameras/{id}/latest.jpg', '/api/events', '/api/site', '/healthz', '/metrics']) {
      expect(document.paths, path).toHaveProperty([path]);
    }
  });

  it('says what is wrong in health, and answers pictures and errors', async () => {
    expect((await app.inject('/healthz')).json()).toMatchObject({ status: 'degraded', problems: [{ part: 'footage' }] });
    const picture = await app.inject('/api/evidence/p');
    expect([picture.statusCode, picture.headers['content-type']]).toEqual([200, 'image/jpeg']);
    const missing = await app.inject('/api/evidence/q');
    expect([missing.statusCode, missing.json()]).toEqual([404, { error: 'API_NOT_FOUND', message: 'there is no picture q' }]);
    expect((await app.inject('/api/visits?limit=0')).statusCode).toBe(400);
    expect((await app.inject('/api/visits?limit=x')).json<{ message: string }>().message).toMatch(/limit/);
  });

  it('changes nothing without the token', async () => {
    const site = { lots: [{ code: 'L1', name: 'Lot' }], cameras: [] };
    expect((await app.inject({ method: 'PUT', url: '/api/site', payload: site })).statusCode).toBe(401);
    expect((await app.inject({ method: 'PUT', url: '/api/site', payload: site, headers: { authorization: 'Bearer wrong' } })).statusCode).toBe(401);
    const right = await app.inject({ method: 'PUT', url: '/api/site', payload: site, headers: { authorization: `Bearer ${TOKEN}` } });
    expect([right.statusCode, right.json()]).toEqual([200, { lots: 1, cameras: 0, berths: 0, removedCameras: [], endedVisits: [] }]);
    const withoutToken = await build('127.0.0.1', null);
    const refused = await withoutToken.app.inject({ method: 'PUT', url: '/api/site', payload: site });
    expect(refused.json<{ message: string }>().message).toMatch(/no token is configured/);
    await withoutToken.app.close();
  });

  it('is not open to web pages that point their own name at this machine, nor to others when bound to all addresses', async () => {
    expect((await app.inject({ url: '/api/status', headers: { host: 'evil.example:8080' } })).statusCode).toBe(401);
    expect((await app.inject({ url: '/api/status', headers: { host: '[::1]:8080' } })).statusCode).toBe(200);
    const exposed = await build('0.0.0.0', TOKEN);
    expect((await exposed.app.inject('/api/status')).statusCode).toBe(401);
    expect((await exposed.app.inject(`/api/status?access_token=${TOKEN}`)).statusCode).toBe(200);
    expect((await exposed.app.inject('/healthz')).statusCode).toBe(200);
    await exposed.app.close();
  });

  it('streams what happens and repeats what a reader missed', async () => {
    feed.publish('stream-up', { cameraId: 'c' });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as { port: number };
    const abort = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}/api/events?since=0`, { signal: abort.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    const readUntil = async (part: string): Promise<void> => {
      while (!text.includes(part)) text += new TextDecoder().decode((await reader.read()).value);
    };
    await readUntil('stream-up');
    feed.publish('visit-opened', { uid: 'u' });
    await readUntil('visit-opened');
    abort.abort();
  });
});
