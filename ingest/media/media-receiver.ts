import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../access-unit.js';
import type { AudioUnit } from '../audio-unit.js';
import type { PictureClock } from './capture-clock.js';
import type { MediaEvent } from './media-event.js';
import { plainHost, type MediaTransport, type MediaTransportKind } from './media-transport.js';
import type { PayloadFormat } from './pipeline.js';
import type { PortPool } from './port-pool.js';
import type { SharedMediaPort } from './shared-media-port.js';
import { StreamIntake, type IntakeStats, type Stranger } from './stream-intake.js';
import { TcpActiveMedia } from './tcp-active-media.js';
import { TcpPassiveMedia } from './tcp-passive-media.js';
import { UdpMedia } from './udp-media.js';

export interface MediaReceiverOptions {
  /** Local address to listen on. */
  host: string;
  /** The pool all receivers share, or 0 for a port of the system's choice. */
  ports: PortPool | 0;
  /** The port that all streams come to, where this one has none of its own; it must be open. TCP active needs neither. */
  shared?: SharedMediaPort;
  /**
   * How long a port of the pool is listened at before it is believed to be free, ms; default not at all. A camera that missed the
   * BYE of the session before still sends to it: such a port rests again, and another one is taken.
   */
  listenFirstMs?: number;
  transport: MediaTransportKind;
  cameraId: string;
  /** The SSRC offered in the SDP (its decimal digits as a number); null where none was agreed. */
  expectedSsrc: number | null;
  /** Take no other SSRC; otherwise one that the device itself sends is learnt (see `StreamBinding`). */
  strictSsrc: boolean;
  /** SSRCs of other sessions, which must never be learnt. */
  isForeignSsrc?: (ssrc: number) => boolean;
  /** RTP payload types of the SDP; without it: 96 PS, 98 H.264, 99 and 100 H.265, and PS by its bytes. */
  payloadFormats?: ReadonlyMap<number, PayloadFormat>;
  /** When pictures were taken, where they are not live. */
  pictureClock?: PictureClock;
  clock: Clock;
  logger: Logger;
  /** Without a packet for so long after `start` (or `agree`), a `silence` event says so. */
  firstPacketTimeoutMs: number;
  /** Without a packet for so long in a running stream, a `silence` event says so. */
  silenceTimeoutMs: number;
  /** True while nothing need come (a paused playback): then no silence is told, and the wait begins anew afterwards. */
  mayBeSilent?: () => boolean;
  onUnit(unit: AccessUnit): void;
  /** Sound beside the pictures; without it sound is skipped unread. */
  onAudio?: ((unit: AudioUnit) => void) | undefined;
  onEvent(event: MediaEvent): void;
}

export interface MediaStats extends IntakeStats {
  transport: MediaTransportKind;
  /** 0 while closed. */
  port: number;
  /** TCP: bytes thrown away to find the next packet. */
  resyncBytes: number;
  /** UDP: receive buffer granted by the kernel (it counts its own overhead, so this may be twice what was asked for). */
  receiveBufferBytes: number;
}

/** Ports of a pool tried before giving up: others on the machine may sit on some. */
const PORT_TRIES = 16;
/** Ports passed over since somebody sends to them: an attacker who floods all of them shall not keep us from receiving. */
const NOISY_PORT_TRIES = 4;

/**
 * Receives one negotiated stream on a port of its own and yields access units. Only packets of the agreed stream count
 * (SSRC and device); everything else on the port is counted and dropped. The receiver reports, it does not decide: after a
 * `silence` or `closed` event its owner ends the session and calls `close`.
 */
export class MediaReceiver {
  readonly #options: MediaReceiverOptions;
  readonly #logger: Logger;
  readonly #intake: StreamIntake;
  readonly #transport: MediaTransport;
  #port = 0;
  #alsoFrom: readonly string[] = [];
  #pooled: number | null = null;
  #cancelTick: () => void = () => undefined;
  #tickMs = 1000;
  #waitingSince = 0;
  #silenceTold = false;
  #resyncBytes = 0;
  #dialFailure: string | null = null;
  #state: 'new' | 'open' | 'closed' = 'new';

