import { beijingMidnight } from '../../base/beijing-time.js';
import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { DeliveryOutcome, Platform, PlatformMessage } from '../../platform/message.js';
import { OutboxTable, type OutboxCounts } from '../../platform/outbox/outbox-table.js';
import { OutboxWorker } from '../../platform/outbox/outbox-worker.js';
import type { Database } from '../../storage/catalogue/database.js';
import { readDayCounts } from '../records/visit-reader.js';

export interface PlatformLinkOptions {
  platform: Platform;
  database: Database;
  lotCodes: () => readonly string[];
  clock: Clock;
  logger: Logger;
  retryMs: number;
  heartbeatMs: number;
  readObject: (key: string) => Promise<Uint8Array>;
  onOutcome: (message: PlatformMessage, outcome: DeliveryOutcome, attempts: number) => void;
  /** Told what is wrong with the link, and with null that nothing is. */
  onTrouble: (part: string, message: string | null) => void;
}

/** A.4.1.5.1: 确保本地时间偏差少于 10s. */
const CLOCK_LIMIT_MS = 10_000;

/** Everything between us and one city platform: its outbox and its heartbeats. */
export class PlatformLink {
  readonly #options: PlatformLinkOptions;
  readonly #worker: OutboxWorker;
  readonly #table: OutboxTable;
  readonly #abort = new AbortController();
  #cancelHeartbeat: () => void = () => undefined;
  #beating: Promise<void> = Promise.resolve();
  #refusals: Promise<void> = Promise.resolve();
  #lastRefusal = '';

  constructor(options: PlatformLinkOptions) {
    this.#options = options;
    this.#table = new OutboxTable(options.database, options.platform.id);
    this.#worker = new OutboxWorker({
      platform: options.platform,
      table: this.#table,
      clock: options.clock,
      logger: options.logger,
      retryMs: options.retryMs,
      readObject: options.readObject,
      onOutcome: (message, outcome, attempts) => {
        this.#reach(outcome);
        if (outcome.outcome === 'refused') this.#lastRefusal = ` (the last one: ${outcome.code} ${outcome.reason})`;
        if (outcome.outcome === 'refused' || (outcome.outcome === 'delivered' && attempts > 1)) this.#countRefusals();
        options.onOutcome(message, outcome, attempts);
      },
    });
  }

  start(): void {
    this.#countRefusals();
    this.#worker.start();
    if (this.#options.platform.accepts.has('heartbeat')) this.#beat();
  }

  /** The outbox may hold something new. */
  poke(): void {
    this.#worker.poke();
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('the service is stopping'));
    this.#cancelHeartbeat();
    await Promise.all([this.#worker.close(), this.#beating]);
    await this.#refusals;
  }

  counts(): Promise<OutboxCounts> {
    return this.#table.counts();
  }

  #beat(): void {
    this.#beating = this.#sendHeartbeats().finally(() => {
      if (!this.#abort.signal.aborted) this.#cancelHeartbeat = this.#options.clock.after(this.#options.heartbeatMs, () => this.#beat());
    });
  }

  /** One heartbeat a lot. They are not kept: the next one says all that a lost one would have said. */
  async #sendHeartbeats(): Promise<void> {
    const { platform, database, lotCodes, clock, logger, readObject } = this.#options;
    for (const lotCode of lotCodes()) {
      try {
        const at = clock.now();
        const counts = await readDayCounts(database, lotCode, beijingMidnight(at));
        const outcome = await platform.deliver({ kind: 'heartbeat', lotCode, at, ...counts }, { retransmission: false, signal: this.#abort.signal, readObject });
        if (this.#abort.signal.aborted) return;
        this.#reach(outcome);
        if (outcome.outcome === 'delivered' && outcome.platformTime !== undefined) this.#compareClocks(outcome.platformTime);
        if (outcome.outcome === 'refused') logger.warn({ platform: platform.id, lotCode, ...outcome }, 'the platform refused a heartbeat');
      } catch (error) {
        logger.warn({ platform: platform.id, lotCode, error: messageOf(error) }, 'no heartbeat could be made');
      }
    }
  }

  #reach(outcome: DeliveryOutcome): void {
    const { platform, onTrouble } = this.#options;
    onTrouble(`platform/${platform.id}`, outcome.outcome === 'unreachable' ? `city platform ${platform.id} cannot be reached; records wait and will be sent when it is back (${outcome.reason})` : null);
  }

  /** Records that the platform does not want are somebody's to look at: they stay on the page until it has them. */
  #countRefusals(): void {
    const { platform, onTrouble, logger } = this.#options;
    this.#refusals = this.#refusals.then(async () => {
      try {
        const { refused } = await this.#table.counts();
        onTrouble(
          `refused/${platform.id}`,
          refused === 0 ? null : `city platform ${platform.id} refuses ${refused === 1 ? 'a record' : `${refused} records`}; they are sent again with growing pauses: see the deliveries of their visits${this.#lastRefusal}`,
        );
      } catch (error) {
        logger.warn({ platform: platform.id, error: messageOf(error) }, 'refused records could not be counted');
      }
    });
  }

  #compareClocks(platformTime: number): void {
    const { platform, clock, onTrouble } = this.#options;
    const offset = clock.now() - platformTime;
    onTrouble(`clock/${platform.id}`, Math.abs(offset) < CLOCK_LIMIT_MS ? null : `our clock is ${Math.round(offset / 1000)} s ${offset > 0 ? 'ahead of' : 'behind'} the platform ${platform.id}'s: check NTP on this host`);
  }
}
