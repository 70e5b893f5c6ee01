import { listValues, parseCSeq, parseNameAddr, tagOf } from './header-values.js';
import { NO_BODY, SipHeaders, type SipRequest, type SipResponse } from './message.js';

/** A dialog as it can be kept and taken up again, by another process too. */
export interface DialogState {
  callId: string;
  /** From and To of our requests, with their tags. */
  from: string;
  to: string;
  /** Request-URI. */
  target: string;
  routes: readonly string[];
  /** CSeq number of the last request sent. */
  cseq: number;
}

/**
 * The caller's side of an INVITE dialog (RFC 3261 12.1.2): what its later requests must carry.
 * Tolerates answers without a To tag and without Contact, as some cameras give them.
 */
export class UacDialog {
  readonly callId: string;
  readonly localTag: string | null;
  readonly remoteTag: string | null;
  readonly #from: string;
  readonly #to: string;
  #target: string;
  readonly #routes: readonly string[];
  readonly #inviteCSeq: number;
  #cseq: number;
  /** Highest CSeq number of the peer's requests. */
  #remoteCSeq = -1;

  /** @param made the 2xx, or a dialog that was kept; @param target Request-URI where the response has no readable Contact */
  constructor(made: SipResponse | DialogState, target: string) {
    const state = 'kind' in made ? stateOf(made, target) : made;
    this.callId = state.callId;
    this.#from = state.from;
    this.#to = state.to;
    this.localTag = tagOf(this.#from);
    this.remoteTag = tagOf(this.#to);
    this.#target = state.target;
    this.#routes = state.routes;
    this.#inviteCSeq = state.cseq;
    this.#cseq = state.cseq;
  }

  get state(): DialogState {
    return { callId: this.callId, from: this.#from, to: this.#to, target: this.#target, routes: this.#routes, cseq: this.#cseq };
  }

  /** RFC 3261 12.2.2: a re-INVITE or UPDATE of the peer may name a new Contact. */
  refreshTarget(request: SipRequest): void {
    this.#target = contactUri(request) ?? this.#target;
  }

  /** The ACK of the 2xx (RFC 3261 13.2.2.4), without Via. */
  ack(): SipRequest {
    return this.#build('ACK', this.#inviteCSeq);
  }

  /** A request inside the dialog with the next CSeq number, without Via. */
  request(method: string): SipRequest {
    return this.#build(method, ++this.#cseq);
  }

  /**
   * True where a request of the peer belongs here: same Call-ID, its To carries our tag, its From the tag we know.
   * A missing tag of the peer's own is tolerated; ours, which only the peer was told, is not.
   */
  matches(request: SipRequest): boolean {
    if (request.headers.get('call-id') !== this.callId || tagOf(request.headers.get('to')) !== this.localTag) return false;
    const tag = tagOf(request.headers.get('from'));
    return tag === null || this.remoteTag === null || tag === this.remoteTag;
  }

  /** RFC 3261 12.2.2: false for a request older than one seen before. */
  acceptsCSeq(number: number): boolean {
    if (number <= this.#remoteCSeq) return false;
    this.#remoteCSeq = number;
    return true;
  }

  #build(method: string, cseq: number): SipRequest {
    const headers = new SipHeaders();
    for (const route of this.#routes) headers.add('Route', route);
    headers.add('From', this.#from).add('To', this.#to).add('Call-ID', this.callId).add('CSeq', `${cseq} ${method}`).add('Max-Forwards', '70');
    return { kind: 'request', method, uri: this.#target, headers, body: NO_BODY };
  }
}

function stateOf(response: SipResponse, target: string): DialogState {
  const { headers } = response;
  return {
    callId: headers.get('call-id') ?? '',
    from: headers.get('from') ?? '',
    to: headers.get('to') ?? '',
    target: contactUri(response) ?? target,
    // RFC 3261 12.1.2: for the caller the recorded route is taken in reverse order.
    routes: listValues(headers, 'record-route').reverse(),
    cseq: parseCSeq(headers.get('cseq') ?? '').number,
  };
}

function contactUri(message: SipResponse | SipRequest): string | null {
  const first = listValues(message.headers, 'contact')[0];
  if (first === undefined || first === '*') return null;
  try {
    return parseNameAddr(first).uri;
  } catch {
    return null;
  }
}
