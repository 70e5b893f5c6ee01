import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { Database } from '../../../storage/catalogue/database.js';
import { EmbeddedPostgres } from '../../../storage/catalogue/embedded-postgres.js';
import { migrate } from '../../../storage/catalogue/migrate.js';
import { FootageLog } from '../../../storage/footage/footage-log.js';
import { RetentionJob } from '../../../storage/footage/retention-job.js';
import { seedCatalogue, seededCamera } from '../catalogue-seed.js';
import { MemoryDisk } from '../memory-disk.js';
import type { BenchResult, BenchRow, Measured } from '../row.js';

const CAMERAS = 100;
const DAYS = 30;
const DAY_MS = 86_400_000;
const T0 = Date.UTC(2026, 0, 1);
const FOLDER = '/footage';

/** A month of a hundred cameras in the catalogue, in the PostgreSQL that the service brings, flushing as it does there. */
export const catalogue: BenchRow = {
  name: 'catalogue',
  async run(context) {
    const folder = mkdtempSync(join(tmpdir(), 'berthwatch-bench-catalogue-'));
    chmodSync(folder, 0o755);
    const postgres = new EmbeddedPostgres({ folder: join(folder, 'postgres'), logger: silentLogger, clock: systemClock });
    await postgres.start();
    const database = new Database({ address: postgres.address, clock: systemClock, logger: silentLogger, patienceMs: 600_000 });
    const disk = new MemoryDisk();
    try {
      await migrate(database, { clock: systemClock, logger: silentLogger });
      const log = new FootageLog({ folder: FOLDER, database, clock: systemClock, logger: silentLogger, disk });
      const began = performance.now();
      await log.start();
      const rows = await seedCatalogue(database, { cameras: CAMERAS, days: DAYS, startedAt: T0, log: log.id as string }, context.progress);
      const seedSeconds = (performance.now() - began) / 1000;
      await log.close();
      for (let i = 0; i < CAMERAS; i++) disk.fill(join(FOLDER, 'cameras', seededCamera(i)), DAYS * 1_440);

      context.progress('catalogue: start on it');
      const again = new FootageLog({ folder: FOLDER, database, clock: systemClock, logger: silentLogger, disk });
      const startBegan = performance.now();
      const report = await again.start();
      const startSeconds = (performance.now() - startBegan) / 1000;
      if (report.segments !== rows || report.lost.length > 0) throw new Error(`the start found ${report.segments} of ${rows} segments, ${report.lost.length} lost`);
      const notes = [`${rows} rows of ${CAMERAS} cameras and ${DAYS} days, seeded in ${seedSeconds.toFixed(0)} s; a start on them took ${startSeconds.toFixed(1)} s; ${await size(database)}`];
      const results: BenchResult[] = [await daysOfCameras(context.seconds, again, notes)];
      context.progress('catalogue: retention pass');
      results.push(...(await retentionPasses(again, database, postgres, disk)));
      await again.close();
      return results;
    } finally {
      await database.close();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function size(database: Database): Promise<string> {
  const { rows } = await database.query<{ heap: number; indexes: number }>(`SELECT pg_table_size('footage_segment') AS heap, pg_indexes_size('footage_segment') AS indexes`);
  const [found] = rows;
  return `table ${((found?.heap ?? 0) / 1e9).toFixed(1)} GB, indexes ${((found?.indexes ?? 0) / 1e9).toFixed(1)} GB`;
}

async function daysOfCameras(seconds: number, log: FootageLog, notes: string[]): Promise<BenchResult> {
  const times: number[] = [];
  const cpu = process.cpuUsage();
  const wall = performance.now();
  for (let i = 0; performance.now() - wall < seconds * 1000 || i < 100; i++) {
    const from = T0 + ((i * 7) % DAYS) * DAY_MS;
    const began = performance.now();
    const found = await log.segments(seededCamera((i * 37) % CAMERAS), from, from + DAY_MS - 1);
    times.push(performance.now() - began);
    if (found.length < 1_440) throw new Error(`a day has ${found.length} segments`);
  }
  const used = process.cpuUsage(cpu);
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): string => `${(sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)} ms`;
  const measured: Measured = { cases: times.length, wallMs: performance.now() - wall, cpuMs: (used.user + used.system) / 1000 };
  return {
    what: 'index of a camera’s day',
    unit: 'query',
    measured,
    reference: { missing: 'nobody else has this table' },
    notes: [...notes, `1440 segments a query: median ${at(0.5)}, p99 ${at(0.99)}, most ${at(0.9999)} (cameras and days change with each query; the promise is 20 ms)`],
  };
}

/** What the server has used of the processor, ms: user and system time of its processes, those that ended included. */
function serverCpuMs(postgres: EmbeddedPostgres): number {
  const parent = postgres.status().pid;
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let stat: string[];
    try {
      stat = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? '').split(' ');
    } catch {
      continue;
    }
    // utime and stime of the process; cutime and cstime of the children that the postmaster has waited for.
    if (Number(pid) === parent) ticks += Number(stat[11]) + Number(stat[12]) + Number(stat[13]) + Number(stat[14]);
    else if (Number(stat[1]) === parent) ticks += Number(stat[11]) + Number(stat[12]);
  }
  return ticks * 10;
}

