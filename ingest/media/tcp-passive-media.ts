import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import { plainHost, type MediaTransport } from './media-transport.js';
import { Rfc4571Deframer } from './rfc4571.js';
import type { StreamIntake } from './stream-intake.js';

/** Connections that have not proved themselves yet, at most. */
const MAX_UNPROVEN = 4;

export interface TcpPassiveMediaOptions {
  intake: StreamIntake;
  clock: Clock;
  /** A connection that brought no packet of the stream in this time is closed. */
  firstPacketTimeoutMs: number;
  onError(error: Error): void;
  onResync(skippedBytes: number): void;
}

interface Connection {
  socket: Socket;
  host: string;
  port: number;
  openedAt: number;
  deframer: Rfc4571Deframer;
}

/**
 * The platform listens, the device dials (setup:passive in our offer). One connection carries the stream; up to four may
 * wait to prove themselves, so that a silent stranger cannot keep the device out by being first.
 */
export class TcpPassiveMedia implements MediaTransport {
  readonly #options: TcpPassiveMediaOptions;
  #server: Server | null = null;
  #active: Connection | null = null;
  /** Connections of the device, and what all of them brought. */
  #came = { connections: 0, bytes: 0, frames: 0 };
  readonly #unproven = new Set<Connection>();

  constructor(options: TcpPassiveMediaOptions) {
    this.#options = options;
  }

  /** Bytes waiting for the rest of their frame, over all connections. */
  get buffered(): number {
    let bytes = this.#active?.deframer.buffered ?? 0;
    for (const { deframer } of this.#unproven) bytes += deframer.buffered;
    return bytes;
  }

  get hint(): string | null {
    const { connections, bytes, frames } = this.#came;
    if (connections === 0) return null;
    return `the camera connected ${connections === 1 ? 'once' : `${connections} times`} and sent ${bytes === 0 ? 'nothing' : `${bytes} bytes, ${frames === 0 ? 'none of them RTP as RFC 4571 frames it' : `${frames} packets that are not this stream's`}`}`;
  }

  async open(host: string, port: number): Promise<number> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 });
    server.listen({ host, port, exclusive: true, backlog: 16 });
    try {
      await once(server, 'listening');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE') throw error;
      throw new BerthwatchError('unavailable', 'INGEST_MEDIA_BIND', `no TCP media port at ${host}:${port}: ${message}; check the media address in the configuration`, { cause: error });
    }
    server.on('connection', (socket) => this.#onConnection(socket));
    server.on('error', this.#options.onError);
    this.#server = server;
    return (server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const connection of [this.#active, ...this.#unproven]) connection?.socket.destroy();
    this.#active = null;
    this.#unproven.clear();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  tick(): void {
    const now = this.#options.clock.monotonic();
    for (const connection of this.#unproven) {
      if (now - connection.openedAt >= this.#options.firstPacketTimeoutMs) this.#drop(connection);
    }
  }

  peerChanged(): void {
    for (const connection of [this.#active, ...this.#unproven]) {
      if (connection && this.#isForeign(connection.host)) this.#refuse(connection, 'host');
    }
  }

  #isForeign(host: string): boolean {
    return !this.#options.intake.binding.isPeer(host);
  }

  #onConnection(socket: Socket): void {
    const { intake, clock } = this.#options;
    const now = clock.monotonic();
    const host = plainHost(socket.remoteAddress ?? '');
    const port = socket.remotePort ?? 0;
    // Reads after a reset end here; `close` follows.
    socket.on('error', () => undefined);
    const deframer = new Rfc4571Deframer((frame, damaged) => this.#onFrame(connection, frame, damaged), null);
    const connection: Connection = { socket, host, port, openedAt: now, deframer };
    if (host === '' || this.#isForeign(host)) return this.#refuse(connection, 'host');
    if ((this.#active && !intake.binding.isQuiet(now)) || this.#unproven.size >= MAX_UNPROVEN) {
      return this.#refuse(connection, 'second-connection');
    }
    this.#unproven.add(connection);
    this.#came.connections++;
    socket.on('data', (chunk) => this.#onData(connection, chunk));
    socket.on('close', () => this.#drop(connection));
  }

  #onData(connection: Connection, chunk: Buffer): void {
    const { deframer } = connection;
    if (this.#active !== connection) this.#came.bytes += chunk.length;
    const skipped = deframer.stats.skippedBytes;
    deframer.push(chunk);
    if (deframer.stats.skippedBytes > skipped) this.#options.onResync(deframer.stats.skippedBytes - skipped);
  }

  #onFrame(connection: Connection, frame: Buffer, damaged: boolean): void {
    if (connection.socket.destroyed) return;
    if (this.#active !== connection) this.#came.frames++;
    const { intake, clock } = this.#options;
    const verdict = intake.take(frame, connection.host, connection.port, clock.monotonic(), clock.now(), damaged);
    if (verdict !== 'accepted' || this.#active === connection) return;
    // The stream's own packets come here now: this connection is the one.
    this.#unproven.delete(connection);
    const former = this.#active;
    this.#active = connection;
    former?.socket.destroy();
    for (const other of this.#unproven) this.#refuse(other, 'second-connection');
  }

  #refuse(connection: Connection, why: 'host' | 'second-connection'): void {
    this.#options.intake.stranger(connection.host, connection.port, null, why, this.#options.clock.monotonic());
    this.#drop(connection);
  }

  #drop(connection: Connection): void {
    this.#unproven.delete(connection);
    if (this.#active === connection) {
      this.#active = null;
      this.#options.intake.binding.sourceLeft();
    }
    connection.socket.destroy();
  }
}
