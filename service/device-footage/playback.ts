import { Readable } from 'node:stream';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { StreamKind } from '../../ingest/gb28181/offer.js';
import { RecordingClock } from '../../ingest/media/recording-clock.js';
import type { SiteCamera } from '../config/site.js';
import type { MediaCall, MediaCalls } from '../live/media-calls.js';
import { MovieWriter, type MoviePiece } from './movie-writer.js';

export interface PlaybackView {
  id: string;
  cameraId: string;
  from: number;
  to: number;
  /** `waiting`: no picture yet. */
  state: 'waiting' | 'playing' | 'paused' | 'ended';
  /** Times normal speed, negative backwards, as the device was told. */
  speed: number;
  /** Of the last picture, Unix ms. */
  position: number | null;
  codec: string | null;
  /** Whether somebody reads its stream. */
  watched: boolean;
  /** Groups of pictures left out since the reader did not keep up and the device could not be paused. */
  droppedGops: number;
  /** Why it is over, for people. */
  endedBecause: string | null;
}

export interface PlaybackParts {
  id: string;
  calls: MediaCalls;
  camera: SiteCamera;
  stream: StreamKind;
  from: number;
  to: number;
  logger: Logger;
}

/** What is changed of a playback under way. */
export interface Steering {
  paused?: boolean | undefined;
  speed?: number | undefined;
  /** Seconds from the beginning of what was asked for. */
  position?: number | undefined;
}

/** Unread bytes at which the device is paused, and at which groups of pictures are left out where it cannot be. */
const PAUSE_AT = 4 * 1024 * 1024;
const DROP_AT = 32 * 1024 * 1024;

/**
 * One playback of what a camera recorded: its call, the MP4 that is made of it as it comes, and its one reader. A reader that does not
 * keep up (a browser that has enough for now) pauses the device.
 */
export class Playback {
  readonly #parts: PlaybackParts;
  readonly #clock: RecordingClock;
  readonly #movie: MovieWriter;
  readonly #out: Readable;
  readonly #abort = new AbortController();
  #call: MediaCall | null = null;
  #watched = false;
  #position: number | null = null;
  #speed = 1;
  /** By people, and since the reader has enough. */
  #paused = false;
  #full = false;
  #devicePaused = false;
  /** The device does not take INFO: it plays on whatever happens. */
  #unsteerable = false;
  #droppedGops = 0;
  #endedBecause: string | null = null;
  #resolveEnded: () => void = () => undefined;
  readonly ended: Promise<void>;

  constructor(parts: PlaybackParts) {
    this.#parts = parts;
    this.#clock = new RecordingClock(parts.from, parts.to);
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#out = new Readable({ highWaterMark: PAUSE_AT, read: () => this.#drained() });
    this.#out.on('error', () => undefined);
    this.#out.on('close', () => void this.end('its reader went away'));
    this.#movie = new MovieWriter({ cameraId: parts.camera.id, reason: 'played back by the device', onPiece: (piece) => this.#write(piece), onCodecChange: () => void this.end('the recording goes on in another codec: begin another playback there') });
  }

