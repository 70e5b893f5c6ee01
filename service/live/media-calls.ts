import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import { mediaStopped, noMedia } from '../../ingest/gb28181/diagnosis.js';
import type { InviteRequest, RecordingWish } from '../../ingest/gb28181/invite.js';
import type { StreamKind } from '../../ingest/gb28181/offer.js';
import type { GbServer } from '../../ingest/gb28181/server.js';
import type { GbSession, SessionCause } from '../../ingest/gb28181/session.js';
import type { SsrcPool } from '../../ingest/gb28181/ssrc-pool.js';
import type { PictureClock } from '../../ingest/media/capture-clock.js';
import type { MediaEvent } from '../../ingest/media/media-event.js';
import { MediaReceiver } from '../../ingest/media/media-receiver.js';
import type { MediaMode } from '../../ingest/media/media-transport.js';
import type { PortPool } from '../../ingest/media/port-pool.js';
import { SharedMediaPort, type SharedMediaStats } from '../../ingest/media/shared-media-port.js';
import type { SiteCamera } from '../config/site.js';

export interface MediaCallsOptions {
  server: GbServer;
  ports: PortPool;
  ssrcs: SsrcPool;
  clock: Clock;
  logger: Logger;
  /** Address to bind media ports to, and the one that cameras are told. */
  bindHost: string;
  mediaHost: string;
  /** For cameras that say nothing else; the shared port is opened when the first of them is called. */
  mediaMode: MediaMode;
  sharedPort: number;
  firstPacketTimeoutMs: number;
  silenceTimeoutMs: number;
}

/** A stream that is wanted of a GB/T 28181 camera: live, or what it recorded. */
export interface CallWish {
  camera: SiteCamera;
  stream: StreamKind;
  recording?: RecordingWish;
  /** When its pictures were taken, where they are not live. */
  pictureClock?: PictureClock;
  /** True while nothing need come: a paused playback. */
  mayBeSilent?: () => boolean;
  onUnit(unit: AccessUnit): void;
  onAudio?: ((unit: AudioUnit) => void) | undefined;
  onEvent(event: MediaEvent): void;
  /** Gives up while the camera has not answered. */
  signal: AbortSignal;
}

export interface CallEnd {
  /** As a session's, or `silence`: no packet came in time; `socket`: the media port failed. */
  cause: SessionCause | 'silence' | 'socket';
  /** For people. */
  reason: string;
}

/** A call under way: the camera has agreed and been acknowledged. */
export interface MediaCall {
  readonly session: GbSession;
  readonly receiver: MediaReceiver;
  /** Resolves once, whatever ended it. `close` must be called all the same. */
  readonly ended: Promise<CallEnd>;
  /** Ends it with BYE, closes the port, and lets port and SSRC rest. */
  close(): Promise<void>;
}

const INVITE_TIMEOUT_MS = 10_000;
const BYE_HEAD_START_MS = 1_000;
/** How long a port is listened at before a camera is told of it: one that missed its BYE shows itself within a few pictures. */
const LISTEN_FIRST_MS = 100;
/** A recording whose end was told is waited for until no packet came for one step. */
const DRAIN_STEP_MS = 300;
const MOST_DRAIN_MS = 10_000;

/**
 * Calls to cameras with all that belongs to them: a media port of their own or the shared one, an SSRC, the INVITE, and what to tell
 * people where no picture comes. Main, sub and recorded streams of one camera can run beside each other.
 */
export class MediaCalls {
  readonly #options: MediaCallsOptions;
  readonly #open = new Map<GbSession, MediaReceiver>();
  #shared: Promise<SharedMediaPort> | null = null;
  #sharedStats: (() => SharedMediaStats) | null = null;
  readonly #unsubscribe: () => void;

