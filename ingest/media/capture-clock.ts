/** Where a picture stands in time. */
export interface Placement {
  /** 90 kHz ticks, strictly rising over the life of the clock, whatever the stream's own counter does. */
  pts: number;
  /** Unix ms, whole, strictly rising. */
  capturedAt: number;
  /** Ticks (0 or negative) by which the stream's own time lies before `pts`: pictures that came in presentation order. */
  shift: number;
  /** Set where the time line was cut and tied anew at this picture. */
  discontinuity: Discontinuity | null;
}

export interface Discontinuity {
  /**
   * `stream`: the sender's counter jumped (encoder restart, new session); `wall`: our wall clock, or the delivery of the
   * stream, moved away from a counter that ran on.
   */
  cause: 'stream' | 'wall';
  /** How far the stream's time was off from the arrival, ms; positive where the picture came later than its time said. */
  offByMs: number;
}

/** Gives the pictures of a stream their time. */
export interface PictureClock {
  /** @param ticks unwrapped, in decode order; @param arrivalWallMs of the picture's first byte */
  place(ticks: number, arrivalWallMs: number): Placement;
  /** See `CaptureClock.locate` and `ticksAt`. */
  locate(ticks: number): { pts: number; capturedAt: number } | null;
  ticksAt(arrivalWallMs: number): number | null;
}

export interface CaptureClockOptions {
  /** Fastest correction toward the arrival times, parts of one. */
  maxSlew?: number;
  /** Time constant of the correction: long, so that jitter of the network does not show. */
  settleMs?: number;
  /** A larger error cuts the time line. */
  maxErrorMs?: number;
  /** How long an error must last while the counter runs on: a stalled network catches up, a moved clock does not. */
  confirmMs?: number;
}

const TICKS_PER_MS = 90;
/** No reordering of pictures goes back further; a counter that does was set anew. */
const MAX_BACK_TICKS = 90_000;
/** Nothing arrives before it was taken: a stream time that runs so far ahead of the arrival within one picture was set. */
const MAX_AHEAD_MS = 1000;
/** Pictures below the newest time, and how late they may arrive, while that is reordering and no counter that was set back. */
const MAX_REORDERED = 3;
const MAX_REORDERED_LATE_MS = 60;

/**
 * When a picture was taken: the wall clock at the stream's first picture plus the stream's own time, slewed slowly toward
 * the arrival times because camera clocks drift. Pure; fed with unwrapped ticks in decode order and the arrival of each
 * picture's first byte.
 *
 * `capturedAt` never falls. Where our wall clock is set back, the time line goes on from where it was (footage must stay
 * in order) until the wall clock has caught up or the session ends.
 */
export class CaptureClock implements PictureClock {
  readonly #maxSlew: number;
  readonly #settleMs: number;
  readonly #maxErrorMs: number;
  readonly #confirmMs: number;
  #started = false;
  #ticks = 0;
  #arrivalMs = 0;
  #pts = 0;
  /** The estimate at `#ticks`, with its fraction of a millisecond. */
  #estimate = 0;
  #capturedAt = 0;
  /** Subtracted from arrivals after the wall clock was set back. */
  #aheadMs = 0;
  #errorSince: number | null = null;
  /** Pictures in a row whose time lies below the newest one. */
  #below = 0;

  constructor({ maxSlew = 500e-6, settleMs = 20_000, maxErrorMs = 5000, confirmMs = 10_000 }: CaptureClockOptions = {}) {
    this.#maxSlew = maxSlew;
    this.#settleMs = settleMs;
    this.#maxErrorMs = maxErrorMs;
    this.#confirmMs = confirmMs;
  }

