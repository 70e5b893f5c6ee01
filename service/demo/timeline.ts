/** Where a camera's clip was at some time, as the camera reported it. */
export interface PositionReport {
  /** Unix ms. */
  at: number;
  /** Pictures since the scenario began, whole loops included. */
  position: number;
}

/** From when to when, both Unix ms. */
export interface Span {
  from: number;
  to: number;
}

/** A report this much later than its picture number says begins a new run: the scenario stood still in between. */
const STANDSTILL_MS = 1_500;

/**
 * Ties a scenario's picture numbers to wall-clock times by the camera's own reports. A scenario that stands still while
 * nobody watches (or goes back to a key picture after an outage) is shown in runs; a picture may be shown in two of them.
 */
export class Timeline {
  /** Reports that follow each other without an outage; no run is empty. */
  readonly #runs: PositionReport[][] = [];
  readonly #frameMs: number;

  constructor(fps: number) {
    this.#frameMs = 1000 / fps;
  }

  add(report: PositionReport): void {
    const run = this.#runs.at(-1);
    const last = run?.at(-1);
    const pictures = last ? report.position - last.position : -1;
    if (run && last && pictures >= 0 && report.at - last.at - pictures * this.#frameMs < STANDSTILL_MS) run.push(report);
    else this.#runs.push([report]);
  }

  /** Newest position shown, or -1. */
  get shownTo(): number {
    return this.#runs.at(-1)?.at(-1)?.position ?? -1;
  }

  /**
   * When a change at picture `position` could be seen; null when it was not shown yet. An outage less than `reach` pictures away
   * stretches the span over itself: what was shown just before it may be lost, and the change is then first seen behind it. A change
   * is believed after `confirm` pictures without an outage: shorter runs put it off to the next one. `clear` says from which picture
   * on the place of the change is in plain view where the pictures come again at some picture: others may be passing before it then.
   */
  seen(position: number, reach: number, confirm = 0, clear: (position: number) => number = (resumed) => resumed): Span | null {
    if (position > this.shownTo) return null;
    const times: number[] = [];
    const resumed = (run: readonly PositionReport[]): void => {
      const first = run[0] as PositionReport;
      times.push(first.at, this.#within(run, clear(first.position)));
    };
    this.#runs.forEach((run, i) => {
      const [first, last] = [run[0] as PositionReport, run.at(-1) as PositionReport];
      const before = this.#runs[i - 1]?.at(-1);
      const after = this.#runs[i + 1]?.[0];
      // A camera reports now and then: before an outage it showed a little more than its last report says.
      const shown = (position >= first.position || !before) && (position <= last.position || (after !== undefined && position < after.position));
      if (shown) times.push(this.#within(run, position));
      if (before && Math.abs(first.position - position) <= reach) {
        times.push(before.at);
        resumed(run);
      }
    });
    const from = Math.max(0, this.#runs.findIndex((run) => (run.at(-1) as PositionReport).position >= position));
    for (let i = from; i + 1 < this.#runs.length; i++) {
      const [run, next] = [this.#runs[i] as PositionReport[], this.#runs[i + 1] as PositionReport[]];
      if ((run.at(-1) as PositionReport).position - Math.max(position, (run[0] as PositionReport).position) >= confirm) break;
      resumed(next);
    }
    return { from: Math.min(...times), to: Math.max(...times) };
  }

  /** Between two reports the later one counts, because pictures may hang back after the earlier. */
  #within(run: readonly PositionReport[], position: number): number {
    const report = run.find((r) => r.position >= position) ?? (run.at(-1) as PositionReport);
    return report.at + (position - report.position) * this.#frameMs;
  }
}
