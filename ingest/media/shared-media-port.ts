import { randomInt } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv4, isIPv6, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { plainHost, type MediaTransport } from './media-transport.js';
import { Rfc4571Deframer } from './rfc4571.js';
import { parseRtcp } from './rtcp.js';
import { isRtcpType } from './rtp-packet.js';
import { SharedStreams, type SharedMember } from './shared-streams.js';
import type { StreamIntake } from './stream-intake.js';

/** The bursts of many cameras meet in one buffer; the kernel grants what its own limit allows. */
const RECEIVE_BUFFER = 32 * 1024 * 1024;
const REPORT_INTERVAL_MS = 5000;
const RANDOM_PORT_TRIES = 32;
const CNAME = 'berthwatch';
/** Connections that have not proved themselves yet. */
const MAX_UNPROVEN = 256;
const MAX_UNPROVEN_PER_HOST = 16;
const TICK_MS = 1000;

export interface SharedMediaPortOptions {
  host: string;
  /** UDP and TCP have the same number, RTCP of UDP the one above; 0: of the system's choice. */
  port: number;
  clock: Clock;
  logger: Logger;
  /** A connection that brought no packet of any stream in this time is closed. */
  firstPacketTimeoutMs: number;
}

export interface SharedMediaStats {
  port: number;
  streams: number;
  /** TCP connections, and those among them that no stream has claimed yet. */
  connections: number;
  unprovenConnections: number;
  /** RTP whose SSRC is no stream's, RTCP of nobody's, and what is neither. */
  unknownPackets: number;
  unknownRtcp: number;
  malformedPackets: number;
  /** Connections that were closed: no stream's packet in time, or too many at once. */
  refusedConnections: number;
  receiveBufferBytes: number;
}

interface Connection {
  socket: Socket;
  host: string;
  port: number;
  openedAt: number;
  deframer: Rfc4571Deframer;
  member: SharedTransport | null;
}

/**
 * One UDP and one TCP port for all streams, told apart by SSRC (GB/T 28181-2016 annex C.2.4: it is unique in a domain). Whose
 * packet it is decides `SharedStreams`, whether it is taken the stream's own `StreamBinding`. What belongs to nobody is
 * counted and dropped.
 */
export class SharedMediaPort {
  readonly #options: SharedMediaPortOptions;
  readonly #streams = new SharedStreams();
  readonly #ownSsrc = randomInt(1, 2 ** 32);
  readonly #connections = new Set<Connection>();
  readonly #stats = { unknownPackets: 0, unknownRtcp: 0, malformedPackets: 0, refusedConnections: 0 };
  #rtp: UdpSocket | null = null;
  #rtcp: UdpSocket | null = null;
  #server: Server | null = null;
  #port = 0;
  #mapsIpv4 = false;
  #unproven = 0;
  #cancelTick: () => void = () => undefined;

  constructor(options: SharedMediaPortOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  get stats(): SharedMediaStats {
    return {
      port: this.#port,
      streams: this.#streams.size,
      connections: this.#connections.size,
      unprovenConnections: this.#unproven,
      ...this.#stats,
      receiveBufferBytes: this.#rtp?.getRecvBufferSize() ?? 0,
    };
  }

  /** @throws BerthwatchError unavailable: the ports are taken, or the address cannot be bound; nothing stays open then */
  async start(): Promise<void> {
    const { host, port } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        if (await this.#open(host, port)) break;
      } catch (cause) {
        await this.#closeSockets();
        const { code, message } = cause as NodeJS.ErrnoException;
        if (port === 0 && code === 'EADDRINUSE' && attempt < RANDOM_PORT_TRIES) continue;
        throw new BerthwatchError('unavailable', 'INGEST_MEDIA_BIND', `the shared media port ${host}:${port} cannot be opened: ${message}; free it (UDP ${port} and ${port + 1}, TCP ${port}) or set another`, { cause });
      }
      await this.#closeSockets();
    }
    this.#scheduleTick();
  }

