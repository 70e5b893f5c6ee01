import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { ChildOptions, FromChild, ModelInfo, ToChild } from './protocol.js';

export interface SupervisionOptions {
  entry: { file: URL; execArgv: readonly string[] };
  child: ChildOptions;
  /** Above this resident size the child is restarted, bytes. */
  memoryLimitBytes: number;
  startDeadlineMs: number;
  stopDeadlineMs: number;
  /** A request that takes longer means a hung child. */
  requestDeadlineMs: number;
  pingEveryMs: number;
  /** First pause before a restart; doubles up to `restartMostMs`. */
  restartFirstMs: number;
  restartMostMs: number;
  /** A child that lived this long starts with the first pause again. */
  healthyAfterMs: number;
  clock: Clock;
  logger: Logger;
  /** The child can take a request. */
  onIdle: () => void;
  /** The child could not start; it is tried again after a pause. */
  onStartFailed: (error: BerthwatchError) => void;
}

/** One request on its way: how to say it, and whom to tell. */
export type Job = { message: (id: number) => ToChild; resolve: (reply: Answer) => void; reject: (error: BerthwatchError) => void };
export type Answer = Extract<FromChild, { type: 'examined' | 'still' | 'seen' }>;
export type ChildCondition = 'stopped' | 'starting' | 'idle' | 'busy' | 'stopping' | 'waiting';

/** What the supervisor knows of its child. */
export interface ChildStatus {
  condition: ChildCondition;
  pid: number | null;
  rssBytes: number;
  /** Starts after the first one. */
  restarts: number;
  lastFailure: string | null;
  models: readonly ModelInfo[];
}

/**
 * One vision child with everything around it: start deadline, pings, memory limit, request deadline, restart with growing
 * pauses. It takes one request at a time; when the child dies, the request in flight is rejected as `unavailable`.
 */
export class SupervisedChild {
  readonly #options: SupervisionOptions;
  readonly #logger: Logger;
  #process: ChildProcess | null = null;
  #condition: ChildCondition = 'stopped';
  #job: Job | null = null;
  #jobId = 0;
  #rssBytes = 0;
  #restarts = 0;
  #pauseMs: number;
  #startedAt = 0;
  #lastFailure: string | null = null;
  #failureReason: string | null = null;
  #startError: BerthwatchError | null = null;
  #models: readonly ModelInfo[] = [];
  #closing = false;
  #exited: (() => void) | null = null;
  #cancelDeadline: () => void = () => undefined;
  #cancelPing: () => void = () => undefined;
  #cancelRestart: () => void = () => undefined;
  #pongSeen = true;

  constructor(options: SupervisionOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#pauseMs = options.restartFirstMs;
  }

  get idle(): boolean {
    return this.#condition === 'idle';
  }

