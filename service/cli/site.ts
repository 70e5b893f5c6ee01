import { join } from 'node:path';
import { stringify } from 'yaml';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { Database } from '../../storage/catalogue/database.js';
import { EmbeddedPostgres } from '../../storage/catalogue/embedded-postgres.js';
import { migrate } from '../../storage/catalogue/migrate.js';
import type { Config } from '../config/config.js';
import { readYaml } from '../config/read-yaml.js';
import { SiteSchema } from '../config/site.js';
import { SiteStore } from '../records/site-store.js';
import { loadConfig } from './load-config.js';

/** Opens the catalogue of a configuration for one command. */
export async function withCatalogue<T>(config: Config, work: (database: Database) => Promise<T>): Promise<T> {
  const embedded = config.database.url === null ? new EmbeddedPostgres({ folder: join(config.dataFolder, 'postgres'), logger: silentLogger, clock: systemClock }) : null;
  await embedded?.start();
  try {
    const database = new Database({ address: embedded?.address ?? (config.database.url as string), clock: systemClock, logger: silentLogger });
    try {
      await database.start();
      await migrate(database, { clock: systemClock, logger: silentLogger });
      return await work(database);
    } finally {
      await database.close();
    }
  } finally {
    await embedded?.stop();
  }
}

/** `berthwatch site import FILE`. */
export async function importSite(file: string, configFile: string | null): Promise<void> {
  const site = readYaml(file, SiteSchema);
  const result = await withCatalogue(loadConfig(configFile), (database) => new SiteStore(database).import(site));
  console.log(`${file}: ${result.lots} lots, ${result.cameras} cameras, ${result.berths} berths imported${result.removedCameras.length > 0 ? `; removed: ${result.removedCameras.join(', ')}` : ''}`);
}

/** `berthwatch site export`. */
export async function exportSite(configFile: string | null, passwords: boolean): Promise<void> {
  const site = await withCatalogue(loadConfig(configFile), (database) => new SiteStore(database).read());
  if (!passwords) {
    for (const camera of site.cameras) {
      if (camera.gb28181) camera.gb28181.password = null;
      if (camera.rtsp) camera.rtsp.password = null;
    }
  }
  process.stdout.write(stringify(site));
}
