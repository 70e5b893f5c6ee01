import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { plainAddress, type Flow, type SocketAddress } from './flow.js';

export interface DatagramSink {
  onDatagram(bytes: Uint8Array, flow: Flow): void;
}

class UdpFlow implements Flow {
  readonly transport = 'UDP';
  readonly alive = true;
  readonly remote: SocketAddress;
  readonly key: string;
  readonly #send: (bytes: Uint8Array, to: SocketAddress) => void;

  constructor(remote: SocketAddress, send: (bytes: Uint8Array, to: SocketAddress) => void) {
    this.remote = remote;
    this.key = `udp:${remote.host}:${remote.port}`;
    this.#send = send;
  }

  send(bytes: Uint8Array): void {
    this.#send(bytes, this.remote);
  }

  trust(): void {}
}

/** One bound UDP socket. A dual-stack address ("::") also serves IPv4 peers. */
export class UdpTransport {
  readonly #host: string;
  readonly #sink: DatagramSink;
  readonly #logger: Logger;
  #socket: Socket | null = null;
  #v6 = false;

  constructor(host: string, sink: DatagramSink, logger: Logger) {
    this.#host = host;
    this.#sink = sink;
    this.#logger = logger;
  }

  /** @returns the bound port. @throws BerthwatchError unavailable */
  async start(port: number): Promise<number> {
    this.#v6 = isIPv6(this.#host);
    const family = this.#v6 ? 6 : 4;
    // Answers go to addresses, never to names: nothing is to be looked up, neither now nor on the next tick.
    const socket = createSocket({ type: this.#v6 ? 'udp6' : 'udp4', lookup: (address, _options, done) => done(null, address, family) });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ port, address: this.#host, exclusive: true }, () => {
          socket.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      socket.close();
      throw new BerthwatchError('unavailable', 'SIP_BIND', `SIP cannot listen on UDP ${this.#host}:${port}: ${messageOf(error)}; free the port or configure another`, { cause: error });
    }
    // A thousand cameras that come back at once must find room in the kernel; less than asked for is no error.
    try {
      socket.setRecvBufferSize(4 * 1024 * 1024);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'the UDP receive buffer could not be enlarged');
    }
    socket.on('error', (error) => this.#logger.warn({ error: messageOf(error) }, 'SIP UDP socket error'));
    socket.on('message', (bytes, from) => {
      // Port 0 cannot be answered; such packets are forged.
      if (from.port !== 0) this.#sink.onDatagram(bytes, this.flowTo({ host: plainAddress(from.address), port: from.port }));
    });
    this.#socket = socket;
    return socket.address().port;
  }

  flowTo(remote: SocketAddress): Flow {
    return new UdpFlow(remote, (bytes, to) => {
      const host = this.#v6 && !to.host.includes(':') ? `::ffff:${to.host}` : to.host;
      this.#socket?.send(bytes, to.port, host, (error) => {
        if (error) this.#logger.debug({ to, error: messageOf(error) }, 'a SIP datagram could not be sent');
      });
    });
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) await new Promise<void>((resolve) => socket.close(() => resolve()));
  }
}
