import { spawn, type ChildProcess } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { resolve as absolute } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { childEntry } from '../../base/child-entry.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { decodePicture, MessageReader, type DemuxFault } from './demux-protocol.js';

/** One coded picture of a file: Annex-B, times in 90 kHz ticks of the file. */
export interface DemuxedPicture {
  dts: number | null;
  /** Presentation minus decode time. */
  offset: number;
  data: Buffer;
}

/** JavaScript heap of the child, MB: it holds a few pictures. */
const CHILD_HEAP_MB = 128;

/**
 * The pictures of a recording in decode order, demuxed by a child process that ends with the iteration.
 *
 * @throws BerthwatchError not-found or bad-input with what is wrong with the file; unavailable where the child died or could
 * not be started
 */
export async function* demuxFile(file: string, signal: AbortSignal, logger: Logger): AsyncGenerator<DemuxedPicture, void> {
  const path = absolute(file);
  await checkFile(path);
  if (signal.aborted) return;
  const child = startChild(path);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, killedBy) => resolve(killedBy === null ? `exit code ${code}` : `signal ${killedBy}`));
  });
  const complaints: Buffer[] = [];
  child.stderr?.on('data', (text: Buffer) => void (complaints.length < 16 && complaints.push(text)));
  child.stdin?.on('error', () => undefined);
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const reader = new MessageReader();
    for await (const chunk of child.stdio[3] as Readable) {
      for (const { kind, body } of reader.push(chunk as Buffer)) {
        if (kind === 'D') return;
        if (kind === 'E') {
          const { code, message } = JSON.parse(body.toString('utf8')) as DemuxFault;
          throw new BerthwatchError('bad-input', code, `${path} ${message}`);
        }
        if (kind === 'W') {
          logger.warn({ file: path }, `recording ${body.toString('utf8')}`);
          continue;
        }
        yield decodePicture(body);
        if (signal.aborted) return;
        child.stdin?.write('.');
      }
    }
    if (signal.aborted) return;
    const detail = Buffer.concat(complaints).toString('utf8').trim().slice(0, 500);
    throw new BerthwatchError('unavailable', 'INGEST_FILE_CHILD', `the demuxer of ${path} ended before the file did (${await exited})${detail ? `: ${detail}` : ''}`);
  } finally {
    signal.removeEventListener('abort', stop);
    child.kill('SIGKILL');
    await exited;
  }
}

async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new BerthwatchError('not-found', 'INGEST_FILE_MISSING', `there is no recording at ${path}`, { cause: error });
    throw new BerthwatchError('bad-input', 'INGEST_FILE_UNREADABLE', `${path} cannot be read: ${error.message}`, { cause: error });
  });
  if (!found.isFile()) throw new BerthwatchError('bad-input', 'INGEST_FILE_UNREADABLE', `${path} is no file`);
  if (found.size === 0) throw new BerthwatchError('bad-input', 'INGEST_FILE_UNREADABLE', `${path} is empty`);
}

function startChild(path: string): ChildProcess {
  const { file, execArgv } = childEntry(import.meta.url, './demux-child');
  const args = [`--max-old-space-size=${CHILD_HEAP_MB}`, ...execArgv, fileURLToPath(file), path];
  return spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
}