  status(): ChildStatus {
    return { condition: this.#condition, pid: this.#process?.pid ?? null, rssBytes: this.#rssBytes, restarts: this.#restarts, lastFailure: this.#lastFailure, models: this.#models };
  }

  start(): void {
    if (this.#condition !== 'stopped' || this.#closing) return;
    this.#spawn();
  }

  /** Gives the child a request; only while `idle`. */
  take(job: Job): void {
    this.#job = job;
    this.#condition = 'busy';
    const message = job.message(++this.#jobId);
    this.#deadline(this.#options.requestDeadlineMs, `no answer to a request within ${this.#options.requestDeadlineMs} ms`);
    this.#send(message);
  }

  /** Ends the child: kindly first, then by force. Resolves when the process is gone. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#cancelRestart();
    this.#cancelPing();
    const child = this.#process;
    if (!child) {
      this.#condition = 'stopped';
      return;
    }
    this.#condition = 'stopping';
    const gone = new Promise<void>((resolve) => (this.#exited = resolve));
    this.#deadline(this.#options.stopDeadlineMs, `did not stop within ${this.#options.stopDeadlineMs} ms`);
    this.#send({ type: 'stop' });
    await gone;
  }

  #spawn(): void {
    const { entry, child: options, clock } = this.#options;
    this.#condition = 'starting';
    this.#startedAt = clock.monotonic();
    this.#failureReason = null;
    this.#startError = null;
    this.#rssBytes = 0;
    this.#pongSeen = true;
    const child = fork(entry.file, [], { execArgv: [...entry.execArgv], serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#process = child;
    child.on('message', (message) => {
      if (this.#process === child) this.#receive(message as FromChild);
    });
    child.once('error', (error) => this.#gone(child, `could not be run: ${messageOf(error)}`));
    child.once('exit', (code, signal) => this.#gone(child, signal ? `died of ${signal}` : `ended with code ${code}`));
    // Native libraries write here without asking; a bounded tail helps to tell why one died.
    let tail = '';
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => (tail = (tail + text).slice(-2_000)));
    child.stderr?.once('close', () => {
      if (tail.trim() !== '') this.#logger.debug({ pid: child.pid, stderr: tail }, 'what a vision child wrote to standard error');
    });
    this.#deadline(this.#options.startDeadlineMs, `was not ready within ${this.#options.startDeadlineMs} ms`);
    this.#send({ type: 'start', options });
    this.#schedulePing();
  }

  #receive(message: FromChild): void {
    switch (message.type) {
      case 'ready':
        this.#cancelDeadline();
        this.#models = message.models;
        this.#condition = this.#closing ? 'stopping' : 'idle';
        this.#logger.info({ pid: this.#process?.pid, models: message.models }, 'vision child ready');
        if (!this.#closing) this.#options.onIdle();
        return;
      case 'start-failed':
        this.#startError = new BerthwatchError(message.error.kind, message.error.code, message.error.message, { detail: message.error.detail });
        this.#kill(`cannot start: ${message.error.message}`);
        return;
      case 'pong':
        this.#pongSeen = true;
        this.#rssBytes = message.rssBytes;
        return;
      case 'log':
        this.#logger[message.level](message.facts, message.message);
        return;
      case 'examined':
      case 'still':
      case 'seen':
      case 'failed': {
        const job = this.#job;
        if (!job || message.id !== this.#jobId) return;
        this.#cancelDeadline();
        this.#job = null;
        if (!this.#closing) this.#condition = 'idle';
        if (message.type === 'failed') job.reject(new BerthwatchError(message.error.kind, message.error.code, message.error.message, { detail: message.error.detail }));
        else job.resolve(message);
        if (!this.#closing) this.#options.onIdle();
        return;
      }
    }
  }

  #gone(child: ChildProcess, how: string): void {
    if (this.#process !== child) return;
    this.#cancelDeadline();
    this.#cancelPing();
    this.#process = null;
    this.#rssBytes = 0;
    const reason = this.#failureReason ?? how;
    const job = this.#job;
    this.#job = null;
    if (this.#closing) {
      this.#condition = 'stopped';
      job?.reject(new BerthwatchError('unavailable', 'VISION_CLOSED', 'vision is shutting down'));
      this.#exited?.();
      return;
    }
    this.#lastFailure = reason;
    const started = this.#condition !== 'starting';
    this.#condition = 'waiting';
    const { clock, restartFirstMs, restartMostMs, healthyAfterMs } = this.#options;
    if (clock.monotonic() - this.#startedAt >= healthyAfterMs) this.#pauseMs = restartFirstMs;
    const pause = this.#pauseMs;
    this.#pauseMs = Math.min(restartMostMs, this.#pauseMs * 2);
    this.#restarts++;
    this.#logger.error({ pid: child.pid, reason, restartInMs: pause, requestLost: job !== null }, `a vision child ${reason}; it is started again`);
    this.#cancelRestart = clock.after(pause, () => this.#spawn());
    job?.reject(new BerthwatchError('unavailable', 'VISION_CHILD_DIED', `the vision child ${reason} while it worked on this request`, { detail: { reason } }));
    if (!started) this.#options.onStartFailed(this.#startError ?? new BerthwatchError('unavailable', 'VISION_CHILD_DIED', `the vision child ${reason}`));
  }

  #kill(reason: string): void {
    this.#failureReason ??= reason;
    this.#process?.kill('SIGKILL');
  }

  #deadline(ms: number, reason: string): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.clock.after(ms, () => this.#kill(reason));
  }

  /** Memory is read from outside where the system allows it: a child stuck in native code cannot answer. */
  #schedulePing(): void {
    this.#cancelPing = this.#options.clock.after(this.#options.pingEveryMs, () => {
      const child = this.#process;
      if (!child) return;
      this.#rssBytes = residentBytes(child.pid) ?? this.#rssBytes;
      if (this.#rssBytes > this.#options.memoryLimitBytes) {
        this.#kill(`grew to ${Math.round(this.#rssBytes / 1024 ** 2)} MiB, over its limit of ${Math.round(this.#options.memoryLimitBytes / 1024 ** 2)} MiB`);
        return;
      }
      // While it works, its thread is rightly busy: the request's deadline watches then.
      if (this.#condition === 'idle') {
        if (!this.#pongSeen) return this.#kill(`did not answer a ping within ${this.#options.pingEveryMs} ms`);
        this.#pongSeen = false;
      } else this.#pongSeen = true;
      this.#send({ type: 'ping', id: 0 });
      this.#schedulePing();
    });
  }

  #send(message: ToChild): void {
    // A failed send means that the process is going; `exit` tells the rest.
    this.#process?.send(message, (error) => {
      if (error) this.#logger.debug({ reason: messageOf(error) }, 'a message to a vision child was not delivered');
    });
  }
}

/** Linux: resident set of a process; null elsewhere or when it is gone. */
export function residentBytes(pid: number | undefined): number | null {
  if (process.platform !== 'linux' || pid === undefined) return null;
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
    // Page size is 4 KiB on x86-64 and common arm64 kernels; larger pages make the limit stricter, never looser by more than the child's own report corrects.
    return Number.isFinite(pages) ? pages * 4096 : null;
  } catch {
    return null;
  }
}
