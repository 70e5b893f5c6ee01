import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../storage/catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import { enqueue, OutboxTable } from './outbox-table.js';

let postgres: TestPostgres;
let database: Database;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.freshDatabase();
});

async function put(key: string, requires: string[] = [], createdAt = 0, platform = 'qd'): Promise<void> {
  const message = { kind: 'photo', lotCode: 'L', uid: 'u', photoId: key, of: 'enter', takenAt: 0, name: 'n', objectKey: 'k' } as const;
  await database.transaction((tx) => enqueue(tx, [{ platform, key, requires, message, visitUid: 'u', createdAt }]));
}

describe('OutboxTable', () => {
  it('keeps a message once, however often it is put in', async () => {
    await put('a');
    await put('a');
    const table = new OutboxTable(database, 'qd');
    expect(await table.counts()).toMatchObject({ pending: 1, delivered: 0 });
    expect(await table.claimFresh(1)).toMatchObject({ key: 'a', attempts: 1, message: { kind: 'photo', photoId: 'a' } });
    expect(await table.claimFresh(1)).toBeNull();
  });

  it('holds back what requires an undelivered message of the same platform', async () => {
    await put('photo', ['enter']);
    await put('enter');
    await put('enter', [], 0, 'other');
    const table = new OutboxTable(database, 'qd');
    const enter = await table.claimFresh(1);
    expect(enter?.key).toBe('enter');
    expect(await table.claimFresh(1)).toBeNull();
    await table.delivered(enter?.id ?? -1, 2, 'ok');
    expect((await table.claimFresh(3))?.key).toBe('photo');
  });

  it('gives the newest of what waits, but nothing before its time', async () => {
    for (const [key, at] of [['old', 1], ['new', 3], ['middle', 2]] as const) await put(key, [], at);
    const table = new OutboxTable(database, 'qd');
    const first = await table.claimNewest(10);
    expect(first?.key).toBe('new');
    await table.failed(first?.id ?? -1, { outcome: 'refused', code: '400', reason: 'no' }, 100);
    expect((await table.claimNewest(10))?.key).toBe('middle');
    expect((await table.claimNewest(100))?.key).toBe('new');
    expect(await table.counts()).toEqual({ platform: 'qd', pending: 3, delivered: 0, refused: 1, oldestPendingAt: 1 });
  });

  it('counts an attempt before it is made, so that a crash in between makes the next a retransmission', async () => {
    await put('a');
    await new OutboxTable(database, 'qd').claimFresh(1);
    const afterCrash = await new OutboxTable(database, 'qd').claimNewest(2);
    expect(afterCrash).toMatchObject({ key: 'a', attempts: 2 });
  });
});
