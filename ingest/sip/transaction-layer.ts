import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { makeResponse, newBranch, newTag, type ResponseParts } from './build.js';
import { InviteClientTransaction, NonInviteClientTransaction, type ClientTransaction } from './client-transaction.js';
import { serializeMessage } from './codec.js';
import type { Flow, SocketAddress } from './flow.js';
import { cseqOf, listValues, partyTag, topVia, uriHost } from './header-values.js';
import type { EndpointHandler, IncomingRequest, RequestHooks } from './incoming.js';
import type { SipRequest, SipResponse } from './message.js';
import { InviteServerTransaction, NonInviteServerTransaction, type ServerTransaction } from './server-transaction.js';
import type { SipTimers } from './timers.js';

export interface LayerOptions {
  clock: Clock;
  logger: Logger;
  timers: SipTimers;
  /** Server transactions kept at once. Beyond it requests are still answered, but their retransmissions are not absorbed. */
  maxServerTransactions: number;
  /** Our own address as written in Via, per flow. */
  sentBy(flow: Flow): string;
  /** A flow to another port of the same UDP peer, for responses (RFC 3261 18.2.2). */
  flowTo(flow: Flow, remote: SocketAddress): Flow;
}

/** Matches messages with transactions (RFC 3261 17.1.3, 17.2.3). Knows flows, but no sockets. */
export class TransactionLayer {
  readonly #options: LayerOptions;
  readonly #handler: EndpointHandler;
  readonly #clients = new Map<string, { transaction: ClientTransaction; flow: Flow; fail(why: 'timeout' | 'closed'): void }>();
  readonly #servers = new Map<string, ServerTransaction>();
  /** INVITEs of peers: the ACK of a 2xx has a branch of its own (RFC 3261 13.2.2.4) and is matched by its dialog. */
  readonly #invites = new Map<string, ServerTransaction>();

