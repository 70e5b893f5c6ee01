import { BerthwatchError } from '../../base/errors.js';
import type { Database } from '../../storage/catalogue/database.js';
import { SiteSchema, type Site } from '../config/site.js';

/** What an import changed. */
export interface SiteImport {
  lots: number;
  cameras: number;
  berths: number;
  removedCameras: string[];
}

/** Lots, cameras and berths in the catalogue. */
export class SiteStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The whole site, ordered by id; empty before the first import. */
  async read(): Promise<Site> {
    const { rows: lots } = await this.#database.query<{ doc: unknown }>('SELECT doc FROM lot ORDER BY code');
    const { rows: cameras } = await this.#database.query<{ doc: unknown }>('SELECT doc FROM camera ORDER BY id');
    if (lots.length === 0) return { lots: [], cameras: [] };
    return SiteSchema.parse({ lots: lots.map((row) => row.doc), cameras: cameras.map((row) => row.doc) });
  }

  /**
   * Makes the catalogue hold exactly `site`, in one transaction.
   * @throws BerthwatchError conflict when a camera, berth or lot that has visits would disappear
   */
  async import(site: Site): Promise<SiteImport> {
    return this.#database.transaction(async (tx) => {
      const berths = site.cameras.flatMap((camera) => camera.berths.map((berth) => ({ camera, berth })));
      const { rows: used } = await tx.query<{ berth_id: string }>('SELECT DISTINCT berth_id FROM visit WHERE berth_id <> ALL ($1)', [berths.map(({ berth }) => berth.id)]);
      if (used.length > 0) {
        throw new BerthwatchError('conflict', 'SITE_IN_USE', `the site file lacks berth ${used.map((row) => row.berth_id).join(', ')}, which has visits; keep it in the file`);
      }
      const { rows: removed } = await tx.query<{ id: string }>('SELECT id FROM camera WHERE id <> ALL ($1)', [site.cameras.map((camera) => camera.id)]);
      await tx.query('DELETE FROM berth WHERE id <> ALL ($1)', [berths.map(({ berth }) => berth.id)]);
      await tx.query('DELETE FROM analysis WHERE camera_id = ANY ($1)', [removed.map((row) => row.id)]);
      await tx.query('DELETE FROM camera WHERE id = ANY ($1)', [removed.map((row) => row.id)]);
      for (const lot of site.lots) {
        await tx.query('INSERT INTO lot (code, doc) VALUES ($1, $2) ON CONFLICT (code) DO UPDATE SET doc = excluded.doc', [lot.code, JSON.stringify(lot)]);
      }
      for (const camera of site.cameras) {
        await tx.query('INSERT INTO camera (id, lot_code, doc) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET lot_code = excluded.lot_code, doc = excluded.doc', [camera.id, camera.lot, JSON.stringify(camera)]);
      }
      for (const { camera, berth } of berths) {
        await tx.query(
          'INSERT INTO berth (id, camera_id, lot_code, number) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET camera_id = excluded.camera_id, lot_code = excluded.lot_code, number = excluded.number',
          [berth.id, camera.id, camera.lot, berth.number],
        );
      }
      await tx.query('DELETE FROM lot WHERE code <> ALL ($1)', [site.lots.map((lot) => lot.code)]);
      return { lots: site.lots.length, cameras: site.cameras.length, berths: berths.length, removedCameras: removed.map((row) => row.id) };
    });
  }
}
