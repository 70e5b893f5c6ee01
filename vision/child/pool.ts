import { childEntry } from '../../base/child-entry.js';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Observation } from '../observation.js';
import type { AnalyseRequest, ChildOptions, Examination, ExamineRequest, SeeRequest, Sight, Stage, StageTimes, Still, StillRequest, ToChild } from './protocol.js';
import { SupervisedChild, type Answer, type ChildStatus, type SupervisionOptions } from './supervised-child.js';

export interface VisionPoolOptions {
  manifestPath: string;
  /** Child processes; each decodes and infers on one core. */
  children: number;
  /** ONNX threads in each child. */
  threads: number;
  /** Above this resident size a child is restarted, bytes. */
  memoryLimitBytes: number;
  accelerator?: ChildOptions['accelerator'];
  vehicleScore?: ChildOptions['vehicleScore'];
  /** Requests waiting for a child; more are refused. */
  maxWaiting?: number;
  logger: Logger;
  clock: Clock;
  /** Deadlines and pauses that differ from `SUPERVISION_DEFAULTS`; tests shorten them. */
  supervision?: Partial<Supervision>;
  /** The child's program; tests may put one in its place that misbehaves. */
  entry?: SupervisionOptions['entry'];
}

type Supervision = Pick<SupervisionOptions, 'startDeadlineMs' | 'stopDeadlineMs' | 'requestDeadlineMs' | 'pingEveryMs' | 'restartFirstMs' | 'restartMostMs' | 'healthyAfterMs'>;

export const SUPERVISION_DEFAULTS: Supervision = {
  startDeadlineMs: 30_000,
  stopDeadlineMs: 5_000,
  requestDeadlineMs: 60_000,
  pingEveryMs: 5_000,
  restartFirstMs: 250,
  restartMostMs: 30_000,
  healthyAfterMs: 60_000,
};

/** A request that killed its child is given to another one once; then it is believed to be the killer. */
const MOST_ATTEMPTS = 2;

export interface PoolStatus {
  children: ChildStatus[];
  waiting: number;
}

export interface PoolMetrics {
  requests: number;
  failures: number;
  /** Requests refused because too many waited. */
  refused: number;
  frames: { inferred: number; gated: number; missing: number };
  /** Time in each stage, all children together, since start. */
  stages: Partial<Record<Stage, { count: number; ms: number }>>;
  /** Time of whole requests, waiting included. */
  requestMs: { count: number; sum: number; max: number };
  restarts: number;
}

interface Waiting {
  message: (id: number) => ToChild;
  attempts: number;
  resolve: (answer: Answer) => void;
  reject: (error: BerthwatchError) => void;
}

/**
 * Supervised children that decode pictures and run the models. Requests are served first come, first served, one at a time
 * in each child. What kills a child (a crash in native code included) costs the request a retry, never the service.
 */
