import { fork, type ChildProcess } from 'node:child_process';
import { childEntry } from '../../base/child-entry.js';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { residentBytes } from '../../vision/child/supervised-child.js';
import type { EncodedUnit, EncodeRequest, FromChild, ToChild } from './child/protocol.js';

export interface EncoderPoolOptions {
  /** Processes that encode side by side. */
  children: number;
  /** Requests that may wait for one of them; more are refused. */
  waiting: number;
  /** A child above this resident size is ended, bytes. */
  memoryLimitBytes: number;
  clock: Clock;
  logger: Logger;
  /** A request that takes longer means a hung child. */
  deadlineMs?: number;
  /** A child without work is ended after this. */
  idleMs?: number;
}

interface Job {
  request: EncodeRequest;
  signal: AbortSignal | null;
  resolve: (units: EncodedUnit[]) => void;
  reject: (error: unknown) => void;
}

interface Child {
  process: ChildProcess;
  job: Job | null;
  id: number;
  cancelWatch: () => void;
  failure: string | null;
}

const WATCH_MS = 1_000;

/**
 * Encoding children (child/main.ts), forked when there is work and ended when there has been none for a while. One request at a time each; a
 * child that dies, hangs or grows too large fails only the request that it worked on.
 */
export class EncoderPool {
  readonly #options: Required<EncoderPoolOptions>;
  readonly #children = new Set<Child>();
  readonly #queue: Job[] = [];
  #closed = false;

  constructor(options: EncoderPoolOptions) {
    this.#options = { deadlineMs: 120_000, idleMs: 30_000, ...options };
  }

  /** Requests in work and waiting. */
  get load(): { working: number; waiting: number } {
    return { working: [...this.#children].filter((child) => child.job !== null).length, waiting: this.#queue.length };
  }

  /**
   * @param signal gives up waiting, or ends the child that works on it
   * @throws BerthwatchError unavailable (too many wait, a child died), bad-input (the footage cannot be decoded)
   */
  encode(request: EncodeRequest, signal: AbortSignal | null = null): Promise<EncodedUnit[]> {
    const { children, waiting } = this.#options;
    if (this.#closed) return Promise.reject(closed());
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (children === 0) return Promise.reject(new BerthwatchError('unavailable', 'PLAYBACK_OFF', 'H.265 is not turned into H.264 here (playback.transcode.children is 0): watch in a browser that plays H.265'));
    if (this.#queue.length >= waiting && !this.#hasRoom) {
      return Promise.reject(new BerthwatchError('unavailable', 'PLAYBACK_BUSY', `H.265 is already being turned into H.264 for as many viewers as this service allows (${children} at a time, ${waiting} waiting): try again in a moment, watch in a browser that plays H.265, or raise playback.transcode.children`));
    }
    let onAbort = (): void => undefined;
    const encoded = new Promise<EncodedUnit[]>((resolve, reject) => {
      const job: Job = { request, signal, resolve, reject };
      this.#queue.push(job);
      onAbort = () => {
        const at = this.#queue.indexOf(job);
        if (at >= 0) this.#queue.splice(at, 1);
        for (const child of this.#children) if (child.job === job) this.#end(child, 'its work is not wanted any more');
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#next();
    });
    // An export asks for hundreds of GOPs with one signal, which would hold on to all of them.
    return encoded.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  /** Ends all children; requests in work are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#queue.splice(0)) job.reject(closed());
    await Promise.all(
      [...this.#children].map((child) => {
        const gone = new Promise((resolve) => child.process.once('exit', resolve));
        this.#end(child, 'the service stops');
        return child.process.exitCode === null && child.process.signalCode === null ? gone : null;
      }),
    );
  }

  /** A child is idle, or may still be forked. */
  get #hasRoom(): boolean {
    return this.#queue.length === 0 && (this.#children.size < this.#options.children || [...this.#children].some((child) => child.job === null && child.failure === null));
  }

  #next(): void {
    while (this.#queue.length > 0) {
      const idle = [...this.#children].find((child) => child.job === null && child.failure === null);
      const child = idle ?? (this.#children.size < this.#options.children ? this.#fork() : null);
      if (child === null) return;
      this.#give(child, this.#queue.shift() as Job);
    }
  }

  #give(child: Child, job: Job): void {
    child.job = job;
    child.id++;
    this.#watch(child, this.#options.clock.monotonic());
    this.#send(child, { type: 'encode', id: child.id, request: job.request });
  }

  #fork(): Child {
    const { file, execArgv } = childEntry(import.meta.url, './child/main');
    const process = fork(file, [], { execArgv, serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const child: Child = { process, job: null, id: 0, cancelWatch: () => undefined, failure: null };
    this.#children.add(child);
    process.on('message', (message) => this.#receive(child, message as FromChild));
    process.once('error', (error) => this.#gone(child, `could not be run: ${messageOf(error)}`));
    process.once('exit', (code, signal) => this.#gone(child, signal ? `died of ${signal}` : `ended with code ${code}`));
    return child;
  }

  #receive(child: Child, message: FromChild): void {
    const { job } = child;
    if (!job || message.id !== child.id) return;
    child.job = null;
    child.cancelWatch();
    if (message.type === 'encoded') job.resolve(message.units);
    else job.reject(new BerthwatchError(message.error.kind, message.error.code, message.error.message));
    this.#next();
    if (child.job === null) child.cancelWatch = this.#options.clock.after(this.#options.idleMs, () => this.#end(child, 'there is no work'));
  }

  #gone(child: Child, how: string): void {
    if (!this.#children.delete(child)) return;
    child.cancelWatch();
    const { job } = child;
    child.job = null;
    if (job && !this.#closed && !job.signal?.aborted) this.#options.logger.warn({ reason: child.failure ?? how }, 'an encoding child ended in the middle of its work');
    job?.reject(this.#closed ? closed() : new BerthwatchError('unavailable', 'PLAYBACK_CHILD_DIED', `the process that encodes ${child.failure ?? how}`));
    if (!this.#closed) this.#next();
  }

  #end(child: Child, why: string): void {
    child.failure ??= why;
    child.process.kill('SIGKILL');
  }

  /** Deadline and memory of the request in work. */
  #watch(child: Child, since: number): void {
    const { clock, deadlineMs, memoryLimitBytes } = this.#options;
    child.cancelWatch();
    child.cancelWatch = clock.after(WATCH_MS, () => {
      if (clock.monotonic() - since > deadlineMs) return this.#end(child, `gave no answer within ${deadlineMs} ms`);
      const bytes = residentBytes(child.process.pid) ?? 0;
      if (bytes > memoryLimitBytes) return this.#end(child, `grew to ${Math.round(bytes / 1024 ** 2)} MiB, over its limit`);
      this.#watch(child, since);
    });
  }

  #send(child: Child, message: ToChild): void {
    // A failed send means that the process is going; `exit` tells the rest.
    child.process.send(message, () => undefined);
  }
}

const closed = (): BerthwatchError => new BerthwatchError('unavailable', 'PLAYBACK_CLOSED', 'the service is stopping');
