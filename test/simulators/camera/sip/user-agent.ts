import { randomBytes } from 'node:crypto';
import { cseq, header, headersNamed, parameter, serialise, type SipHeader, type SipMessage, type SipRequest, type SipResponse } from './message.js';
import type { Endpoint, SignallingTransport } from './transport.js';

/** An outgoing request; Via, Max-Forwards, User-Agent and Content-Length are added when it is sent. */
export interface RequestDraft {
  method: string;
  uri: string;
  from: string;
  to: string;
  callId: string;
  cseq: number;
  headers?: SipHeader[];
  body?: Buffer;
}

/** A request from the platform, with what is needed to answer it. */
export interface IncomingRequest {
  message: SipRequest;
  from: Endpoint;
  /** Sends a response (provisional or final); the last one is repeated when the request is retransmitted. */
  respond(status: number, reason: string, extra?: { headers?: SipHeader[]; body?: Buffer; toTag?: string | null }): void;
}

export interface UserAgentOptions {
  /** RFC 3261 T1 in ms: first retransmission over UDP. */
  t1Ms: number;
  /** No final answer within this time: the request failed. The standard's value is 64·T1. */
  timeoutMs: number;
  userAgent: string;
  /** Misbehaviour: every message leaves twice. */
  duplicateSends: boolean;
  /** Misbehaviour: an address that is not ours in Contact. */
  contactHost: string | null;
}

interface ClientTransaction {
  resolve(response: SipResponse): void;
  reject(error: Error): void;
}

interface ServerTransaction {
  at: number;
  lastResponse: Buffer | null;
}

/** Longest retransmission interval of a non-INVITE request, RFC 3261 T2. */
const T2_MS = 4000;
/** How long an answered request is remembered (64·T1 at the standard's T1), and how many at most. */
const SERVER_MEMORY_MS = 32_000;
const SERVER_MEMORY = 2000;

export const token = (): string => randomBytes(8).toString('hex');

/** Transactions of a camera: requests with retransmission, answers repeated on retransmitted requests. */
export class UserAgent {
  private readonly clients = new Map<string, ClientTransaction>();
  private readonly servers = new Map<string, ServerTransaction>();

  constructor(
    private readonly transport: () => SignallingTransport,
    private readonly options: UserAgentOptions,
    private readonly handlers: { onRequest(request: IncomingRequest): void; onAck(message: SipRequest): void },
  ) {}

  /** `<sip:user@host:port>` under which we say that we can be reached. */
  contact(user: string): string {
    const { host, port } = this.transport().local();
    const shown = this.options.contactHost ?? host;
    return `<sip:${user}@${shown.includes(':') ? `[${shown}]` : shown}:${port}>`;
  }

