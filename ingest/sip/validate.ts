import { messageOf } from '../../base/errors.js';
import { cseqOf, listValues, parseNameAddr, parseUri, parseVia, partyOf, topVia } from './header-values.js';
import type { SipFault, SipMessage } from './message.js';

const SINGLE = ['from', 'to', 'call-id', 'cseq', 'max-forwards'] as const;
const MANDATORY = ['from', 'to', 'call-id', 'cseq', 'via'] as const;
const MAX_VIAS = 70;

/**
 * What RFC 3261 8.1.1 demands of every message: the five mandatory fields, once each where only one is allowed, readable,
 * and a CSeq that names the request's method. Max-Forwards may be missing: many cameras leave it out.
 * @returns the reason for refusal, or null
 */
export function faultOf(message: SipMessage): SipFault | null {
  const bad = (reason: string): SipFault => ({ status: 400, reason });
  const { headers } = message;
  for (const name of MANDATORY) if (!headers.has(name)) return bad(`The ${name} header is missing`);
  for (const name of SINGLE) if (headers.all(name).length > 1) return bad(`The ${name} header occurs twice`);
  try {
    const vias = listValues(headers, 'via');
    if (vias.length > MAX_VIAS) return bad('Too many Via values');
    topVia(headers);
    vias.slice(1).forEach(parseVia);
    partyOf(headers, 'from');
    partyOf(headers, 'to');
    for (const contact of listValues(headers, 'contact')) if (contact !== '*') parseNameAddr(contact);
    if ((headers.get('call-id') as string).trim() === '') return bad('The call-id header is empty');
    const cseq = cseqOf(headers);
    if (message.kind === 'request') {
      // RFC 3261 19.1.1, table 1: header fields may not stand in a Request-URI.
      if (parseUri(message.uri).headers !== null) return bad('The Request-URI carries header fields');
      if (cseq.method !== message.method) return bad('CSeq names another method than the request line');
      const hops = headers.get('max-forwards');
      if (hops !== undefined && !(/^\d+$/.test(hops) && Number(hops) <= 255)) return bad('Max-Forwards is not between 0 and 255');
      const expires = headers.get('expires');
      // RFC 4475 3.1.2.4: a number beyond 2^32-1 is not an Expires; text is left to the registrar's default (RFC 3261 20.19).
      if (expires !== undefined && /^\d+$/.test(expires) && Number(expires) >= 2 ** 32) return bad('Expires is not below 2^32');
    }
  } catch (error) {
    return bad(messageOf(error));
  }
  return null;
}
