import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { FootageLog } from '../../storage/footage/footage-log.js';
import type { Database } from '../../storage/catalogue/database.js';
import type { FootageSources } from '../api/footage-routes.js';
import type { PlaybackConfig } from './config.js';
import { EncoderPool } from './encoder-pool.js';
import { Playback } from './playback.js';
import { Tickets } from './tickets.js';
import { Transcoder } from './transcoder.js';
import { readVisitMarks } from './visit-marks.js';

export interface FootageServiceOptions {
  config: PlaybackConfig;
  token: string | null;
  log: FootageLog;
  database: Database;
  /** Cameras of the site as it is now. */
  cameras: () => readonly { id: string }[];
  clock: Clock;
  logger: Logger;
}

/** Everything that shows recorded footage to people, put together. */
export class FootageService {
  readonly #viewers: EncoderPool;
  readonly sources: FootageSources;

  constructor(options: FootageServiceOptions) {
    const { config, token, log, database, cameras, clock } = options;
    const { transcode } = config;
    const logger = options.logger.child({ part: 'playback' });
    this.#viewers = new EncoderPool({ children: transcode.children, waiting: transcode.waiting, memoryLimitBytes: transcode.memoryLimit, clock, logger });
    const transcoder = new Transcoder({ pool: this.#viewers, maxHeight: transcode.maxHeight, maxBitrate: transcode.maxBitrate, cacheBytes: transcode.cache });
    this.sources = {
      playback: new Playback({ log, clock, transcoder }),
      tickets: new Tickets({ token, clock, lifetimeMs: config.links }),
      knowsCamera: (cameraId) => cameras().some((camera) => camera.id === cameraId) || log.cameras().includes(cameraId),
      visitMarks: (cameraId, from, to) => readVisitMarks(database, cameraId, from, to),
    };
  }

  async close(): Promise<void> {
    await this.#viewers.close();
  }
}
