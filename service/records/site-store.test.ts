import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { VisitEvent } from '../../evidence/plan.js';
import { replay } from '../../parking/testing/replay.js';
import { observe, parkingPath, START, streetSite, type Actor } from '../../parking/testing/street.js';
import type { PlatformMessage } from '../../platform/message.js';
import type { Database } from '../../storage/catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import { initialPipelineState } from '../analysis/pipeline.js';
import { cameraSite, SiteSchema, type Site, type SiteCamera } from '../config/site.js';
import { AnalysisStore } from './analysis-store.js';
import { recordRules } from './record-rules.js';
import { SiteStore } from './site-store.js';
import { readVisits } from './visit-reader.js';

const street = streetSite();
const LOT = '3702000001';
const camera = (id: string, berths: object[], change: object = {}): object => ({ id, name: id, deviceNumber: 'D', lot: LOT, roadSection: '香港中路', direction: '由东向西', width: 1920, height: 1080, berths, ...change });
const berths = street.berths.map(({ id, number, kind, polygon, lengthM, widthM, drivingDirection }) => ({ id, number, kind, polygon, lengthM, widthM, drivingDirection }));
const other = (id: string, number: string): object => ({ id, number, kind: 'parallel', polygon: [[0, 0], [100, 0], [100, 100], [0, 100]], lengthM: 6, widthM: 2.5, drivingDirection: [0, 1] });
const SITE: Site = SiteSchema.parse({ lots: [{ code: LOT, name: 'Lot', tariff: { freeMinutes: 0, unitMinutes: 1, unitFen: 100 } }], cameras: [camera('cam', berths), camera('cam-2', [other('x1', 'X1')])] });
const PLATFORMS = [{ id: 'qd', accepts: new Set<PlatformMessage['kind']>(['enter', 'correction', 'leave', 'photo', 'heartbeat']) }];

let postgres: TestPostgres;
let database: Database;
let sites: SiteStore;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.freshDatabase();
  sites = new SiteStore(database);
  await sites.import(SITE);
});

const change = (work: (site: Site) => void): Site => {
  const site = structuredClone(SITE);
  work(site);
  return site;
};
const first = (site: Site): SiteCamera => site.cameras[0] as SiteCamera;

/** A car that came into b2 at second 20 and still stands there at second 60, as the analysis leaves it in the catalogue. */
async function parked(): Promise<string> {
  const actor: Actor = { id: 1, plate: { text: '鲁B12345', colour: 'blue' }, path: parkingPath(1, 20, null) };
  const { state, events } = replay(cameraSite(first(SITE)), (t) => observe([actor], t), { to: 60 });
  const store = new AnalysisStore(database, recordRules(SITE, PLATFORMS));
  const told = events.filter((event): event is VisitEvent => 'visit' in event);
  await store.write({ cameraId: 'cam', from: null, to: { position: { segment: 1, gop: 30 }, analysedTo: START + 60_000, state: { ...initialPipelineState('cam'), parking: state } }, events: told }, 1);
  expect(told.map((event) => event.type)).toEqual(['entered']);
  return told[0]?.visit.uid as string;
}

const visits = () => readVisits(database, { limit: 10, before: null, berthId: null, cameraId: null, uid: null });

