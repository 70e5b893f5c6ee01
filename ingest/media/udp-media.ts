import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4, isIPv6 } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import { plainHost, type MediaTransport } from './media-transport.js';
import { parseRtcp } from './rtcp.js';
import type { StreamIntake } from './stream-intake.js';

/** A key picture arrives as a burst of some hundred packets: the kernel must hold them while we are elsewhere. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
const REPORT_INTERVAL_MS = 5000;
const RANDOM_PORT_TRIES = 32;
const CNAME = 'berthwatch';

export interface UdpMediaOptions {
  intake: StreamIntake;
  clock: Clock;
  onError(error: Error): void;
}

/** RTP on an even UDP port, RTCP on the one above. Sends receiver reports, which some devices take for a sign of life. */
export class UdpMedia implements MediaTransport {
  readonly #options: UdpMediaOptions;
  readonly #ownSsrc = randomInt(1, 2 ** 32);
  #rtp: Socket | null = null;
  #rtcp: Socket | null = null;
  #rtcpPort: { host: string; port: number } | null = null;
  #nextReport = 0;
  /** An IPv6 socket writes IPv4 addresses in its own way. */
  #mapsIpv4 = false;

  constructor(options: UdpMediaOptions) {
    this.#options = options;
  }

  /** What the kernel granted of the receive buffer we asked for; 0 while closed. */
  get receiveBufferBytes(): number {
    return this.#rtp?.getRecvBufferSize() ?? 0;
  }

  async open(host: string, port: number): Promise<number> {
    for (let attempt = 0; ; attempt++) {
      const bound = await this.#openPair(host, port).catch((error: NodeJS.ErrnoException) => {
        if (port !== 0 || attempt >= RANDOM_PORT_TRIES || error.code !== 'EADDRINUSE') throw error;
        return null;
      });
      if (bound !== null) return bound;
    }
  }

  async close(): Promise<void> {
    const sockets = [this.#rtp, this.#rtcp];
    this.#rtp = null;
    this.#rtcp = null;
    await Promise.all(sockets.map((socket) => socket && new Promise<void>((resolve) => socket.close(() => resolve()))));
  }

  peerChanged(): void {
    // Datagrams are judged one by one.
  }

  tick(): void {
    const { intake, clock } = this.#options;
    const source = intake.binding.bound;
    const now = clock.monotonic();
    if (!source || !this.#rtcp || now < this.#nextReport || intake.binding.isQuiet(now)) return;
    this.#nextReport = now + REPORT_INTERVAL_MS;
    const report = intake.reception.report(this.#ownSsrc, source.ssrc, CNAME, now);
    const port = this.#rtcpPort?.host === source.host ? this.#rtcpPort.port : source.port + 1;
    // An unreachable port comes back as an ICMP error on the socket or not at all: neither is our trouble.
    const host = this.#mapsIpv4 && isIPv4(source.host) ? `::ffff:${source.host}` : source.host;
    if (port <= 65_535) this.#rtcp.send(report, port, host, () => undefined);
  }

  async #openPair(host: string, port: number): Promise<number | null> {
    const rtp = await bind(host, port);
    const bound = rtp.address().port;
    if (port === 0 && (bound % 2 !== 0 || bound > 65_534)) {
      await new Promise<void>((resolve) => rtp.close(() => resolve()));
      return null;
    }
    try {
      this.#rtcp = await bind(host, bound + 1);
    } catch (error) {
      await new Promise<void>((resolve) => rtp.close(() => resolve()));
      throw error;
    }
    this.#rtp = rtp;
    this.#mapsIpv4 = isIPv6(host);
    this.#nextReport = this.#options.clock.monotonic() + REPORT_INTERVAL_MS;
    const { intake, clock } = this.#options;
    rtp.on('message', (bytes, from) => {
      const address = plainHost(from.address);
      if (intake.take(bytes, address, from.port, clock.monotonic(), clock.now()) === 'rtcp') this.#onRtcp(bytes, address, null);
    });
    this.#rtcp.on('message', (bytes, from) => {
      intake.countRtcp();
      this.#onRtcp(bytes, plainHost(from.address), from.port);
    });
    rtp.on('error', this.#options.onError);
    // Nothing about the footage depends on RTCP: its errors (ICMP refusals of our reports) are no reason to stop.
    this.#rtcp.on('error', () => undefined);
    return bound;
  }

  /** RTCP tells when to expect reports and where to send ours; it is believed only from the stream's own address. */
  #onRtcp(bytes: Buffer, host: string, port: number | null): void {
    const { intake, clock } = this.#options;
    const source = intake.binding.bound;
    if (!source || host !== source.host) return;
    const { senderReport } = parseRtcp(bytes);
    if (senderReport?.ssrc !== source.ssrc) return;
    if (port !== null) this.#rtcpPort = { host, port };
    intake.reception.senderReport(senderReport.middleNtp, clock.monotonic());
  }
}

async function bind(host: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize: RECEIVE_BUFFER });
  try {
    socket.bind({ address: host, port, exclusive: true });
    await once(socket, 'listening');
    return socket;
  } catch (error) {
    socket.close();
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw error;
    throw new BerthwatchError('unavailable', 'INGEST_MEDIA_BIND', `no UDP media port at ${host}:${port}: ${message}; check the media address in the configuration`, { cause: error });
  }
}