  async close(): Promise<void> {
    this.#cancelTick();
    for (const connection of [...this.#connections]) this.#drop(connection);
    await this.#closeSockets();
  }

  /** The way of one stream through this port. */
  member(kind: 'udp' | 'tcp-passive', intake: StreamIntake, onResync: (bytes: number) => void): MediaTransport & { readonly hint: string | null } {
    return new SharedTransport(this, kind, intake, onResync);
  }

  /** For members: a stream begins, ends, or its SSRC or addresses have changed. */
  attach(member: SharedTransport): void {
    this.#streams.add(member, this.#options.clock.monotonic());
  }

  detach(member: SharedTransport): void {
    this.#streams.remove(member);
    for (const connection of [...this.#connections]) if (connection.member === member) this.#drop(connection);
  }

  changed(member: SharedTransport): void {
    this.#streams.index(member);
    for (const connection of [...this.#connections]) {
      if (connection.member === member && !member.intake.binding.isPeer(connection.host)) this.#drop(connection);
    }
  }

  /** Receiver report for a stream over UDP. */
  report(member: SharedTransport, now: number): void {
    const source = member.intake.binding.bound;
    if (!source || !this.#rtcp || member.intake.binding.isQuiet(now)) return;
    const report = member.intake.reception.report(this.#ownSsrc, source.ssrc, CNAME, now);
    const port = member.rtcpSource?.host === source.host ? member.rtcpSource.port : source.port + 1;
    const host = this.#mapsIpv4 && isIPv4(source.host) ? `::ffff:${source.host}` : source.host;
    if (port <= 65_535) this.#rtcp.send(report, port, host, () => undefined);
  }

  async #open(host: string, port: number): Promise<boolean> {
    this.#rtp = await bindUdp(host, port, RECEIVE_BUFFER);
    this.#port = this.#rtp.address().port;
    if (port === 0 && (this.#port % 2 !== 0 || this.#port > 65_534)) return false;
    this.#rtcp = await bindUdp(host, this.#port + 1, undefined);
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 }, (socket) => this.#onConnection(socket));
    server.listen({ host, port: this.#port, exclusive: true, backlog: 511 });
    await once(server, 'listening');
    server.on('error', (error) => this.#options.logger.error({ err: error }, 'the shared media port failed'));
    this.#server = server;
    this.#mapsIpv4 = isIPv6(host);
    this.#rtp.on('message', (bytes, from) => this.#onDatagram(bytes, plainHost(from.address), from.port));
    this.#rtcp.on('message', (bytes, from) => this.#onRtcp(bytes, plainHost(from.address), from.port));
    this.#rtp.on('error', (error) => this.#options.logger.error({ err: error }, 'the shared media port failed'));
    // ICMP refusals of our reports.
    this.#rtcp.on('error', () => undefined);
    return true;
  }

  async #closeSockets(): Promise<void> {
    const { udp, server } = { udp: [this.#rtp, this.#rtcp], server: this.#server };
    this.#rtp = this.#rtcp = this.#server = null;
    await Promise.all([...udp.map((socket) => socket && new Promise<void>((resolve) => socket.close(() => resolve()))), server && new Promise<void>((resolve) => server.close(() => resolve()))]);
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#options.clock.after(Math.min(TICK_MS, this.#options.firstPacketTimeoutMs / 4), () => {
      const now = this.#options.clock.monotonic();
      for (const connection of [...this.#connections]) {
        if (!connection.member && now - connection.openedAt >= this.#options.firstPacketTimeoutMs) this.#refuse(connection);
      }
      this.#scheduleTick();
    });
  }

  #onDatagram(bytes: Buffer, host: string, port: number): void {
    if (bytes.length < 8 || (bytes[0] as number) >> 6 !== 2) {
      this.#stats.malformedPackets++;
    } else if (isRtcpType(bytes[1] as number)) {
      this.#onRtcp(bytes, host, null);
    } else if (bytes.length < 12) {
      this.#stats.malformedPackets++;
    } else if (!this.#give('udp', bytes, host, port, false)) {
      this.#stats.unknownPackets++;
    }
  }

  /** @returns the stream that the packet was judged by; null where it is nobody's */
  #give(kind: 'udp' | 'tcp-passive', bytes: Buffer, host: string, port: number, damaged: boolean): { member: SharedTransport; accepted: boolean } | null {
    const { clock } = this.#options;
    const now = clock.monotonic();
    const ssrc = bytes.readUInt32BE(8);
    const member = this.#streams.find(kind, ssrc, host, now) as SharedTransport | null;
    if (!member) return null;
    const accepted = member.intake.take(bytes, host, port, now, clock.now(), damaged) === 'accepted';
    if (accepted) this.#streams.taken(member, ssrc, host);
    return { member, accepted };
  }

  /** RTCP is believed only from where the stream's packets come. @param port null where it came to the RTP port */
  #onRtcp(bytes: Buffer, host: string, port: number | null): void {
    const { senderReport } = parseRtcp(bytes);
    const member = senderReport ? (this.#streams.bound(senderReport.ssrc, host) as SharedTransport | null) : null;
    if (!senderReport || !member) {
      this.#stats.unknownRtcp++;
      return;
    }
    member.intake.countRtcp();
    if (port !== null) member.rtcpSource = { host, port };
    member.intake.reception.senderReport(senderReport.middleNtp, this.#options.clock.monotonic());
  }

  #onConnection(socket: Socket): void {
    const host = plainHost(socket.remoteAddress ?? '');
    socket.on('error', () => undefined);
    let ofHost = 0;
    for (const other of this.#connections) if (!other.member && other.host === host) ofHost++;
    if (host === '' || this.#unproven >= MAX_UNPROVEN || ofHost >= MAX_UNPROVEN_PER_HOST) {
      this.#stats.refusedConnections++;
      socket.destroy();
      return;
    }
    const deframer = new Rfc4571Deframer((frame, damaged) => this.#onFrame(connection, frame, damaged), null);
    const connection: Connection = { socket, host, port: socket.remotePort ?? 0, openedAt: this.#options.clock.monotonic(), deframer, member: null };
    this.#connections.add(connection);
    this.#unproven++;
    socket.on('data', (chunk) => {
      const skipped = deframer.stats.skippedBytes;
      deframer.push(chunk);
      if (deframer.stats.skippedBytes > skipped) connection.member?.onResync(deframer.stats.skippedBytes - skipped);
    });
    socket.on('close', () => this.#drop(connection));
  }

  #onFrame(connection: Connection, frame: Buffer, damaged: boolean): void {
    const { clock } = this.#options;
    if (connection.socket.destroyed) return;
    if (connection.member) {
      // The first packet of a stream has bound this connection: what else it brings is judged by that stream alone.
      connection.member.intake.take(frame, connection.host, connection.port, clock.monotonic(), clock.now(), damaged);
      return;
    }
    if (frame.length < 12 || isRtcpType(frame[1] as number)) {
      this.#stats.unknownRtcp++;
      return;
    }
    const given = this.#give('tcp-passive', frame, connection.host, connection.port, damaged);
    if (!given) {
      this.#stats.unknownPackets++;
      return;
    }
    if (!given.accepted) return;
    // The stream's own packets come here now; a connection that it had before has been given up by the device.
    for (const other of [...this.#connections]) if (other.member === given.member) this.#drop(other, false);
    connection.member = given.member;
    given.member.connection = connection.deframer;
    this.#unproven--;
  }

  #refuse(connection: Connection): void {
    this.#stats.refusedConnections++;
    this.#drop(connection);
  }

  #drop(connection: Connection, left = true): void {
    if (!this.#connections.delete(connection)) return;
    if (!connection.member) this.#unproven--;
    else {
      if (left) connection.member.intake.binding.sourceLeft();
      if (connection.member.connection === connection.deframer) connection.member.connection = null;
    }
    connection.socket.destroy();
  }
}

/** One stream on the shared port, as its receiver sees it. */
class SharedTransport implements MediaTransport, SharedMember {
  readonly kind: 'udp' | 'tcp-passive';
  readonly intake: StreamIntake;
  readonly onResync: (bytes: number) => void;
  readonly #port: SharedMediaPort;
  #nextReport = 0;
  /** Where the stream's RTCP comes from. */
  rtcpSource: { host: string; port: number } | null = null;
  connection: Rfc4571Deframer | null = null;
  hint: string | null = null;

  constructor(port: SharedMediaPort, kind: 'udp' | 'tcp-passive', intake: StreamIntake, onResync: (bytes: number) => void) {
    this.#port = port;
    this.kind = kind;
    this.intake = intake;
    this.onResync = onResync;
  }

  get binding(): StreamIntake['binding'] {
    return this.intake.binding;
  }

  get buffered(): number {
    return this.connection?.buffered ?? 0;
  }

  open(): Promise<number> {
    this.#port.attach(this);
    return Promise.resolve(this.#port.port);
  }

  close(): Promise<void> {
    this.#port.detach(this);
    return Promise.resolve();
  }

  tick(now: number): void {
    if (this.kind !== 'udp' || now < this.#nextReport) return;
    if (this.#nextReport > 0) this.#port.report(this, now);
    this.#nextReport = now + REPORT_INTERVAL_MS;
  }

  peerChanged(): void {
    this.#port.changed(this);
  }
}

async function bindUdp(host: string, port: number, recvBufferSize: number | undefined): Promise<UdpSocket> {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', ...(recvBufferSize === undefined ? {} : { recvBufferSize }) });
  try {
    socket.bind({ address: host, port, exclusive: true });
    await once(socket, 'listening');
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
