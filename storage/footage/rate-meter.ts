/** How far back the present rate looks. */
const WINDOW_MS = 3_600_000;
const STEP_MS = 60_000;
/** With less, one key frame would make the rate. */
const LEAST_MS = 20_000;

/** Bytes per second of each camera over the last hour, from counters that only rise. */
export class RateMeter {
  readonly #samples = new Map<string, { at: number; bytes: number }[]>();

  /** @param at monotonic ms; calls closer together than a minute move the newest sample */
  record(at: number, counters: Iterable<readonly [cameraId: string, bytes: number]>): void {
    for (const [cameraId, bytes] of counters) {
      const samples = this.#samples.get(cameraId) ?? [];
      this.#samples.set(cameraId, samples);
      const last = samples.at(-1);
      const before = samples.at(-2);
      if (last && before && at - before.at < STEP_MS) samples[samples.length - 1] = { at, bytes };
      else samples.push({ at, bytes });
      while (samples.length > 2 && at - (samples[1] as { at: number }).at >= WINDOW_MS) samples.shift();
    }
  }

  /** Bytes per second; null where it is not known yet. */
  rate(cameraId: string): number | null {
    const samples = this.#samples.get(cameraId);
    const first = samples?.[0];
    const last = samples?.at(-1);
    if (!first || !last || last.at - first.at < LEAST_MS) return null;
    return Math.max(0, ((last.bytes - first.bytes) / (last.at - first.at)) * 1000);
  }
}
