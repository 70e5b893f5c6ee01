import type { ResponseParts } from './build.js';
import { parseUri } from './header-values.js';
import type { SipRequest } from './message.js';
import { splitList } from './scanner.js';

const KNOWN_METHODS = new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'REGISTER', 'MESSAGE', 'INFO', 'NOTIFY', 'SUBSCRIBE', 'PRACK', 'UPDATE', 'REFER', 'PUBLISH']);

/** Extensions that a request may require of us: session timers (RFC 4028) ask nothing of who is called but an answer. */
const SUPPORTED = new Set(['timer']);

/**
 * What every server must ask before it looks at a request's purpose, in the order of RFC 3261 8.2: method (405, or 501
 * where nobody knows it), scheme of the Request-URI (416), extensions it requires (420).
 * @returns the refusal, or null
 */
export function refusalOf(request: SipRequest, allowed: readonly string[]): ResponseParts | null {
  const allow = ['Allow', allowed.join(', ')] as const;
  if (!allowed.includes(request.method)) return { status: KNOWN_METHODS.has(request.method) ? 405 : 501, headers: [allow] };
  const { scheme } = parseUri(request.uri);
  if (scheme !== 'sip' && scheme !== 'sips') return { status: 416 };
  const required = request.headers.all('require').flatMap(splitList).filter((tag) => tag !== '' && !SUPPORTED.has(tag.toLowerCase()));
  // RFC 3261 8.2.2.3: Require means nothing in ACK and CANCEL.
  if (required.length > 0 && request.method !== 'ACK' && request.method !== 'CANCEL') {
    return { status: 420, headers: [['Unsupported', required.join(', ')]] };
  }
  return null;
}
