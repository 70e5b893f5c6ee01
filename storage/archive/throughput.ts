import type { Clock } from '../../base/clock.js';

const WINDOW_MS = 60_000;
const STEP_MS = 1_000;
/** The backlog is watched for so long before something is said about its end. */
const TREND_MS = 600_000;
const LEAST_TREND_MS = 20_000;

/** How fast uploads go, and when the backlog will be gone. */
export class Throughput {
  readonly #clock: Clock;
  readonly #sent: { at: number; bytes: number }[] = [];
  readonly #backlogs: { at: number; bytes: number }[] = [];
  readonly #startedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
  }

  add(bytes: number): void {
    const at = this.#clock.monotonic();
    const last = this.#sent.at(-1);
    if (last && at - last.at < STEP_MS) last.bytes += bytes;
    else this.#sent.push({ at, bytes });
    while (this.#sent.length > 0 && at - (this.#sent[0]?.at ?? at) > WINDOW_MS) this.#sent.shift();
  }

  /** The backlog as it was counted just now. */
  backlog(bytes: number): void {
    const at = this.#clock.monotonic();
    this.#backlogs.push({ at, bytes });
    while (at - (this.#backlogs[0]?.at ?? at) > TREND_MS) this.#backlogs.shift();
  }

  /** Of the last minute. */
  bytesPerSecond(): number {
    const now = this.#clock.monotonic();
    const bytes = this.#sent.reduce((sum, step) => (now - step.at <= WINDOW_MS ? sum + step.bytes : sum), 0);
    return Math.round(bytes / (Math.min(WINDOW_MS, Math.max(STEP_MS, now - this.#startedAt)) / 1000));
  }

  /** Of a backlog of `bytes`, as it shrank lately with all that was recorded meanwhile; null where it does not shrink. */
  remainingMs(bytes: number): number | null {
    if (bytes === 0) return 0;
    const first = this.#backlogs[0];
    const last = this.#backlogs.at(-1);
    if (!first || !last || last.at - first.at < LEAST_TREND_MS || last.bytes >= first.bytes) return null;
    return Math.round((bytes / (first.bytes - last.bytes)) * (last.at - first.at));
  }
}
