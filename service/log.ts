import { pino, type DestinationStream } from 'pino';
import type { Logger } from '../base/logger.js';

/** JSON lines on `destination` (standard output unless given): level and time as words, secrets blanked. */
export function createLogger(level: 'debug' | 'info' | 'warn' | 'error', destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['password', '*.password', 'token', 'authorization'], censor: '…' },
    },
    destination ?? pino.destination({ dest: 1, sync: false }),
  );
}
