import dgram from 'node:dgram';
import net from 'node:net';
import type { Endpoint } from '../sip/transport.js';

/** One way of bringing RTP to the platform. `open` before the answer (its port goes into the SDP), `start` when media may flow. */
export interface MediaSender {
  /** Binds what must be bound; resolves with the port for our SDP. */
  open(): Promise<number>;
  start(): void;
  /** RTP packets (UDP) in order of leaving, or a framed byte run (TCP). */
  send(packets: readonly Buffer[]): void;
  /** RTCP, where the transport has a place for it. */
  sendControl(report: Buffer): void;
  /** UDP: goes on from another port. */
  rebind?(): Promise<void>;
  close(): Promise<void>;
}

export interface SenderEvents {
  /** Media flows from now on. */
  connected(detail: Record<string, unknown>): void;
  /** Nobody takes our packets any more. */
  broken(reason: string): void;
  /** One packet was refused (ICMP); some time before `broken`. */
  refused(): void;
  /** RTCP or anything else came back. */
  received(bytes: Buffer): void;
}

/** A key picture of hundreds of packets leaves in small runs, as an encoder's hardware does; else a receiver's buffer overflows. */
const UDP_RUN = 24;
const UDP_RUN_PAUSE_MS = 1;
const UDP_QUEUE_LIMIT = 8000;
/** Refusals in a row that spread over this time mean that the platform is gone. */
const REFUSED_FOR_MS = 250;

export class UdpSender implements MediaSender {
  private rtp: dgram.Socket | null = null;
  private rtcp: dgram.Socket | null = null;
  private queue: Buffer[] = [];
  private timer: NodeJS.Timeout | null = null;
  private firstRefusal: number | null = null;
  private started = false;

  constructor(
    private readonly remote: Endpoint,
    private readonly events: SenderEvents,
    private readonly ignoreIcmp: boolean,
    private readonly oddPort = false,
  ) {}

  async open(): Promise<number> {
    const type = net.isIPv6(this.remote.host) ? 'udp6' : 'udp4';
    // RTP on an even port with RTCP beside it (RFC 3550 §11): try until a pair is free.
    for (let attempt = 0; ; attempt += 1) {
      const rtp = await bound(type, 0);
      const { port } = rtp.address();
      const rtcp = (port % 2 === 1) === this.oddPort ? await bound(type, port + 1).catch(() => null) : null;
      if (rtcp || attempt >= 20) {
        this.rtp = rtp;
        this.rtcp = rtcp;
        break;
      }
      await new Promise<void>((resolve) => rtp.close(() => resolve()));
    }
    const rtp = this.rtp;
    rtp.on('error', () => this.noteRefusal());
    rtp.on('message', (bytes) => this.events.received(bytes));
    this.rtcp?.on('error', () => {});
    this.rtcp?.on('message', (bytes) => this.events.received(bytes));
    // Connected, so that the system tells us when the port is closed.
    await new Promise<void>((resolve) => rtp.connect(this.remote.port, this.remote.host, () => resolve()));
    return rtp.address().port;
  }

  /** Goes on from another port, as behind a NAT that forgot the old one. */
  async rebind(): Promise<void> {
    const old = this.rtp;
    if (!old) return;
    const rtp = await bound(net.isIPv6(this.remote.host) ? 'udp6' : 'udp4', 0);
    rtp.on('error', () => this.noteRefusal());
    rtp.on('message', (bytes) => this.events.received(bytes));
    await new Promise<void>((resolve) => rtp.connect(this.remote.port, this.remote.host, () => resolve()));
    if (this.rtp === old) this.rtp = rtp;
    else rtp.close();
    old.close();
  }

  start(): void {
    this.started = true;
    this.events.connected({ transport: 'udp', host: this.remote.host, port: this.remote.port });
  }

  send(packets: readonly Buffer[]): void {
    if (!this.started || !this.rtp) return;
    for (const packet of packets) this.queue.push(packet);
    if (this.queue.length > UDP_QUEUE_LIMIT) this.queue.splice(0, this.queue.length - UDP_QUEUE_LIMIT);
    if (!this.timer) this.pump();
  }

  sendControl(report: Buffer): void {
    this.rtcp?.send(report, this.remote.port + 1, this.remote.host, () => {});
  }

