import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { checkDatabaseUrl, describeAddress } from './database-address.js';
import { Database } from './database.js';
import { migrate, readMigrations } from './migrate.js';
import { startTestPostgres, type TestPostgres } from './testing.js';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

describe('Database', () => {
  it('carries times and sizes as numbers and bytes as bytes', async () => {
    const database = await postgres.freshDatabase({ migrated: false });
    const { rows } = await database.query<{ at: number; many: number[]; raw: Uint8Array }>('SELECT $1::int8 AS at, ARRAY[$1::int8, 2] AS many, $2::bytea AS raw', [1_767_225_600_123, Uint8Array.of(0, 1, 255)]);
    expect(rows[0]?.at).toBe(1_767_225_600_123);
    expect(rows[0]?.many).toEqual([1_767_225_600_123, 2]);
    expect(Uint8Array.from(rows[0]?.raw as Uint8Array)).toEqual(Uint8Array.of(0, 1, 255));
  });

  it('refuses an int8 that a number cannot hold', async () => {
    const database = await postgres.freshDatabase({ migrated: false });
    await expect(database.query('SELECT 9007199254740993::int8 AS big')).rejects.toMatchObject({ code: 'CATALOGUE_INT8' });
  });

  it('rolls back what a failed transaction did, and passes its error on', async () => {
    const database = await postgres.freshDatabase({ migrated: false });
    await database.query('CREATE TABLE t (n int4 PRIMARY KEY)');
    const failure = new Error('mine');
    await expect(
      database.transaction(async (tx) => {
        await tx.query('INSERT INTO t VALUES (1)');
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect((await database.query('SELECT * FROM t')).rowCount).toBe(0);
    expect(await database.transaction(async (tx) => (await tx.query('INSERT INTO t VALUES (1)')).rowCount)).toBe(1);
    expect((await database.query('SELECT * FROM t')).rowCount).toBe(1);
  });

  it('does not report a commit where the work swallowed a failed statement', async () => {
    const database = await postgres.freshDatabase({ migrated: false });
    await database.query('CREATE TABLE t (n int4 PRIMARY KEY)');
    const swallowed = database.transaction(async (tx) => {
      await tx.query('INSERT INTO t VALUES (1)');
      await tx.query('INSERT INTO t VALUES (1)').catch(() => undefined);
    });
    await expect(swallowed).rejects.toMatchObject({ code: 'CATALOGUE_ROLLED_BACK' });
    expect((await database.query('SELECT * FROM t')).rowCount).toBe(0);
  });

  it('refuses statements sent to a transaction that is over', async () => {
    const database = await postgres.freshDatabase({ migrated: false });
    let kept: Parameters<Parameters<Database['transaction']>[0]>[0] | undefined;
    await database.transaction(async (tx) => void (kept = tx));
    await expect(kept?.query('SELECT 1')).rejects.toMatchObject({ code: 'CATALOGUE_TRANSACTION_OVER' });
  });

  it('maps errors to our kinds', async () => {
    const database = await postgres.freshDatabase({ migrated: false });
    await database.query('CREATE TABLE t (n int4 CONSTRAINT t_key PRIMARY KEY)');
    await database.query('INSERT INTO t VALUES (1)');
    await expect(database.query('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ kind: 'conflict', detail: { constraint: 't_key' } });
    await expect(database.query('SELEKT')).rejects.toMatchObject({ kind: 'internal' });
    await expect(database.query('SELECT $1::int4', ['x'])).rejects.toMatchObject({ kind: 'bad-input' });
    const wrong = new Database({ address: { ...postgres.server.address, password: 'wrong' }, clock: systemClock, logger: silentLogger });
    await expect(wrong.start()).rejects.toMatchObject({ kind: 'unauthorised' });
    await wrong.close();
  });

  it('fails as unavailable after its patience where nobody listens, and keeps the password out of the message', async () => {
    const database = new Database({ address: { ...postgres.server.address, port: 1, password: 'secret-word' }, clock: systemClock, logger: silentLogger, patienceMs: 100 });
    const error = await database.start().catch((e: unknown) => e as Error);
    expect(error).toMatchObject({ kind: 'unavailable', retryable: true });
    expect((error as Error).message).not.toContain('secret-word');
    expect(database.status()).toMatchObject({ state: 'failing' });
    await database.close();
  });

  it('survives sessions ended by the server: in flight unavailable, afterwards well again', async () => {
    const database = await postgres.freshDatabase({ migrated: false });
    const other = new Database({ address: postgres.server.address, clock: systemClock, logger: silentLogger });
    const inFlight = database.query('SELECT pg_sleep(30)').catch((e: unknown) => e);
    const inTransaction = database
      .transaction(async (tx) => {
        await tx.query('SELECT 1');
        await tx.query('SELECT pg_sleep(30)');
      })
      .catch((e: unknown) => e);
    // by their numbers: a session that was told to end is still listed for a moment, and must not count for both
    const ended = new Set<number>();
    while (ended.size < 2) {
      const { rows } = await other.query<{ pid: number }>(
        `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'`,
      );
      for (const row of rows) ended.add(row.pid);
    }
    expect(await inFlight).toMatchObject({ kind: 'unavailable' });
    expect(await inTransaction).toMatchObject({ kind: 'unavailable' });
    expect((await database.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(database.status().state).toBe('ok');
    await other.close();
  });

  it('checks URLs before use', () => {
    expect(checkDatabaseUrl('postgres://u:p@h/db')).toBe('postgres://u:p@h/db');
    for (const bad of ['', 'http://x/y', 'postgres://h', 'nonsense']) expect(() => checkDatabaseUrl(bad)).toThrow(/DATABASE_URL/);
    expect(describeAddress('postgres://u:secret@h/db')).not.toContain('secret');
  });
});

describe('migrate', () => {
  const options = { clock: systemClock, logger: silentLogger };

  it('applies the product’s own migrations once', async () => {
    const database = await postgres.freshDatabase({ migrated: false });
    const all = (await readMigrations()).map((m) => m.version);
    expect(await migrate(database, options)).toEqual(all);
    expect(await migrate(database, options)).toEqual([]);
    expect((await database.query('SELECT * FROM footage_segment')).rowCount).toBe(0);
  });

  it('takes turns where two processes start at the same time', async () => {
    const address = await postgres.freshAddress();
    const two = [1, 2].map(() => new Database({ address, ...options }));
    const done = await Promise.all(two.map((database) => migrate(database, options)));
    expect(done.flat().sort((a, b) => a - b)).toEqual((await readMigrations()).map((m) => m.version));
    await Promise.all(two.map((database) => database.close()));
  });

  it('keeps nothing of a migration that fails, refuses changed, unknown and late ones', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berthwatch-migrations-'));
    try {
      const database = await postgres.freshDatabase({ migrated: false });
      await writeFile(join(folder, '0001_a.sql'), 'CREATE TABLE a (n int4);');
      await writeFile(join(folder, '0003_c.sql'), 'CREATE TABLE c (n int4); SELECT broken;');
      await expect(migrate(database, { ...options, folder })).rejects.toMatchObject({ kind: 'internal' });
      await database.query('SELECT * FROM a');
      await expect(database.query('SELECT * FROM c')).rejects.toThrow();

      await writeFile(join(folder, '0003_c.sql'), 'CREATE TABLE c (n int4);');
      expect(await migrate(database, { ...options, folder })).toEqual([3]);
      await writeFile(join(folder, '0003_c.sql'), 'CREATE TABLE c (n int4);\r\n');
      await expect(migrate(database, { ...options, folder })).rejects.toMatchObject({ code: 'CATALOGUE_MIGRATION_CHANGED' });
      await writeFile(join(folder, '0003_c.sql'), 'CREATE TABLE c (n int4);');
      await writeFile(join(folder, '0002_b.sql'), 'CREATE TABLE b (n int4);');
      await expect(migrate(database, { ...options, folder })).rejects.toMatchObject({ code: 'CATALOGUE_MIGRATION_ORDER' });
      await rm(join(folder, '0002_b.sql'));
      await rm(join(folder, '0003_c.sql'));
      await expect(migrate(database, { ...options, folder })).rejects.toMatchObject({ code: 'CATALOGUE_TOO_NEW' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