  constructor(options: LayerOptions, handler: EndpointHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  get serverCount(): number {
    return this.#servers.size;
  }

  /** Sends `request` in a new client transaction; its Via is written here (CANCEL keeps the one it carries, RFC 3261 9.1). */
  send(flow: Flow, request: SipRequest, hooks: RequestHooks): ClientTransaction {
    const reliable = flow.transport === 'TCP';
    let branch: string;
    if (request.method === 'CANCEL') branch = topVia(request.headers).params.get('branch') ?? '';
    else {
      branch = newBranch();
      request.headers.addFirst('Via', this.#via(flow, branch));
    }
    const key = `${branch}|${request.method}`;
    let over = false;
    const fail = (why: 'timeout' | 'closed'): void => {
      if (over) return;
      over = true;
      hooks.onFailure(why);
    };
    const Kind = request.method === 'INVITE' ? InviteClientTransaction : NonInviteClientTransaction;
    const transaction = new Kind(request, reliable, this.#options.timers, this.#options.clock, {
      send: (bytes) => flow.send(bytes),
      onResponse: (response) => this.#guard('response', () => hooks.onResponse(response)),
      onTimeout: () => this.#guard('timeout', () => fail('timeout')),
      onTerminated: () => void this.#clients.delete(key),
    });
    this.#clients.set(key, { transaction, flow, fail });
    if (flow.alive) transaction.start();
    else {
      this.#options.clock.after(0, () => {
        transaction.terminate();
        this.#guard('closed', () => fail('closed'));
      });
    }
    return transaction;
  }

  /** Sends a request that has no transaction: the ACK of a 2xx (RFC 3261 13.2.2.4). Returns its bytes for repetition. */
  sendStateless(flow: Flow, request: SipRequest): Uint8Array {
    request.headers.addFirst('Via', this.#via(flow, newBranch()));
    const bytes = serializeMessage(request);
    flow.send(bytes);
    return bytes;
  }

  receiveResponse(response: SipResponse, flow: Flow): void {
    const vias = listValues(response.headers, 'via');
    const via = topVia(response.headers);
    const branch = via.params.get('branch') ?? '';
    const { method } = cseqOf(response.headers);
    const entry = this.#clients.get(`${branch}|${method}`);
    if (entry) entry.transaction.receive(response);
    // RFC 3261 8.1.3.3 and 18.1.2: a response with several Via values, or with another's, came to us astray and is no answer to us.
    else if (vias.length === 1 && `${uriHost(via.host)}:${via.port ?? 5060}` === this.#options.sentBy(flow)) this.#guard('stray response', () => this.#handler.onStrayResponse(response, flow));
  }

  receiveRequest(request: SipRequest, flow: Flow): void {
    const key = serverKey(request, flow, request.method === 'ACK' ? 'INVITE' : request.method);
    const known = this.#servers.get(key) ?? (request.method === 'ACK' ? this.#invites.get(inviteKey(request, flow)) : undefined);
    if (known) {
      if (request.method === 'ACK') known.acknowledged();
      else known.retransmitted();
      return;
    }
    const replyFlow = this.replyFlowOf(request, flow);
    const localTag = newTag();
    const build = (parts: ResponseParts): SipResponse => makeResponse(request, parts, localTag, flow.remote);
    let respond: (parts: ResponseParts) => void;
    if (request.method === 'ACK') respond = () => undefined;
    else if (this.#servers.size >= this.#options.maxServerTransactions) respond = (parts) => replyFlow.send(serializeMessage(build(parts)));
    else {
      const transaction = this.#openServer(key, request, replyFlow);
      respond = (parts) => transaction.respond(build(parts));
    }
    if (request.method === 'CANCEL') {
      this.#cancel(request, flow, respond);
      return;
    }
    const incoming: IncomingRequest = { request, flow, replyFlow, localTag, respond };
    this.#guard(request.method, () => this.#handler.onRequest(incoming), () => respond({ status: 500 }));
  }

  #openServer(key: string, request: SipRequest, replyFlow: Flow): ServerTransaction {
    const Kind = request.method === 'INVITE' ? InviteServerTransaction : NonInviteServerTransaction;
    // Only an INVITE is asked for by its ACK's own branch.
    const invite = request.method === 'INVITE' ? inviteKey(request, replyFlow) : null;
    // The hooks live as long as the transaction: they must not hold the request.
    const callId = request.headers.get('call-id');
    const transaction: ServerTransaction = new Kind(request, replyFlow.transport === 'TCP', this.#options.timers, this.#options.clock, {
      send: (bytes) => replyFlow.send(bytes),
      onUnacknowledged: () => this.#options.logger.debug({ callId }, 'an answer to INVITE was not acknowledged'),
      onTerminated: () => {
        this.#servers.delete(key);
        if (invite !== null && this.#invites.get(invite) === transaction) this.#invites.delete(invite);
      },
    });
    this.#servers.set(key, transaction);
    if (invite !== null) this.#invites.set(invite, transaction);
    return transaction;
  }

  /** RFC 3261 9.2. */
  #cancel(request: SipRequest, flow: Flow, respond: (parts: ResponseParts) => void): void {
    const invite = this.#servers.get(serverKey(request, flow, 'INVITE'));
    respond({ status: invite ? 200 : 481 });
    if (invite?.request && !invite.answered) invite.respond(makeResponse(invite.request, { status: 487 }, newTag(), flow.remote));
  }

  /** Fails what waits for an answer on a connection that has closed. */
  flowClosed(flow: Flow): void {
    for (const entry of [...this.#clients.values()]) {
      if (entry.flow.key !== flow.key) continue;
      entry.transaction.terminate();
      this.#guard('closed', () => entry.fail('closed'));
    }
    this.#guard('closed', () => this.#handler.onFlowClosed(flow));
  }

  /**
   * Where responses to `request` go. `rport` asks for the source port (RFC 3581); a Via that names another host was
   * written behind a NAT, whose port is the source's too. Else RFC 3261 18.2.2 holds: the source's address, at the
   * port of the Via, which differs where a peer sends and listens on different sockets.
   */
  replyFlowOf(request: SipRequest, flow: Flow): Flow {
    if (flow.transport === 'TCP') return flow;
    try {
      const via = topVia(request.headers);
      const port = via.port ?? 5060;
      if (via.params.has('rport') || via.host !== flow.remote.host || port === flow.remote.port || port === 0) return flow;
      return this.#options.flowTo(flow, { host: flow.remote.host, port });
    } catch {
      return flow;
    }
  }

  close(): void {
    for (const entry of [...this.#clients.values()]) {
      entry.transaction.terminate();
      this.#guard('closed', () => entry.fail('closed'));
    }
    for (const transaction of [...this.#servers.values()]) transaction.terminate();
  }

  #via(flow: Flow, branch: string): string {
    return `SIP/2.0/${flow.transport} ${this.#options.sentBy(flow)};rport;branch=${branch}`;
  }

  /** A fault of ours in one message must not reach the socket's event loop. */
  #guard(what: string, fn: () => void, onError?: () => void): void {
    try {
      fn();
    } catch (error) {
      this.#options.logger.error({ what, error: messageOf(error), stack: error instanceof Error ? error.stack : undefined }, 'handling a SIP message failed');
      onError?.();
    }
  }
}

/** By host, since the ACK may leave another port of the peer's than the INVITE did. */
function inviteKey({ headers }: SipRequest, flow: Flow): string {
  return [flow.remote.host, cseqOf(headers).number, headers.get('call-id') ?? '', partyTag(headers, 'from') ?? ''].join('|');
}

/**
 * RFC 3261 17.2.3 matches by branch, sent-by and method. Cameras of one make draw equal branches, and many of them have
 * the same private sent-by, so the true source, Call-ID, From tag and CSeq number must be equal as well.
 */
function serverKey(request: SipRequest, flow: Flow, method: string): string {
  const { headers } = request;
  const branch = topVia(headers).params.get('branch') ?? '';
  const { number } = cseqOf(headers);
  return [flow.key, method, number, branch, headers.get('call-id') ?? '', partyTag(headers, 'from') ?? ''].join('|');
}
