import { systemClock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { createLogger } from '../log.js';
import { BerthwatchService } from '../service.js';
import { loadConfig } from './load-config.js';

/** `berthwatch serve`: runs until SIGINT or SIGTERM; a second signal ends it at once. */
export async function serve(configFile: string | null): Promise<void> {
  const config = loadConfig(configFile);
  const logger = createLogger(config.log.level);
  const service = new BerthwatchService({ config, clock: systemClock, logger });
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(130);
    stopping = true;
    logger.info({ signal }, 'stopping');
    service.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ error: messageOf(error) }, 'the service did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('uncaughtException', (error) => {
    // What state we are in is unknown; the log on disk and the catalogue are not. Start again from them.
    logger.error({ error: error.message, stack: error.stack }, 'a bug ended the service');
    process.exit(70);
  });
  try {
    const { url, sipPort } = await service.start();
    logger.info({ url, sipPort }, 'berthwatch is running');
    if (process.send) process.send({ type: 'running', url, sipPort });
  } catch (error) {
    await service.close().catch(() => undefined);
    throw error;
  }
}
