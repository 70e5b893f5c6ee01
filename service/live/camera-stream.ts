import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { StreamKind } from '../../ingest/gb28181/offer.js';
import type { GbServer } from '../../ingest/gb28181/server.js';
import type { MediaEvent } from '../../ingest/media/media-event.js';
import type { MediaReceiver } from '../../ingest/media/media-receiver.js';
import type { SiteCamera } from '../config/site.js';
import { contentNote } from './content-note.js';
import { NO_STREAM, type LiveStream, type StreamStatus, type UnitSink } from './live-stream.js';
import type { CallEnd, MediaCall, MediaCalls } from './media-calls.js';
import { Wake } from './wake.js';

export interface CameraStreamOptions {
  camera: SiteCamera;
  /** Which of the camera's streams; both may run beside each other. */
  stream: StreamKind;
  server: GbServer;
  calls: MediaCalls;
  sink: UnitSink;
  clock: Clock;
  logger: Logger;
  retry: { firstMs: number; longestMs: number };
  onState: (status: StreamStatus) => void;
  onMediaEvent: (event: MediaEvent) => void;
  /** A call has ended, or (`refused`) there was none. */
  onEnd?: (cause: CallEnd['cause'] | 'refused') => void;
}

/**
 * Keeps one camera's live stream up: waits for its device to be online, opens a media port, invites, hands the access units to
 * the footage log, and begins again after whatever ended the stream, with growing pauses while it keeps failing. The
 * session is always ended with BYE, and port and SSRC rest before anybody else gets them.
 */
export class CameraStream implements LiveStream {
  readonly #options: CameraStreamOptions;
  readonly #abort = new AbortController();
  readonly #online = new Wake();
  #call: MediaCall | null = null;
  #status = NO_STREAM;
  #running: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => undefined;

  constructor(options: CameraStreamOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unsubscribe = this.#options.server.on('online', ({ device }) => {
      if (device.id === this.#options.camera.gb28181?.deviceId) this.#online.wake();
    });
    this.#running = this.#run(this.#abort.signal);
  }

  /** Ends the stream with BYE; resolves when everything is closed. */
  async close(): Promise<void> {
    this.#abort.abort(new Error('the service is stopping'));
    this.#unsubscribe();
    await this.#running;
  }

  get status(): StreamStatus {
    return this.#status;
  }

  /** The SSRC of the session under way. */
  get ssrc(): number | null {
    return this.#call ? Number(this.#call.session.ssrc) : null;
  }

  get stats(): ReturnType<MediaReceiver['stats']> | null {
    return this.#call?.receiver.stats() ?? null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { retry, clock, camera, server, logger } = this.#options;
    const deviceId = camera.gb28181?.deviceId ?? '';
    let pause = retry.firstMs;
    while (!signal.aborted) {
      if (!server.device(deviceId)?.online) {
        this.#set({ state: 'none', codec: null });
        await this.#online.wait(signal);
        continue;
      }
      const reason = await this.#session(signal).catch((error: unknown) => {
        if (!signal.aborted) this.#options.onEnd?.('refused');
        return messageOf(error);
      });
      if (signal.aborted) return;
      if (this.#status.state === 'streaming') pause = retry.firstMs;
      logger.warn({ cameraId: camera.id, reason, retryInMs: pause }, 'no stream from the camera');
      this.#set({ state: 'waiting', diagnosis: reason, lastFailure: { at: clock.now(), message: reason } });
      // A device that comes back (a restart, a new address) is worth an attempt at once.
      await this.#online.waitAtMost(clock, pause, signal);
      pause = Math.min(pause * 2, retry.longestMs);
    }
  }

  /** One attempt. Resolves with what ended the stream; rejects with why there was none. */
  async #session(signal: AbortSignal): Promise<string> {
    const { camera, stream, calls, sink, logger } = this.#options;
    this.#set({ state: 'inviting', codec: null });
    const { onEnd } = this.#options;
    const call = await calls.open({
      camera,
      stream,
      signal,
      onUnit: (unit) => {
        sink.append(unit);
        this.#status = { ...this.#status, lastUnitAt: unit.capturedAt };
      },
      onAudio: sink.appendAudio,
      onEvent: (event) => {
        if (event.type === 'first-keyframe') this.#set({ state: 'streaming', diagnosis: null, codec: event.format.codec });
        const note = contentNote(event);
        if (note) logger.warn({ cameraId: camera.id }, note);
        if (note && this.#status.state !== 'streaming') this.#set({ diagnosis: note });
        if (event.type === 'discontinuity') sink.discontinuity(camera.id, 'the stream’s clock jumped');
        this.#options.onMediaEvent(event);
      },
    });
    this.#call = call;
    let onAbort: () => void = () => undefined;
    const aborted = new Promise<string>((resolve) => (onAbort = () => resolve('the service is stopping')));
    try {
      if (signal.aborted) return 'the service is stopping';
      signal.addEventListener('abort', onAbort, { once: true });
      return await Promise.race([call.ended.then(({ cause, reason }) => (onEnd?.(cause), reason)), aborted]);
    } finally {
      // The signal outlives thousands of sessions.
      signal.removeEventListener('abort', onAbort);
      this.#call = null;
      await call.close();
      sink.streamEnded(camera.id);
    }
  }

  #set(change: Partial<StreamStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onState(this.#status);
  }
}
