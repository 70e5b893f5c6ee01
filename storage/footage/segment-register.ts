import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { Database } from '../catalogue/database.js';
import type { SealedSegment } from './segment.js';
import { insertSegments } from './segment-table.js';

const BATCH = 50;

/**
 * Brings sealed segments into the catalogue, in order, and keeps trying while the database is away. Recording does not wait
 * for it: what is lost here in a crash is found on the disk at the next start.
 */
export class SegmentRegister {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #retryMs: number;
  readonly #registered: (segment: SealedSegment) => void;
  readonly #pending: SealedSegment[] = [];
  #log = '';
  #pump: Promise<void> | null = null;
  #closing = false;
  #hurry: (() => void) | null = null;
  #failing = false;

  constructor(options: { database: Database; clock: Clock; logger: Logger; retryMs: number; registered: (segment: SealedSegment) => void }) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#retryMs = options.retryMs;
    this.#registered = options.registered;
  }

  get pending(): number {
    return this.#pending.length;
  }

  start(log: string): void {
    this.#log = log;
    this.#start();
  }

  add(segment: SealedSegment): void {
    this.#pending.push(segment);
    this.#start();
  }

  /** Registers what is pending; gives up after one failed try. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#hurry?.();
    while (this.#pump !== null) await this.#pump;
  }

  #start(): void {
    if (this.#pump !== null || this.#log === '' || this.#pending.length === 0) return;
    this.#pump = this.#run().finally(() => {
      this.#pump = null;
      if (!this.#closing) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending.slice(0, BATCH);
      try {
        // Repeating is harmless: a row that is there stays.
        await this.#database.transaction((tx) => insertSegments(tx, this.#log, batch));
      } catch (error) {
        if (!this.#failing) this.#logger.warn({ error: messageOf(error), pending: this.#pending.length }, 'footage segments cannot be registered now; recording goes on');
        this.#failing = true;
        if (this.#closing) return;
        await new Promise<void>((resolve) => {
          const cancel = this.#clock.after(this.#retryMs, resolve);
          this.#hurry = () => {
            cancel();
            resolve();
          };
        });
        continue;
      }
      if (this.#failing) this.#logger.info({ pending: this.#pending.length }, 'footage segments are registered again');
      this.#failing = false;
      this.#pending.splice(0, batch.length);
      for (const segment of batch) this.#registered(segment);
    }
  }
}