  async close(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.queue = [];
    const sockets = [this.rtp, this.rtcp];
    this.rtp = null;
    this.rtcp = null;
    await Promise.all(sockets.map((socket) => socket && new Promise<void>((resolve) => socket.close(() => resolve()))));
  }

  private pump(): void {
    this.timer = null;
    const run = this.queue.splice(0, UDP_RUN);
    for (const packet of run) this.rtp?.send(packet, (error) => (error ? this.noteRefusal() : undefined));
    if (this.queue.length > 0) this.timer = setTimeout(() => this.pump(), UDP_RUN_PAUSE_MS);
  }

  private noteRefusal(): void {
    if (this.ignoreIcmp || !this.rtp) return;
    const now = performance.now();
    // An old refusal was a passing one: count anew.
    if (this.firstRefusal === null || now - this.firstRefusal > 20 * REFUSED_FOR_MS) {
      this.firstRefusal = now;
      this.events.refused();
    } else if (now - this.firstRefusal >= REFUSED_FOR_MS) this.events.broken('the platform closed its port');
  }
}

function bound(type: 'udp4' | 'udp6', port: number): Promise<dgram.Socket> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket({ type, sendBufferSize: 1 << 20 });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(port, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

/** Above this a camera's encoder throws pictures away instead of queueing them. */
const TCP_BACKLOG_LIMIT = 8 << 20;

abstract class TcpSender implements MediaSender {
  protected socket: net.Socket | null = null;
  protected closed = false;

  constructor(protected readonly events: SenderEvents) {}

  abstract open(): Promise<number>;
  abstract start(): void;

  send(packets: readonly Buffer[]): void {
    if (!this.socket || this.socket.writableLength > TCP_BACKLOG_LIMIT) return;
    for (const packet of packets) this.socket.write(packet);
  }

  sendControl(): void {
    // RFC 4571 carries RTP only; RTCP has no place on this connection.
  }

  protected use(socket: net.Socket): void {
    this.socket = socket;
    let reason = 'the platform closed the connection';
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.events.received(bytes));
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', () => {
      if (this.socket !== socket || this.closed) return;
      this.socket = null;
      this.events.broken(reason);
    });
    this.events.connected({ transport: 'tcp', host: socket.remoteAddress, port: socket.remotePort, localPort: socket.localPort });
  }

  async close(): Promise<void> {
    this.closed = true;
    const socket = this.socket;
    this.socket = null;
    if (!socket || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.end();
      setTimeout(() => socket.destroy(), 100);
    });
  }
}

/** The platform listens (its offer says passive): we dial, at least three times a second apart (GB/T 28181 annex D). */
export class TcpDialSender extends TcpSender {
  private timer: NodeJS.Timeout | null = null;
  private attempts = 0;

  constructor(
    private readonly remote: Endpoint,
    events: SenderEvents,
    private readonly retryMs = 1000,
    private readonly maxAttempts = 4,
  ) {
    super(events);
  }

  open(): Promise<number> {
    // RFC 4145 §4.1: an active endpoint names the discard port.
    return Promise.resolve(9);
  }

  start(): void {
    if (this.closed) return;
    this.attempts += 1;
    const socket = net.connect(this.remote.port, this.remote.host);
    const failed = (error: Error): void => {
      if (this.closed) return;
      if (this.attempts >= this.maxAttempts) this.events.broken(`no connection after ${this.attempts} attempts: ${error.message}`);
      else this.timer = setTimeout(() => this.start(), this.retryMs);
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      if (this.closed) socket.destroy();
      else this.use(socket);
    });
  }

  override async close(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    await super.close();
  }
}

/** The platform dials (its offer says active): we listen for one connection. */
export class TcpListenSender extends TcpSender {
  private server: net.Server | null = null;

  constructor(
    private readonly localHost: string,
    events: SenderEvents,
  ) {
    super(events);
  }

  open(): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = net.createServer((socket) => {
        if (this.socket || this.closed) socket.destroy();
        else this.use(socket);
      });
      server.once('error', reject);
      server.listen(0, this.localHost, () => resolve((server.address() as net.AddressInfo).port));
      this.server = server;
    });
  }

  start(): void {
    // Media flows as soon as the platform has dialled.
  }

  override async close(): Promise<void> {
    this.server?.close();
    this.server = null;
    await super.close();
  }
}