  constructor(options: MediaReceiverOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ cameraId: options.cameraId, transport: options.transport });
    const { clock } = options;
    this.#intake = new StreamIntake({
      cameraId: options.cameraId,
      reorder: options.transport === 'udp',
      ...(options.pictureClock ? { pictureClock: options.pictureClock } : {}),
      ...(options.payloadFormats ? { payloadFormats: options.payloadFormats } : {}),
      expectedSsrc: options.expectedSsrc,
      strictSsrc: options.strictSsrc,
      isForeignSsrc: options.isForeignSsrc,
      onUnit: (unit) => this.#guard(() => options.onUnit(unit)),
      onAudio: options.onAudio,
      onEvent: (event) => this.#emit(event),
    });
    const onError = (error: Error): void => this.#fail(error);
    const onResync = (bytes: number): void => void (this.#resyncBytes += bytes);
    const common = { intake: this.#intake, clock, onResync };
    if (options.transport === 'tcp-active') this.#transport = new TcpActiveMedia({ ...common, onRefused: (why) => (this.#dialFailure = why) });
    else if (options.shared) this.#transport = options.shared.member(options.transport, this.#intake, onResync);
    else if (options.transport === 'udp') this.#transport = new UdpMedia({ intake: this.#intake, clock, onError });
    else this.#transport = new TcpPassiveMedia({ ...common, firstPacketTimeoutMs: options.firstPacketTimeoutMs, onError });
  }

  /**
   * Opens the port.
   * @returns the port to put into the offer
   * @throws BerthwatchError unavailable: no port of the pool is free, or the address cannot be bound
   */
  async start(): Promise<{ port: number }> {
    if (this.#state !== 'new') throw new BerthwatchError('internal', 'INGEST_MEDIA_STATE', 'a media receiver is started once');
    this.#state = 'open';
    this.#port = await this.#open();
    const { clock, firstPacketTimeoutMs, silenceTimeoutMs } = this.#options;
    this.#waitingSince = clock.monotonic();
    this.#tickMs = Math.max(20, Math.min(1000, firstPacketTimeoutMs / 4, silenceTimeoutMs / 4));
    this.#scheduleTick();
    return { port: this.#port };
  }

  /** The device's address as signalling knows it; null takes it back. */
  bindPeer(host: string | null): void {
    this.#intake.binding.peers = host === null ? [] : [...new Set([plainHost(host), ...this.#alsoFrom])];
    this.#transport.peerChanged();
  }

  /**
   * What the answer settled: the SSRC that counts (the answerer may choose), the device's address, and where its media come from
   * or, for TCP active, where it listens, which is dialled now. `alsoFrom`: further addresses that the device may send from.
   * The wait for packets begins anew.
   */
  agree(agreed: { ssrc: number | null; peerHost: string | null; remoteMedia?: { host: string; port: number } | null; alsoFrom?: readonly string[] }): void {
    this.#alsoFrom = [...(agreed.remoteMedia ? [agreed.remoteMedia.host] : []), ...(agreed.alsoFrom ?? [])].map(plainHost);
    if (agreed.ssrc !== null) this.#intake.binding.expectedSsrc = agreed.ssrc;
    this.#waitingSince = this.#options.clock.monotonic();
    this.bindPeer(agreed.peerHost);
    if (this.#transport instanceof TcpActiveMedia && agreed.remoteMedia) this.#transport.dial(agreed.remoteMedia);
  }

  /** TCP active: why the last connection could not be made or ended; null while there is nothing to say. */
  get dialFailure(): string | null {
    return this.#dialFailure;
  }

  /** What may explain that nothing came, for people. */
  get hints(): string[] {
    const { strangerPackets, lastStranger, malformedPackets, rtcpPackets } = this.#intake.stats;
    const hints: string[] = [];
    const { hint } = this.#transport;
    if (hint) hints.push(hint);
    if (lastStranger) hints.push(describeStranger(lastStranger, strangerPackets, this.#intake.binding.expectedSsrc));
    if (malformedPackets > 0) hints.push(`${malformedPackets} packets were no RTP`);
    if (rtcpPackets > 0) hints.push('RTCP came, but no RTP');
    return hints;
  }

  stats(): MediaStats {
    const intake = this.#intake.stats;
    const transport = this.#transport;
    return {
      ...intake,
      bufferedBytes: intake.bufferedBytes + (transport.buffered ?? 0),
      transport: this.#options.transport,
      port: this.#state === 'open' ? this.#port : 0,
      resyncBytes: this.#resyncBytes,
      receiveBufferBytes: transport instanceof UdpMedia ? transport.receiveBufferBytes : 0,
    };
  }

  /** Closes the sockets, hands on the last picture and gives the port back. Resolves when the port is closed; may be called twice. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#cancelTick();
    await this.#transport.close();
    this.#guard(() => this.#intake.flush(this.#options.clock.now()));
    this.#releasePort();
    this.#emit({ type: 'closed', why: 'closed by its owner' });
  }

  async #open(): Promise<number> {
    const { ports, host } = this.#options;
    // Who dials needs no port of the pool.
    if (ports === 0 || this.#options.shared || this.#options.transport === 'tcp-active') return this.#transport.open(host, 0);
    for (let attempt = 1; ; attempt++) {
      const port = ports.acquire();
      this.#pooled = port;
      try {
        await this.#transport.open(host, port);
        if (attempt > NOISY_PORT_TRIES || (await this.#isSilent())) return port;
        this.#logger.warn({ port }, 'somebody sends to a media port that is not in use: another one is taken');
        await this.#transport.close();
        this.#releasePort();
      } catch (error) {
        // A port that somebody else holds rests like a released one and is tried again later.
        this.#releasePort();
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        if (attempt < PORT_TRIES) continue;
        throw new BerthwatchError('unavailable', 'INGEST_PORTS_TAKEN', `${attempt} media ports in a row are taken by other programs (the last was ${port}); move the range`, { cause: error });
      }
    }
  }

  async #isSilent(): Promise<boolean> {
    const { listenFirstMs = 0, clock, transport } = this.#options;
    const came = (): number => {
      const { packets, strangerPackets, rtcpPackets } = this.#intake.stats;
      return packets + strangerPackets + rtcpPackets;
    };
    const before = came();
    if (listenFirstMs > 0 && transport === 'udp') await sleep(clock, listenFirstMs);
    return came() === before;
  }

  #releasePort(): void {
    if (this.#pooled !== null && this.#options.ports !== 0) this.#options.ports.release(this.#pooled);
    this.#pooled = null;
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#options.clock.after(this.#tickMs, () => {
      this.#guard(() => this.#tick());
      if (this.#state === 'open') this.#scheduleTick();
    });
  }

  #tick(): void {
    const { clock, firstPacketTimeoutMs, silenceTimeoutMs } = this.#options;
    this.#transport.tick(clock.monotonic());
    this.#intake.poll(clock.now());
    const last = this.#intake.lastPacketMono;
    if (this.#options.mayBeSilent?.()) this.#waitingSince = clock.monotonic();
    const silentMs = clock.monotonic() - Math.max(last ?? 0, this.#waitingSince);
    if (silentMs < (last === null ? firstPacketTimeoutMs : silenceTimeoutMs)) {
      this.#silenceTold = false;
    } else if (!this.#silenceTold) {
      this.#silenceTold = true;
      this.#intake.flush(clock.now());
      this.#emit({ type: 'silence', firstPacketSeen: last !== null, silentMs });
    }
  }

  #fail(error: Error): void {
    this.#logger.error({ err: error, port: this.#port }, 'media socket failed');
    this.#emit({ type: 'closed', why: messageOf(error) });
  }

  #emit(event: MediaEvent): void {
    this.#guard(() => this.#options.onEvent(event));
  }

  /** What the owner's callbacks throw must not end up in a socket's event handler, where it would end the process. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#logger.error({ err: error }, 'a consumer of the media stream threw');
    }
  }
}

function describeStranger({ host, port, ssrc, why }: Stranger, packets: number, expected: number | null): string {
  const who = `${host}:${port}`;
  const digits = (value: number | null): string => (value === null ? 'none' : String(value).padStart(10, '0'));
  switch (why) {
    case 'ssrc':
      return `${packets} packets came from ${who} with the SSRC ${digits(ssrc)} in place of ${digits(expected)}: that belongs to another stream, or may not be learnt (strictSsrc, or not from the device's own address)`;
    case 'host':
      return `somebody at ${who} sends this stream, which is neither the device's address nor one that its answer names: if it is the camera's other network card or gateway, add it to the camera's mediaHosts`;
    case 'port':
      return `${who} sends the same stream beside its sender`;
    case 'second-connection':
      return `a connection from ${who} was refused beside another one`;
  }
}
