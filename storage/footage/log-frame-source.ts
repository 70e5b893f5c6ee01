import { sleep, systemClock, type Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { FrameSource } from '../../ingest/frame-source.js';
import type { FootageLog } from './footage-log.js';
import type { LoggedGop } from './logged-gop.js';
import type { LogPosition } from './segment.js';

export interface LogFrameSourceOptions {
  log: FootageLog;
  cameraId: string;
  logger: Logger;
  clock?: Clock;
  /** GOPs behind this position; null (default): from the oldest. */
  after?: LogPosition | null;
  /** Ends before the first GOP that begins later, Unix ms; default: never, waits for more. */
  until?: number;
}

const RETRY_MS = 1_000;

/** A camera's footage as a source of pictures, GOP by GOP. One that retention removes meanwhile, or that is damaged, is left out. */
export class LogFrameSource implements FrameSource {
  readonly cameraId: string;
  readonly #options: LogFrameSourceOptions;

  constructor(options: LogFrameSourceOptions) {
    this.cameraId = options.cameraId;
    this.#options = options;
  }

  async *units(signal: AbortSignal): AsyncGenerator<AccessUnit, void, undefined> {
    const { log, cameraId, after = null, until = Infinity } = this.#options;
    for await (const gop of log.follow(cameraId, after, signal)) {
      if (gop.startedAt > until) return;
      const units = await this.#read(gop, signal);
      if (units === null) continue;
      for (const unit of units) {
        if (signal.aborted) return;
        yield unit;
      }
    }
  }

  /** Waits where disk or archive are away; null where the GOP is left out. */
  async #read(gop: LoggedGop, signal: AbortSignal): Promise<AccessUnit[] | null> {
    const { cameraId, logger, clock = systemClock } = this.#options;
    while (!signal.aborted) {
      try {
        return await gop.read();
      } catch (error) {
        if (!(error instanceof BerthwatchError && error.retryable)) {
          logger.warn({ camera: cameraId, position: gop.position, error: messageOf(error) }, 'a GOP of the footage log cannot be read and is left out');
          return null;
        }
        await sleep(clock, RETRY_MS, signal).catch(() => undefined);
      }
    }
    return null;
  }
}
