import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
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
      results.push(await retentionPass(again, database, disk));
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

async function retentionPass(log: FootageLog, database: Database, disk: MemoryDisk): Promise<BenchResult> {
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
    // A day after the month.
    now: () => T0 + (DAYS + 1) * DAY_MS,
    refreshHolds: () => Promise.resolve(),
    onTrouble: (part, message) => {
      if (message !== null) throw new Error(`${part}: ${message}`);
    },
  });
  const wall = performance.now();
  const cpu = process.cpuUsage();
  await job.pass();
  const used = process.cpuUsage(cpu);
  const wallMs = performance.now() - wall;
  const pass = job.status().lastPass;
  const again = performance.now();
  await job.pass();
  const idleMs = performance.now() - again;
  await job.close();
  if (pass === null || pass.segments < CAMERAS * 1_439 || disk.removed !== pass.segments) throw new Error(`the pass removed ${pass?.segments} rows and ${disk.removed} files`);
  return {
    what: 'retention pass, a day of all cameras',
    unit: 'segment',
    measured: { cases: pass.segments, wallMs, cpuMs: (used.user + used.system) / 1000 },
    reference: { missing: 'nobody else has this table' },
    notes: [`${pass.segments} segments in ${(wallMs / 1000).toFixed(1)} s with its pauses (the promise is 10 s; files in memory); a pass with nothing to do takes ${idleMs.toFixed(0)} ms`],
  };
}
