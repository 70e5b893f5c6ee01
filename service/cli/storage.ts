import { join } from 'node:path';
import { beijingDateTime, parseBeijing } from '../../base/beijing-time.js';
import { systemClock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import { silentLogger } from '../../base/logger.js';
import { claimArchive, reclaimArchive } from '../../storage/archive/archive-identity.js';
import { describeFinding } from '../../storage/archive/finding.js';
import { restoreFromArchive } from '../../storage/archive/restore.js';
import { verifyPictures } from '../../storage/archive/verify-pictures.js';
import { verifyStorage } from '../../storage/archive/verify.js';
import type { Database } from '../../storage/catalogue/database.js';
import { nodeDisk } from '../../storage/footage/disk.js';
import { LogFolder } from '../../storage/footage/log-folder.js';
import type { ObjectStore } from '../../storage/objects/object-store.js';
import { Objects } from '../archive/open-objects.js';
import type { Config } from '../config/config.js';
import { isArchiving } from '../config/objects.js';
import { loadConfig } from './load-config.js';
import { ProgressLine } from './progress-line.js';
import { withCatalogue } from './site.js';

interface Opened {
  config: Config;
  database: Database;
  folder: LogFolder;
  log: string;
  /** Null where nothing is archived. */
  store: ObjectStore | null;
  /** Where evidence pictures may be. */
  pictures: ObjectStore[];
}

async function withStorage<T>(configFile: string | null, work: (opened: Opened) => Promise<T>): Promise<T> {
  const config = loadConfig(configFile);
  const objects = new Objects(config, systemClock);
  try {
    return await withCatalogue(config, async (database) => {
      const folder = new LogFolder(join(config.dataFolder, 'footage'), nodeDisk);
      const log = await folder.readId();
      if (log === null) throw new BerthwatchError('unavailable', 'FOOTAGE_WRONG_DISK', `${folder.path} is no footage folder: is the disk mounted, and is this the right configuration?`);
      return work({ config, database, folder, log, store: isArchiving(config.objects, config.footage.archive) ? objects.store : null, pictures: objects.places });
    });
  } finally {
    objects.close();
  }
}

const size = (bytes: number): string => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** "2026-01-01" or "2026-01-01 08:00:00", Beijing time → Unix ms. @throws BerthwatchError bad-input */
export function readTime(text: string, option: string, end: boolean): number {
  const day = /^\d{4}-\d\d?-\d\d?$/.test(text.trim());
  const at = parseBeijing(day ? `${text.trim()} 00:00:00` : text);
  if (at === null) throw new BerthwatchError('bad-input', 'CLI_TIME', `${option} "${text}" is no time: write it like "2026-01-01" or "2026-01-01 08:00:00" (Beijing)`);
  return day && end ? at + 86_400_000 - 1 : at;
}

/** `berthwatch storage verify`: 0 where all is well (or was repaired), 1 where something is left. */
export async function verify(configFile: string | null, options: { camera?: string; from?: string; to?: string; deep?: boolean; repair?: boolean; json?: boolean }): Promise<void> {
  const from = options.from === undefined ? 0 : readTime(options.from, '--from', false);
  const to = options.to === undefined ? Number.MAX_SAFE_INTEGER : readTime(options.to, '--to', true);
  const line = new ProgressLine(process.stderr);
  const out = (text: string): void => {
    line.clear();
    process.stdout.write(`${text}\n`);
  };
  await withStorage(configFile, async ({ config, database, folder, log, store, pictures }) => {
    if (options.repair && store) await claimArchive({ database, store, clock: systemClock, logger: silentLogger });
    const began = performance.now();
    const report = await verifyStorage(
      { database, disk: nodeDisk, folder, log, store, clock: systemClock, windowMs: config.footage.local.window },
      { cameraId: options.camera ?? null, from, to, deep: options.deep ?? false, repair: options.repair ?? false },
      (found) => out(options.json ? JSON.stringify(found) : describeFinding(found)),
      ({ segments, of, bytesRead }) => line.show(segments, of, `${segments} of ${of} segments${options.deep ? `, ${size(bytesRead)} read` : ''}`),
    );
    line.clear();
    const seen = await verifyPictures(
      { database, stores: pictures, clock: systemClock },
      { cameraId: options.camera ?? null, from, to, deep: options.deep ?? false },
      (found) => out(options.json ? JSON.stringify(found) : describeFinding(found)),
      ({ pictures: count, bytesRead }) => line.show(null, null, `${count} pictures${options.deep ? `, ${size(bytesRead)} read` : ''}`),
    );
    line.clear();
    report.findings += seen.findings;
    report.bytesRead += seen.bytesRead;
    const left = report.findings - report.repaired;
    if (options.json) out(JSON.stringify({ segments: report.segments, pictures: seen.pictures, bytesRead: report.bytesRead, findings: report.findings, repaired: report.repaired, place: store?.place ?? null, deep: options.deep ?? false }));
    else {
      const where = store === null ? 'the disk (nothing is archived)' : `the disk and ${store.place}`;
      out(`${report.segments} segments compared with ${where}, ${seen.pictures} pictures with ${pictures[0]?.place ?? 'nothing'}, in ${((performance.now() - began) / 1000).toFixed(1)} s${options.deep ? `, every byte (${size(report.bytesRead)})` : ', names and sizes (--deep reads every byte)'}: ${report.findings === 0 ? 'all is as it should be' : `${report.findings} found, ${report.repaired} repaired, ${left} left`}`);
    }
    if (left > 0) process.exitCode = 1;
  });
}

/** `berthwatch storage restore`. */
export async function restore(configFile: string | null): Promise<void> {
  const line = new ProgressLine(process.stderr);
  await withStorage(configFile, async ({ database, log, store }) => {
    if (!store) throw new BerthwatchError('bad-input', 'CLI_NO_ARCHIVE', 'nothing is archived by this configuration: set objects (S3_BUCKET …) and footage.archive');
    await claimArchive({ database, store, clock: systemClock, logger: silentLogger });
    const report = await restoreFromArchive({ database, store, log, gapMs: 5_000 }, ({ objects, restored, bytesRead }) => line.show(null, null, `${objects} objects, ${restored} restored, ${size(bytesRead)} read`));
    line.clear();
    for (const { key, reason } of report.refused) console.log(`${key}: not taken in: ${reason}`);
    console.log(`${report.objects} objects in ${store.place}: ${report.restored} segments taken into the catalogue, ${report.refused.length} refused`);
    if (report.refused.length > 0) process.exitCode = 1;
  });
}

/** `berthwatch storage claim`. */
export async function claim(configFile: string | null): Promise<void> {
  await withStorage(configFile, async ({ database, store }) => {
    if (!store) throw new BerthwatchError('bad-input', 'CLI_NO_ARCHIVE', 'nothing is archived by this configuration: set objects (S3_BUCKET …) and footage.archive');
    const id = await reclaimArchive({ database, store, clock: systemClock, logger: silentLogger });
    console.log(`${store.place} is the archive of this catalogue now (${id}, ${beijingDateTime(systemClock.now())}); "berthwatch storage verify" tells what it lacks`);
  });
}
