import { BerthwatchError } from '../../base/errors.js';
import type { Database } from '../../storage/catalogue/database.js';
import type { Queryable } from '../../storage/catalogue/queryable.js';
import { SiteSchema, type Site, type SiteCamera } from '../config/site.js';
import type { RecordRules } from './analysis-store.js';
import { endRemovedVisits } from './end-removed.js';
import { recordRules } from './record-rules.js';

/** What an import changed. */
export interface SiteImport {
  lots: number;
  cameras: number;
  berths: number;
  removedCameras: string[];
  /** Uids of visits that were ended because their berth was taken out. */
  endedVisits: string[];
}

export interface SiteImportOptions {
  /** Take out cameras and berths although vehicles stand there: their visits end when the vehicle was last seen. */
  remove: boolean;
  /** Unix ms, for rows; not for visits. */
  now: number;
  /** Who is told of visits that end. */
  platforms: RecordRules['platforms'];
}

/** A visit that stands in a berth that would go. */
export interface OpenVisit {
  uid: string;
  cameraId: string;
  berthId: string;
  enteredAt: number;
}

/** What was taken out of the site, for records and evidence that still speak of it. */
export interface Retired {
  cameras: ReadonlyMap<string, SiteCamera>;
  berths: ReadonlyMap<string, { cameraId: string; lotCode: string; berth: SiteCamera['berths'][number] | null }>;
}

/** Lots, cameras and berths in the catalogue. */
export class SiteStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The whole site, ordered by id; empty before the first import. */
  read(): Promise<Site> {
    return readSite(this.#database);
  }

  async retired(): Promise<Retired> {
    const { rows: cameras } = await this.#database.query<{ id: string; doc: unknown }>('SELECT id, doc FROM camera WHERE retired_at IS NOT NULL');
    const { rows: berths } = await this.#database.query<{ id: string; camera_id: string; lot_code: string; doc: SiteCamera['berths'][number] | null }>('SELECT id, camera_id, lot_code, doc FROM berth WHERE retired_at IS NOT NULL');
    return {
      // Written by this program or an older one; what a newer schema requires need not be there.
      cameras: new Map(cameras.map(({ id, doc }) => [id, doc as SiteCamera])),
      berths: new Map(berths.map(({ id, camera_id, lot_code, doc }) => [id, { cameraId: camera_id, lotCode: lot_code, berth: doc }])),
    };
  }

  /** Open visits in berths that `site` does not have any more. */
  async openVisitsWithout(site: Site): Promise<OpenVisit[]> {
    return openVisitsWithout(this.#database, site);
  }

  /**
   * Makes the catalogue hold exactly `site`, in one transaction. What is not in it any more is retired: its visits, evidence and footage
   * stay, and it can come back.
   * @throws BerthwatchError conflict when a vehicle stands in a berth that would go, and `remove` does not say that it may
   */
  async import(site: Site, options: Partial<SiteImportOptions> = {}): Promise<SiteImport> {
    const { remove = false, now = 0, platforms = [] } = options;
    return this.#database.transaction(async (tx) => {
      const before = await readSite(tx);
      refuseMoved(before, site, await openVisitsOf(tx));
      const open = await openVisitsWithout(tx, site);
      if (open.length > 0 && !remove) throw standing(open);
      await endRemovedVisits(tx, { before, open, rules: recordRules(before, platforms), now });
      await writeSite(tx, site, now);
      const kept = new Set(site.cameras.map((camera) => camera.id));
      return {
        lots: site.lots.length,
        cameras: site.cameras.length,
        berths: site.cameras.reduce((sum, camera) => sum + camera.berths.length, 0),
        removedCameras: before.cameras.filter((camera) => !kept.has(camera.id)).map((camera) => camera.id),
        endedVisits: open.map((visit) => visit.uid),
      };
    });
  }
}

async function readSite(db: Queryable): Promise<Site> {
  const { rows: lots } = await db.query<{ doc: unknown }>('SELECT doc FROM lot WHERE retired_at IS NULL ORDER BY code');
  const { rows: cameras } = await db.query<{ doc: unknown }>('SELECT doc FROM camera WHERE retired_at IS NULL ORDER BY id');
  if (lots.length === 0) return { lots: [], cameras: [] };
  return SiteSchema.parse({ lots: lots.map((row) => row.doc), cameras: cameras.map((row) => row.doc) });
}

