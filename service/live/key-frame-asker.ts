import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';

export interface KeyFrameAskerOptions {
  clock: Clock;
  logger: Logger;
  /** A camera whose key frames are further apart is asked for them, ms; null never asks. */
  afterMs: number | null;
  /** Sends the command; resolves when the camera has taken it. */
  ask: (cameraId: string) => Promise<void>;
}

interface Watched {
  /** Monotonic ms. */
  lastKeyAt: number;
  askedAt: number | null;
  /** Times in a row that it was asked in vain. */
  inVain: number;
  off: boolean;
}

/** A key frame later than this after the command came of its own accord. */
const ANSWER_MS = 2000;
/** A GOP of exactly the limit is not over it. */
const SLACK_MS = 200;
const MOST_IN_VAIN = 3;

/**
 * Asks cameras with long GOPs (smart codecs) for key frames, so that the street is looked at often enough without decoding
 * everything between. A camera that does not do it is left alone until its stream begins anew.
 */
export class KeyFrameAsker {
  readonly #options: KeyFrameAskerOptions;
  readonly #cameras = new Map<string, Watched>();
  /** Commands sent since the start. */
  asked = 0;

  constructor(options: KeyFrameAskerOptions) {
    this.#options = options;
  }

  /** A picture came from a camera. */
  picture(cameraId: string, keyframe: boolean): void {
    const { afterMs, clock } = this.#options;
    if (afterMs === null) return;
    const now = clock.monotonic();
    const camera = this.#cameras.get(cameraId);
    if (!camera) {
      if (keyframe) this.#cameras.set(cameraId, { lastKeyAt: now, askedAt: null, inVain: 0, off: false });
    } else if (keyframe) {
      if (camera.askedAt !== null) this.#judge(cameraId, camera, now - camera.askedAt <= ANSWER_MS);
      camera.lastKeyAt = now;
      camera.askedAt = null;
    } else if (!camera.off && now - Math.max(camera.lastKeyAt, camera.askedAt ?? 0) > afterMs + SLACK_MS) {
      if (camera.askedAt !== null) this.#judge(cameraId, camera, false);
      if (!camera.off) this.#ask(cameraId, camera, now);
    }
  }

  /** The stream ended: the next one is judged anew. */
  streamEnded(cameraId: string): void {
    this.#cameras.delete(cameraId);
  }

  /** Cameras that do not give key frames when asked. */
  get unwilling(): string[] {
    return [...this.#cameras].filter(([, camera]) => camera.off).map(([cameraId]) => cameraId);
  }

  #ask(cameraId: string, camera: Watched, now: number): void {
    camera.askedAt = now;
    this.asked++;
    this.#options.ask(cameraId).catch((error: unknown) => this.#options.logger.debug({ cameraId, error: messageOf(error) }, 'a key frame could not be asked for'));
  }

  #judge(cameraId: string, camera: Watched, answered: boolean): void {
    camera.inVain = answered ? 0 : camera.inVain + 1;
    if (camera.inVain < MOST_IN_VAIN) return;
    camera.off = true;
    this.#options.logger.info({ cameraId }, 'the camera gives no key frames when asked for them; it is not asked again while this stream lasts');
  }
}
