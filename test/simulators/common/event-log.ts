/** One thing a simulator did: printed as a JSON line by its program, kept for tests when it runs in-process. */
export interface SimulatorEvent {
  /** Unix ms. */
  at: number;
  /** What happened, e.g. `registered`. */
  event: string;
  [detail: string]: unknown;
}

interface Waiter {
  matches: (event: SimulatorEvent) => boolean;
  resolve: (event: SimulatorEvent) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/** Events kept for `waitFor` and `events`; older ones are forgotten so that a camera may run for weeks. */
const KEPT_EVENTS = 5000;

/** The list of what a simulator did, with listeners and a way to wait for the next thing. */
export class EventLog {
  private readonly kept: SimulatorEvent[] = [];
  private readonly waiters = new Set<Waiter>();

  constructor(
    private readonly listener: (event: SimulatorEvent) => void = () => {},
    private readonly context: Record<string, unknown> = {},
  ) {}

  /** Records an event and wakes those who wait for it. */
  emit(event: string, detail: Record<string, unknown> = {}): void {
    const entry: SimulatorEvent = { at: Date.now(), event, ...this.context, ...detail };
    this.kept.push(entry);
    if (this.kept.length > KEPT_EVENTS) this.kept.splice(0, this.kept.length - KEPT_EVENTS);
    this.listener(entry);
    for (const waiter of [...this.waiters]) {
      if (waiter.matches(entry)) {
        this.waiters.delete(waiter);
        clearTimeout(waiter.timer);
        waiter.resolve(entry);
      }
    }
  }

  /** Everything of that name so far (the newest few thousand events are kept). */
  events(name?: string): readonly SimulatorEvent[] {
    return name === undefined ? [...this.kept] : this.kept.filter((entry) => entry.event === name);
  }

  /**
   * Resolves with the first event of that name that satisfies `where`, looking first at what already happened.
   * Rejects after `timeoutMs` with the names of the latest events, so that a failed test says what happened instead.
   */
  waitFor(name: string, where: (event: SimulatorEvent) => boolean = () => true, timeoutMs = 10_000): Promise<SimulatorEvent> {
    const matches = (entry: SimulatorEvent): boolean => entry.event === name && where(entry);
    const already = this.kept.find(matches);
    if (already) return Promise.resolve(already);
    return this.waitForNext(matches, name, timeoutMs);
  }

  /** Like `waitFor`, but only events from now on count. */
  waitForNew(name: string, where: (event: SimulatorEvent) => boolean = () => true, timeoutMs = 10_000): Promise<SimulatorEvent> {
    return this.waitForNext((entry) => entry.event === name && where(entry), name, timeoutMs);
  }

  private waitForNext(matches: (event: SimulatorEvent) => boolean, name: string, timeoutMs: number): Promise<SimulatorEvent> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        matches,
        resolve,
        reject,
        timer: setTimeout(() => {
          this.waiters.delete(waiter);
          const latest = this.kept.slice(-12).map((entry) => entry.event).join(', ');
          reject(new Error(`no '${name}' within ${timeoutMs} ms; latest events: ${latest || 'none'}`));
        }, timeoutMs),
      };
      this.waiters.add(waiter);
    });
  }
}
