import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { plainAddress, type Flow, type SocketAddress } from './flow.js';
import { STRANGER_LIMITS, TRUSTED_LIMITS } from './limits.js';
import { StreamFramer } from './stream-framer.js';

export interface StreamSink {
  onMessageBytes(bytes: Uint8Array, flow: Flow): void;
  onFlowClosed(flow: Flow): void;
}

export interface TcpLimits {
  maxConnections: number;
  /** A connection on which nobody has proved who it is for so long is closed, ms. */
  strangerMs: number;
  /** Bytes that may wait to be read by a peer before its connection is given up. */
  maxUnsentBytes: number;
}

export const TCP_LIMITS: TcpLimits = { maxConnections: 4096, strangerMs: 60_000, maxUnsentBytes: 1024 * 1024 };

class TcpFlow implements Flow {
  readonly transport = 'TCP';
  readonly remote: SocketAddress;
  readonly key: string;
  readonly framer = new StreamFramer(STRANGER_LIMITS);
  readonly #socket: Socket;
  readonly #maxUnsent: number;
  #cancelDeadline: (() => void) | null;

  constructor(socket: Socket, remote: SocketAddress, id: number, limits: TcpLimits, clock: Clock) {
    this.#socket = socket;
    this.remote = remote;
    this.key = `tcp:${id}:${remote.host}:${remote.port}`;
    this.#maxUnsent = limits.maxUnsentBytes;
    this.#cancelDeadline = clock.after(limits.strangerMs, () => socket.destroy());
  }

  get alive(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  send(bytes: Uint8Array): void {
    if (!this.alive) return;
    // A dead peer must not make us keep its messages, nor wait for it (a known way in which SIP servers stall).
    if (this.#socket.writableLength > this.#maxUnsent) this.#socket.destroy();
    else this.#socket.write(bytes);
  }

  trust(): void {
    this.framer.limits = TRUSTED_LIMITS;
    this.dispose();
  }

  dispose(): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = null;
  }
}

/** Accepts TCP connections; each is a flow for as long as it lives. Nothing is ever dialled. */
export class TcpTransport {
  readonly #host: string;
  readonly #sink: StreamSink;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #limits: TcpLimits;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #nextId = 1;

  constructor(host: string, sink: StreamSink, clock: Clock, logger: Logger, limits: TcpLimits = TCP_LIMITS) {
    this.#host = host;
    this.#sink = sink;
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = limits;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** @returns the bound port. @throws BerthwatchError unavailable */
  async start(port: number): Promise<number> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => this.#accept(socket));
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host: this.#host, exclusive: true }, () => {
          server.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      throw new BerthwatchError('unavailable', 'SIP_BIND', `SIP cannot listen on TCP ${this.#host}:${port}: ${messageOf(error)}; free the port or configure another`, { cause: error });
    }
    server.on('error', (error) => this.#logger.warn({ error: messageOf(error) }, 'SIP TCP server error'));
    this.#server = server;
    const address = server.address();
    return address !== null && typeof address === 'object' ? address.port : port;
  }

  #accept(socket: Socket): void {
    // A peer may be gone before we look: then it has no address.
    if (socket.remoteAddress === undefined || socket.remotePort === undefined || this.#sockets.size >= this.#limits.maxConnections) {
      socket.destroy();
      return;
    }
    const flow = new TcpFlow(socket, { host: plainAddress(socket.remoteAddress), port: socket.remotePort }, this.#nextId++, this.#limits, this.#clock);
    this.#sockets.add(socket);
    socket.on('data', (chunk) => this.#read(socket, flow, chunk));
    socket.on('error', (error) => this.#logger.debug({ remote: flow.remote, error: messageOf(error) }, 'SIP connection error'));
    socket.on('close', () => {
      flow.dispose();
      this.#sockets.delete(socket);
      this.#sink.onFlowClosed(flow);
    });
  }

  #read(socket: Socket, flow: TcpFlow, chunk: Uint8Array): void {
    let messages: Uint8Array[];
    try {
      messages = flow.framer.push(chunk);
    } catch (error) {
      this.#logger.debug({ remote: flow.remote, error: messageOf(error) }, 'a SIP connection is closed: its bytes cannot be followed');
      socket.destroy();
      return;
    }
    if (flow.framer.takePings() > 0) flow.send(Buffer.from('\r\n'));
    for (const message of messages) this.#sink.onMessageBytes(message, flow);
    if (flow.framer.broken === null) return;
    this.#logger.debug({ remote: flow.remote, error: flow.framer.broken }, 'a SIP connection is closed: its bytes cannot be followed');
    socket.destroySoon();
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroySoon();
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // What was written last (a BYE) gets a moment to leave; a peer that does not read does not hold us.
    const cancel = this.#clock.after(500, () => this.#sockets.forEach((socket) => socket.destroy()));
    await closed;
    cancel();
  }
}
