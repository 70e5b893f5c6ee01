import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import type { LogFolder } from './log-folder.js';

interface Claim {
  database: Database;
  folder: LogFolder;
  /** Which of the catalogue's logs this is. */
  name: string;
  clock: Clock;
  logger: Logger;
}

/**
 * Makes sure that folder and catalogue speak of the same log, before anything is written: an empty folder where footage
 * should be is a disk that is not mounted, and a folder with another id is a wrong disk. A folder and a catalogue that are
 * both new become a log; a folder whose catalogue is new is taken into it (the catalogue was lost).
 *
 * @throws BerthwatchError unavailable (not mounted), conflict (another log's folder)
 */
export async function claimLog({ database, folder, name, clock, logger }: Claim): Promise<{ log: string; created: boolean }> {
  const { rows } = await database.query<{ id: string }>('SELECT id FROM footage_log WHERE name = $1', [name]);
  const known = rows[0]?.id ?? null;
  const found = await folder.readId();
  if (known !== null) {
    if (found === known) return { log: known, created: false };
    if (found === null) await folder.check(known);
    throw new BerthwatchError('conflict', 'FOOTAGE_WRONG_DISK', `${folder.path} belongs to footage log ${found}, but the catalogue's log "${name}" is ${known}: mount the right disk, or use the catalogue that belongs to this one. Nothing is written there`);
  }
  // The folder first: a crash in between leaves a folder that the next start takes in.
  const log = found ?? (await folder.initialise());
  if (found !== null) logger.warn({ folder: folder.path, log }, 'the catalogue does not know this footage log: its segments are read from the disk');
  const { rowCount } = await database.query('INSERT INTO footage_log (name, id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [name, log, clock.now()]);
  if (rowCount === 0) throw new BerthwatchError('conflict', 'FOOTAGE_WRONG_DISK', `the catalogue knows footage log ${log} under another name than "${name}", or another process claimed the name just now`);
  return { log, created: found === null };
}
