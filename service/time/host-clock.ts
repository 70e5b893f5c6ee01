import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { askTime, type TimeSample } from './sntp-client.js';

export interface HostClockOptions {
  clock: Clock;
  logger: Logger;
  /** Time servers, "host" or "host:port"; empty: nobody is asked. */
  servers: readonly string[];
  /** Whether somebody chose the servers: then it is a trouble when none answers. */
  chosen: boolean;
  everyMs: number;
  /** Beyond this offset there is an alarm. */
  alarmMs: number;
  timeoutMs?: number;
  onTrouble: (part: string, message: string | null) => void;
}

export interface ClockStep {
  /** Unix ms after it. */
  at: number;
  /** Positive: forward. */
  byMs: number;
}

export interface HostClockStatus {
  /** off: no server is configured · unknown: none has answered yet, or not since the clock was set */
  state: 'off' | 'unknown' | 'ok' | 'wrong';
  offsetMs: number | null;
  delayMs: number | null;
  /** Whose answer that is. */
  server: string | null;
  stratum: number | null;
  /** Unix ms of the last answer, by our clock. */
  checkedAt: number | null;
  servers: { server: string; offsetMs: number | null; delayMs: number | null; error: string | null }[];
  /** Times that the host's clock was set while the service ran, newest last. */
  steps: ClockStep[];
  /** Ms by which the clock was set forward without anybody confirming it: ages of footage are counted without them. */
  unconfirmedMs: number;
}

const WATCH_MS = 1_000;
const STEP_MS = 1_000;
/** A clock that goes on so much later than it stopped needs somebody who confirms it, before footage is deleted by its age. */
const SUSPICIOUS_MS = 60_000;
/** After so long without anybody contradicting, the clock is believed. */
const BELIEVED_MS = 86_400_000;
const FIRST_RETRY_MS = 15_000;
const SILENT_MS = 3_600_000;
const KEPT_STEPS = 10;

/**
 * Watches the host's clock: how far it is from time servers, and whether somebody sets it. What is counted in days, as the age of
 * footage is, asks `trustedNow`: a clock that was set forward by mistake must not delete anything.
 */
export class HostClock {
  readonly #options: Required<HostClockOptions>;
  readonly #logger: Logger;
  readonly #steps: ClockStep[] = [];
  readonly #stop = new AbortController();
  #cancelTimers: (() => void)[] = [];
  #asking: Promise<void> | null = null;
  #difference: number;
  #answers: HostClockStatus['servers'];
  #best: (TimeSample & { at: number; monotonic: number }) | null = null;
  /** Since when nobody answers, monotonic. */
  #silentSince: number;
  #unconfirmed = 0;
  #unconfirmedSince = 0;

  constructor(options: HostClockOptions) {
    this.#options = { timeoutMs: 3_000, ...options };
    this.#logger = options.logger.child({ part: 'clock' });
    const { clock, servers } = options;
    this.#difference = clock.now() - clock.monotonic();
    this.#silentSince = clock.monotonic();
    this.#answers = servers.map((server) => ({ server, offsetMs: null, delayMs: null, error: null }));
  }

