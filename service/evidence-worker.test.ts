import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BerthwatchError } from '../base/errors.js';
import { silentLogger } from '../base/logger.js';
import { ManualClock } from '../base/manual-clock.js';
import type { EvidenceResult } from '../evidence/make.js';
import type { VisitEvent } from '../evidence/plan.js';
import type { Visit } from '../parking/model/visit.js';
import type { PlatformMessage } from '../platform/message.js';
import type { Database } from '../storage/catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../storage/catalogue/testing.js';
import { EvidenceWorker } from './evidence-worker.js';

const T0 = Date.UTC(2026, 0, 1, 4);
const VISIT: Visit = { id: 'u1', uid: 'u1', cameraId: 'cam', berthId: 'b1', plate: { status: 'unread' }, vehicleType: 'small', bodyColour: 'white', enteredAt: T0, leftAt: null, presentAtStart: false, confidence: 0.9 };
const ENTERED: VisitEvent = { type: 'entered', at: T0, visit: VISIT, instants: [] };

let postgres: TestPostgres;
let database: Database;
let clock: ManualClock;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  clock = new ManualClock(T0);
  database = await postgres.freshDatabase();
  await database.query(`INSERT INTO lot VALUES ('L1', '{}')`);
  await database.query(`INSERT INTO camera VALUES ('cam', 'L1', '{}')`);
  await database.query(`INSERT INTO berth VALUES ('b1', 'cam', 'L1', '101')`);
  await database.query(`INSERT INTO visit (uid, camera_id, berth_id, lot_code, entered_at, plate_status, doc) VALUES ('u1', 'cam', 'b1', 'L1', $1, 'unread', '{}')`, [T0]);
  await database.query(`INSERT INTO evidence_job (id, visit_uid, camera_id, event, next_attempt_at, created_at) VALUES ('u1/enter', 'u1', 'cam', $1, $2, $2)`, [JSON.stringify(ENTERED), T0]);
});

const picture = (id: string): EvidenceResult['pictures'][number] => ({ pictureId: id, of: 'enter', kind: 'panorama', role: 'parked', key: `k/${id}`, sha256: '00', bytes: 10, width: 1920, height: 1080, takenAt: T0, meetsResolution: true });

function worker(make: () => Promise<EvidenceResult>): { worker: EvidenceWorker; made: string[] } {
  const made: string[] = [];
  const all: ReadonlySet<PlatformMessage['kind']> = new Set(['enter', 'photo'] as const);
  const instance = new EvidenceWorker({ database, make, lotOfBerth: () => 'L1', platforms: [{ id: 'qd', accepts: all }], clock, logger: silentLogger, onMade: (event) => made.push(event.visit.uid), onTrouble: () => undefined });
  return { worker: instance, made };
}

const state = async (): Promise<{ state: string; attempts: number; last_error: string | null } | undefined> => (await database.query<{ state: string; attempts: number; last_error: string | null }>('SELECT state, attempts, last_error FROM evidence_job')).rows[0];

/** Lets the worker run, and the clock with it, until the condition holds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('EvidenceWorker', () => {
  it('stores pictures, their messages and the end of the job together', async () => {
    const { worker: w, made } = worker(() => Promise.resolve({ pictures: [picture('u1-E1'), picture('u1-E2')], missing: [] }));
    w.start();
    await until(async () => made.length > 0);
    await w.close();
    expect(await state()).toEqual({ state: 'done', attempts: 1, last_error: null });
    const messages = await database.query<{ message_key: string; requires: string[]; message: PlatformMessage }>('SELECT message_key, requires, message FROM outbox ORDER BY id');
    expect(messages.rows.map((row) => [row.message_key, row.requires])).toEqual([
      ['photo/u1-E1', ['u1/enter']],
      ['photo/u1-E2', ['u1/enter']],
    ]);
    expect(messages.rows[0]?.message).toMatchObject({ kind: 'photo', lotCode: 'L1', uid: 'u1', photoId: 'u1-E1', of: 'enter', name: 'u1-E1.jpg', objectKey: 'k/u1-E1' });
  });

  it('tries again after trouble, and repeating a finished job changes nothing', async () => {
    let tries = 0;
    const { worker: w, made } = worker(() => (++tries < 3 ? Promise.reject(new BerthwatchError('unavailable', 'VISION_DOWN', 'no child')) : Promise.resolve({ pictures: [picture('u1-E1')], missing: [] })));
    w.start();
    await until(async () => made.length > 0);
    await w.close();
    expect(await state()).toMatchObject({ state: 'done', attempts: 3 });
    await database.query(`UPDATE evidence_job SET state = 'pending'`);
    const again = worker(() => Promise.resolve({ pictures: [picture('u1-E1')], missing: [] }));
    again.worker.start();
    await until(async () => again.made.length > 0);
    await again.worker.close();
    const { rows } = await database.query<{ n: number }>('SELECT count(*)::int4 AS n FROM outbox');
    expect(rows[0]?.n).toBe(1);
  });

  it('gives up on footage that is gone, and says which picture is missing', async () => {
    const gone = worker(() => Promise.reject(new BerthwatchError('not-found', 'FOOTAGE_FRAME', 'the footage has no such frame')));
    gone.worker.start();
    await until(async () => (await state())?.state === 'failed');
    await gone.worker.close();
    expect(await state()).toMatchObject({ attempts: 5, last_error: 'the footage has no such frame' });
    await database.query(`UPDATE evidence_job SET state = 'pending', next_attempt_at = 0`);
    const partly = worker(() => Promise.resolve({ pictures: [picture('u1-E1')], missing: [{ pictureId: 'u1-E2', reason: 'retention removed it' }] }));
    partly.worker.start();
    await until(async () => partly.made.length > 0);
    await partly.worker.close();
    expect(await state()).toMatchObject({ state: 'done', last_error: 'u1-E2: retention removed it' });
  });
});
