import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../../storage/catalogue/database.js';
import type { ObjectStore } from '../../storage/objects/object-store.js';
import type { Config } from '../config/config.js';
import type { SiteCamera } from '../config/site.js';
import type { MediaCalls } from '../live/media-calls.js';
import { DevicePlaybacks } from './device-playbacks.js';
import { DeviceRecordings } from './device-recordings.js';
import { RecordingRecords } from './recording-records.js';

export type DeviceFootageOptions = Config['deviceFootage'] & {
  calls: MediaCalls;
  database: Database;
  objects: ObjectStore;
  camera: (cameraId: string) => SiteCamera | undefined;
  clock: Clock;
  logger: Logger;
  /** Of the data folder: what is being fetched. */
  folder: string;
};

/** What cameras recorded by themselves: fetched to be kept, or played while it comes. */
export class DeviceFootage {
  readonly recordings: DeviceRecordings;
  readonly playbacks: DevicePlaybacks;

  constructor(options: DeviceFootageOptions) {
    const { calls, database, objects, camera, clock, folder } = options;
    const logger = options.logger.child({ part: 'device-footage' });
    this.recordings = new DeviceRecordings({
      records: new RecordingRecords(database),
      objects,
      calls,
      camera,
      clock,
      logger,
      folder,
      atOnce: options.downloads,
      speed: options.speed,
      retry: { firstMs: options.retry.first, longestMs: options.retry.longest },
    });
    this.playbacks = new DevicePlaybacks({ calls, camera, clock, logger, most: options.playbacks, unwatchedMs: options.unwatched });
  }

  async start(): Promise<void> {
    await this.recordings.start();
  }

  async close(): Promise<void> {
    await Promise.all([this.recordings.close(), this.playbacks.close()]);
  }
}