  start(): void {
    this.#watch();
    if (this.#options.servers.length > 0) this.#schedule(0);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    for (const cancel of this.#cancelTimers) cancel();
    await this.#asking;
  }

  /** The newest moment that is known from before the start (the end of the footage): a clock far beyond it wants confirmation. */
  lastKnown(at: number): void {
    const ahead = this.#options.clock.now() - at;
    if (ahead < BELIEVED_MS) return;
    this.#doubt(ahead);
    if (this.#unconfirmed > 0) this.#logger.warn({ lastFootage: at, aheadMs: ahead }, 'the host’s clock is more than a day beyond the newest footage: until a time server confirms it, for at most a day, footage is not deleted by its age');
  }

  /**
   * Unix ms, without what the clock was set forward unconfirmed, or is ahead of what time servers say. Never later than the clock: an
   * answer over the network, which anybody could send, must not make footage look old.
   */
  trustedNow(): number {
    const { clock, alarmMs } = this.#options;
    const best = this.#fresh;
    if (best) return clock.now() + (best.offsetMs < -alarmMs ? best.offsetMs : 0);
    if (this.#unconfirmed > 0 && clock.monotonic() - this.#unconfirmedSince > BELIEVED_MS) this.#unconfirmed = 0;
    return clock.now() - this.#unconfirmed;
  }

  status(): HostClockStatus {
    const { servers, alarmMs } = this.#options;
    const best = this.#fresh;
    return {
      state: servers.length === 0 ? 'off' : best === null ? 'unknown' : Math.abs(best.offsetMs) > alarmMs ? 'wrong' : 'ok',
      offsetMs: best?.offsetMs ?? null,
      delayMs: best?.delayMs ?? null,
      server: best?.server ?? null,
      stratum: best?.stratum ?? null,
      checkedAt: best?.at ?? null,
      servers: this.#answers.map((answer) => ({ ...answer })),
      steps: [...this.#steps],
      unconfirmedMs: best ? 0 : this.#unconfirmed,
    };
  }

  /** Asks all servers now. */
  check(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  get #fresh(): (TimeSample & { at: number }) | null {
    return this.#best && this.#options.clock.monotonic() - this.#best.monotonic < BELIEVED_MS ? this.#best : null;
  }

  #doubt(byMs: number): void {
    // Set forward and back again: nothing is left to doubt.
    this.#unconfirmed = Math.max(0, this.#unconfirmed + byMs);
    if (this.#unconfirmed < SUSPICIOUS_MS) this.#unconfirmed = 0;
    this.#unconfirmedSince = this.#options.clock.monotonic();
  }

  #watch(): void {
    const { clock, servers } = this.#options;
    this.#cancelTimers[0] = clock.after(WATCH_MS, () => {
      const difference = clock.now() - clock.monotonic();
      const byMs = difference - this.#difference;
      this.#difference = difference;
      if (Math.abs(byMs) > STEP_MS) this.#stepped({ at: clock.now(), byMs: Math.round(byMs) });
      if (servers.length > 0 && Math.abs(byMs) > STEP_MS) this.#schedule(0);
      this.#watch();
    });
  }

  #stepped(step: ClockStep): void {
    this.#steps.push(step);
    if (this.#steps.length > KEPT_STEPS) this.#steps.shift();
    // What the servers said was said of another clock.
    this.#best = null;
    this.#doubt(step.byMs);
    this.#logger.warn(step, `the host’s clock was set ${step.byMs > 0 ? 'forward' : 'back'} by ${(Math.abs(step.byMs) / 1000).toFixed(1)} s`);
  }

  #schedule(ms: number): void {
    const { clock, everyMs } = this.#options;
    this.#cancelTimers[1]?.();
    this.#cancelTimers[1] = clock.after(ms, () => {
      void this.check().then(() => {
        if (!this.#stop.signal.aborted) this.#schedule(this.#best ? everyMs : Math.min(everyMs, Math.max(FIRST_RETRY_MS, ms * 2)));
      });
    });
  }

  async #ask(): Promise<void> {
    const { clock, servers, timeoutMs, chosen, alarmMs, onTrouble } = this.#options;
    const stepsBefore = this.#steps.at(-1);
    const samples: TimeSample[] = [];
    this.#answers = await Promise.all(
      servers.map(async (server) => {
        try {
          const sample = await askTime(server, { clock, timeoutMs, signal: this.#stop.signal });
          samples.push(sample);
          return { server, offsetMs: sample.offsetMs, delayMs: sample.delayMs, error: null };
        } catch (error) {
          return { server, offsetMs: null, delayMs: null, error: messageOf(error) };
        }
      }),
    );
    if (this.#stop.signal.aborted || this.#steps.at(-1) !== stepsBefore) return;
    if (samples.length === 0) {
      this.#logger.info({ servers: this.#answers }, 'no time server answers');
      if (chosen && clock.monotonic() - this.#silentSince > SILENT_MS) onTrouble('clock/servers', `no time server answers (${this.#answers[0]?.error ?? ''}): whether the host’s clock is right is not known; look at time.ntp and the network, or set time.ntp to []`);
      return;
    }
    this.#silentSince = clock.monotonic();
    onTrouble('clock/servers', null);
    const best = chooseSample(samples);
    this.#unconfirmed = best.offsetMs < -alarmMs ? -best.offsetMs : 0;
    this.#unconfirmedSince = clock.monotonic();
    this.#best = { ...best, at: clock.now(), monotonic: clock.monotonic() };
    const spread = Math.max(...samples.map((s) => s.offsetMs)) - Math.min(...samples.map((s) => s.offsetMs));
    onTrouble('clock/disagree', spread > alarmMs ? `the time servers disagree by ${(spread / 1000).toFixed(1)} s (${samples.map((s) => `${s.server} ${(s.offsetMs / 1000).toFixed(1)} s`).join(', ')}): take out the wrong one` : null);
    onTrouble('clock', Math.abs(best.offsetMs) > alarmMs ? `the host’s clock is ${(Math.abs(best.offsetMs) / 1000).toFixed(1)} s ${best.offsetMs > 0 ? 'behind' : 'ahead'} of ${best.server}: times on records and evidence are wrong; set the clock and keep it right (chrony, systemd-timesyncd)` : null);
  }
}

/** Of three or more the one with the median offset, which one liar cannot be; of two the one with the shorter way. */
export function chooseSample(samples: readonly TimeSample[]): TimeSample {
  if (samples.length >= 3) return [...samples].sort((a, b) => a.offsetMs - b.offsetMs)[samples.length >> 1] as TimeSample;
  return samples.reduce((a, b) => (b.delayMs < a.delayMs ? b : a));
}
