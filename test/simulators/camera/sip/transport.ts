import dgram from 'node:dgram';
import net from 'node:net';
import { parseDatagram, type SipMessage } from './message.js';
import { StreamFramer } from './stream-framer.js';

export interface Endpoint {
  host: string;
  port: number;
}

/** How a message travels: the platform's address, and back to where a request came from. */
export interface SignallingTransport {
  readonly kind: 'udp' | 'tcp';
  /** Our own address as the platform can see it (for Via and Contact). Throws before `open`. */
  local(): Endpoint;
  /** Opens the socket. TCP: resolves when connected, rejects when refused; UDP: resolves when bound. */
  open(): Promise<void>;
  /** True while messages can be sent. */
  isOpen(): boolean;
  /** Sends to the platform, or (UDP only) to `to`. Never throws: a lost message is what retransmission is for. */
  send(bytes: Buffer, to?: Endpoint): void;
  close(): Promise<void>;
}

export interface TransportHandlers {
  onMessage(message: SipMessage, from: Endpoint): void;
  /** The connection ended without our doing (TCP only). */
  onDown(reason: string): void;
}

/** The local address from which the system would talk to `remote`: a connected UDP socket knows it without sending. */
export function localAddressTowards(remote: Endpoint): Promise<string> {
  return new Promise((resolve, reject) => {
    const probe = dgram.createSocket(net.isIPv6(remote.host) ? 'udp6' : 'udp4');
    probe.once('error', (error) => {
      probe.close();
      reject(error);
    });
    probe.connect(remote.port, remote.host, () => {
      const { address } = probe.address();
      probe.close();
      resolve(address);
    });
  });
}

export class UdpTransport implements SignallingTransport {
  readonly kind = 'udp';
  private socket: dgram.Socket | null = null;
  private address: Endpoint | null = null;

  constructor(
    private readonly server: Endpoint,
    private readonly localPort: number,
    private readonly handlers: TransportHandlers,
  ) {}

  local(): Endpoint {
    if (!this.address) throw new Error('the UDP signalling socket is not open');
    return this.address;
  }

  isOpen(): boolean {
    return this.socket !== null;
  }

  async open(): Promise<void> {
    if (this.socket) return;
    const host = await localAddressTowards(this.server);
    const socket = dgram.createSocket(net.isIPv6(this.server.host) ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(this.localPort, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    // A platform that is down makes ICMP errors; the transaction timers notice that by themselves.
    socket.on('error', () => {});
    socket.on('message', (bytes, from) => {
      const message = parseDatagram(bytes);
      if (message) this.handlers.onMessage(message, { host: from.address, port: from.port });
    });
    this.socket = socket;
    this.address = { host, port: socket.address().port };
  }

  send(bytes: Buffer, to: Endpoint = this.server): void {
    this.socket?.send(bytes, to.port, to.host, () => {});
  }

  async close(): Promise<void> {
    const socket = this.socket;
    this.socket = null;
    if (socket) await new Promise<void>((resolve) => socket.close(() => resolve()));
  }
}

export class TcpTransport implements SignallingTransport {
  readonly kind = 'tcp';
  private socket: net.Socket | null = null;
  private address: Endpoint | null = null;

  constructor(
    private readonly server: Endpoint,
    private readonly handlers: TransportHandlers,
    private readonly connectTimeoutMs = 5000,
  ) {}

  local(): Endpoint {
    if (!this.address) throw new Error('the TCP signalling connection was never open');
    return this.address;
  }

  isOpen(): boolean {
    return this.socket !== null;
  }

  async open(): Promise<void> {
    if (this.socket) return;
    const socket = net.connect({ host: this.server.host, port: this.server.port, noDelay: true, keepAlive: true });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => socket.destroy(new Error('connect timed out')), this.connectTimeoutMs);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', reject);
        resolve();
      });
      socket.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
    });
    const framer = new StreamFramer();
    const from = { host: socket.remoteAddress ?? this.server.host, port: socket.remotePort ?? this.server.port };
    this.address = { host: socket.localAddress ?? '127.0.0.1', port: socket.localPort ?? 0 };
    this.socket = socket;
    let reason = 'closed by the platform';
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('data', (chunk) => {
      try {
        for (const message of framer.push(chunk)) this.handlers.onMessage(message, from);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on('close', () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.handlers.onDown(reason);
    });
  }

  send(bytes: Buffer): void {
    this.socket?.write(bytes);
  }

  async close(): Promise<void> {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.end();
      // A platform that never closes its half must not hold the camera.
      setTimeout(() => socket.destroy(), 200).unref();
    });
  }
}