  get view(): PlaybackView {
    const { id, camera, from, to } = this.#parts;
    const state = this.#endedBecause !== null ? 'ended' : this.#paused ? 'paused' : this.#position === null ? 'waiting' : 'playing';
    return { id, cameraId: camera.id, from, to, state, speed: this.#speed, position: this.#position, codec: this.#movie.codec, watched: this.#watched, droppedGops: this.#droppedGops, endedBecause: this.#endedBecause };
  }

  get isOver(): boolean {
    return this.#endedBecause !== null;
  }

  /** Asks the device. @throws BerthwatchError its message a diagnosis; the playback is over then */
  async start(): Promise<void> {
    const { calls, camera, stream, from, to } = this.#parts;
    try {
      this.#call = await calls.open({
        camera,
        stream,
        recording: { kind: 'playback', from, to },
        pictureClock: this.#clock,
        mayBeSilent: () => this.#devicePaused || this.#full,
        signal: this.#abort.signal,
        onUnit: (unit) => {
          this.#position = unit.capturedAt;
          this.#movie.push(unit);
        },
        onEvent: () => undefined,
      });
    } catch (error) {
      await this.end(messageOf(error));
      throw error;
    }
    const call = this.#call;
    void call.ended.then(({ cause, reason }) => this.end(cause === 'silence' && this.#position !== null ? `no more pictures came: ${reason}` : reason));
    if (this.isOver) await call.close();
  }

  /** The MP4 from its beginning, to be read once. @throws BerthwatchError conflict, where somebody reads it already or it is over */
  read(): Readable {
    if (this.isOver) throw new BerthwatchError('conflict', 'PLAYBACK_OVER', `playback ${this.#parts.id} is over: ${this.#endedBecause ?? ''}`);
    if (this.#watched) throw new BerthwatchError('conflict', 'PLAYBACK_WATCHED', `playback ${this.#parts.id} has a reader already: begin another one`);
    this.#watched = true;
    return this.#out;
  }

  /** @throws BerthwatchError see `GbSession.control`; conflict where it is over */
  async steer({ paused, speed, position }: Steering): Promise<void> {
    const call = this.#call;
    if (this.isOver || !call) throw new BerthwatchError('conflict', 'PLAYBACK_OVER', `playback ${this.#parts.id} is ${this.isOver ? `over: ${this.#endedBecause ?? ''}` : 'still being asked for'}`);
    const { from, to } = this.#parts;
    if (position !== undefined && position * 1000 > to - from) throw new BerthwatchError('bad-input', 'PLAYBACK_POSITION', `${position} s lies behind the end of what is played, ${Math.round((to - from) / 1000)} s after its beginning`);
    const backwards = speed === undefined ? null : speed < 0;
    if (speed !== undefined || position !== undefined) {
      await call.session.control({ do: 'play', ...(speed === undefined ? {} : { scale: speed }), ...(position === undefined ? {} : { positionS: position }) });
      this.#devicePaused = false;
      if (speed !== undefined) this.#speed = speed;
      if (backwards !== null) this.#clock.backwards = backwards;
      if (position !== undefined) this.#clock.seek(position * 1000);
    }
    if (paused !== undefined && paused !== this.#paused) {
      const before = this.#paused;
      this.#paused = paused;
      try {
        await this.#settle(call);
      } catch (error) {
        this.#paused = before;
        throw error;
      }
    } else if (this.#paused || this.#full) await this.#settle(call);
  }

  /** Ends it with BYE. Harmless when it is over. */
  async end(because: string): Promise<void> {
    if (this.#endedBecause !== null) return;
    this.#endedBecause = because;
    this.#parts.logger.info({ cameraId: this.#parts.camera.id, playback: this.#parts.id, because }, 'a playback is over');
    this.#abort.abort(new Error(because));
    // Its last picture comes with the end of the call.
    await this.#call?.close();
    this.#movie.end();
    if (!this.#out.destroyed) this.#out.push(null);
    if (!this.#watched) this.#out.destroy();
    this.#resolveEnded();
  }

  /** Brings the device to what people and the reader want. */
  async #settle(call: MediaCall): Promise<void> {
    const want = this.#paused || this.#full;
    if (want === this.#devicePaused) return;
    this.#devicePaused = want;
    try {
      await call.session.control(want ? { do: 'pause' } : { do: 'play', ...(this.#speed === 1 ? {} : { scale: this.#speed }) });
    } catch (error) {
      this.#devicePaused = !want;
      throw error;
    }
  }

  #write({ bytes, times }: MoviePiece): void {
    if (this.#out.destroyed || this.#out.readableEnded) return;
    if (this.#out.readableLength > DROP_AT && times) {
      this.#droppedGops++;
      return;
    }
    if (!this.#out.push(bytes)) this.#setFull(true);
  }

  #drained(): void {
    this.#setFull(false);
  }

  #setFull(full: boolean): void {
    if (this.#full === full || this.isOver) return;
    this.#full = full;
    const call = this.#call;
    if (!call || this.#unsteerable) return;
    this.#settle(call).catch((error: unknown) => {
      this.#unsteerable = error instanceof BerthwatchError && error.kind === 'conflict';
      this.#parts.logger.info({ playback: this.#parts.id, error: messageOf(error) }, 'the device could not be paused for a slow reader');
    });
  }
}
