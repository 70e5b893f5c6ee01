import { stat } from 'node:fs/promises';
import { resolve as absolute } from 'node:path';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { demux, type DemuxedPicture } from '../demux/demux-process.js';

/**
 * The pictures of a recording in decode order.
 * @throws BerthwatchError not-found or bad-input with what is wrong with the file; unavailable where its demuxer died
 */
export async function* demuxFile(file: string, signal: AbortSignal, logger: Logger): AsyncGenerator<DemuxedPicture, void> {
  const path = absolute(file);
  await checkFile(path);
  yield* demux({ kind: 'file', path }, path, signal, logger);
}

async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new BerthwatchError('not-found', 'INGEST_FILE_MISSING', `there is no recording at ${path}`, { cause: error });
    throw new BerthwatchError('bad-input', 'INGEST_FILE_UNREADABLE', `${path} cannot be read: ${error.message}`, { cause: error });
  });
  if (!found.isFile()) throw new BerthwatchError('bad-input', 'INGEST_FILE_UNREADABLE', `${path} is no file`);
  if (found.size === 0) throw new BerthwatchError('bad-input', 'INGEST_FILE_UNREADABLE', `${path} is empty`);
}
