import { sleep, type Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { noMedia } from '../../ingest/gb28181/diagnosis.js';
import type { GbServer } from '../../ingest/gb28181/server.js';
import type { GbSession } from '../../ingest/gb28181/session.js';
import type { SsrcPool } from '../../ingest/gb28181/ssrc-pool.js';
import type { MediaEvent } from '../../ingest/media/media-event.js';
import { MediaReceiver } from '../../ingest/media/media-receiver.js';
import type { PortPool } from '../../ingest/media/port-pool.js';
import type { SiteCamera } from '../config/site.js';
import { contentNote } from './content-note.js';
import { NO_STREAM, type LiveStream, type StreamStatus, type UnitSink } from './live-stream.js';
import { Wake } from './wake.js';

export interface CameraStreamOptions {
  camera: SiteCamera;
  server: GbServer;
  ports: PortPool;
  ssrcs: SsrcPool;
  /** Whether an SSRC was agreed with another camera: it must never be learnt as this one's. */
  isForeignSsrc: (ssrc: number) => boolean;
  sink: UnitSink;
  clock: Clock;
  logger: Logger;
  /** Address to bind media ports to, and the one that cameras are told. */
  bindHost: string;
  mediaHost: string;
  firstPacketTimeoutMs: number;
  silenceTimeoutMs: number;
  retry: { firstMs: number; longestMs: number };
  onState: (status: StreamStatus) => void;
  onMediaEvent: (event: MediaEvent) => void;
}

const INVITE_TIMEOUT_MS = 10_000;
const BYE_HEAD_START_MS = 1_000;

/**
 * Keeps one camera's live stream up: waits for its device to be online, opens a media port, invites, hands the access units to
 * the footage log, and begins again after whatever ended the stream, with growing pauses while it keeps failing. The
 * session is always ended with BYE, and port and SSRC rest before anybody else gets them.
 */
export class CameraStream implements LiveStream {
  readonly #options: CameraStreamOptions;
  readonly #abort = new AbortController();
  readonly #online = new Wake();
  #receiver: MediaReceiver | null = null;
  #ssrc: number | null = null;
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
    return this.#ssrc;
  }

  get stats(): ReturnType<MediaReceiver['stats']> | null {
    return this.#receiver?.stats() ?? null;
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
      const reason = await this.#session(signal).catch((error: unknown) => messageOf(error));
      if (signal.aborted) return;
      if (this.#status.state === 'streaming') pause = retry.firstMs;
      logger.warn({ cameraId: camera.id, reason, retryInMs: pause }, 'no stream from the camera');
      this.#set({ state: 'waiting', diagnosis: reason });
      // A device that comes back (a restart, a new address) is worth an attempt at once.
      const waited = sleep(clock, pause, signal).catch(() => undefined);
      await Promise.race([waited, this.#online.wait(signal)]);
      pause = Math.min(pause * 2, retry.longestMs);
    }
  }

  /** One attempt. Resolves with what ended the stream; rejects with why there was none. */
  async #session(signal: AbortSignal): Promise<string> {
    const { camera, server, ports, ssrcs, sink, clock, logger } = this.#options;
    const gb = camera.gb28181;
    if (!gb) throw new Error('the camera has no GB/T 28181 channel');
    this.#set({ state: 'inviting', codec: null });
    const ssrc = ssrcs.allocate('live', camera.id);
    let ended: (reason: string) => void = () => undefined;
    const mediaEnded = new Promise<string>((resolve) => (ended = resolve));
    let diagnose: (waitedMs: number) => string = () => 'the camera sent nothing';
    const receiver = new MediaReceiver({
      host: this.#options.bindHost,
      ports,
      transport: gb.transport,
      cameraId: camera.id,
      expectedSsrc: Number(ssrc),
      strictSsrc: false,
      isForeignSsrc: (other) => ssrcs.isForeign(other, camera.id) || this.#options.isForeignSsrc(other),
      clock,
      logger,
      firstPacketTimeoutMs: this.#options.firstPacketTimeoutMs,
      silenceTimeoutMs: this.#options.silenceTimeoutMs,
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
        if (event.type === 'silence') ended(event.firstPacketSeen ? `no packet came for ${Math.round(event.silentMs / 1000)} s` : diagnose(event.silentMs));
        if (event.type === 'closed') ended(`the media port was closed: ${event.why}`);
        this.#options.onMediaEvent(event);
      },
    });
    let session: GbSession | null = null;
    try {
      const { port } = await receiver.start();
      this.#receiver = receiver;
      this.#ssrc = Number(ssrc);
      const request = { deviceId: gb.deviceId, channelId: gb.channelId, transport: gb.transport, mediaHost: this.#options.mediaHost, mediaPort: port, ssrc, stream: 'main' as const, timeoutMs: INVITE_TIMEOUT_MS, signal };
      diagnose = (waitedMs) => noMedia(request, waitedMs, session?.answer.notes ?? [], session?.remoteMedia ? { ...session.remoteMedia, failure: receiver.dialFailure } : null);
      session = await server.invite(request);
      this.#ssrc = Number(session.ssrc);
      receiver.agree({ ssrc: this.#ssrc, peerHost: session.peerHost, remoteMedia: session.remoteMedia });
      const aborted = new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('the service is stopping'), { once: true }));
      return await Promise.race([mediaEnded, session.closed.then(({ reason }) => reason), aborted]);
    } finally {
      this.#receiver = null;
      this.#ssrc = null;
      // BYE first: a camera whose connection is closed without a word takes it for a fault. One that does not answer is not waited for.
      const bye = session?.bye();
      if (bye) await Promise.race([bye, sleep(clock, BYE_HEAD_START_MS)]);
      await receiver.close();
      sink.streamEnded(camera.id);
      await bye;
      ssrcs.release(ssrc);
    }
  }

  #set(change: Partial<StreamStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onState(this.#status);
  }
}
