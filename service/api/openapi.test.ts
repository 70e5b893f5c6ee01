import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.js';
import { ManualClock } from '../../base/manual-clock.js';
import { Feed } from '../live/feed.js';
import { finding } from '../../storage/archive/finding.js';
import type { FootageHold } from '../../storage/footage/holds.js';
import type { StorageStatus } from '../../storage/footage/retention-job.js';
import type { HostClockStatus } from '../time/host-clock.js';
import type { ApiSources } from './routes.js';
import type { ArchiveView } from './archive-routes.js';
import { createApi } from './server.js';
import { fakeDevices } from './testing/fake-devices.js';

const fail = (): never => {
  throw new Error('none');
};

const TOKEN = 'a-token-for-this-test';
const STORAGE: StorageStatus = {
  state: 'ok', disk: { totalBytes: 100, freeBytes: 50, reserveBytes: 5 }, quotaBytes: null, bytes: 7, segments: 1, bytesPerDay: null, daysLeft: null, whenFull: 'refuse',
  dropped: { segments: 0, bytes: 0, lastAt: null }, lastPass: null,
  cameras: [{ cameraId: 'c', segments: 1, bytes: 7, oldestDay: 0, bytesPerDay: null, retentionMs: 30 * 86_400_000, quotaBytes: null, refused: null }],
};
const CLOCK: HostClockStatus = { state: 'off', offsetMs: null, delayMs: null, server: null, stratum: null, checkedAt: null, servers: [], steps: [], unconfirmedMs: 0 };
const ARCHIVE: ArchiveView = {
  archive: { state: 'failing', reason: 'no bucket', since: 1, nextTryAt: 2, place: 'bucket b', backlog: { segments: 1, bytes: 2, oldestAt: 3, remainingMs: null }, uploading: [{ cameraId: 'c', segment: 1, bytes: 2, sent: 1 }], uploaded: { segments: 0, bytes: 0 }, bytesPerSecond: 0, blocked: { segments: 0, first: null }, trouble: null, waitingRemovals: 0, unconfirmed: 0 },
  check: null,
};
const HOLD: FootageHold = { id: 3, cameraId: 'c', from: 1, to: 2, visitUid: null, reason: 'disputed', heldBy: 'Li', createdAt: 5, until: null, releasedAt: null, releasedBy: null };

function sources(feed: Feed): ApiSources {
  return {
    feed,
    problems: () => [{ part: 'footage', message: 'disk full', since: 1 }],
    status: () => Promise.resolve({ startedAt: 0, now: 1, problems: [], platforms: [], storage: STORAGE, archive: ARCHIVE, clock: CLOCK, counts: { visits: 0, openVisits: 0, pictures: 0, pendingEvidence: 0 } }),
    cameras: () => Promise.resolve([]),
    visits: () => Promise.resolve([]),
    visit: () => Promise.resolve(null),
    picture: (id) => Promise.resolve(id === 'p' ? new Uint8Array([0xff, 0xd8]) : null),
    latestFrame: () => Promise.resolve(null),
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'x 1' }),
    site: () => Promise.resolve({ lots: [], cameras: [] }),
    openVisitsWithout: () => Promise.resolve([]),
    unusedChannels: () => [],
    importSite: () => Promise.resolve({ lots: 1, cameras: 0, berths: 0, removedCameras: [], endedVisits: [] }),
    devices: fakeDevices(),
    deviceFootage: {
      recordings: { request: () => Promise.reject(new Error('none')), list: () => Promise.resolve([]), get: () => Promise.reject(new Error('none')), remove: () => Promise.resolve(), info: () => Promise.reject(new Error('none')), content: () => Promise.reject(new Error('none')) },
      playbacks: { open: () => Promise.reject(new Error('none')), list: () => [], get: () => fail(), read: () => fail(), steer: () => Promise.reject(new Error('none')), end: () => Promise.resolve() },
    },
    storage: {
      status: () => STORAGE,
      holds: () => Promise.resolve([HOLD]),
      addHold: (request) => Promise.resolve({ ...HOLD, ...request, until: null, visitUid: request.visitUid ?? null, cameraId: request.cameraId ?? 'c', from: request.from ?? 1, to: request.to ?? null, covers: { segments: 1, bytes: 7, gone: 0 } }),
      covers: () => Promise.resolve({ segments: 2, bytes: 3, gone: 1 }),
      releaseHold: (id, by) => Promise.resolve({ ...HOLD, id, releasedAt: 9, releasedBy: by }),
    },
    archive: { status: () => ARCHIVE, findings: () => Promise.resolve({ count: 1, findings: [{ ...finding({ kind: 'no-object', where: 'footage/c/1.mp4' }), foundAt: 7 }] }) },
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
    for (const path of ['/api/status', '/api/cameras', '/api/visits', '/api/visits/{uid}', '/api/evidence/{id}', '/api/cameras/{id}/latest.jpg', '/api/events', '/api/site', '/api/storage', '/api/holds', '/api/holds/{id}', '/api/devices', '/api/devices/{id}/channels/{channel}/snapshot', '/api/alarms', '/api/archive', '/api/archive/findings', '/healthz', '/metrics']) {
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

  it('tells of the disk, and lets footage be held with the token only', async () => {
    expect((await app.inject('/api/storage')).json()).toEqual(STORAGE);
    expect((await app.inject('/api/archive')).json()).toEqual(ARCHIVE);
    expect((await app.inject('/api/archive/findings?limit=5')).json()).toMatchObject({ count: 1, findings: [{ kind: 'no-object', foundAt: 7 }] });
    expect((await app.inject('/api/status')).json()).toMatchObject({ storage: { state: 'ok' }, clock: { state: 'off' } });
    expect((await app.inject('/api/holds?all=true')).json()).toEqual([{ ...HOLD, covers: null }]);
    expect((await app.inject('/api/holds?covers=true')).json()).toEqual([{ ...HOLD, covers: { segments: 2, bytes: 3, gone: 1 } }]);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const payload = { visitUid: 'V1', reason: 'disputed', heldBy: 'Li' };
    expect((await app.inject({ method: 'POST', url: '/api/holds', payload })).statusCode).toBe(401);
    const made = await app.inject({ method: 'POST', url: '/api/holds', payload, headers });
    expect([made.statusCode, made.json()]).toMatchObject([201, { visitUid: 'V1', covers: { segments: 1 } }]);
    for (const wrong of [{ ...payload, reason: ' ' }, { ...payload, heldBy: undefined }, { ...payload, from: -1 }, { ...payload, extra: 1 }]) {
      expect((await app.inject({ method: 'POST', url: '/api/holds', payload: wrong, headers })).statusCode).toBe(400);
    }
    expect((await app.inject({ method: 'DELETE', url: '/api/holds/3?by=Wang' })).statusCode).toBe(401);
    expect((await app.inject({ method: 'DELETE', url: '/api/holds/3', headers })).statusCode).toBe(400);
    expect((await app.inject({ method: 'DELETE', url: '/api/holds/3?by=Wang', headers })).json()).toMatchObject({ releasedBy: 'Wang' });
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