/**
 * The passes as they come: a service that runs makes one every ten minutes, which finds what ten minutes made too old; one that was off,
 * or whose retention was shortened, finds a day.
 */
async function retentionPasses(log: FootageLog, database: Database, postgres: EmbeddedPostgres, disk: MemoryDisk): Promise<BenchResult[]> {
  let now = T0 + DAYS * DAY_MS + 61_000;
  const job = new RetentionJob({
    log,
    database,
    clock: systemClock,
    logger: silentLogger,
    policy: () => ({ retentionMs: DAYS * DAY_MS, quotaBytes: null }),
    quotaBytes: null,
    whenFull: 'refuse',
    reserveBytes: 1e9,
    warnFreeBytes: 5e9,
    warnDays: 3,
    now: () => now,
    refreshHolds: () => Promise.resolve(),
    onTrouble: (part, message) => {
      if (message !== null) throw new Error(`${part}: ${message}`);
    },
  });
  const pass = async (ms: number): Promise<Measured & { serverMs: number }> => {
    now += ms;
    const removed = disk.removed;
    const wall = performance.now();
    const cpu = process.cpuUsage();
    const server = serverCpuMs(postgres);
    await job.pass();
    const used = process.cpuUsage(cpu);
    const segments = job.status().lastPass?.segments ?? -1;
    const expected = Math.floor((CAMERAS * ms) / 60_000);
    if (Math.abs(segments - expected) > 2 * CAMERAS || disk.removed - removed !== segments) throw new Error(`a pass over ${ms / 60_000} minutes removed ${segments} rows and ${disk.removed - removed} files`);
    return { cases: segments, wallMs: performance.now() - wall, cpuMs: (used.user + used.system) / 1000, serverMs: serverCpuMs(postgres) - server };
  };
  await pass(600_000);
  const usual = [await pass(600_000), await pass(600_000), await pass(600_000)].sort((a, b) => a.wallMs - b.wallMs)[1] as Measured & { serverMs: number };
  const day = await pass(DAY_MS);
  const idle = await pass(0);
  await job.close();
  const words = (of: Measured & { serverMs: number }): string => `${of.cases} segments in ${(of.wallMs / 1000).toFixed(of.wallMs < 1000 ? 2 : 1)} s with its pauses, ${((of.cpuMs + of.serverMs) / 1000).toFixed(2)} s of processor time, ${(of.serverMs / 1000).toFixed(2)} of it PostgreSQL's (the promise is 10 s; files in memory)`;
  const missing = { missing: 'nobody else has this table' };
  return [
    { what: 'retention pass, ten minutes of all cameras', unit: 'segment', measured: usual, reference: missing, notes: [`as it comes every ten minutes: ${words(usual)}; a pass with nothing to do takes ${idle.wallMs.toFixed(0)} ms`] },
    { what: 'retention pass, a day of all cameras', unit: 'segment', measured: day, reference: missing, notes: [`after a day without the service: ${words(day)}`] },
  ];
}
