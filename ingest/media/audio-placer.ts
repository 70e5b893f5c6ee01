import type { AudioCodec, AudioUnit } from '../audio-unit.js';
import type { PictureClock } from './capture-clock.js';

/** Sound on its way to its place in time. */
export interface UnplacedAudio {
  codec: AudioCodec;
  sampleRate: number;
  channels: number;
  config: Uint8Array | null;
  /** On the line of the pictures' ticks; null where the sound has no such time. */
  ticks: number | null;
  /** 90 kHz ticks. */
  duration: number;
  data: Uint8Array;
}

/** Sound whose own time is further from the pictures' has another clock. */
const MAX_APART_TICKS = 10 * 90_000;
/** Sound without a time follows itself, until it is so far from its arrival. */
const MAX_DEVIATION_TICKS = 45_000;

/**
 * Puts sound on the time line of the pictures. Where sound and pictures have one clock (PES time stamps), that counts; where
 * they do not (RTP time stamps of another payload type, none at all), sound follows itself and is tied to its arrival.
 */
export class AudioPlacer {
  readonly #cameraId: string;
  readonly #clock: PictureClock;
  /** Where the next frame stands if it says nothing. */
  #next: number | null = null;

  constructor(cameraId: string, clock: PictureClock) {
    this.#cameraId = cameraId;
    this.#clock = clock;
  }

  /** Null before the first picture: there is nothing yet that the sound could stand beside. */
  place(audio: UnplacedAudio, arrivalMs: number): AudioUnit | null {
    const now = this.#clock.ticksAt(arrivalMs);
    if (now === null) return null;
    let ticks = audio.ticks !== null && Math.abs(audio.ticks - now) <= MAX_APART_TICKS ? audio.ticks : null;
    if (ticks === null) {
      const arrived = now - audio.duration;
      ticks = this.#next !== null && Math.abs(this.#next - arrived) <= MAX_DEVIATION_TICKS ? this.#next : arrived;
    }
    this.#next = ticks + audio.duration;
    const { pts, capturedAt } = this.#clock.locate(ticks) as { pts: number; capturedAt: number };
    const { codec, sampleRate, channels, config, data } = audio;
    return { cameraId: this.#cameraId, codec, sampleRate, channels, config, pts: Math.round(pts), capturedAt, data };
  }

  /** The time line of the pictures was cut. */
  reset(): void {
    this.#next = null;
  }
}
