import { isIP } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { makeResponse, newTag } from './build.js';
import type { ClientTransaction } from './client-transaction.js';
import { parseMessage, serializeMessage } from './codec.js';
import type { Flow } from './flow.js';
import { uriHost } from './header-values.js';
import type { EndpointHandler, RequestHooks } from './incoming.js';
import { isWildcard, localAddressFor } from './local-address.js';
import { STRANGER_LIMITS, TRUSTED_LIMITS } from './limits.js';
import type { SipRequest, SipResponse } from './message.js';
import { excerpt } from './scanner.js';
import { TCP_LIMITS, TcpTransport, type TcpLimits } from './tcp-transport.js';
import { RFC_TIMERS, type SipTimers } from './timers.js';
import { TransactionLayer } from './transaction-layer.js';
import { UdpTransport } from './udp-transport.js';
import { faultOf } from './validate.js';

export interface EndpointOptions {
  /** Address to bind; "::" serves IPv4 and IPv6. */
  host: string;
  /** One port for UDP and TCP; 0 takes free ones. */
  port: number;
  /** The host that peers are told in Via and Contact; without it the bound address, or for a wildcard the one nearest to the peer. */
  advertisedHost?: string;
  clock: Clock;
  logger: Logger;
  timers?: SipTimers;
  tcp?: Partial<TcpLimits>;
  maxServerTransactions?: number;
}

/** Counters since the start, all rising. */
export interface EndpointStats {
  received: number;
  /** Bytes that were no SIP at all; dropped. */
  unreadable: number;
  /** Requests refused with 400 or 505, and responses dropped for the same faults. */
  faulty: number;
}

/** SIP over UDP and TCP: sockets joined to the codec and the transactions. */
export class SipEndpoint {
  readonly #options: EndpointOptions;
  readonly #udp: UdpTransport;
  readonly #tcp: TcpTransport;
  readonly #layer: TransactionLayer;
  #udpPort = 0;
  #tcpPort = 0;
  readonly stats: EndpointStats = { received: 0, unreadable: 0, faulty: 0 };

  constructor(options: EndpointOptions, handler: EndpointHandler) {
    this.#options = options;
    const { clock, logger } = options;
    this.#layer = new TransactionLayer(
      {
        clock,
        logger,
        timers: options.timers ?? RFC_TIMERS,
        maxServerTransactions: options.maxServerTransactions ?? 20_000,
        sentBy: (flow) => `${uriHost(this.hostOf(flow))}:${this.portOf(flow)}`,
        flowTo: (_flow, remote) => this.#udp.flowTo(remote),
      },
      handler,
    );
    const sink = {
      onDatagram: (bytes: Uint8Array, flow: Flow) => this.#receive(bytes, flow),
      onMessageBytes: (bytes: Uint8Array, flow: Flow) => this.#receive(bytes, flow),
      onFlowClosed: (flow: Flow) => this.#layer.flowClosed(flow),
    };
    this.#udp = new UdpTransport(options.host, sink, logger);
    this.#tcp = new TcpTransport(options.host, sink, clock, logger, { ...TCP_LIMITS, ...options.tcp });
  }

  get udpPort(): number {
    return this.#udpPort;
  }

  get tcpPort(): number {
    return this.#tcpPort;
  }

  get connections(): number {
    return this.#tcp.connections;
  }

  get transactions(): { client: number; server: number } {
    return { client: this.#layer.clientCount, server: this.#layer.serverCount };
  }

  /** @throws BerthwatchError unavailable where a port cannot be bound; nothing stays open then */
  async start(): Promise<void> {
    const { port } = this.#options;
    this.#udpPort = await this.#udp.start(port);
    try {
      this.#tcpPort = await this.#startTcp(port);
    } catch (error) {
      await this.#udp.close();
      throw error;
    }
  }

  /** With port 0, the same number on both transports where it is free: devices are given one address. */
  async #startTcp(port: number): Promise<number> {
    if (port !== 0) return this.#tcp.start(port);
    try {
      return await this.#tcp.start(this.#udpPort);
    } catch {
      return this.#tcp.start(0);
    }
  }

  async close(): Promise<void> {
    this.#layer.close();
    await Promise.all([this.#udp.close(), this.#tcp.close()]);
  }

  /** The host that a peer on this flow is told: an advertised address of the other IP family is of no use to it. */
  hostOf(flow: Flow): string {
    const { advertisedHost, host } = this.#options;
    const peer = flow.remote.host;
    if (advertisedHost !== undefined && (isIP(advertisedHost) === 0 || isIP(advertisedHost) === isIP(peer) || !isWildcard(host))) return advertisedHost;
    return isWildcard(host) ? localAddressFor(peer) : host;
  }

  /** The port that a peer on this flow knows us by. */
  portOf(flow: Flow): number {
    return flow.transport === 'TCP' ? this.#tcpPort : this.#udpPort;
  }

  send(flow: Flow, request: SipRequest, hooks: RequestHooks): ClientTransaction {
    return this.#layer.send(flow, request, hooks);
  }

  sendStateless(flow: Flow, request: SipRequest): Uint8Array {
    return this.#layer.sendStateless(flow, request);
  }

  /**
   * Sends a request other than INVITE and waits for its final response, at most `timeoutMs` where given (else timer F).
   * @throws BerthwatchError unavailable where none comes
   */
  request(flow: Flow, request: SipRequest, timeoutMs?: number): Promise<SipResponse> {
    return new Promise((resolve, reject) => {
      const where = `${flow.transport} ${uriHost(flow.remote.host)}:${flow.remote.port}`;
      const fail = (what: string): void => {
        cancel?.();
        reject(new BerthwatchError('unavailable', 'SIP_NO_ANSWER', `${request.method} to ${where}: ${what}`));
      };
      const transaction = this.#layer.send(flow, request, {
        onResponse: (response) => {
          if (response.status < 200) return;
          cancel?.();
          resolve(response);
        },
        onFailure: (why) => fail(why === 'closed' ? 'the connection is closed' : 'no answer came'),
      });
      const cancel =
        timeoutMs === undefined
          ? undefined
          : this.#options.clock.after(timeoutMs, () => {
              transaction.terminate();
              fail(`no answer came in ${timeoutMs} ms`);
            });
    });
  }

  #receive(bytes: Uint8Array, flow: Flow): void {
    // Keep-alives on UDP: CRLF, or a few zero bytes from some cameras.
    if (bytes.length <= 4 && bytes.every((byte) => byte === 0 || byte === 0x0d || byte === 0x0a)) return;
    this.stats.received++;
    try {
      const parsed = parseMessage(bytes, flow.transport === 'UDP' ? STRANGER_LIMITS : TRUSTED_LIMITS);
      const { message } = parsed;
      const fault = parsed.fault ?? faultOf(message);
      if (!fault) {
        if (message.kind === 'request') this.#layer.receiveRequest(message, flow);
        else this.#layer.receiveResponse(message, flow);
        return;
      }
      this.stats.faulty++;
      this.#options.logger.debug({ remote: flow.remote, fault }, 'a SIP message is refused');
      if (message.kind === 'request' && message.method !== 'ACK' && message.headers.has('via')) {
        const response = makeResponse(message, { status: fault.status, reason: excerpt(fault.reason, 120) }, newTag(), flow.remote);
        this.#layer.replyFlowOf(message, flow).send(serializeMessage(response));
      }
    } catch (error) {
      this.stats.unreadable++;
      this.#options.logger.debug({ remote: flow.remote, error: messageOf(error), bytes: bytes.length }, 'bytes that are not SIP');
    }
  }
}
