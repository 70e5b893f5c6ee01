/** Where a camera's clip was at some time, as the camera reported it. */
export interface PositionReport {
  /** Unix ms. */
  at: number;
  /** Pictures since the scenario began, whole loops included. */
  position: number;
}

/**
 * Ties a scenario's picture numbers to wall-clock times by the camera's own reports. A scenario that stands still while
 * nobody watches (or goes back to a key picture after an outage) is shown piecewise; a picture shown twice counts as shown the
 * last time, because what was shown before the outage may be lost.
 */
export class Timeline {
  readonly #reports: PositionReport[] = [];
  readonly #fps: number;

  constructor(fps: number) {
    this.#fps = fps;
  }

  add(report: PositionReport): void {
    this.#reports.push(report);
  }

  /** Newest position shown, or -1. */
  get shownTo(): number {
    return this.#reports.at(-1)?.position ?? -1;
  }

  /** Unix ms at which picture `position` was shown; null when it was not yet. */
  shownAt(position: number): number | null {
    const frameMs = 1000 / this.#fps;
    if (position > this.shownTo) return null;
    for (let i = this.#reports.length - 1; i >= 0; i--) {
      const report = this.#reports[i] as PositionReport;
      if (report.position <= position) {
        const next = this.#reports[i + 1];
        // The report that follows within the same run is nearer in time to what lies just before it.
        if (next && next.position > position) return next.at - (next.position - position) * frameMs;
        return report.at + (position - report.position) * frameMs;
      }
    }
    const first = this.#reports[0];
    return first ? first.at - (first.position - position) * frameMs : null;
  }

  /** Unix ms of the first picture shown. */
  get begunAt(): number | null {
    const first = this.#reports[0];
    return first ? first.at - (first.position * 1000) / this.#fps : null;
  }
}
