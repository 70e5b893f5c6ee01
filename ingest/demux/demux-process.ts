import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { childEntry } from '../../base/child-entry.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { decodePicture, INPUT_VARIABLE, MessageReader, type DemuxedSound, type DemuxFault, type DemuxInput } from './demux-protocol.js';

/** One coded picture: Annex-B, times in 90 kHz ticks of the input. */
export interface DemuxedPicture {
  dts: number | null;
  /** Presentation minus decode time. */
  offset: number;
  data: Buffer;
}

/** News beside the pictures. */
export interface DemuxNews {
  /** Packets were lost: the picture that comes next is not whole. */
  lost?: () => void;
  /** Input of sound: what it is, before its first packet. */
  sound?: (sound: DemuxedSound) => void;
}

/** JavaScript heap of the child, MB: it holds a few pictures. */
const CHILD_HEAP_MB = 128;

/**
 * The pictures of an input in decode order, demuxed by a child process that ends with the iteration.
 *
 * @param name what errors call the input
 * @throws BerthwatchError bad-input (a file) or unavailable (a stream) with what is wrong with it; unavailable where the child
 * died or could not be started
 */
export async function* demux(input: DemuxInput, name: string, signal: AbortSignal, logger: Logger, news: DemuxNews = {}): AsyncGenerator<DemuxedPicture, void> {
  if (signal.aborted) return;
  const child = startChild(input);
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
          throw new BerthwatchError(input.kind === 'file' ? 'bad-input' : 'unavailable', code, `${name} ${message}`);
        }
        if (kind === 'W') {
          logger.warn({ input: name }, `${name} ${body.toString('utf8')}`);
          continue;
        }
        if (kind === 'L') {
          news.lost?.();
          continue;
        }
        if (kind === 'A') {
          news.sound?.(JSON.parse(body.toString('utf8')) as DemuxedSound);
          continue;
        }
        yield decodePicture(body);
        if (signal.aborted) return;
        child.stdin?.write('.');
      }
    }
    if (signal.aborted) return;
    const detail = Buffer.concat(complaints).toString('utf8').trim().slice(0, 500);
    throw new BerthwatchError('unavailable', 'INGEST_DEMUX_CHILD', `the demuxer of ${name} ended too early (${await exited})${detail ? `: ${detail}` : ''}`);
  } finally {
    signal.removeEventListener('abort', stop);
    child.kill('SIGKILL');
    await exited;
  }
}

function startChild(input: DemuxInput): ChildProcess {
  const { file, execArgv } = childEntry(import.meta.url, './demux-child');
  const args = [`--max-old-space-size=${CHILD_HEAP_MB}`, ...execArgv, fileURLToPath(file)];
  return spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe', 'pipe'], env: { ...process.env, [INPUT_VARIABLE]: JSON.stringify(input) } });
}
