import { listValues, parseCSeq, parseNameAddr, tagOf } from './header-values.js';
import { NO_BODY, SipHeaders, type SipRequest, type SipResponse } from './message.js';

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
  readonly #target: string;
  readonly #routes: readonly string[];
  readonly #inviteCSeq: number;
  #cseq: number;
  /** Highest CSeq number of the peer's requests. */
  #remoteCSeq = -1;

  /** @param response the 2xx; @param target Request-URI where the response has no readable Contact */
  constructor(response: SipResponse, target: string) {
    const { headers } = response;
    this.callId = headers.get('call-id') ?? '';
    this.#from = headers.get('from') ?? '';
    this.#to = headers.get('to') ?? '';
    this.localTag = tagOf(this.#from);
    this.remoteTag = tagOf(this.#to);
    this.#target = contactUri(response) ?? target;
    // RFC 3261 12.1.2: for the caller the recorded route is taken in reverse order.
    this.#routes = listValues(headers, 'record-route').reverse();
    this.#inviteCSeq = parseCSeq(headers.get('cseq') ?? '').number;
    this.#cseq = this.#inviteCSeq;
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

function contactUri(response: SipResponse): string | null {
  const first = listValues(response.headers, 'contact')[0];
  if (first === undefined || first === '*') return null;
  try {
    return parseNameAddr(first).uri;
  } catch {
    return null;
  }
}
