import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { StreamKind } from '../../ingest/gb28181/offer.js';
import type { SiteCamera } from '../config/site.js';
import type { MediaCalls } from '../live/media-calls.js';
import { Playback, type PlaybackView, type Steering } from './playback.js';

export interface DevicePlaybacksOptions {
  calls: MediaCalls;
  camera: (cameraId: string) => SiteCamera | undefined;
  clock: Clock;
  logger: Logger;
  /** Playbacks at once: each is a stream of its own from a camera's line. */
  most: number;
  /** One that nobody reads is ended after so long, ms. */
  unwatchedMs: number;
}

/** How long one that is over can still be asked why, ms. */
const REMEMBERED_MS = 60_000;
const LONGEST_MS = 24 * 3_600_000;

/** Playbacks of what cameras recorded, each watched by one reader while it comes (GB/T 28181-2016 9.8). */
export class DevicePlaybacks {
  readonly #options: DevicePlaybacksOptions;
  readonly #playbacks = new Map<string, Playback>();
  readonly #cancel = new Map<string, () => void>();

  constructor(options: DevicePlaybacksOptions) {
    this.#options = options;
  }

  async close(): Promise<void> {
    for (const cancel of this.#cancel.values()) cancel();
    await Promise.all([...this.#playbacks.values()].map((playback) => playback.end('the service is stopping')));
  }

  /** @throws BerthwatchError not-found, bad-input, unavailable (too many, or the device's diagnosis) */
  async open(wish: { cameraId: string; from: number; to: number; stream: StreamKind }): Promise<PlaybackView> {
    const { calls, camera: find, clock, logger, most, unwatchedMs } = this.#options;
    const camera = find(wish.cameraId);
    if (!camera) throw new BerthwatchError('not-found', 'PLAYBACK_CAMERA', `there is no camera ${wish.cameraId}`);
    if (!(wish.to > wish.from) || wish.to - wish.from > LONGEST_MS) throw new BerthwatchError('bad-input', 'PLAYBACK_TIMES', 'ask for a time of at most 24 hours, from an instant to a later one');
    if ([...this.#playbacks.values()].filter((playback) => !playback.isOver).length >= most) {
      throw new BerthwatchError('unavailable', 'PLAYBACK_TOO_MANY', `${most} playbacks run already: end one of them (deviceFootage.playbacks sets how many there may be)`);
    }
    const id = randomUUID();
    const playback = new Playback({ id, calls, camera, stream: wish.stream, from: wish.from, to: wish.to, logger });
    this.#playbacks.set(id, playback);
    void playback.ended.then(() => this.#later(id, REMEMBERED_MS, () => this.#playbacks.delete(id)));
    try {
      await playback.start();
    } catch (error) {
      this.#playbacks.delete(id);
      throw error;
    }
    if (!playback.isOver) this.#later(id, unwatchedMs, () => playback.view.watched || void playback.end(`nobody read it for ${Math.round(unwatchedMs / 1000)} s`));
    logger.info({ cameraId: camera.id, playback: id, from: wish.from, to: wish.to, at: clock.now() }, 'a playback began');
    return playback.view;
  }

  /** Those under way, and those that ended a moment ago. */
  list(): PlaybackView[] {
    return [...this.#playbacks.values()].map(({ view }) => view);
  }

  /** @throws BerthwatchError not-found */
  get(id: string): PlaybackView {
    return this.#one(id).view;
  }

  /** @throws BerthwatchError not-found, conflict */
  read(id: string): Readable {
    return this.#one(id).read();
  }

  /** @throws BerthwatchError not-found, bad-input, conflict, unavailable */
  async steer(id: string, steering: Steering): Promise<PlaybackView> {
    const playback = this.#one(id);
    await playback.steer(steering);
    return playback.view;
  }

  /** @throws BerthwatchError not-found */
  async end(id: string): Promise<void> {
    await this.#one(id).end('it was ended');
  }

  #one(id: string): Playback {
    const playback = this.#playbacks.get(id);
    if (!playback) throw new BerthwatchError('not-found', 'PLAYBACK', `there is no playback ${id}; one that is over is forgotten after a minute`);
    return playback;
  }

  #later(id: string, ms: number, work: () => unknown): void {
    this.#cancel.get(id)?.();
    this.#cancel.set(
      id,
      this.#options.clock.after(ms, () => {
        this.#cancel.delete(id);
        work();
      }),
    );
  }
}
