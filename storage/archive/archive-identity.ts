import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import type { ObjectStore } from '../objects/object-store.js';
import { readObject } from '../objects/read-object.js';

/** The object that says whose archive this is. */
const MARKER = 'berthwatch-archive.json';
const MAX_MARKER = 4096;

const schema = z.object({ format: z.literal('berthwatch-archive'), version: z.literal(1), id: z.uuid() });

interface Identity {
  database: Database;
  store: ObjectStore;
  clock: Clock;
  logger: Logger;
}

/**
 * Makes sure that catalogue and store speak of the same archive, before anything is uploaded to it or removed from it: a bucket
 * of another installation could have objects under the same keys, and an empty one would have everything look lost. A catalogue
 * and a store that are both new become one archive; a store whose catalogue is new is taken into it (the catalogue was lost).
 *
 * @throws BerthwatchError conflict (`ARCHIVE_WRONG_STORE`), or as the store
 */
export async function claimArchive({ database, store, clock, logger }: Identity): Promise<string> {
  const known = await knownArchive(database);
  const found = await readMarker(store);
  if (known !== null) {
    if (found === known) return known;
    const what = found === null ? `has no ${MARKER}: it is another bucket, folder or prefix, or was emptied` : `belongs to archive ${found}`;
    throw new BerthwatchError('conflict', 'ARCHIVE_WRONG_STORE', `the footage of this catalogue is archived in ${known}, but ${store.place} ${what}. Correct the settings; or, where it is to take the old one’s place, run "berthwatch storage claim". Nothing is uploaded or freed until then`);
  }
  const id = found ?? randomUUID();
  if (found === null) await writeMarker(store, id);
  else logger.warn({ archive: id, place: store.place }, 'the catalogue does not know this archive: it is taken into it');
  await database.query('INSERT INTO archive_store (id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING', [id, clock.now()]);
  return id;
}

/**
 * Makes a store the archive of a catalogue, whatever was before.
 *
 * @returns its id
 */
export async function reclaimArchive({ database, store, clock }: Identity): Promise<string> {
  const id = (await readMarker(store)) ?? (await knownArchive(database)) ?? randomUUID();
  await writeMarker(store, id);
  await database.query('INSERT INTO archive_store (id, created_at) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET id = excluded.id', [id, clock.now()]);
  return id;
}

async function knownArchive(database: Database): Promise<string | null> {
  const { rows } = await database.query<{ id: string }>('SELECT id FROM archive_store');
  return rows[0]?.id ?? null;
}

async function readMarker(store: ObjectStore): Promise<string | null> {
  let bytes: Uint8Array;
  try {
    bytes = await readObject(store, MARKER, MAX_MARKER);
  } catch (error) {
    if (error instanceof BerthwatchError && error.kind === 'not-found') return null;
    throw error;
  }
  let value: unknown = null;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // Told below.
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new BerthwatchError('conflict', 'ARCHIVE_WRONG_STORE', `${store.place}: ${MARKER} is not that of an archive of this version: use another prefix, or restore the object`);
  return parsed.data.id;
}

async function writeMarker(store: ObjectStore, id: string): Promise<void> {
  await store.put(MARKER, Buffer.from(`${JSON.stringify({ format: 'berthwatch-archive', version: 1, id })}\n`), { contentType: 'application/json' });
}