  /**
   * Sends a request and resolves with its final response, whatever its status. Rejects when there is none in time or the
   * connection is lost.
   */
  request(draft: RequestDraft, timeoutMs = this.options.timeoutMs): Promise<SipResponse> {
    const transport = this.transport();
    const branch = `z9hG4bK${token()}`;
    const bytes = this.draftBytes(transport, draft, branch);
    const key = `${branch} ${draft.method}`;
    return new Promise<SipResponse>((resolve, reject) => {
      let retransmit: NodeJS.Timeout | undefined;
      const finish = (): void => {
        this.clients.delete(key);
        clearTimeout(deadline);
        clearTimeout(retransmit);
      };
      const deadline = setTimeout(() => {
        finish();
        reject(new Error(`no answer to ${draft.method} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.clients.set(key, {
        resolve: (response) => {
          finish();
          resolve(response);
        },
        reject: (error) => {
          finish();
          reject(error);
        },
      });
      this.put(transport, bytes);
      if (transport.kind === 'udp') {
        let interval = this.options.t1Ms;
        const again = (): void => {
          this.put(transport, bytes);
          interval = Math.min(interval * 2, T2_MS);
          retransmit = setTimeout(again, interval);
        };
        retransmit = setTimeout(again, interval);
      }
    });
  }

  /** Sends a request that is not answered: ACK to a 2xx, with a branch of its own. */
  sendOnce(draft: RequestDraft): void {
    const transport = this.transport();
    this.put(transport, this.draftBytes(transport, draft, `z9hG4bK${token()}`));
  }

  /** Feeds a message from the wire. */
  receive(message: SipMessage, from: Endpoint): void {
    if (message.kind === 'response') {
      if (message.status < 200) return;
      const via = header(message, 'via') ?? '';
      this.clients.get(`${parameter(via, 'branch') ?? ''} ${cseq(message).method}`)?.resolve(message);
      return;
    }
    if (message.method === 'ACK') {
      this.handlers.onAck(message);
      return;
    }
    const key = this.serverKey(message);
    const known = this.servers.get(key);
    if (known) {
      if (known.lastResponse) this.put(this.transport(), known.lastResponse, from);
      return;
    }
    const transaction: ServerTransaction = { at: Date.now(), lastResponse: null };
    this.servers.set(key, transaction);
    this.forgetOldServers();
    this.handlers.onRequest({
      message,
      from,
      respond: (status, reason, extra = {}) => {
        const bytes = serialise(this.response(message, from, status, reason, extra));
        transaction.lastResponse = bytes;
        this.put(this.transport(), bytes, from);
      },
    });
  }

  /** The connection is gone: everything under way fails now. */
  failAll(reason: string): void {
    for (const client of [...this.clients.values()]) client.reject(new Error(reason));
  }

  private draftBytes(transport: SignallingTransport, draft: RequestDraft, branch: string): Buffer {
    return serialise({
      kind: 'request',
      method: draft.method,
      uri: draft.uri,
      headers: [
        { name: 'Via', value: this.via(transport, branch) },
        { name: 'From', value: draft.from },
        { name: 'To', value: draft.to },
        { name: 'Call-ID', value: draft.callId },
        { name: 'CSeq', value: `${draft.cseq} ${draft.method}` },
        { name: 'Max-Forwards', value: '70' },
        ...(draft.headers ?? []),
        { name: 'User-Agent', value: this.options.userAgent },
      ],
      body: draft.body ?? Buffer.alloc(0),
    });
  }

  private via(transport: SignallingTransport, branch: string): string {
    const { host, port } = transport.local();
    return `SIP/2.0/${transport.kind.toUpperCase()} ${host.includes(':') ? `[${host}]` : host}:${port};rport;branch=${branch}`;
  }

  private response(request: SipRequest, from: Endpoint, status: number, reason: string, extra: { headers?: SipHeader[]; body?: Buffer; toTag?: string | null }): SipResponse {
    const vias = headersNamed(request, 'via').map((value, index) => {
      // RFC 3581: tell the sender where its request really came from.
      if (index > 0 || !/;\s*rport\s*(;|$)/i.test(value)) return value;
      return `${value.replace(/;\s*rport\s*(?=;|$)/i, `;rport=${from.port}`)};received=${from.host}`;
    });
    let to = header(request, 'to') ?? '';
    if (extra.toTag && parameter(to, 'tag') === undefined) to += `;tag=${extra.toTag}`;
    return {
      kind: 'response',
      status,
      reason,
      headers: [
        ...vias.map((value) => ({ name: 'Via', value })),
        { name: 'From', value: header(request, 'from') ?? '' },
        { name: 'To', value: to },
        { name: 'Call-ID', value: header(request, 'call-id') ?? '' },
        { name: 'CSeq', value: header(request, 'cseq') ?? '' },
        ...(extra.headers ?? []),
        { name: 'User-Agent', value: this.options.userAgent },
      ],
      body: extra.body ?? Buffer.alloc(0),
    };
  }

  private serverKey(message: SipRequest): string {
    const branch = parameter(header(message, 'via') ?? '', 'branch');
    return branch?.startsWith('z9hG4bK')
      ? `${branch} ${message.method}`
      : `${header(message, 'call-id')} ${header(message, 'cseq')} ${header(message, 'from')}`;
  }

  private forgetOldServers(): void {
    const limit = Date.now() - SERVER_MEMORY_MS;
    for (const [key, transaction] of this.servers) {
      if (transaction.at > limit && this.servers.size <= SERVER_MEMORY) break;
      this.servers.delete(key);
    }
  }

  private put(transport: SignallingTransport, bytes: Buffer, to?: Endpoint): void {
    transport.send(bytes, to);
    if (this.options.duplicateSends) transport.send(bytes, to);
  }
}
