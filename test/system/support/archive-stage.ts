import { join } from 'node:path';
import { systemClock, type Clock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { ArchivedFootage } from '../../../storage/archive/archived-footage.js';
import { Archiver, type ArchiverOptions } from '../../../storage/archive/archiver.js';
import type { Database } from '../../../storage/catalogue/database.js';
import { nodeDisk } from '../../../storage/footage/disk.js';
import { FootageLog } from '../../../storage/footage/footage-log.js';
import type { ObjectStore } from '../../../storage/objects/object-store.js';

export interface ArchiveStage {
  log: FootageLog;
  archiver: Archiver;
}

/** A footage log with its archive, as the service puts them together. */
export async function archiveStage(options: { folder: string; database: Database; store: ObjectStore; clock?: Clock; archiver?: Partial<ArchiverOptions> }): Promise<ArchiveStage> {
  const { folder, database, store, clock = systemClock } = options;
  const archived = new ArchivedFootage({ database, store, clock, cacheBytes: 8 * 1024 * 1024, pauseMs: 50 });
  const log = new FootageLog({ folder: join(folder, 'footage'), database, clock: systemClock, logger: silentLogger, segmentMs: 10_000, queueGops: 1_000, archive: archived });
  await log.start();
  const archiver = new Archiver({
    database,
    store,
    disk: nodeDisk,
    folder: log.files,
    logId: () => log.id,
    finishRemovals: () => log.finishRemovals(),
    clock,
    logger: silentLogger,
    order: 'oldest',
    concurrency: 2,
    bytesPerSecond: null,
    local: { windowMs: null, bytes: null },
    retry: { firstMs: 50, longestMs: 400 },
    idleMs: 50,
    tidyMs: 50,
    ...options.archiver,
  });
  archived.beforeRemove = (segment) => archiver.cancel(segment);
  return { log, archiver };
}