async function openVisitsOf(db: Queryable): Promise<OpenVisit[]> {
  const { rows } = await db.query<{ uid: string; camera_id: string; berth_id: string; entered_at: number }>('SELECT uid, camera_id, berth_id, entered_at FROM visit WHERE left_at IS NULL ORDER BY camera_id, entered_at');
  return rows.map((row) => ({ uid: row.uid, cameraId: row.camera_id, berthId: row.berth_id, enteredAt: row.entered_at }));
}

async function openVisitsWithout(db: Queryable, site: Site): Promise<OpenVisit[]> {
  const berths = new Set(site.cameras.flatMap((camera) => camera.berths.map((berth) => berth.id)));
  return (await openVisitsOf(db)).filter((visit) => !berths.has(visit.berthId));
}

/** A visit is one camera's story: its end cannot be seen by another. */
function refuseMoved(before: Site, after: Site, open: readonly OpenVisit[]): void {
  const cameraOf = (site: Site): Map<string, string> => new Map(site.cameras.flatMap((camera) => camera.berths.map((berth) => [berth.id, camera.id] as const)));
  const [was, is] = [cameraOf(before), cameraOf(after)];
  for (const { berthId, uid } of open) {
    const [from, to] = [was.get(berthId), is.get(berthId)];
    if (from !== undefined && to !== undefined && from !== to) {
      throw new BerthwatchError('conflict', 'SITE_BERTH_MOVED', `berth ${berthId} would go from camera ${from} to ${to} while visit ${uid} stands in it: give it a new id under ${to} (and --remove ends the visit), or wait until it is free`);
    }
  }
}

function standing(open: readonly OpenVisit[]): BerthwatchError {
  const some = open.slice(0, 10).map((visit) => `berth ${visit.berthId} of camera ${visit.cameraId} (visit ${visit.uid})`);
  return new BerthwatchError(
    'conflict',
    'SITE_OPEN_VISITS',
    `vehicles stand in ${open.length} berth${open.length === 1 ? '' : 's'} that would be removed: ${some.join(', ')}${open.length > some.length ? ', …' : ''}; keep them in the file, or import with --remove (remove=1), which ends their visits at the last sight of the vehicle`,
    { detail: { openVisits: open } },
  );
}

async function writeSite(tx: Queryable, site: Site, now: number): Promise<void> {
  const json = (rows: readonly object[]): string[] => [JSON.stringify(rows)];
  // Everything rests, and what the site has comes back: numbers may go from berth to berth in between.
  for (const table of ['berth', 'camera', 'lot']) await tx.query(`UPDATE ${table} SET retired_at = $1 WHERE retired_at IS NULL`, [now]);
  await tx.query(
    `INSERT INTO lot (code, doc) SELECT code, doc FROM jsonb_to_recordset($1::jsonb) AS r (code text, doc jsonb)
     ON CONFLICT (code) DO UPDATE SET doc = excluded.doc, retired_at = NULL`,
    json(site.lots.map((lot) => ({ code: lot.code, doc: lot }))),
  );
  await tx.query(
    `INSERT INTO camera (id, lot_code, doc) SELECT id, lot_code, doc FROM jsonb_to_recordset($1::jsonb) AS r (id text, lot_code text, doc jsonb)
     ON CONFLICT (id) DO UPDATE SET lot_code = excluded.lot_code, doc = excluded.doc, retired_at = NULL`,
    json(site.cameras.map((camera) => ({ id: camera.id, lot_code: camera.lot, doc: camera }))),
  );
  await tx.query(
    `INSERT INTO berth (id, camera_id, lot_code, number, doc) SELECT id, camera_id, lot_code, number, doc FROM jsonb_to_recordset($1::jsonb) AS r (id text, camera_id text, lot_code text, number text, doc jsonb)
     ON CONFLICT (id) DO UPDATE SET camera_id = excluded.camera_id, lot_code = excluded.lot_code, number = excluded.number, doc = excluded.doc, retired_at = NULL`,
    json(site.cameras.flatMap((camera) => camera.berths.map((berth) => ({ id: berth.id, camera_id: camera.id, lot_code: camera.lot, number: berth.number, doc: berth })))),
  );
}
