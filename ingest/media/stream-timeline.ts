import { circularDelta, PTS_MODULUS, RTP_MODULUS, TimestampUnwrapper } from './timestamp.js';

/** A picture's time by the stream's own counters. */
export interface StreamTime {
  /** Decode time, 90 kHz, unwrapped. */
  ticks: number;
  /** Presentation minus decode time, ticks. */
  offset: number;
}

/** Pictures with one and the same PES time stamp, while RTP time went on, after which PES time is not believed. */
const STUCK_LIMIT = 3;

/**
 * Chooses between the two clocks of a GB/T 28181 stream: PES time stamps where they are present and move, else RTP time
 * stamps. Both are meant to be the same camera clock; PES is preferred because it knows decode order.
 */
export class StreamTimeline {
  readonly #rtp = new TimestampUnwrapper(RTP_MODULUS);
  readonly #pes = new TimestampUnwrapper(PTS_MODULUS);
  #lastPes: number | null = null;
  #lastRtp = -1;
  #stuck = 0;
  /** Both clocks at the picture with which PES time last moved: from there RTP time goes on where PES time is stuck. */
  #moved = { ticks: 0, rtpTicks: 0 };

  /** True once PES time stamps are what counts. */
  get usesPes(): boolean {
    return this.#lastPes !== null && this.#stuck < STUCK_LIMIT;
  }

  at(rtpTimestamp: number, pts: number | null, dts: number | null): StreamTime {
    const rtpTicks = this.#rtp.unwrap(rtpTimestamp);
    const moved = rtpTimestamp !== this.#lastRtp;
    this.#lastRtp = rtpTimestamp;
    if (pts === null) return { ticks: rtpTicks, offset: 0 };
    const decode = dts ?? pts;
    if (this.#stuck < STUCK_LIMIT) {
      if (decode !== this.#lastPes) this.#stuck = 0;
      else if (moved) this.#stuck++;
    }
    const ticks = this.#pes.unwrap(decode);
    if (decode !== this.#lastPes && this.#stuck < STUCK_LIMIT) this.#moved = { ticks, rtpTicks };
    this.#lastPes = decode;
    // The two clocks need not begin alike: the change from one to the other must not look like a jump of the stream.
    if (this.#stuck >= STUCK_LIMIT) return { ticks: this.#moved.ticks + rtpTicks - this.#moved.rtpTicks, offset: 0 };
    return { ticks, offset: dts === null ? 0 : circularDelta(dts, pts, PTS_MODULUS) };
  }

  /** A PES time stamp of another stream of the same program (audio) on the line of the pictures; null where PES time does not count. */
  beside(pts: number): number | null {
    return this.usesPes ? this.#pes.beside(pts) : null;
  }

  reset(): void {
    this.#rtp.reset();
    this.#pes.reset();
    this.#lastPes = null;
    this.#lastRtp = -1;
    this.#stuck = 0;
  }
}