export class VisionPool {
  readonly #options: VisionPoolOptions;
  readonly #children: SupervisedChild[];
  readonly #waiting: Waiting[] = [];
  readonly #metrics: PoolMetrics = {
    requests: 0,
    failures: 0,
    refused: 0,
    frames: { inferred: 0, gated: 0, missing: 0 },
    stages: {},
    requestMs: { count: 0, sum: 0, max: 0 },
    restarts: 0,
  };
  readonly #watchers: { resolve: () => void; reject: (error: BerthwatchError) => void }[] = [];
  #state: 'new' | 'running' | 'closed' = 'new';

  constructor(options: VisionPoolOptions) {
    this.#options = options;
    const entry = options.entry ?? childEntry(import.meta.url, './main');
    this.#children = Array.from({ length: Math.max(1, options.children) }, (_, i) =>
      new SupervisedChild({
        ...SUPERVISION_DEFAULTS,
        ...options.supervision,
        entry,
        child: { manifestPath: options.manifestPath, threads: options.threads, accelerator: options.accelerator, vehicleScore: options.vehicleScore },
        memoryLimitBytes: options.memoryLimitBytes,
        clock: options.clock,
        logger: options.logger.child({ visionChild: i }),
        onIdle: () => {
          for (const { resolve } of this.#watchers.splice(0)) resolve();
          this.#dispatch();
        },
        onStartFailed: (error) => this.#onStartFailed(error),
      }),
    );
  }

  /** Starts the children. Requests may be made at once; they wait until a child is ready. */
  start(): void {
    if (this.#state !== 'new') throw new BerthwatchError('internal', 'VISION_POOL', 'a vision pool starts once');
    this.#state = 'running';
    for (const child of this.#children) child.start();
  }

  /**
   * Resolves when a child can serve.
   * @throws BerthwatchError what keeps them all from starting: bad-input or not-found where it is the models; children go
   * on trying, so a later call may succeed
   */
  ready(): Promise<void> {
    if (this.#state !== 'running') return Promise.reject(closed());
    if (this.status().children.some((c) => c.condition === 'idle' || c.condition === 'busy')) return Promise.resolve();
    return new Promise((resolve, reject) => this.#watchers.push({ resolve, reject }));
  }

  /** Rejects what waits, ends the children, and resolves when their processes are gone. */
  async close(): Promise<void> {
    this.#state = 'closed';
    for (const waiting of [...this.#waiting.splice(0), ...this.#watchers.splice(0)]) waiting.reject(closed());
    await Promise.all(this.#children.map((child) => child.close()));
  }

  /**
   * What is seen on the frames of a request, in the order of its `frames`. A frame that gives no picture (damaged beyond
   * decoding) is left out; where none gives one, the request fails.
   * @throws BerthwatchError bad-input (nothing decodable, wrong index), unavailable (overload, crash, shutdown: try again)
   */
  async analyse(request: AnalyseRequest): Promise<Observation[]> {
    const { frames, missing } = await this.examine({ cameraId: request.cameraId, units: request.units, frames: request.frames, regions: request.regions });
    if (frames.length === 0 && missing.length > 0) {
      throw new BerthwatchError('bad-input', 'VISION_UNDECODABLE', `none of the ${missing.length} frames of camera ${request.cameraId} gives a picture: no keyframe before them, or damaged beyond decoding`);
    }
    return frames.map((frame) => frame.observation);
  }

  /** As `analyse`, with the looks that gate and picture health work on, and with the gate where the request carries one. */
  async examine(request: ExamineRequest): Promise<Examination> {
    const answer = await this.#ask((id) => ({ type: 'examine', id, request }));
    if (answer.type !== 'examined') throw new BerthwatchError('internal', 'VISION_CHILD', 'the vision child answered something else than was asked');
    const { frames, missing } = answer.examination;
    const gated = frames.filter((f) => f.reason === null).length;
    this.#metrics.frames.gated += gated;
    this.#metrics.frames.inferred += frames.length - gated;
    this.#metrics.frames.missing += missing.length;
    return answer.examination;
  }

  /** One decoded picture, for evidence and the console. @throws BerthwatchError bad-input, unavailable */
  async still(request: StillRequest): Promise<Still> {
    const answer = await this.#ask((id) => ({ type: 'still', id, request }));
    if (answer.type !== 'still') throw new BerthwatchError('internal', 'VISION_CHILD', 'the vision child answered something else than was asked');
    return answer.still;
  }

  /** What is seen on one picture that is part of no stream. @throws BerthwatchError bad-input (size), unavailable */
  async see(request: SeeRequest): Promise<Sight> {
    const answer = await this.#ask((id) => ({ type: 'see', id, request }));
    if (answer.type !== 'seen') throw new BerthwatchError('internal', 'VISION_CHILD', 'the vision child answered something else than was asked');
    this.#metrics.frames.inferred += 1;
    return answer.sight;
  }

  status(): PoolStatus {
    return { children: this.#children.map((child) => child.status()), waiting: this.#waiting.length };
  }

  metrics(): PoolMetrics {
    const restarts = this.#children.reduce((sum, child) => sum + child.status().restarts, 0);
    return structuredClone({ ...this.#metrics, restarts });
  }

  async #ask(message: (id: number) => ToChild): Promise<Answer> {
    if (this.#state !== 'running') throw closed();
    const { clock, maxWaiting = 256 } = this.#options;
    if (this.#waiting.length >= maxWaiting) {
      this.#metrics.refused++;
      throw new BerthwatchError('unavailable', 'VISION_OVERLOAD', `${this.#waiting.length} vision requests wait already; this one is refused, try later or give vision more children`);
    }
    this.#metrics.requests++;
    const begin = clock.monotonic();
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        this.#waiting.push({ message, attempts: 0, resolve, reject });
        this.#dispatch();
      });
      this.#count(answer.times);
      return answer;
    } catch (error) {
      this.#metrics.failures++;
      throw error;
    } finally {
      const ms = clock.monotonic() - begin;
      const total = this.#metrics.requestMs;
      total.count++;
      total.sum += ms;
      total.max = Math.max(total.max, ms);
    }
  }

  /** Nobody shall wait for children of whom none is even starting. */
  #onStartFailed(error: BerthwatchError): void {
    if (this.status().children.some((c) => c.condition !== 'waiting')) return;
    for (const watcher of this.#watchers.splice(0)) watcher.reject(error);
    // A request that just lost its child for the first time stays: it has its second attempt.
    const stranded = this.#waiting.filter((w) => w.attempts === 0);
    this.#waiting.splice(0, this.#waiting.length, ...this.#waiting.filter((w) => w.attempts > 0));
    for (const waiting of stranded) {
      waiting.reject(new BerthwatchError('unavailable', 'VISION_DOWN', `no vision child runs: ${error.message}`, { cause: error }));
    }
  }

  #dispatch(): void {
    for (const child of this.#children) {
      if (!child.idle) continue;
      const next = this.#waiting.shift();
      if (!next) return;
      next.attempts++;
      child.take({
        message: next.message,
        resolve: next.resolve,
        reject: (error) => {
          if (error.code === 'VISION_CHILD_DIED' && next.attempts < MOST_ATTEMPTS && this.#state === 'running') {
            this.#waiting.unshift(next);
            this.#dispatch();
          } else next.reject(error);
        },
      });
    }
  }

  #count(times: StageTimes): void {
    for (const [stage, { count, ms }] of Object.entries(times) as [Stage, { count: number; ms: number }][]) {
      const known = this.#metrics.stages[stage] ?? { count: 0, ms: 0 };
      this.#metrics.stages[stage] = { count: known.count + count, ms: known.ms + ms };
    }
  }
}

function closed(): BerthwatchError {
  return new BerthwatchError('unavailable', 'VISION_CLOSED', 'vision is not running: it was not started or is shutting down');
}
