import type { Database } from '../../storage/catalogue/database.js';
import { encodeGopIndex } from '../../storage/footage/gop-index.js';

const DAY_MS = 86_400_000;
const SEGMENT_MS = 60_000;

export interface CatalogueSeed {
  cameras: number;
  days: number;
  /** Unix ms at which the first segment begins. */
  startedAt: number;
  /** Id of the footage log. */
  log: string;
}

export const seededCamera = (i: number): string => `camera-${String(i).padStart(3, '0')}`;

/**
 * Fills the catalogue as so many cameras would in so many days: a segment a minute of 60 GOPs at 4 Mb/s, the rows of all cameras interleaved
 * as they come. Made in the server, a day at a time, without indexes and triggers, which come back before it ends. @returns rows
 */
export async function seedCatalogue(database: Database, { cameras, days, startedAt, log }: CatalogueSeed, progress: (text: string) => void): Promise<number> {
  const perDay = DAY_MS / SEGMENT_MS;
  const index = encodeGopIndex(Array.from({ length: 60 }, (_, gop) => ({ gop, offset: 900 + gop * 500_000, length: 500_000, headBytes: 120_000 + gop, startedAt: gop * 1_000, endedAt: gop * 1_000 + 960, units: 25 })));
  await database.query(`INSERT INTO footage_camera (camera_id, last_segment) SELECT 'camera-' || lpad(c::text, 3, '0'), $2::int FROM generate_series(0, $1::int - 1) c`, [cameras, perDay * days]);
  // A table that is new in its transaction is written without a log (wal_level minimal): minutes less.
  const rows = await database.transaction(async (tx) => {
    await tx.query('TRUNCATE footage_segment');
    // Neither triggers nor foreign keys: each would look at every row.
    await tx.query('SET LOCAL session_replication_role = replica');
    await tx.query(`SET LOCAL maintenance_work_mem = '512MB'`);
    const indexes = (await tx.query<{ name: string; definition: string }>(`SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE tablename = 'footage_segment' AND indexname <> 'footage_segment_pkey'`)).rows;
    for (const { name } of indexes) await tx.query(`DROP INDEX ${name}`);
    await tx.query('ALTER TABLE footage_segment DROP CONSTRAINT footage_segment_pkey');
    let made = 0;
    for (let day = 0; day < days; day++) {
      const { rowCount } = await tx.query(
        `INSERT INTO footage_segment (camera_id, segment, log_id, state, started_at, ended_at, codec, width, height, gops, units, bytes, sha256, gop_index, recovered)
         SELECT 'camera-' || lpad(c::text, 3, '0'), s, $1, 'sealed', at, at + 59960, 'h264', 1920, 1080, 60, 1500, 30000900 + (c * 7919::int8 + s * 104729::int8) % 100000, sha256((c || '/' || s)::bytea), $2, false
         FROM (SELECT s, c, $3::int8 + (s - 1)::int8 * 60000 + c * 600 AS at FROM generate_series($4::int, $5::int) s, generate_series(0, $6::int - 1) c ORDER BY s, c) minute`,
        [log, index, startedAt, day * perDay + 1, (day + 1) * perDay, cameras],
      );
      made += rowCount;
      progress(`catalogue: ${day + 1} of ${days} days, ${made} rows`);
    }
    progress('catalogue: indexes');
    await tx.query('ALTER TABLE footage_segment ADD PRIMARY KEY (camera_id, segment)');
    for (const { definition } of indexes) await tx.query(definition);
    // What the trigger would have counted.
    await tx.query(
      `INSERT INTO footage_usage (log_id, camera_id, day, segments, bytes)
       SELECT log_id, camera_id, started_at / 86400000, count(*), sum(bytes) FROM footage_segment GROUP BY 1, 2, 3`,
    );
    return made;
  });
  progress('catalogue: vacuum, as the server does it by itself');
  await database.query('VACUUM (ANALYZE) footage_segment');
  await database.query('ANALYZE');
  return rows;
}
