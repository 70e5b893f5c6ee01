import { sleep, type Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { RtspSource } from '../../ingest/rtsp/rtsp-source.js';
import type { SiteCamera } from '../config/site.js';
import { NO_STREAM, type LiveStream, type StreamStatus, type UnitSink } from './live-stream.js';

export interface RtspStreamOptions {
  camera: SiteCamera;
  /** Which of the camera's addresses is pulled; the main one where left out. */
  stream?: 'main' | 'sub';
  sink: UnitSink;
  clock: Clock;
  logger: Logger;
  timeoutMs: number;
  retry: { firstMs: number; longestMs: number };
  onState: (status: StreamStatus) => void;
}

/** Pictures that end so soon after the session of the sound began may have ended because of it. */
const SOUND_PROBATION_MS = 15_000;

/**
 * Keeps one camera's RTSP stream up: pulls it, hands the access units to the footage log, and begins again after whatever ended
 * it, with growing pauses while it keeps failing.
 */
export class RtspStream implements LiveStream {
  readonly #options: RtspStreamOptions;
  readonly #abort = new AbortController();
  #status = NO_STREAM;
  #running: Promise<void> = Promise.resolve();
  readonly ssrc = null;
  readonly stats = null;
  /** The camera allows one session: asking for sound cost the pictures. */
  #soundIsHarmful = false;

  constructor(options: RtspStreamOptions) {
    this.#options = options;
  }

  get status(): StreamStatus {
    return this.#status;
  }

  start(): void {
    this.#running = this.#run(this.#abort.signal);
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('the service is stopping'));
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { retry, clock, camera, logger } = this.#options;
    let pause = retry.firstMs;
    while (!signal.aborted) {
      this.#set({ state: 'inviting', codec: null });
      const reason = await this.#pull(signal).catch(messageOf);
      if (signal.aborted) return;
      if (this.#status.state === 'streaming') pause = retry.firstMs;
      logger.warn({ cameraId: camera.id, reason, retryInMs: pause }, 'no stream from the camera');
      this.#set({ state: 'waiting', diagnosis: reason });
      await sleep(clock, pause, signal).catch(() => undefined);
      pause = Math.min(pause * 2, retry.longestMs);
    }
  }

  /** One attempt. Resolves or rejects with why it ended. */
  async #pull(signal: AbortSignal): Promise<string> {
    const { camera, sink, clock, logger, timeoutMs } = this.#options;
    if (!camera.rtsp) throw new Error('the camera has no RTSP address');
    const onAudio = this.#soundIsHarmful ? undefined : sink.appendAudio;
    const url = this.#options.stream === 'sub' && camera.rtsp.subUrl !== null ? camera.rtsp.subUrl : camera.rtsp.url;
    const source = new RtspSource({ cameraId: camera.id, ...camera.rtsp, url, timeoutMs, clock, logger, onAudio, onDiscontinuity: () => sink.discontinuity(camera.id, 'the stream’s clock jumped') });
    try {
      for await (const unit of source.units(signal)) {
        sink.append(unit);
        if (this.#status.state !== 'streaming') this.#set({ state: 'streaming', diagnosis: null, codec: unit.codec });
        this.#status = { ...this.#status, lastUnitAt: unit.capturedAt };
      }
      return 'the camera ended the stream';
    } finally {
      if (!signal.aborted && source.soundSince !== null && clock.monotonic() - source.soundSince < SOUND_PROBATION_MS) {
        this.#soundIsHarmful = true;
        logger.warn({ cameraId: camera.id }, 'the camera ended its pictures just after its sound was asked for: from now on its sound is left alone (audio: false in the site says so for good)');
      }
      sink.streamEnded(camera.id);
    }
  }

  #set(change: Partial<StreamStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onState(this.#status);
  }
}
