import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { alarmWords, type DeviceAlarm } from '../../ingest/gb28181/alarm.js';
import type { AlarmStore } from './alarm-store.js';

export interface AlarmKeeperOptions {
  store: Pick<AlarmStore, 'put' | 'expire'>;
  clock: Clock;
  /** How long alarms are kept, ms. */
  retentionMs: number;
  onKept: (alarm: DeviceAlarm, words: string) => void;
  /** A sentence while alarms cannot be written; null when they can again. */
  onTrouble: (message: string | null) => void;
}

/** Alarms that wait for a database that does not work; the oldest are lost beyond it. */
const MOST_WAITING = 1000;
/** Rows in the catalogue, whatever the retention. */
const MOST_KEPT = 1_000_000;
const RETRY_MS = 5000;

/** Takes alarms from the signalling server into the catalogue, one after the other, in order. */
export class AlarmKeeper {
  readonly #options: AlarmKeeperOptions;
  readonly #waiting: DeviceAlarm[] = [];
  #working: Promise<void> | null = null;
  #cancelRetry: () => void = () => undefined;
  #closed = false;
  #lost = 0;

  constructor(options: AlarmKeeperOptions) {
    this.#options = options;
  }

  take(alarm: DeviceAlarm): void {
    if (this.#closed) return;
    this.#options.onKept(alarm, alarmWords(alarm));
    this.#waiting.push(alarm);
    if (this.#waiting.length > MOST_WAITING) {
      this.#waiting.shift();
      this.#lost++;
    }
    this.#work();
  }

  async expire(): Promise<void> {
    const { store, clock, retentionMs } = this.#options;
    try {
      await store.expire(clock.now() - retentionMs, MOST_KEPT);
    } catch (error) {
      this.#options.onTrouble(`old alarms cannot be deleted: ${messageOf(error)}`);
    }
  }

  /** Resolves when what was taken is written, or cannot be. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    await this.#working;
  }

  #work(): void {
    this.#working ??= this.#drain().then((finished) => {
      this.#working = null;
      // Something came in the moment in which the last was done.
      if (finished && this.#waiting.length > 0) this.#work();
    });
  }

  /** @returns false where it gave up for a while */
  async #drain(): Promise<boolean> {
    const { store, clock, onTrouble } = this.#options;
    this.#cancelRetry();
    while (this.#waiting.length > 0) {
      const next = this.#waiting[0] as DeviceAlarm;
      try {
        await store.put(next);
        if (this.#waiting[0] === next) this.#waiting.shift();
        onTrouble(null);
      } catch (error) {
        onTrouble(`alarms of devices cannot be written: ${messageOf(error)} (${this.#waiting.length} wait, ${this.#lost} were lost)`);
        if (!this.#closed) this.#cancelRetry = clock.after(RETRY_MS, () => this.#work());
        return false;
      }
    }
    return true;
  }
}
