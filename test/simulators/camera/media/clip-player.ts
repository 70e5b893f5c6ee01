import type { Mp4Clip } from './mp4-clip.js';

/** A picture as it leaves the encoder. */
export interface Picture {
  /** Pictures since the scenario began: frame of the clip plus whole loops. */
  position: number;
  /** Frame within the clip. */
  frame: number;
  loop: number;
  key: boolean;
  annexB: Buffer;
  /** 90 kHz ticks until the next picture. */
  duration: number;
  /** Of a recording: 90 kHz ticks since the beginning of what was asked for. */
  at?: number;
}

/** Where a media session takes its pictures from. */
export interface PicturePlayer {
  readonly clip: Mp4Clip;
  attach(sink: PictureSink): void;
  detach(sink: PictureSink, deliveredUpTo?: number | null): void;
}

/** Who gets the pictures: one media session. */
export interface PictureSink {
  picture(picture: Picture): void;
  /** No more pictures will come (clip over, `atEnd: 'bye'`). */
  ended(): void;
  /** Wants pictures from the middle of a GOP too. */
  readonly midGop: boolean;
}

export interface ClipPlayerOptions {
  /** Seconds of clip per second of time. */
  speed: number;
  loop: boolean;
  /**
   * `held`: the scenario stands still while nobody watches, and goes on from the key picture at or before where it stopped.
   * `wall`: it goes on by the clock, so an outage loses that part.
   */
  timeline: 'held' | 'wall';
  /**
   * After the last picture of a clip that does not loop. `still`: its last GOP is repeated, the street stands still.
   * `silence`: nothing more is sent. `bye`: sessions are ended and INVITEs refused.
   */
  atEnd: 'still' | 'silence' | 'bye';
  /** Unix ms of the scenario's beginning for `wall`; null: when the player is made. */
  scenarioStart: number | null;
  /** Also start this many key pictures earlier than needed when a held scenario goes on. */
  rewindGops: number;
}

export interface ClipPlayerEvents {
  /** The last picture of the clip was sent; `loops` = how often it has been now. */
  clipEnded(loops: number, finished: boolean): void;
}

/** Plays a clip in real time to any number of sessions of one channel. They all see the same pictures at the same time, as with a camera. */
export class ClipPlayer implements PicturePlayer {
  private readonly sinks = new Map<PictureSink, { started: boolean }>();
  private readonly scenarioStart: number;
  private position = 0;
  private timer: NodeJS.Timeout | null = null;
  /** Time (ms, monotonic) at which the picture at `position` is due. */
  private due = 0;
  private reportedEnds = 0;

  constructor(
    readonly clip: Mp4Clip,
    private readonly options: ClipPlayerOptions,
    private readonly events: ClipPlayerEvents,
  ) {
    this.scenarioStart = options.scenarioStart ?? Date.now();
  }

  /** Where the scenario is, in pictures since its beginning. */
  get at(): number {
    return this.position;
  }

  /** True when a clip that does not loop has been played to its end. */
  get finished(): boolean {
    return !this.options.loop && this.position >= this.clip.length;
  }

  /** True when INVITEs are to be refused because there is nothing left to show. */
  get over(): boolean {
    return this.finished && this.options.atEnd === 'bye';
  }

  attach(sink: PictureSink): void {
    const idle = this.sinks.size === 0;
    this.sinks.set(sink, { started: false });
    if (!idle) return;
    if (this.options.timeline === 'wall') this.position = this.wallPosition();
    else if (sink.midGop) this.position += this.clip.isKey(this.frameOf(this.position).frame) ? 1 : 0;
    else this.position = this.resumePosition();
    this.due = performance.now();
    this.schedule();
  }

  /** `deliveredUpTo`: the first position that certainly did not arrive, when the session knows (held scenarios go back to it). */
  detach(sink: PictureSink, deliveredUpTo: number | null = null): void {
    if (!this.sinks.delete(sink)) return;
    if (this.sinks.size > 0) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (deliveredUpTo !== null && this.options.timeline === 'held') this.position = Math.min(this.position, deliveredUpTo);
  }

  close(): void {
    this.sinks.clear();
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private frameOf(position: number): { frame: number; loop: number } {
    const { length } = this.clip;
    if (this.options.loop || position < length) return { frame: position % length, loop: Math.floor(position / length) };
    // Standing still: the last GOP again and again.
    const lastKey = this.clip.keyAtOrBefore(length - 1);
    return { frame: lastKey + ((position - length) % (length - lastKey)), loop: 0 };
  }

  private resumePosition(): number {
    let { frame } = this.frameOf(this.position);
    let back = this.position - (frame - this.clip.keyAtOrBefore(frame));
    for (let i = 0; i < this.options.rewindGops && back > 0; i += 1) {
      frame = this.frameOf(back - 1).frame;
      back -= 1 + frame - this.clip.keyAtOrBefore(frame);
    }
    return Math.max(0, back);
  }

  private wallPosition(): number {
    const ticks = Math.max(0, (Date.now() - this.scenarioStart) * 90 * this.options.speed);
    const loops = Math.floor(ticks / this.clip.duration);
    if (loops > 0 && !this.options.loop) {
      const past = ticks - this.clip.duration;
      return this.clip.length + Math.floor((past / this.clip.duration) * this.clip.length);
    }
    return loops * this.clip.length + this.clip.indexAt(ticks - loops * this.clip.duration);
  }

  private schedule(): void {
    if (this.finished && this.reportedEnds === 0) this.reportEnd();
    if (this.finished && this.options.atEnd !== 'still') {
      if (this.options.atEnd === 'bye') for (const sink of [...this.sinks.keys()]) sink.ended();
      return;
    }
    this.timer = setTimeout(() => this.play(), Math.max(0, this.due - performance.now()));
  }

  private play(): void {
    const { frame, loop } = this.frameOf(this.position);
    const picture: Picture = { position: this.position, frame, loop, ...this.clip.picture(frame) };
    for (const [sink, state] of [...this.sinks]) {
      if (!state.started && !picture.key && !sink.midGop) continue;
      state.started = true;
      sink.picture(picture);
    }
    this.position += 1;
    if (this.options.loop && this.position % this.clip.length === 0) this.reportEnd();
    const interval = picture.duration / 90 / this.options.speed;
    // A machine that was busy lets the camera fall behind: it catches up at twice the speed, not in one burst.
    this.due = Math.max(this.due + interval, performance.now() + interval / 2);
    if (this.sinks.size > 0) this.schedule();
  }

  private reportEnd(): void {
    this.reportedEnds += 1;
    this.events.clipEnded(this.reportedEnds, !this.options.loop);
  }
}
