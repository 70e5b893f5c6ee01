import type { PictureClock, Placement } from './capture-clock.js';

const TICKS_PER_MS = 90;
/** One picture at 25 a second, where a stream's own counter says nothing of use. */
const NOMINAL_TICKS = 3600;
/** No reordering of pictures goes back further; a counter that does was set anew. */
const MAX_BACK_TICKS = 90_000;
/** A step ahead that is more than a slow camera's: the device has nothing recorded in between, or was told to go elsewhere. */
const MAX_STEP_TICKS = 5 * 90_000;
/** Devices round the times of their files. */
const TOLERANCE_MS = 60_000;

/**
 * When a picture of a recording was taken: the beginning of what was asked for, plus the stream's own time. When it arrives means
 * nothing, for a download comes faster and a paused playback later than it was taken. Pure; fed with unwrapped ticks in decode
 * order.
 *
 * `pts` rises whatever happens; `capturedAt` goes back where somebody winds back.
 */
export class RecordingClock implements PictureClock {
  readonly #from: number;
  readonly #to: number;
  #started = false;
  #ticks = 0;
  #pts = 0;
  /** With its fraction of a millisecond. */
  #time: number;
  #wanted: number | null = null;
  #backwards = false;

  /** @param from Unix ms, of the first picture; @param to where what was asked for ends */
  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
    this.#time = from;
  }

  /** The device was told to go on elsewhere; `positionMs` from the beginning. Counts from the picture on at which its time jumps. */
  seek(positionMs: number): void {
    this.#wanted = this.#from + positionMs;
  }

  /** The device was told to play in this direction. */
  set backwards(backwards: boolean) {
    this.#backwards = backwards;
  }

  place(ticks: number): Placement {
    if (!this.#started) {
      this.#started = true;
      this.#time = this.#wanted ?? this.#from;
      this.#wanted = null;
      return this.#advance(ticks, Math.max(0, ticks), this.#time, 0, null);
    }
    const delta = ticks - this.#ticks;
    const jumped = delta < -MAX_BACK_TICKS || delta > MAX_STEP_TICKS;
    if (this.#wanted !== null && (jumped || this.#isThere(this.#wanted, delta))) {
      const at = this.#wanted;
      this.#wanted = null;
      return this.#cut(ticks, at, delta);
    }
    if (this.#backwards) return this.#advance(ticks, this.#pts + Math.max(1, Math.min(Math.abs(delta), MAX_STEP_TICKS)), this.#time - Math.min(Math.abs(delta), MAX_STEP_TICKS) / TICKS_PER_MS, 0, null);
    if (!jumped) {
      const rising = Math.max(ticks, this.#ticks + 1);
      return this.#advance(rising, this.#pts + rising - this.#ticks, this.#time + (rising - this.#ticks) / TICKS_PER_MS, ticks - rising, null);
    }
    const ahead = this.#time + delta / TICKS_PER_MS;
    // A gap in the recording where it still lies in what was asked for; else the counter was set anew, as at the start of a file.
    return this.#cut(ticks, delta > 0 && ahead <= this.#to + TOLERANCE_MS ? ahead : this.#time + NOMINAL_TICKS / TICKS_PER_MS, delta);
  }

  locate(ticks: number): { pts: number; capturedAt: number } | null {
    if (!this.#started) return null;
    const delta = ticks - this.#ticks;
    return { pts: this.#pts + delta, capturedAt: Math.round(this.#time + delta / TICKS_PER_MS) };
  }

  ticksAt(): number | null {
    return this.#started ? this.#ticks : null;
  }

  /** The next picture is where somebody wanted to go although the counter did not jump far. */
  #isThere(wanted: number, delta: number): boolean {
    return Math.abs(this.#time + delta / TICKS_PER_MS - wanted) < 2000;
  }

  #cut(ticks: number, at: number, delta: number): Placement {
    const gap = Math.max(NOMINAL_TICKS, Math.round((at - this.#time) * TICKS_PER_MS));
    return this.#advance(ticks, this.#pts + gap, at, 0, { cause: 'stream', offByMs: Math.round(at - this.#time - delta / TICKS_PER_MS) });
  }

  #advance(ticks: number, pts: number, time: number, shift: number, discontinuity: Placement['discontinuity']): Placement {
    this.#ticks = ticks;
    this.#pts = pts;
    this.#time = time;
    return { pts, capturedAt: Math.round(time), shift, discontinuity };
  }
}