describe('SiteStore', () => {
  it('holds exactly what was imported last, and brings back what was taken out', async () => {
    expect(await sites.read()).toEqual(SITE);
    const smaller = change((site) => {
      site.cameras.pop();
      first(site).berths.pop();
    });
    expect(await sites.import(smaller)).toEqual({ lots: 1, cameras: 1, berths: 3, removedCameras: ['cam-2'], endedVisits: [] });
    expect(await sites.read()).toEqual(smaller);
    const retired = await sites.retired();
    expect([...retired.cameras.keys()]).toEqual(['cam-2']);
    expect(retired.cameras.get('cam-2')?.berths.map((berth) => berth.id)).toEqual(['x1']);
    expect(retired.berths.get('b4')).toMatchObject({ cameraId: 'cam', lotCode: LOT, berth: { number: 'A004' } });
    await sites.import(SITE);
    expect(await sites.read()).toEqual(SITE);
    expect((await sites.retired()).cameras.size).toBe(0);
  });

  it('lets two berths exchange their numbers, and gives the number of one that went to another', async () => {
    const swapped = change((site) => {
      const [a, b] = first(site).berths;
      if (a && b) [a.number, b.number] = [b.number, a.number];
    });
    await sites.import(swapped);
    expect(await sites.read()).toEqual(swapped);
    const renamed = change((site) => {
      const berth = first(site).berths[0];
      if (berth) berth.id = 'new';
    });
    await sites.import(renamed);
    expect(await sites.read()).toEqual(renamed);
  });

  it('refuses to take out a berth in which a vehicle stands, and says which', async () => {
    const uid = await parked();
    const without = change((site) => (first(site).berths = first(site).berths.filter((berth) => berth.id !== 'b2')));
    await expect(sites.import(without)).rejects.toMatchObject({ kind: 'conflict', code: 'SITE_OPEN_VISITS', message: expect.stringContaining(`berth b2 of camera cam (visit ${uid})`) as string });
    expect(await sites.read()).toEqual(SITE);
    expect(await sites.openVisitsWithout(without)).toMatchObject([{ uid, berthId: 'b2', cameraId: 'cam' }]);
    await sites.import(change((site) => site.cameras.pop()));
  });

  it.each([
    ['the berth', (site: Site) => (first(site).berths = first(site).berths.filter((berth) => berth.id !== 'b2'))],
    ['its camera', (site: Site) => site.cameras.shift()],
  ] as const)('ends the visit with the last sight of the vehicle when %s is taken out all the same', async (_, work) => {
    const uid = await parked();
    expect((await sites.import(change(work), { remove: true, now: 5, platforms: PLATFORMS })).endedVisits).toEqual([uid]);
    const [record] = await visits();
    expect(record?.visit).toMatchObject({ uid, leftAt: START + 60_000, plate: { text: '鲁B12345' } });
    expect(record?.feeFen).toBeGreaterThan(0);
    const { rows: jobs } = await database.query<{ id: string }>('SELECT id FROM evidence_job ORDER BY id');
    expect(jobs.map(({ id }) => id)).toEqual([`${uid}/enter`, `${uid}/leave`]);
    const { rows: messages } = await database.query<{ message_key: string }>(`SELECT message_key FROM outbox ORDER BY id`);
    expect(messages.map((row) => row.message_key)).toEqual([`${uid}/enter`, `${uid}/leave`]);
    // The stored state has forgotten it: when the berth comes back, a vehicle there is a new visit.
    const { rows } = await database.query<{ state: { parking: { berths: { berthId: string; occupant: unknown }[] } } }>('SELECT state FROM analysis');
    expect(rows[0]?.state.parking.berths.some((berth) => berth.berthId === 'b2' && berth.occupant !== null)).toBe(false);
    await sites.import(SITE);
  });

  it('ends a visit of which no state is left, and charges nothing', async () => {
    const uid = await parked();
    await database.query(`UPDATE analysis SET state = '{}'`);
    await sites.import(change((site) => site.cameras.shift()), { remove: true, platforms: PLATFORMS });
    const [record] = await visits();
    expect(record?.visit.uid).toBe(uid);
    expect((record?.visit.leftAt ?? 0) - (record?.visit.enteredAt ?? 0)).toBe(1);
  });

  it('refuses to move a berth to another camera while a vehicle stands in it', async () => {
    await parked();
    const moved = change((site) => {
      const [from, to] = site.cameras as [SiteCamera, SiteCamera];
      to.berths.push(...from.berths.splice(1, 1));
    });
    await expect(sites.import(moved, { remove: true })).rejects.toMatchObject({ code: 'SITE_BERTH_MOVED' });
  });
});
