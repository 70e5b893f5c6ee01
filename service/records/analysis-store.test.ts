import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { VisitEvent } from '../../evidence/plan.js';
import type { Visit } from '../../parking/model/visit.js';
import type { PlatformMessage } from '../../platform/message.js';
import type { Database } from '../../storage/catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import { SiteSchema } from '../config/site.js';
import { AnalysisStore, type AnalysisStep } from './analysis-store.js';
import { SiteStore } from './site-store.js';
import { readCounts, readDayCounts, readVisits } from './visit-reader.js';

const T0 = Date.UTC(2026, 0, 1, 4);
const berth = (id: string, number: string): object => ({ id, number, kind: 'parallel', polygon: [[0, 0], [100, 0], [100, 100], [0, 100]], lengthM: 6, widthM: 2.5, drivingDirection: [0, 1] });
const SITE = SiteSchema.parse({
  lots: [{ code: 'L1', name: 'Lot' }],
  cameras: [{ id: 'cam', name: 'Camera', deviceNumber: 'D', lot: 'L1', roadSection: 'Road', direction: 'east', width: 1920, height: 1080, berths: [berth('b1', '101'), berth('b2', '102')] }],
});
const ALL: ReadonlySet<PlatformMessage['kind']> = new Set(['enter', 'correction', 'leave', 'photo', 'heartbeat'] as const);

function visit(berthId: string, enteredAt: number, change: Partial<Visit> = {}): Visit {
  const uid = `L1${berthId}${enteredAt}`;
  return { id: uid, uid, cameraId: 'cam', berthId, plate: { status: 'unread' }, vehicleType: 'small', bodyColour: 'white', enteredAt, leftAt: null, presentAtStart: false, confidence: 0.9, ...change };
}

let postgres: TestPostgres;
let database: Database;
let store: AnalysisStore;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.freshDatabase();
  await new SiteStore(database).import(SITE);
  store = new AnalysisStore(database, { platforms: [{ id: 'qd', accepts: ALL }, { id: 'plain', accepts: new Set(['enter', 'leave'] as const) }], lotOfBerth: () => 'L1', totalBerths: () => 2, feeFen: () => 400 });
});

let gop = -1;
beforeEach(() => void (gop = -1));

/** Writes the next GOP's step with these events. */
async function step(...events: VisitEvent[]): Promise<void> {
  const from: AnalysisStep['from'] = gop < 0 ? null : { segment: 1, gop };
  gop++;
  await store.write({ cameraId: 'cam', from, to: { position: { segment: 1, gop }, analysedTo: T0 + gop, state: { gop } }, events }, T0);
}

const outbox = async (platform: string): Promise<{ message_key: string; requires: string[]; message: { counts?: object } }[]> =>
  (await database.query<{ message_key: string; requires: string[]; message: { counts?: object } }>('SELECT message_key, requires, message FROM outbox WHERE platform = $1 ORDER BY id', [platform])).rows;

describe('AnalysisStore', () => {
  it('passes a GOP without touching the state, and only from where the camera stands', async () => {
    await step();
    await store.pass({ cameraId: 'cam', from: { segment: 1, gop: 0 }, to: { position: { segment: 1, gop: 1 }, analysedTo: T0 + 2_000 } }, T0);
    expect(await store.checkpoint('cam')).toEqual({ position: { segment: 1, gop: 1 }, analysedTo: T0 + 2_000, state: { gop: 0 } });
    await expect(store.pass({ cameraId: 'cam', from: { segment: 1, gop: 0 }, to: { position: { segment: 1, gop: 1 }, analysedTo: T0 } }, T0)).rejects.toMatchObject({ kind: 'conflict' });
  });

  it('writes state, visit, evidence job, outbox rows and position together', async () => {
    const parked = visit('b1', T0);
    await step({ type: 'entered', at: T0, visit: parked, instants: [] });
    expect(await store.checkpoint('cam')).toEqual({ position: { segment: 1, gop: 0 }, analysedTo: T0, state: { gop: 0 } });
    const read: Visit = { ...parked, plate: { status: 'read', text: '鲁B12345', colour: 'blue', confidence: 0.99 } };
    await step({ type: 'corrected', at: T0 + 10, visit: read, before: parked.plate, instants: [] });
    await step({ type: 'left', at: T0 + 60_000, visit: { ...read, leftAt: T0 + 60_000 }, instants: [] });

    const [record] = await readVisits(database, { limit: 10, before: null, berthId: null, cameraId: null, uid: null });
    expect(record).toMatchObject({ lotCode: 'L1', revision: 1, feeFen: 400, visit: { uid: parked.uid, leftAt: T0 + 60_000, plate: { text: '鲁B12345' } } });
    const jobs = await database.query<{ id: string }>('SELECT id FROM evidence_job ORDER BY id');
    expect(jobs.rows.map((row) => row.id)).toEqual([`${parked.uid}/correction-1`, `${parked.uid}/enter`, `${parked.uid}/leave`]);
    const keys = { enter: `${parked.uid}/enter`, correction: `${parked.uid}/correction-1`, leave: `${parked.uid}/leave` };
    expect((await outbox('qd')).map(({ message_key, requires }) => [message_key, requires])).toEqual([
      [keys.enter, []],
      [keys.correction, [keys.enter]],
      [keys.leave, [keys.enter, keys.correction]],
    ]);
    // A protocol without corrections: the leave record waits for nothing that never comes.
    expect((await outbox('plain')).map(({ message_key, requires }) => [message_key, requires])).toEqual([
      [keys.enter, []],
      [keys.leave, [keys.enter]],
    ]);
    expect((await outbox('qd'))[0]?.message.counts).toEqual({ totalBerths: 2, freeBerths: 1 });
    expect(await readCounts(database)).toEqual({ visits: 1, openVisits: 0, pictures: 0, pendingEvidence: 3 });
    expect(await readDayCounts(database, 'L1', T0 - 4 * 3_600_000)).toEqual({ entered: 1, left: 1, photos: 0 });
  });

  it('lets only one of two analysers go on from the same position, and writes nothing of the other', async () => {
    await step();
    const late: AnalysisStep = { cameraId: 'cam', from: null, to: { position: { segment: 1, gop: 0 }, analysedTo: T0, state: {} }, events: [{ type: 'entered', at: T0, visit: visit('b1', T0), instants: [] }] };
    await expect(store.write(late, T0)).rejects.toMatchObject({ kind: 'conflict', code: 'ANALYSIS_POSITION' });
    expect(await readVisits(database, { limit: 10, before: null, berthId: null, cameraId: null, uid: null })).toEqual([]);
  });

  it('refuses visits of a berth that overlap (promise 3), with nothing of the step written', async () => {
    await step({ type: 'entered', at: T0, visit: visit('b1', T0), instants: [] });
    await expect(step({ type: 'entered', at: T0 + 5, visit: visit('b1', T0 + 5), instants: [] })).rejects.toMatchObject({ kind: 'conflict' });
    expect((await store.checkpoint('cam'))?.position).toEqual({ segment: 1, gop: 0 });
    gop = 0;
    await step({ type: 'entered', at: T0 + 5, visit: visit('b2', T0 + 5), instants: [] });
  });

  it('refuses the leave of a visit that is not open', async () => {
    await expect(step({ type: 'left', at: T0, visit: visit('b1', T0, { leftAt: T0 + 1 }), instants: [] })).rejects.toMatchObject({ code: 'VISIT_MISSING' });
  });
});
