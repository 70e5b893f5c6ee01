import type { ResponseParts } from './build.js';
import type { Flow } from './flow.js';
import type { SipRequest, SipResponse } from './message.js';

/** A well-formed request that came in, once (retransmissions are absorbed before). */
export interface IncomingRequest {
  readonly request: SipRequest;
  /** Where it came from. */
  readonly flow: Flow;
  /** Where its responses go, and requests to this peer: see `replyFlowOf`. */
  readonly replyFlow: Flow;
  /** The tag that responses put on To where the request has none. */
  readonly localTag: string;
  /** Answers it; a second final response is ignored. No effect on ACK. */
  respond(parts: ResponseParts): void;
}

/** What the owner of an endpoint wants to hear. */
export interface EndpointHandler {
  onRequest(incoming: IncomingRequest): void;
  /** A response that belongs to no transaction: a late 2xx to INVITE must still be acknowledged and ended. */
  onStrayResponse(response: SipResponse, flow: Flow): void;
  onFlowClosed(flow: Flow): void;
}

export interface RequestHooks {
  onResponse(response: SipResponse): void;
  /** No final response: nobody answered in time, or the connection closed. Called once, after which nothing follows. */
  onFailure(why: 'timeout' | 'closed'): void;
}