  constructor(options: MediaCallsOptions) {
    this.#options = options;
    const { server, ssrcs } = options;
    // What a former run left open may still be sent: it is nobody's new stream.
    for (const open of server.leftOpen()) ssrcs.leftOver(open.ssrc, `${open.deviceId}/${open.channelId}/before`);
    this.#unsubscribe = server.on('moved', ({ device }) => {
      for (const [session, receiver] of this.#open) if (session.deviceId === device.id) receiver.bindPeer(session.peerHost);
    });
  }

  /** Null while no camera uses the shared port. */
  get shared(): SharedMediaStats | null {
    return this.#sharedStats?.() ?? null;
  }

  /** Calls must have been closed by their owners. */
  async close(): Promise<void> {
    this.#unsubscribe();
    const shared = await this.#shared?.catch(() => null);
    await shared?.close();
  }

  /**
   * Asks a camera for a stream.
   * @throws BerthwatchError its message a diagnosis for people: not-found, unavailable, bad-input (the camera is no GB/T 28181 one)
   */
  async open(wish: CallWish): Promise<MediaCall> {
    const { server, ports, ssrcs, clock, logger, firstPacketTimeoutMs, silenceTimeoutMs } = this.#options;
    const { camera } = wish;
    const gb = camera.gb28181;
    if (!gb) throw new BerthwatchError('bad-input', 'CAMERA_NO_GB28181', `camera ${camera.id} has no GB/T 28181 channel`);
    const mode = gb.mediaMode ?? this.#options.mediaMode;
    const shared = mode === 'shared' && gb.transport !== 'tcp-active' ? await this.#sharedPort() : null;
    // Each recording is a stream of its own: two of one channel show different times.
    const ssrc = wish.recording ? ssrcs.allocate('history') : ssrcs.allocate('live', streamName(gb, wish.stream));
    const owner = wish.recording ? `${streamName(gb, wish.stream)}/${ssrc}` : streamName(gb, wish.stream);
    if (wish.recording) ssrcs.claim(ssrc, owner);
    const ending = promised<CallEnd>();
    const call: { session: GbSession | null; request: InviteRequest | null } = { session: null, request: null };
    const receiver = new MediaReceiver({
      host: this.#options.bindHost,
      ports,
      ...(shared ? { shared } : {}),
      listenFirstMs: LISTEN_FIRST_MS,
      transport: gb.transport,
      cameraId: camera.id,
      expectedSsrc: Number(ssrc),
      strictSsrc: gb.strictSsrc,
      isForeignSsrc: (other) => ssrcs.isForeign(other, owner),
      ...(wish.mayBeSilent ? { mayBeSilent: wish.mayBeSilent } : {}),
      ...(wish.pictureClock ? { pictureClock: wish.pictureClock } : {}),
      clock,
      logger,
      firstPacketTimeoutMs,
      silenceTimeoutMs,
      onUnit: wish.onUnit,
      onAudio: wish.onAudio,
      onEvent: (event) => {
        if (event.type === 'silence' && call.request) ending.resolve({ cause: 'silence', reason: event.firstPacketSeen ? mediaStopped(call.request, event.silentMs) : diagnose(call.request, event.silentMs) });
        if (event.type === 'closed') ending.resolve({ cause: 'socket', reason: `the media port was closed: ${event.why}` });
        wish.onEvent(event);
      },
    });
    const diagnose = (request: InviteRequest, waitedMs: number): string => {
      const { session } = call;
      const notes = [...(session?.answer.notes ?? []), ...receiver.hints];
      return noMedia(request, waitedMs, { notes, peerHost: session?.peerHost ?? null, dial: session?.remoteMedia ? { ...session.remoteMedia, failure: receiver.dialFailure } : null });
    };
    const close = async (): Promise<void> => {
      const { session } = call;
      if (session) this.#open.delete(session);
      // BYE first: a camera whose connection is closed without a word takes it for a fault. One that does not answer is not waited for.
      const bye = session?.bye();
      if (bye) await Promise.race([bye, sleep(clock, BYE_HEAD_START_MS)]);
      await receiver.close();
      await bye;
      ssrcs.release(ssrc);
      if (session && session.ssrc !== ssrc) ssrcs.release(session.ssrc);
    };
    try {
      const { port } = await receiver.start();
      // Media may be quicker than the answer: they count from the address that has proved itself.
      receiver.bindPeer(server.device(gb.deviceId)?.address.host ?? null);
      call.request = {
        deviceId: gb.deviceId,
        channelId: gb.channelId,
        transport: gb.transport,
        mediaHost: server.hostFor(gb.deviceId) ?? this.#options.mediaHost,
        mediaPort: port,
        ssrc,
        stream: wish.stream,
        dialect: gb.streamDialect,
        ...(wish.recording ? { recording: wish.recording } : {}),
        mediaMode: mode,
        strictSsrc: gb.strictSsrc,
        timeoutMs: INVITE_TIMEOUT_MS,
        signal: wish.signal,
      };
      const session = await server.invite(call.request);
      call.session = session;
      if (session.ssrc !== ssrc) ssrcs.claim(session.ssrc, owner);
      this.#open.set(session, receiver);
      receiver.agree({ ssrc: Number(session.ssrc), peerHost: session.peerHost, remoteMedia: session.remoteMedia, alsoFrom: gb.mediaHosts });
      void session.closed.then(async ({ cause, reason }) => {
        // The end is told by another way than the pictures come: the last ones may still be on theirs.
        if (wish.recording && (cause === 'finished' || cause === 'camera')) await this.#drained(receiver);
        ending.resolve({ cause, reason });
      });
      return { session, receiver, ended: ending.promise, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async #drained(receiver: MediaReceiver): Promise<void> {
    for (let waited = 0, before = -1; waited < MOST_DRAIN_MS && receiver.stats().packets !== before; waited += DRAIN_STEP_MS) {
      before = receiver.stats().packets;
      await sleep(this.#options.clock, DRAIN_STEP_MS);
    }
  }

  /** @throws BerthwatchError unavailable where it cannot be opened; tried again at the next call */
  #sharedPort(): Promise<SharedMediaPort> {
    this.#shared ??= this.#openShared();
    return this.#shared;
  }

  async #openShared(): Promise<SharedMediaPort> {
    const { bindHost, sharedPort, clock, logger, firstPacketTimeoutMs } = this.#options;
    const port = new SharedMediaPort({ host: bindHost, port: sharedPort, clock, logger, firstPacketTimeoutMs });
    try {
      await port.start();
    } catch (error) {
      this.#shared = null;
      throw error;
    }
    this.#sharedStats = () => port.stats;
    logger.info({ port: port.port }, 'the shared media port is open');
    return port;
  }
}

const streamName = (gb: NonNullable<SiteCamera['gb28181']>, stream: StreamKind): string => `${gb.deviceId}/${gb.channelId}/${stream}`;

function promised<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
