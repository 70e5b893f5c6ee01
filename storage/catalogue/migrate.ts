import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from './database.js';
import type { Queryable } from './queryable.js';

/** Arbitrary, ours: two processes that start at the same time take turns. */
const ADVISORY_LOCK = 0x62_77_6d_31;

const MIGRATIONS_FOLDER = fileURLToPath(new URL('./migrations/', import.meta.url));

export interface Migration {
  version: number;
  name: string;
  sql: string;
  /** SHA-256 (hex) of the file with line ends as \n. */
  checksum: string;
}

/** @throws BerthwatchError internal, where files are misnamed or two share a number */
export async function readMigrations(folder: string = MIGRATIONS_FOLDER): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()) {
    const match = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file);
    if (!match) throw new BerthwatchError('internal', 'CATALOGUE_MIGRATION_NAME', `${file} is not named like 0001_footage.sql`);
    const sql = (await readFile(`${folder}/${file}`, 'utf8')).replaceAll('\r\n', '\n');
    const version = Number(match[1]);
    if (migrations.at(-1)?.version === version) throw new BerthwatchError('internal', 'CATALOGUE_MIGRATION_NAME', `two migrations have the number ${match[1]}`);
    migrations.push({ version, name: match[2] as string, sql, checksum: createHash('sha256').update(sql).digest('hex') });
  }
  return migrations;
}

interface AppliedRow {
  version: number;
  name: string;
  checksum: string;
}

/**
 * Brings the schema to the newest version: each file in a transaction of its own, in order, under an advisory lock.
 *
 * @returns the versions applied now
 * @throws BerthwatchError conflict, where the database knows a migration that this program does not (it was used by a
 *   newer one), or an applied file was changed afterwards
 */
export async function migrate(database: Database, options: { clock: Clock; logger: Logger; folder?: string }): Promise<number[]> {
  const migrations = await readMigrations(options.folder);
  const done: number[] = [];
  for (;;) {
    const next = await database.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
      await tx.query('CREATE TABLE IF NOT EXISTS schema_migration (version int4 PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at int8 NOT NULL)');
      const pending = await nextPending(tx, migrations);
      if (!pending) return null;
      await tx.query(pending.sql);
      await tx.query('INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)', [pending.version, pending.name, pending.checksum, options.clock.now()]);
      return pending;
    });
    if (!next) return done;
    done.push(next.version);
    options.logger.info({ version: next.version, name: next.name }, 'database schema migrated');
  }
}

async function nextPending(tx: Queryable, migrations: readonly Migration[]): Promise<Migration | null> {
  const { rows } = await tx.query<AppliedRow>('SELECT version, name, checksum FROM schema_migration ORDER BY version');
  for (const row of rows) {
    const known = migrations.find((migration) => migration.version === row.version);
    if (!known) {
      throw new BerthwatchError(
        'conflict',
        'CATALOGUE_TOO_NEW',
        `the database has migration ${row.version} (${row.name}), which this version of berthwatch does not know (newest here: ${migrations.at(-1)?.version ?? 0}): start the newer version again, or restore a backup`,
      );
    }
    if (known.checksum !== row.checksum) {
      throw new BerthwatchError('conflict', 'CATALOGUE_MIGRATION_CHANGED', `migration ${row.version} (${row.name}) was changed after it had been applied to this database: put changes in a new file`);
    }
  }
  const newest = rows.at(-1)?.version ?? 0;
  const pending = migrations.find((migration) => !rows.some((row) => row.version === migration.version));
  if (pending && pending.version < newest) {
    throw new BerthwatchError('conflict', 'CATALOGUE_MIGRATION_ORDER', `migration ${pending.version} (${pending.name}) comes before ${newest}, which is already applied: give it a higher number`);
  }
  return pending ?? null;
}
