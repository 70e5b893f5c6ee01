import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { Feed } from './feed.js';

export interface Problem {
  /** Part of the system and what it concerns, `footage` or `camera/cam-1`. */
  part: string;
  /** What is wrong and what to do, for people. */
  message: string;
  /** Unix ms since when. */
  since: number;
}

/** What is wrong right now, for the log, the page and `/healthz`. */
export class ProblemBoard {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #feed: Feed;
  readonly #problems = new Map<string, Problem>();

  constructor(clock: Clock, logger: Logger, feed: Feed) {
    this.#clock = clock;
    this.#logger = logger;
    this.#feed = feed;
  }

  /** States that `part` has a problem, or with null that it has none. Repeating the same is silent. */
  set(part: string, message: string | null): void {
    const known = this.#problems.get(part);
    if (message === null) {
      if (!known) return;
      this.#problems.delete(part);
      this.#logger.info({ part, lasted: this.#clock.now() - known.since }, `solved: ${known.message}`);
      this.#feed.publish('problem-solved', { part, message: known.message });
    } else if (known?.message !== message) {
      this.#problems.set(part, { part, message, since: known?.since ?? this.#clock.now() });
      this.#logger.error({ part }, message);
      this.#feed.publish('problem', { part, message });
    }
  }

  list(): Problem[] {
    return [...this.#problems.values()].sort((a, b) => a.since - b.since);
  }
}
