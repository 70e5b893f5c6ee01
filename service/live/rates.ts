import type { Clock } from '../../base/clock.js';

const SPAN_MS = 10_000;
const SLOTS = 10;

/** Bits a second that each camera sends, over the last ten seconds. Memory: ten numbers a camera. */
export class Rates {
  readonly #clock: Clock;
  readonly #cameras = new Map<string, { slots: number[]; newest: number; first: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(cameraId: string, bytes: number): void {
    const now = this.#slot();
    let camera = this.#cameras.get(cameraId);
    if (!camera || now - camera.newest >= SLOTS) this.#cameras.set(cameraId, (camera = { slots: new Array<number>(SLOTS).fill(0), newest: now, first: now }));
    for (; camera.newest < now; camera.newest++) camera.slots[(camera.newest + 1) % SLOTS] = 0;
    camera.slots[now % SLOTS] = (camera.slots[now % SLOTS] as number) + bytes;
  }

  /** Null where nothing came for ten seconds, and in a stream's first second. */
  bitsPerSecond(cameraId: string): number | null {
    const camera = this.#cameras.get(cameraId);
    const now = this.#slot();
    if (!camera || now - camera.newest >= SLOTS) return null;
    // The second under way counts with what is left out of the oldest.
    const from = Math.max(camera.first, now - SLOTS + 1);
    if (from >= now) return null;
    let bytes = 0;
    for (let slot = from; slot < now; slot++) bytes += slot > camera.newest ? 0 : (camera.slots[slot % SLOTS] as number);
    return Math.round((bytes * 8 * 1000) / ((now - from) * (SPAN_MS / SLOTS)));
  }

  forget(cameraId: string): void {
    this.#cameras.delete(cameraId);
  }

  #slot(): number {
    return Math.floor(this.#clock.monotonic() / (SPAN_MS / SLOTS));
  }
}
