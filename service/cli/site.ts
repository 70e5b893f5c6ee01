import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { stringify } from 'yaml';
import { systemClock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { silentLogger } from '../../base/logger.js';
import { Database } from '../../storage/catalogue/database.js';
import { EmbeddedPostgres } from '../../storage/catalogue/embedded-postgres.js';
import { migrate } from '../../storage/catalogue/migrate.js';
import type { Config } from '../config/config.js';
import { withoutPasswords, type Site } from '../config/site.js';
import { buildPlatform } from '../platforms/build-platform.js';
import { SiteStore } from '../records/site-store.js';
import type { UnusedChannel } from '../site-import/channels.js';
import { describeDiff, diffSummary } from '../site-import/describe.js';
import { siteDiff } from '../site-import/diff.js';
import { problemsError, readSiteFile } from '../site-import/read-file.js';
import { channelsXlsx, siteXlsx, templateCsv, templateXlsx } from '../site-import/write-files.js';
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

/** Texts about the content of a sheet are Chinese for people whose terminal is. */
const language = (): 'zh' | 'en' => (/^zh/i.test(process.env.LC_ALL ?? process.env.LC_MESSAGES ?? process.env.LANG ?? '') ? 'zh' : 'en');

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new BerthwatchError('bad-input', 'SITE_FILE', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

function write(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes, { flag: 'wx' });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    throw new BerthwatchError('bad-input', 'SITE_FILE', exists ? `${file} exists already: give another name, or move it away` : `cannot write ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** `berthwatch site import FILE`: YAML, CSV or XLSX. */
export async function importSite(file: string, configFile: string | null, options: { dryRun: boolean; remove: boolean }): Promise<void> {
  const config = loadConfig(configFile);
  const bytes = readBytes(file);
  await withCatalogue(config, async (database) => {
    const sites = new SiteStore(database);
    const before = await sites.read();
    const { site, problems } = await readSiteFile(bytes, basename(file), before);
    if (site === null) throw problemsError(file, problems, language());
    const diff = siteDiff(before, site);
    if (options.dryRun) {
      console.log(describeDiff(diff, language()));
      const open = await sites.openVisitsWithout(site);
      if (open.length > 0) console.log(`vehicles stand in ${open.length} of the berths that go: the import needs --remove, which ends their visits (${open.map((visit) => visit.uid).join(', ')})`);
      console.log('nothing was changed');
      return;
    }
    const platforms = options.remove ? config.platforms.map((platform) => buildPlatform(platform, config.baseFolder, systemClock)) : [];
    const result = await sites.import(site, { remove: options.remove, now: systemClock.now(), platforms });
    console.log(`${file}: ${result.lots} lots, ${result.cameras} cameras, ${result.berths} berths imported${result.removedCameras.length > 0 ? `; removed: ${result.removedCameras.join(', ')}` : ''}${result.endedVisits.length > 0 ? `; visits ended: ${result.endedVisits.join(', ')}` : ''}`);
    console.log(diffSummary(diff, language()));
  });
}

/** `berthwatch site template`. */
export async function writeTemplate(options: { xlsx?: string; csv?: string }): Promise<void> {
  if (options.xlsx === undefined && options.csv === undefined) throw new BerthwatchError('bad-input', 'SITE_TEMPLATE', 'say where the template goes: --xlsx FILE or --csv FILE');
  if (options.xlsx !== undefined) write(options.xlsx, await templateXlsx());
  if (options.csv !== undefined) write(options.csv, templateCsv());
}

/** `berthwatch site export`: YAML on standard output, or a workbook. */
export async function exportSite(configFile: string | null, passwords: boolean, xlsx: string | null): Promise<void> {
  const read = await withCatalogue(loadConfig(configFile), (database) => new SiteStore(database).read());
  const site: Site = passwords ? read : withoutPasswords(read);
  if (xlsx === null) process.stdout.write(stringify(site));
  else write(xlsx, await siteXlsx(site, { passwords }));
}

/** `berthwatch site channels`: asks the running service. */
export async function listChannels(configFile: string | null, xlsx: string | null): Promise<void> {
  const { http } = loadConfig(configFile);
  const host = http.host === '0.0.0.0' ? '127.0.0.1' : http.host === '::' ? '[::1]' : http.host.includes(':') ? `[${http.host}]` : http.host;
  const url = `http://${host}:${http.port}/api/devices/unused-channels`;
  let response: Response;
  try {
    response = await fetch(url, { headers: http.token === null ? {} : { authorization: `Bearer ${http.token}` }, signal: AbortSignal.timeout(10_000) });
  } catch (cause) {
    throw new BerthwatchError('unavailable', 'SITE_CHANNELS', `the service does not answer at ${url} (${messageOf(cause)}): devices register with the running service; start it, or name its configuration with --config`, { cause });
  }
  if (!response.ok) throw new BerthwatchError('unavailable', 'SITE_CHANNELS', `${url} answered ${response.status}: ${(await response.text()).slice(0, 200)}`);
  const channels = (await response.json()) as UnusedChannel[];
  if (xlsx !== null) {
    write(xlsx, await channelsXlsx(channels));
    console.log(`${channels.length} channels written to ${xlsx}; draw their berths and import it`);
    return;
  }
  console.log(['GB device id', 'GB channel id', 'online', 'name', 'manufacturer', 'model', 'longitude', 'latitude'].join('\t'));
  for (const c of channels) console.log([c.deviceId, c.channelId, c.deviceOnline && c.channelOnline !== false ? 'yes' : 'no', c.name, c.manufacturer ?? '', c.model ?? '', c.longitude ?? '', c.latitude ?? ''].join('\t').replace(/[\r\n]/g, ' '));
}
