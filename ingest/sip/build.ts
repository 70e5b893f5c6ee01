import { formatVia, listValues, partyTag, topVia } from './header-values.js';
import { randomHex } from './random-hex.js';
import { NO_BODY, SipHeaders, type SipRequest, type SipResponse } from './message.js';
import type { SocketAddress } from './flow.js';

const REASONS: Readonly<Record<number, string>> = {
  100: 'Trying',
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  415: 'Unsupported Media Type',
  416: 'Unsupported URI Scheme',
  420: 'Bad Extension',
  423: 'Interval Too Brief',
  481: 'Call/Transaction Does Not Exist',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'Version Not Supported',
};

/** RFC 3261 clause 21. */
export function reasonPhrase(status: number): string {
  return REASONS[status] ?? (status < 300 ? 'OK' : 'Rejected');
}

/** 16 random hexadecimal digits, for tags. */
export function newTag(): string {
  return randomHex(8);
}

/** RFC 3261 8.1.1.7: the magic cookie and 96 random bits, so that a stranger cannot answer in a device's place. */
export function newBranch(): string {
  return `z9hG4bK${randomHex(12)}`;
}

export function newCallId(host: string): string {
  return `${randomHex(16)}@${host}`;
}

export interface ResponseParts {
  status: number;
  reason?: string;
  headers?: readonly (readonly [name: string, value: string])[];
  body?: Uint8Array;
  contentType?: string;
}

/**
 * A response to `request` (RFC 3261 8.2.6): Via, From, To, Call-ID and CSeq copied, `toTag` put on a To that has none.
 * The topmost Via gets `received` and `rport` (RFC 3581 4) from `source`.
 */
export function makeResponse(request: SipRequest, parts: ResponseParts, toTag: string, source: SocketAddress): SipResponse {
  const headers = new SipHeaders();
  listValues(request.headers, 'via').forEach((value, i) => headers.add('Via', i === 0 ? stampVia(request.headers, value, source) : value));
  const from = request.headers.get('from');
  const to = request.headers.get('to');
  if (from !== undefined) headers.add('From', from);
  if (to !== undefined) headers.add('To', parts.status > 100 && partyTag(request.headers, 'to') === null ? `${to};tag=${toTag}` : to);
  for (const name of ['Call-ID', 'CSeq']) {
    const value = request.headers.get(name);
    if (value !== undefined) headers.add(name, value);
  }
  for (const [name, value] of parts.headers ?? []) headers.add(name, value);
  if (parts.contentType !== undefined) headers.add('Content-Type', parts.contentType);
  return { kind: 'response', status: parts.status, reason: parts.reason ?? reasonPhrase(parts.status), headers, body: parts.body ?? NO_BODY };
}

function stampVia(headers: SipHeaders, value: string, source: SocketAddress): string {
  try {
    const via = topVia(headers);
    const params = new Map(via.params);
    const wantsPort = params.has('rport');
    if (wantsPort) params.set('rport', String(source.port));
    if (wantsPort || via.host !== source.host) params.set('received', source.host);
    return formatVia({ ...via, params });
  } catch {
    return value;
  }
}
