import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { Database } from '../../../storage/catalogue/database.js';
import type { DatabaseAddress } from '../../../storage/catalogue/database-address.js';
import { S3ObjectStore } from '../../../storage/objects/s3/s3-object-store.js';
import type { S3Options } from '../../../storage/objects/s3/s3-options.js';
import { archiveStage } from './archive-stage.js';

/** What the parent sends: where everything is. */
export interface ArchiveChildTask {
  folder: string;
  address: DatabaseAddress;
  s3: Omit<S3Options, 'clock'>;
  bytesPerSecond: number | null;
}

/** Archives what is sealed until it is killed. */
process.once('message', (task: ArchiveChildTask) => {
  void (async () => {
    const database = new Database({ address: task.address, clock: systemClock, logger: silentLogger });
    const store = new S3ObjectStore({ ...task.s3, clock: systemClock });
    const { archiver } = await archiveStage({ folder: task.folder, database, store, archiver: { bytesPerSecond: task.bytesPerSecond, concurrency: 1 } });
    archiver.start();
    process.send?.('archiving');
  })();
});
