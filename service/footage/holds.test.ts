import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import { parseDuration } from '../../base/units.js';
import type { Database } from '../../storage/catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import { HoldTable } from '../../storage/footage/holds.js';
import { ConfigSchema, finishConfig } from '../config/config.js';
import { SiteSchema } from '../config/site.js';
import { SiteStore } from '../records/site-store.js';
import { cameraOfLog, retentionPolicies, secondLogId } from './retention-policy.js';
import { VisitHolds } from './visit-holds.js';

const MINUTE = 60_000;
const DAY = 86_400_000;
const camera = (id: string, more: object = {}): object => ({
  id, name: id, deviceNumber: 'D', lot: 'L1', roadSection: 'Road', direction: 'east', width: 1920, height: 1080,
  berths: [{ id: `b-${id}`, number: id, kind: 'parallel', polygon: [[0, 0], [100, 0], [100, 100], [0, 100]], lengthM: 6, widthM: 2.5, drivingDirection: [0, 1] }],
  ...more,
});
const SITE = SiteSchema.parse({ lots: [{ code: 'L1', name: 'Lot' }], cameras: [camera('plain'), camera('short', { retention: '7d' }), camera('long', { retention: '90d', quota: '5G' })] });
const footage = (given: object = {}) => ConfigSchema.parse({ footage: given }).footage;

describe('retentionPolicies', () => {
  it('keeps 30 days whatever a camera asks, unless shorter is permitted, and says so either way', () => {
    const strict = retentionPolicies(footage({ cameraQuota: '1G' }), SITE);
    expect(['plain', 'short', 'long', 'gone'].map((id) => strict.policy(id).retentionMs / DAY)).toEqual([30, 30, 90, 30]);
    expect(strict.warning).toMatch(/camera short for less than 30 days; it is kept for 30 days/);
    const permitted = retentionPolicies(footage({ allowShorterRetention: true, secondStreamRetention: '2d' }), SITE);
    expect(permitted.policy('short').retentionMs).toBe(7 * DAY);
    expect(permitted.warning).toMatch(/camera short is kept for less than 30 days/);
    expect(permitted.policy('plain~sub').retentionMs).toBe(2 * DAY);
    expect([strict.policy('long').quotaBytes, strict.policy('plain').quotaBytes, strict.policy('long~sub')]).toEqual([5 * 1024 ** 3, 1024 ** 3, { retentionMs: 90 * DAY, quotaBytes: null }]);
    expect(retentionPolicies(footage({ retention: '10d', allowShorterRetention: true }), SITE).warning).toMatch(/footage.retention is shorter/);
    expect(retentionPolicies(footage(), SiteSchema.parse({ ...SITE, cameras: [camera('plain')] })).warning).toBeNull();
  });

  it('refuses a shorter retention in the configuration that nobody permitted', () => {
    expect(() => finishConfig(ConfigSchema.parse({ footage: { retention: '29d' } }), '/', {})).toThrow(/allowShorterRetention/);
    expect(() => finishConfig(ConfigSchema.parse({ footage: { retention: '29d', allowShorterRetention: true } }), '/', {})).not.toThrow();
  });

  it('keeps site values as they were written', () => {
    expect(SiteSchema.parse(JSON.parse(JSON.stringify(SITE)))).toEqual(SITE);
    for (const wrong of [{ retention: 'soon' }, { quota: 'much' }]) expect(() => SiteSchema.parse({ ...SITE, cameras: [camera('c', wrong)] })).toThrow(/write it like/);
    expect(parseDuration(SITE.cameras[1]?.retention ?? '')).toBe(7 * DAY);
  });

  it('names further streams so that no camera can have the name', () => {
    const [first] = SITE.cameras;
    const id = secondLogId(first as (typeof SITE.cameras)[number]);
    expect([id, cameraOfLog(id), cameraOfLog('plain')]).toEqual(['plain~sub', { cameraId: 'plain', second: true }, { cameraId: 'plain', second: false }]);
    expect(() => SiteSchema.parse({ ...SITE, cameras: [camera('plain~sub')] })).toThrow();
  });
});

describe('VisitHolds', () => {
  let postgres: TestPostgres;
  let database: Database;
  let holds: HoldTable;
  let visits: VisitHolds;
  const clock = new ManualClock();
  const entered = clock.now() - DAY;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    database = await postgres.freshDatabase();
    await new SiteStore(database).import(SITE);
    await database.query(`INSERT INTO visit (uid, camera_id, berth_id, lot_code, entered_at, plate_status, doc) VALUES ('V1', 'plain', 'b-plain', 'L1', $1, 'unread', '{}')`, [entered]);
    holds = new HoldTable(database);
    visits = new VisitHolds({ database, holds, clock, knowsCamera: (id) => Promise.resolve(id === 'plain') });
  });
  afterAll(() => postgres.stop());
  const who = { reason: 'the driver says it was another car', heldBy: 'Li' };

  it('holds a visit from ten minutes before to ten minutes after it, also one that is not over', async () => {
    const hold = await visits.add({ visitUid: 'V1', ...who });
    expect(hold).toMatchObject({ cameraId: 'plain', from: entered - 10 * MINUTE, to: null, covers: { segments: 0, bytes: 0, gone: 0 } });
    await visits.refresh();
    expect((await holds.list({ active: true, limit: 9 }))[0]?.to).toBeNull();
    // It ends, and is corrected to have begun earlier.
    await database.query(`UPDATE visit SET entered_at = $1, left_at = $2 WHERE uid = 'V1'`, [entered - MINUTE, entered + 30 * MINUTE]);
    await visits.refresh();
    expect((await holds.list({ active: true, limit: 9 }))[0]).toMatchObject({ from: entered - 11 * MINUTE, to: entered + 40 * MINUTE });
  });

  it('holds a camera’s time, and says what is missing in a request', async () => {
    expect(await visits.add({ cameraId: 'plain', from: 5, to: 10, until: clock.now() + DAY, ...who })).toMatchObject({ from: 5, to: 10, until: clock.now() + DAY, visitUid: null });
    await expect(visits.add({ ...who })).rejects.toMatchObject({ code: 'HOLD_WHAT' });
    await expect(visits.add({ visitUid: 'V1', cameraId: 'plain', ...who })).rejects.toMatchObject({ code: 'HOLD_WHAT' });
    await expect(visits.add({ visitUid: 'V1', from: 5, ...who })).rejects.toMatchObject({ code: 'HOLD_WHAT' });
    await expect(visits.add({ visitUid: 'V2', ...who })).rejects.toMatchObject({ kind: 'not-found' });
    await expect(visits.add({ cameraId: 'other', from: 5, to: 10, ...who })).rejects.toMatchObject({ kind: 'not-found' });
    await expect(visits.add({ cameraId: 'plain', from: 5, ...who })).rejects.toMatchObject({ code: 'HOLD_RANGE' });
    await expect(visits.add({ cameraId: 'plain', from: 10, to: 5, ...who })).rejects.toMatchObject({ code: 'HOLD_RANGE' });
  });
});
