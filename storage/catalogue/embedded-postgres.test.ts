import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sleep, systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { Database } from './database.js';
import { EmbeddedPostgres } from './embedded-postgres.js';
import { processExists } from './process-identity.js';

const common = { logger: silentLogger, clock: systemClock, durable: false };

let folder: string;
let servers: EmbeddedPostgres[];
const make = (): EmbeddedPostgres => {
  const server = new EmbeddedPostgres({ ...common, folder: join(folder, 'pg') });
  servers.push(server);
  return server;
};
/** Leaves a server running as a SIGKILL of its owner would: the owner file then names a process that is gone. */
async function abandon(): Promise<void> {
  const child = spawn('true');
  await once(child, 'exit');
  await writeFile(join(folder, 'pg', 'owner.json'), JSON.stringify({ pid: child.pid, start: '1' }));
}
const dataOf = (server: EmbeddedPostgres): Database => new Database({ address: server.address, clock: systemClock, logger: silentLogger });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berthwatch-embedded-'));
  await chmod(folder, 0o755);
  servers = [];
});
afterEach(async () => {
  for (const server of servers) {
    const { pid } = server.status();
    await server.stop();
    if (pid !== null && processExists(pid)) process.kill(pid, 'SIGQUIT');
  }
  await rm(folder, { recursive: true, force: true });
});

describe('EmbeddedPostgres', () => {
  it('keeps its data over a stop and a start, listens on loopback only, and hides its password', async () => {
    const server = make();
    const address = await server.start();
    expect(address.host).toBe('127.0.0.1');
    const database = dataOf(server);
    const { rows } = await database.query<{ e: string; c: string; l: string }>(
      `SELECT current_setting('server_encoding') e, datcollate c, current_setting('listen_addresses') l FROM pg_database WHERE datname = current_database()`,
    );
    expect(rows[0]).toEqual({ e: 'UTF8', c: 'C', l: '127.0.0.1' });
    await database.query('CREATE TABLE t AS SELECT 7 AS n');
    await database.close();
    expect((await stat(join(folder, 'pg', 'password'))).mode & 0o777).toBe(0o600);
    await server.stop();
    expect(server.status().state).toBe('stopped');

    const again = make();
    expect((await again.start()).port).toBe(address.port);
    const second = dataOf(again);
    expect((await second.query('SELECT n FROM t')).rows).toEqual([{ n: 7 }]);
    await second.close();
  });

  it('takes over a server whose owner was killed, and ends the dead owner’s sessions', async () => {
    const first = make();
    await first.start();
    const leftOver = dataOf(first);
    const pending = leftOver
      .transaction(async (tx) => {
        await tx.query('CREATE TABLE never (n int4)');
        await tx.query('SELECT pg_sleep(60)');
      })
      .catch((error: unknown) => error);
    const { pid } = first.status();
    await abandon();

    const second = make();
    await second.start();
    expect(second.status().pid).toBe(pid);
    expect(await pending).toMatchObject({ kind: 'unavailable' });
    const database = dataOf(second);
    await expect(database.query('SELECT * FROM never')).rejects.toMatchObject({ kind: 'internal' });
    await database.close();
    await leftOver.close();
    await second.stop();
    expect(processExists(pid as number)).toBe(false);
  });

  it('refuses a folder that a living process holds', async () => {
    await make().start();
    await writeFile(join(folder, 'pg', 'owner.json'), JSON.stringify({ pid: process.ppid, start: null }));
    await expect(make().start()).rejects.toMatchObject({ kind: 'conflict', detail: { pid: process.ppid } });
  });

  it('starts beside a stale postmaster.pid whose id now belongs to somebody else', async () => {
    const first = make();
    await first.start();
    const pidFile = join(folder, 'pg', 'data', 'postmaster.pid');
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    await first.stop();
    lines[0] = String(process.pid);
    await writeFile(pidFile, lines.join('\n'));
    await make().start();
  });

  it('starts a server again that died, on the same port; the pool recovers by itself', async () => {
    const server = make();
    await server.start();
    const database = dataOf(server);
    await database.query('SELECT 1');
    const pid = server.status().pid as number;
    process.kill(pid, 'SIGKILL');
    while (processExists(pid) && server.status().pid === pid) await sleep(systemClock, 20);
    expect((await database.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    // The server answers the pool a moment before the supervisor has heard that it does.
    await vi.waitFor(() => expect(server.status()).toMatchObject({ state: 'running', reason: null }), 10_000);
    await database.close();
  });

  it('says so where the fixed port is taken', async () => {
    const first = make();
    const { port } = await first.start();
    const second = new EmbeddedPostgres({ ...common, folder: join(folder, 'other'), port });
    await expect(second.start()).rejects.toMatchObject({ kind: 'unavailable', code: 'CATALOGUE_PORT' });
    expect(second.status().state).toBe('stopped');
  });
});
