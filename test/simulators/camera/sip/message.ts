/**
 * SIP messages (RFC 3261 §7) as a camera needs them: it is tolerant in what it reads and writes plain canonical text.
 * Header names are kept as pairs in order, because Via order matters.
 */
export interface SipHeader {
  name: string;
  value: string;
}

export interface SipRequest {
  kind: 'request';
  method: string;
  uri: string;
  headers: SipHeader[];
  body: Buffer;
}

export interface SipResponse {
  kind: 'response';
  status: number;
  reason: string;
  headers: SipHeader[];
  body: Buffer;
}

export type SipMessage = SipRequest | SipResponse;

/** Compact forms, RFC 3261 §7.3.3. */
const COMPACT: Record<string, string> = {
  v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', l: 'content-length', c: 'content-type', e: 'content-encoding', k: 'supported', s: 'subject', o: 'event',
};

function canonical(name: string): string {
  const lower = name.trim().toLowerCase();
  return COMPACT[lower] ?? lower;
}

/** First value of a header, by its long name in any letter case. */
export function header(message: SipMessage, name: string): string | undefined {
  const wanted = canonical(name);
  return message.headers.find((entry) => canonical(entry.name) === wanted)?.value;
}

/** All values of a header, in order. */
export function headersNamed(message: SipMessage, name: string): string[] {
  const wanted = canonical(name);
  return message.headers.filter((entry) => canonical(entry.name) === wanted).map((entry) => entry.value);
}

/** Index just behind the empty line that ends the header section, or -1 while it has not come. */
export function endOfHeaders(bytes: Buffer): number {
  const crlf = bytes.indexOf('\r\n\r\n');
  const lf = bytes.indexOf('\n\n');
  if (crlf >= 0 && (lf < 0 || crlf <= lf)) return crlf + 4;
  return lf >= 0 ? lf + 2 : -1;
}

/** Start line and headers of the section before the body; null if it is not SIP. */
export function parseHead(text: string): SipMessage | null {
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue;
    const last = lines.length - 1;
    if (/^[ \t]/.test(line) && last > 0) lines[last] += ` ${line.trim()}`;
    else lines.push(line);
  }
  const start = lines.shift();
  if (start === undefined) return null;
  const headers: SipHeader[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) return null;
    headers.push({ name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() });
  }
  const response = /^SIP\/2\.0 (\d{3})(?: (.*))?$/i.exec(start);
  if (response) return { kind: 'response', status: Number(response[1]), reason: response[2] ?? '', headers, body: Buffer.alloc(0) };
  const request = /^([A-Z]+) (\S+) SIP\/2\.0$/i.exec(start);
  if (request) return { kind: 'request', method: request[1]!.toUpperCase(), uri: request[2]!, headers, body: Buffer.alloc(0) };
  return null;
}

/** A whole datagram. The body is what Content-Length says, or all that is left when it says nothing. Null: not SIP. */
export function parseDatagram(bytes: Buffer): SipMessage | null {
  const end = endOfHeaders(bytes);
  const message = parseHead((end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8'));
  if (!message) return null;
  const rest = end < 0 ? Buffer.alloc(0) : bytes.subarray(end);
  const length = Number(header(message, 'content-length') ?? rest.length);
  message.body = Buffer.from(Number.isInteger(length) && length >= 0 && length <= rest.length ? rest.subarray(0, length) : rest);
  return message;
}

/** The message as bytes, with a Content-Length counted here. */
export function serialise(message: SipMessage): Buffer {
  const start = message.kind === 'request' ? `${message.method} ${message.uri} SIP/2.0` : `SIP/2.0 ${message.status} ${message.reason}`;
  const lines = [start, ...message.headers.filter((entry) => canonical(entry.name) !== 'content-length').map((entry) => `${entry.name}: ${entry.value}`)];
  lines.push(`Content-Length: ${message.body.length}`, '', '');
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'utf8'), message.body]);
}

/** The value of `;name=value` of a header value, outside of `<...>`. */
export function parameter(value: string, name: string): string | undefined {
  const outside = value.replace(/"(?:\\.|[^"\\])*"/g, '""').replace(/<[^>]*>/g, '<>');
  const found = new RegExp(`;\\s*${name}\\s*=\\s*([^;,\\s]+)`, 'i').exec(outside);
  return found?.[1];
}

/** The user part of the (first) URI in a header value or Request-URI. */
export function uriUser(value: string): string {
  return /sips?:([^@;>\s]+)@/i.exec(value)?.[1] ?? '';
}

/** `CSeq` as number and method. */
export function cseq(message: SipMessage): { number: number; method: string } {
  const found = /^(\d+)\s+(\S+)/.exec(header(message, 'cseq') ?? '');
  return { number: Number(found?.[1] ?? 0), method: (found?.[2] ?? '').toUpperCase() };
}