  place(ticks: number, arrivalWallMs: number): Placement {
    if (!this.#started) return this.#begin(ticks, arrivalWallMs);
    const arrival = arrivalWallMs + this.#aheadMs;
    const deltaTicks = ticks - this.#ticks;
    const deltaMs = deltaTicks / TICKS_PER_MS;
    const sinceLast = arrival - this.#arrivalMs;
    const ahead = deltaMs - Math.max(0, sinceLast);
    this.#below = deltaTicks < 0 ? this.#below + 1 : 0;
    const jumpedBack = deltaTicks < -MAX_BACK_TICKS || (this.#below > MAX_REORDERED && arrival - this.#estimate > MAX_REORDERED_LATE_MS);
    const jumpedAhead = (deltaMs > this.#maxErrorMs && Math.abs(deltaMs - sinceLast) > this.#maxErrorMs) || (ahead > MAX_AHEAD_MS && this.#estimate + deltaMs - arrival > MAX_AHEAD_MS);
    if (jumpedBack || jumpedAhead) return this.#cut('stream', ticks, arrivalWallMs, arrival - (this.#estimate + deltaMs));

    const step = Math.max(0, deltaMs);
    let estimate = this.#estimate + step;
    const error = arrival - estimate;
    if (Math.abs(error) > this.#maxErrorMs) {
      this.#errorSince ??= estimate;
      if (estimate - this.#errorSince >= this.#confirmMs) return this.#cut('wall', ticks, arrivalWallMs, error);
    } else {
      this.#errorSince = null;
      const limit = step * this.#maxSlew;
      estimate += Math.min(limit, Math.max(-limit, (error * step) / this.#settleMs));
    }
    const rising = Math.max(ticks, this.#ticks + 1);
    return this.#advance(rising, arrival, estimate, this.#pts + rising - this.#ticks, null, ticks - rising);
  }

  /**
   * Where something else of the same stream stands that has the time `ticks`, without moving the clock; null before the first
   * picture.
   */
  locate(ticks: number): { pts: number; capturedAt: number } | null {
    if (!this.#started) return null;
    const delta = ticks - this.#ticks;
    return { pts: this.#pts + delta, capturedAt: Math.round(this.#estimate + delta / TICKS_PER_MS) };
  }

  /** The time on the pictures' line at which something was taken that arrives now; null before the first picture. */
  ticksAt(arrivalWallMs: number): number | null {
    return this.#started ? this.#ticks + (arrivalWallMs + this.#aheadMs - this.#estimate) * TICKS_PER_MS : null;
  }

  #begin(ticks: number, arrivalWallMs: number): Placement {
    this.#started = true;
    return this.#advance(ticks, arrivalWallMs, arrivalWallMs, Math.max(0, ticks), null);
  }

  /** Ties the time line to the arrival anew. */
  #cut(cause: Discontinuity['cause'], ticks: number, arrivalWallMs: number, offByMs: number): Placement {
    const nominal = this.#estimate + Math.min(1000, Math.max(1, (ticks - this.#ticks) / TICKS_PER_MS));
    // Whatever happened, time goes on: from the arrival if that lies ahead, else from where we were.
    const estimate = arrivalWallMs > this.#estimate ? arrivalWallMs : nominal;
    this.#aheadMs = estimate - arrivalWallMs;
    this.#errorSince = null;
    this.#below = 0;
    const pts = this.#pts + Math.max(1, Math.round((estimate - this.#estimate) * TICKS_PER_MS));
    return this.#advance(ticks, arrivalWallMs + this.#aheadMs, estimate, pts, { cause, offByMs });
  }

  #advance(ticks: number, arrival: number, estimate: number, pts: number, discontinuity: Discontinuity | null, shift = 0): Placement {
    const capturedAt = this.#capturedAt === 0 ? Math.round(estimate) : Math.max(Math.round(estimate), this.#capturedAt + 1);
    this.#ticks = ticks;
    this.#arrivalMs = arrival;
    this.#estimate = estimate;
    this.#pts = pts;
    this.#capturedAt = capturedAt;
    return { pts, capturedAt, shift, discontinuity };
  }
}
