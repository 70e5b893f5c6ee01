import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { DeliveryOutcome, Platform, PlatformMessage } from '../message.js';
import type { ClaimedMessage } from './outbox-table.js';

/** The part of `OutboxTable` that the worker needs. */
export interface OutboxStore {
  claimFresh(now: number): Promise<ClaimedMessage | null>;
  claimNewest(now: number): Promise<ClaimedMessage | null>;
  delivered(id: number, now: number, response: string): Promise<void>;
  failed(id: number, outcome: Exclude<DeliveryOutcome, { outcome: 'delivered' }>, notBefore: number): Promise<void>;
}

export interface OutboxWorkerOptions {
  platform: Platform;
  table: OutboxStore;
  clock: Clock;
  logger: Logger;
  /** Time between retransmissions, milliseconds (A.3.1: one minute). */
  retryMs: number;
  readObject: (key: string) => Promise<Uint8Array>;
  onOutcome: (message: PlatformMessage, outcome: DeliveryOutcome, attempts: number) => void;
}

/** A refused record waits twice as long each time, so that it cannot keep the others from their turn. */
const LONGEST_REFUSAL_WAIT_MS = 3_600_000;
const STORE_RETRY_MS = 1_000;

/**
 * Delivers one platform's outbox, one message at a time (T/QME 0013-2024 A.3.1):
 *
 * - a new message goes at once, oldest first;
 * - after a failure it waits; every `retryMs` the newest waiting message is sent again with the retransmission flag; after
 *   a success the next newest follows, after a failure the rest waits for the next turn;
 * - while the platform cannot be reached, new messages wait for those turns too instead of running into the same wall;
 * - a message never goes before those it requires (a leave before its enter, a picture before its record).
 */
export class OutboxWorker {
  readonly #options: OutboxWorkerOptions;
  readonly #abort = new AbortController();
  #running: Promise<void> | null = null;
  #again = false;
  #retryDue = true;
  #reachable = true;
  #cancelTimer: (() => void) | null = null;

  constructor(options: OutboxWorkerOptions) {
    this.#options = options;
  }

  /** Begins with a turn of retransmissions: what was waiting before a restart has waited long enough. */
  start(): void {
    this.#schedule();
    this.poke();
  }

  /** Tells the worker that the table may hold something new. Cheap; may be called from anywhere. */
  poke(): void {
    if (this.#abort.signal.aborted) return;
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      if (this.#again) this.poke();
    });
  }

  /** Ends after the attempt in flight, which is cut short. */
  async close(): Promise<void> {
    this.#abort.abort(new Error('the outbox is closing'));
    this.#cancelTimer?.();
    await this.#running;
  }

  get reachable(): boolean {
    return this.#reachable;
  }

  #schedule(): void {
    this.#cancelTimer = this.#options.clock.after(this.#options.retryMs, () => {
      this.#retryDue = true;
      this.#schedule();
      this.poke();
    });
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#abort.signal.aborted) {
      this.#again = false;
      try {
        await this.#drainFresh();
        if (this.#retryDue) {
          this.#retryDue = false;
          await this.#drainWaiting();
          await this.#drainFresh();
        }
      } catch (error) {
        this.#options.logger.warn({ error: messageOf(error) }, 'the outbox table cannot be used; trying again');
        this.#retryDue = true;
        this.#options.clock.after(STORE_RETRY_MS, () => this.poke());
        return;
      }
    }
  }

  /** Sends new messages until there is none. A refusal concerns one message only; a platform out of reach stops all. */
  async #drainFresh(): Promise<void> {
    while (this.#reachable && !this.#abort.signal.aborted) {
      const claimed = await this.#options.table.claimFresh(this.#options.clock.now());
      if (!claimed) return;
      await this.#attempt(claimed);
    }
  }

  /** One turn of retransmissions: until there is nothing left, or one fails. */
  async #drainWaiting(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      const claimed = await this.#options.table.claimNewest(this.#options.clock.now());
      if (!claimed || !(await this.#attempt(claimed))) return;
    }
  }

  /** True when the platform has the message now. */
  async #attempt(claimed: ClaimedMessage): Promise<boolean> {
    const { platform, table, clock, logger, retryMs, readObject, onOutcome } = this.#options;
    const facts = { key: claimed.key, attempt: claimed.attempts };
    const outcome = await platform.deliver(claimed.message, { retransmission: claimed.attempts > 1, signal: this.#abort.signal, readObject });
    this.#reachable = outcome.outcome !== 'unreachable';
    if (outcome.outcome === 'delivered') {
      await table.delivered(claimed.id, clock.now(), outcome.response);
      logger.info(facts, 'record delivered');
    } else if (this.#abort.signal.aborted) {
      return false;
    } else {
      const wait = outcome.outcome === 'refused' ? Math.min(retryMs * 2 ** Math.min(claimed.refusals, 20), LONGEST_REFUSAL_WAIT_MS) : 0;
      await table.failed(claimed.id, outcome, clock.now() + wait);
      logger.warn({ ...facts, ...outcome }, outcome.outcome === 'refused' ? 'the platform refused a record' : 'the platform cannot be reached');
    }
    onOutcome(claimed.message, outcome, claimed.attempts);
    return outcome.outcome === 'delivered';
  }
}
