import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { FrameSource } from '../../ingest/frame-source.js';
import type { FootageLog } from './footage-log.js';
import type { LogPosition } from './segment.js';

export interface LogFrameSourceOptions {
  log: FootageLog;
  cameraId: string;
  logger: Logger;
  /** GOPs behind this position; null (default): from the oldest. */
  after?: LogPosition | null;
  /** Ends before the first GOP that begins later, Unix ms; default: never, waits for more. */
  until?: number;
}

/** A camera's footage as a source of pictures, GOP by GOP. One that retention removes meanwhile, or that is damaged, is left out. */
export class LogFrameSource implements FrameSource {
  readonly cameraId: string;
  readonly #options: LogFrameSourceOptions;

  constructor(options: LogFrameSourceOptions) {
    this.cameraId = options.cameraId;
    this.#options = options;
  }

  async *units(signal: AbortSignal): AsyncGenerator<AccessUnit, void, undefined> {
    const { log, cameraId, after = null, until = Infinity, logger } = this.#options;
    for await (const gop of log.follow(cameraId, after, signal)) {
      if (gop.startedAt > until) return;
      let units: AccessUnit[];
      try {
        units = await gop.read();
      } catch (error) {
        logger.warn({ camera: cameraId, position: gop.position, error: messageOf(error) }, 'a GOP of the footage log cannot be read and is left out');
        continue;
      }
      for (const unit of units) {
        if (signal.aborted) return;
        yield unit;
      }
    }
  }
}
