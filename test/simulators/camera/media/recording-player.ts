import type { PictureSink, PicturePlayer } from './clip-player.js';
import type { Mp4Clip } from './mp4-clip.js';

/** What a device has recorded: pieces in order, Unix ms. */
export interface RecordedPiece {
  from: number;
  to: number;
}

export interface RecordingEvents {
  /** Everything that was asked for has been sent. */
  finished(): void;
}

const TICKS_PER_MS = 90;
/** Pictures sent in one go, so that a fast download does not starve the rest of the process. */
const MOST_AT_ONCE = 40;

/**
 * Plays what a device recorded from a clip: at every moment it saw the picture of the clip that lies as far into it as that moment
 * lies behind the last whole number of clips since 1970. Steered as GB/T 28181-2016 9.8 has it.
 */
export class RecordingPlayer implements PicturePlayer {
  private sink: PictureSink | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** Next picture: its time, Unix ms. */
  private at: number;
  private frame = 0;
  private piece = 0;
  private scale: number;
  private paused = false;
  private due = 0;
  private done = false;

  constructor(
    readonly clip: Mp4Clip,
    private readonly pieces: readonly RecordedPiece[],
    private readonly speed: number,
    private readonly events: RecordingEvents,
  ) {
    this.scale = speed;
    this.at = pieces[0]?.from ?? 0;
    this.goTo(this.at);
  }

  get finished(): boolean {
    return this.done;
  }

  /** Unix ms of the picture that comes next. */
  get position(): number {
    return this.at;
  }

  attach(sink: PictureSink): void {
    this.sink = sink;
    this.due = performance.now();
    this.schedule();
  }

  detach(): void {
    this.sink = null;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  pause(): void {
    this.paused = true;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  /** @param seconds from the beginning of what was asked for; null: from where it is */
  play(scale: number | null, seconds: number | null): void {
    if (scale !== null) this.scale = scale * this.speed;
    if (seconds !== null) {
      this.done = false;
      this.goTo((this.pieces[0]?.from ?? 0) + seconds * 1000);
    }
    this.paused = false;
    this.due = performance.now();
    this.schedule();
  }

  /** The key picture at or before a moment, or the beginning of the piece that follows it. */
  private goTo(moment: number): void {
    const found = this.pieces.findIndex(({ to }) => moment < to);
    this.piece = found < 0 ? this.pieces.length - 1 : found;
    const target = Math.max(moment, this.pieces[this.piece]?.from ?? moment);
    const into = this.intoClip(target);
    const shown = this.clip.indexAt(into);
    this.frame = this.clip.keyAtOrBefore(shown);
    this.at = target - (into - this.clip.startOf(this.frame)) / TICKS_PER_MS;
  }

  private intoClip(moment: number): number {
    return (moment * TICKS_PER_MS) % this.clip.duration;
  }

  private schedule(): void {
    if (!this.sink || this.paused || this.done) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), Math.max(0, this.due - performance.now()));
  }

  private send(): void {
    for (let sent = 0; sent < MOST_AT_ONCE && this.due <= performance.now() && this.sink && !this.done; sent += 1) this.one();
    this.schedule();
  }

  private one(): void {
    const picture = this.clip.picture(this.frame);
    const start = this.pieces[0]?.from ?? 0;
    this.sink?.picture({ position: this.frame, frame: this.frame, loop: 0, ...picture, at: Math.round((this.at - start) * TICKS_PER_MS) });
    const before = this.at;
    if (this.scale < 0) this.stepBack();
    else this.stepOn(picture.duration);
    this.due += Math.abs(this.at - before) / Math.abs(this.scale);
    // A gap in the recording is not waited for.
    if (Math.abs(this.at - before) > 2000) this.due = performance.now();
  }

  private stepOn(duration: number): void {
    this.frame = (this.frame + 1) % this.clip.length;
    this.at += duration / TICKS_PER_MS;
    if (this.at < (this.pieces[this.piece]?.to ?? 0)) return;
    const next = this.pieces[this.piece + 1];
    if (next) this.goTo(next.from);
    else this.end();
  }

  /** Backwards devices show key pictures alone. */
  private stepBack(): void {
    const here = this.clip.startOf(this.frame);
    const key = this.frame > 0 ? this.clip.keyAtOrBefore(this.frame - 1) : this.clip.keyAtOrBefore(this.clip.length - 1);
    const distance = key < this.frame ? here - this.clip.startOf(key) : here + this.clip.duration - this.clip.startOf(key);
    this.frame = key;
    this.at -= distance / TICKS_PER_MS;
    if (this.at < (this.pieces[0]?.from ?? 0)) this.end();
  }

  private end(): void {
    this.done = true;
    this.events.finished();
  }
}
