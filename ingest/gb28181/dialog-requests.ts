import type { Logger } from '../../base/logger.js';
import { parseCSeq, tagOf } from '../sip/header-values.js';
import type { IncomingRequest } from '../sip/incoming.js';
import type { SipRequest } from '../sip/message.js';
import { readAnswer } from './answer.js';
import type { RequestFactory } from './request-factory.js';
import { buildOffer } from './offer.js';
import type { InviteSession } from './session.js';

export interface DialogRequestsParts {
  serverId: string;
  factory: RequestFactory;
  logger: Logger;
  /** The session of a Call-ID. */
  find(callId: string): InviteSession | undefined;
  /** A BYE was accepted. */
  onBye(session: InviteSession): void;
  /** Methods told in Allow. */
  methods: readonly string[];
}

/**
 * Requests of cameras inside our calls: BYE, re-INVITE and UPDATE (some refresh a session so, RFC 4028), INFO and OPTIONS. Each must
 * carry the tag that only the camera was told and come from the host at which its device has proved itself; others get 481,
 * and are counted.
 */
export class DialogRequests {
  readonly #parts: DialogRequestsParts;
  /** Requests for calls that are not the sender's. */
  strangers = 0;

  constructor(parts: DialogRequestsParts) {
    this.#parts = parts;
  }

  /** @returns false where the request belongs to no dialog at all (it has no To tag) and is not a BYE */
  receive(incoming: IncomingRequest): boolean {
    const { request, flow } = incoming;
    if (request.method !== 'BYE' && tagOf(request.headers.get('to')) === null) return false;
    const callId = request.headers.get('call-id') ?? '';
    const session = this.#parts.find(callId);
    if (!session || !session.dialog.matches(request) || session.device.source.host !== flow.remote.host) {
      if (session) {
        this.strangers++;
        this.#parts.logger.warn({ device: session.deviceId, source: flow.remote, method: request.method }, 'a request for a call came from somebody else and was refused');
      }
      incoming.respond({ status: 481 });
      return true;
    }
    if (!session.dialog.acceptsCSeq(parseCSeq(request.headers.get('cseq') ?? '').number)) {
      incoming.respond({ status: 500, reason: 'CSeq out of order' });
      return true;
    }
    switch (request.method) {
      case 'BYE':
        incoming.respond({ status: 200 });
        this.#parts.onBye(session);
        break;
      case 'INVITE':
      case 'UPDATE':
        this.#renegotiate(session, incoming);
        break;
      case 'OPTIONS':
        incoming.respond({ status: 200, headers: [['Allow', this.#parts.methods.join(', ')], ['Accept', 'application/sdp']] });
        break;
      default:
        // INFO: what it tells is of no use to us, but a device that gets no 200 may end the call.
        incoming.respond({ status: 200 });
    }
    return true;
  }

  /**
   * A session is refreshed with the description that was agreed. Whatever would change whose packets are taken is refused by 488,
   * which leaves the session as it was (RFC 3261 14.2): a camera that wants another stream ends this one.
   */
  #renegotiate(session: InviteSession, incoming: IncomingRequest): void {
    const { request } = incoming;
    const offered = request.body.length > 0;
    if (offered && !/^application\/sdp\b/i.test(request.headers.get('content-type') ?? 'application/sdp')) {
      incoming.respond({ status: 415, headers: [['Accept', 'application/sdp']] });
      return;
    }
    const problem = offered ? changeIn(session, request) : null;
    if (problem !== null) {
      this.#parts.logger.warn({ device: session.deviceId, channel: session.channelId, callId: session.callId, problem }, 'a camera wants to change its stream; refused');
      incoming.respond({ status: 488, headers: [['Warning', `399 berthwatch "${problem.replaceAll(/["\\]/g, '')}"`]] });
      return;
    }
    session.dialog.refreshTarget(request);
    const headers: [string, string][] = [['Contact', this.#parts.factory.contact(incoming.flow)], ['Allow', this.#parts.methods.join(', ')], ...sessionTimer(request)];
    // Without an offer in it an INVITE is answered with ours; an UPDATE then is about the timer alone (RFC 3311 5.2).
    if (!offered && request.method === 'UPDATE') incoming.respond({ status: 200, headers });
    else incoming.respond({ status: 200, headers, body: this.#description(session), contentType: 'application/sdp' });
  }

  #description(session: InviteSession): Uint8Array {
    const { mediaHost, mediaPort, transport, stream, recording, channelId } = session.request;
    return buildOffer({ serverId: this.#parts.serverId, channelId, mediaHost, mediaPort, transport, ssrc: session.ssrc, stream, dialect: 'none', recording, existing: true });
  }
}

function changeIn(session: InviteSession, request: SipRequest): string | null {
  const { transport } = session.request;
  const wish = readAnswer(request.body, { ssrc: session.ssrc, transport }, session.peerHost);
  if ('problem' in wish) return wish.problem;
  if (wish.sdp === null) return 'the description cannot be read';
  if (wish.ssrcChosenByCamera) return `the SSRC of this call is ${session.ssrc}, not ${wish.ssrc}`;
  const protocol = wish.sdp.media.find((media) => media.kind === 'video')?.protocol ?? '';
  if (protocol.startsWith('TCP') !== (transport !== 'udp')) return `this call is over ${transport === 'udp' ? 'UDP' : 'TCP'}`;
  const listens = session.remoteMedia;
  if (transport === 'tcp-active' && listens && wish.remoteMedia && (wish.remoteMedia.port !== listens.port || wish.remoteMedia.host !== listens.host)) return 'the address to connect to cannot change within a call';
  return null;
}

/** RFC 4028 9: whoever refreshes goes on doing so; with `refresher` we only agree. */
function sessionTimer(request: SipRequest): [string, string][] {
  const asked = /^\s*(\d{1,9})/.exec(request.headers.get('session-expires') ?? '')?.[1];
  if (asked === undefined) return [];
  return [['Session-Expires', `${asked};refresher=uac`], ['Require', 'timer']];
}
