import { connect, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { plainHost, type MediaTransport } from './media-transport.js';
import { Rfc4571Deframer } from './rfc4571.js';
import type { StreamIntake } from './stream-intake.js';

/** RFC 4145 4.1: who dials names the discard port, for nobody can connect to it. */
const DISCARD_PORT = 9;
/** GB/T 28181-2016 annex D: a connection that failed is tried again, a second apart. */
const REDIAL_MS = 1_000;
const CONNECT_TIMEOUT_MS = 5_000;

export interface TcpActiveMediaOptions {
  intake: StreamIntake;
  clock: Clock;
  onResync(skippedBytes: number): void;
  /** A connection could not be made: for the diagnosis. */
  onRefused(why: string): void;
}

/**
 * The device listens, the platform dials (setup:active in our offer) the address that its answer names. A connection that
 * fails or ends is dialled again for as long as the stream is wanted; whether that is worth waiting for is the receiver's
 * owner's matter, who is told of silence.
 */
export class TcpActiveMedia implements MediaTransport {
  readonly #options: TcpActiveMediaOptions;
  #local: string | undefined;
  #target: { host: string; port: number } | null = null;
  #socket: Socket | null = null;
  #deframer: Rfc4571Deframer | null = null;
  #cancelRedial: () => void = () => undefined;
  #open = false;

  constructor(options: TcpActiveMediaOptions) {
    this.#options = options;
  }

  get buffered(): number {
    return this.#deframer?.buffered ?? 0;
  }

  /** Takes no port: what the offer says is that nobody should connect to us. */
  open(host: string): Promise<number> {
    this.#local = host === '0.0.0.0' || host === '::' ? undefined : host;
    this.#open = true;
    return Promise.resolve(DISCARD_PORT);
  }

  /** The answer named where the device listens. */
  dial(target: { host: string; port: number }): void {
    this.#target = target;
    this.#cancelRedial();
    this.#socket?.destroy();
    this.#connect();
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#cancelRedial();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket || socket.closed) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.destroy();
    });
  }

  tick(): void {}

  peerChanged(): void {}

  #connect(): void {
    const target = this.#target;
    if (!this.#open || !target) return;
    const { intake, clock, onResync, onRefused } = this.#options;
    const socket = connect({ ...target, ...(this.#local === undefined ? {} : { localAddress: this.#local }), noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 });
    const deframer = new Rfc4571Deframer((frame, damaged) => void intake.take(frame, plainHost(target.host), target.port, clock.monotonic(), clock.now(), damaged), null);
    this.#socket = socket;
    this.#deframer = deframer;
    let reason = 'the camera closed the connection';
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      reason = `no answer in ${CONNECT_TIMEOUT_MS / 1000} s`;
      socket.destroy();
    });
    // From now on silence is the receiver's to judge.
    socket.once('connect', () => socket.setTimeout(0));
    socket.on('error', (error) => (reason = error.message));
    socket.on('data', (chunk) => {
      const skipped = deframer.stats.skippedBytes;
      deframer.push(chunk);
      if (deframer.stats.skippedBytes > skipped) onResync(deframer.stats.skippedBytes - skipped);
    });
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      intake.binding.sourceLeft();
      if (!this.#open) return;
      onRefused(reason);
      this.#cancelRedial = clock.after(REDIAL_MS, () => this.#connect());
    });
  }
}
