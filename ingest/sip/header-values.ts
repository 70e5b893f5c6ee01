import { isIP } from 'node:net';
import { excerpt, quote, Scanner, sipError, splitList } from './scanner.js';
import type { SipHeaders } from './message.js';

/** Parameter names in lower case; null where a parameter has no value. Insertion order is kept. */
export type Params = Map<string, string | null>;

/** RFC 3261 19.1.1. `user` and `host` are as written (not unescaped); for schemes other than sip and sips `opaque` holds the rest. */
export interface SipUri {
  scheme: string;
  user: string | null;
  host: string;
  port: number | null;
  params: Params;
  /** What stands behind "?"; null without one. */
  headers: string | null;
  opaque: string;
}

export interface NameAddr {
  display: string;
  uri: string;
  parsed: SipUri;
  params: Params;
}

export interface Via {
  transport: string;
  host: string;
  port: number | null;
  params: Params;
}

export interface CSeq {
  number: number;
  method: string;
}

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[A-Za-z0-9_.-]+)$/;

function parsePort(text: string, where: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw sipError(`"${excerpt(text, 12)}" is not a port in "${excerpt(where)}"`);
  return port;
}

/** `host`, `host:port` or `[v6]:port`; the brackets are taken off. */
function parseHostPort(text: string, where: string): { host: string; port: number | null } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text);
  const host = match?.[1] ?? '';
  if (!match || !HOST.test(host)) throw sipError(`"${excerpt(text)}" is not a host in "${excerpt(where)}"`);
  const port = match[2] === undefined ? null : parsePort(match[2].trim(), where);
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port };
}

/** @throws BerthwatchError bad-input */
export function parseUri(text: string): SipUri {
  if (/[\s<>"]/.test(text)) throw sipError(`the URI "${excerpt(text)}" contains space, quotes or angle brackets`);
  const match = SCHEME.exec(text);
  if (!match) throw sipError(`"${excerpt(text)}" is not a URI`);
  const scheme = (match[1] as string).toLowerCase();
  const rest = match[2] as string;
  if (scheme !== 'sip' && scheme !== 'sips') return { scheme, user: null, host: '', port: null, params: new Map(), headers: null, opaque: rest };
  // The user part may hold ";" and "?", so the "@" is looked for first (RFC 4475 3.1.1.9).
  const at = rest.lastIndexOf('@');
  const user = at < 0 ? null : (rest.slice(0, at).split(':')[0] as string);
  let tail = rest.slice(at + 1);
  const question = tail.indexOf('?');
  const headers = question < 0 ? null : tail.slice(question + 1);
  if (question >= 0) tail = tail.slice(0, question);
  const [hostPort, ...pairs] = tail.split(';');
  const params: Params = new Map();
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = (equals < 0 ? pair : pair.slice(0, equals)).toLowerCase();
    if (name !== '' && !params.has(name)) params.set(name, equals < 0 ? null : pair.slice(equals + 1));
  }
  return { scheme, user, ...parseHostPort(hostPort as string, text), params, headers, opaque: '' };
}

/** `;name`, `;name=value`, `;name="value"` up to the end of the text. @throws BerthwatchError bad-input */
function parseParams(scanner: Scanner): Params {
  const params: Params = new Map();
  while (!scanner.skipSpace().atEnd) {
    scanner.expect(';');
    const name = scanner.skipSpace().token('a parameter name').toLowerCase();
    let value: string | null = null;
    if (scanner.skipSpace().take('=')) {
      scanner.skipSpace();
      value = scanner.peek() === '"' ? scanner.quoted() : scanner.until('; \t');
      if (value === '' && scanner.peek() === ';') throw sipError(`the parameter "${name}" has no value after "=" in "${excerpt(scanner.text)}"`);
    }
    if (!params.has(name)) params.set(name, value);
  }
  return params;
}

/** From, To, Contact, Route: `"Display" <uri>;params`, `<uri>;params` or `uri;params`. @throws BerthwatchError bad-input */
export function parseNameAddr(value: string): NameAddr {
  const scanner = new Scanner(value.trim());
  let display = '';
  if (scanner.peek() === '"') {
    display = scanner.quoted();
    scanner.skipSpace();
    if (scanner.peek() !== '<') throw sipError(`an address in angle brackets is missing in "${excerpt(value)}"`);
  } else if (value.includes('<')) {
    display = scanner.until('<"').trim();
    if (scanner.peek() === '"') throw sipError(`a quote stands inside the display name of "${excerpt(value)}"`);
  }
  let uri: string;
  if (scanner.take('<')) {
    uri = scanner.until('>').trim();
    scanner.expect('>');
  } else {
    // RFC 3261 20: without brackets everything behind ";" belongs to the header, and "," or "?" may not occur.
    uri = scanner.until(';').trim();
    if (/[,?]/.test(uri)) throw sipError(`the address "${excerpt(uri)}" must stand in angle brackets`);
  }
  return { display, uri, parsed: parseUri(uri), params: parseParams(scanner) };
}

export function formatParams(params: Params): string {
  let text = '';
  for (const [name, value] of params) {
    if (value === null) text += `;${name}`;
    else text += `;${name}=${/^[A-Za-z0-9\-.!%*_+`'~:[\]]+$/.test(value) ? value : quote(value)}`;
  }
  return text;
}

/** One Via value: `SIP/2.0/UDP host:port;params`, with white space where RFC 3261 allows it. @throws BerthwatchError bad-input */
export function parseVia(value: string): Via {
  const scanner = new Scanner(value.trim());
  const name = scanner.token('the protocol name');
  scanner.skipSpace().expect('/');
  const version = scanner.skipSpace().token('the protocol version');
  scanner.skipSpace().expect('/');
  const transport = scanner.skipSpace().token('the transport').toUpperCase();
  if (name.toUpperCase() !== 'SIP' || version !== '2.0') throw sipError(`"${excerpt(value)}" is not a SIP/2.0 Via`);
  if (scanner.peek() !== ' ' && scanner.peek() !== '\t') throw sipError(`the Via "${excerpt(value)}" has no host`);
  const sentBy = scanner.skipSpace().until(';').replace(/\s+/g, '');
  return { transport, ...parseHostPort(sentBy, value), params: parseParams(scanner) };
}

/** A host as it stands in a URI or Via: IPv6 addresses in brackets. */
export function uriHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

export function formatVia(via: Via): string {
  return `SIP/2.0/${via.transport} ${uriHost(via.host)}${via.port === null ? '' : `:${via.port}`}${formatParams(via.params)}`;
}

/** @throws BerthwatchError bad-input; the number must be below 2^31 (RFC 3261 8.1.1.5). */
export function parseCSeq(value: string): CSeq {
  const match = /^(\d+)[ \t]+(\S+)$/.exec(value.trim());
  if (!match) throw sipError(`"${excerpt(value)}" is not a CSeq`);
  const number = Number(match[1]);
  if (!(number < 2 ** 31)) throw sipError(`the CSeq number ${excerpt(match[1] as string, 24)} is not below 2^31`);
  return { number, method: match[2] as string };
}

/** All values of a list header (Via, Contact, Route, …) over all its fields. */
export function listValues(headers: SipHeaders, name: string): string[] {
  return headers.all(name).flatMap(splitList);
}

/** The topmost Via; like all that is read here of a message's headers, it is shared and must not be changed. @throws BerthwatchError bad-input */
export function topVia(headers: SipHeaders): Readonly<Via> {
  return headers.once('via', () => parseVia(listValues(headers, 'via')[0] ?? ''));
}

/** @throws BerthwatchError bad-input */
export function cseqOf(headers: SipHeaders): Readonly<CSeq> {
  return headers.once('cseq', () => parseCSeq(headers.get('cseq') ?? ''));
}

/** From or To. @throws BerthwatchError bad-input */
export function partyOf(headers: SipHeaders, name: 'from' | 'to'): Readonly<NameAddr> {
  return headers.once(name, () => parseNameAddr(headers.get(name) ?? ''));
}

/** The tag of From or To, null where there is none or the field cannot be read. */
export function partyTag(headers: SipHeaders, name: 'from' | 'to'): string | null {
  try {
    return partyOf(headers, name).params.get('tag') ?? null;
  } catch {
    return null;
  }
}

/** The user of From or To, null where there is none or the field cannot be read. */
export function partyUser(headers: SipHeaders, name: 'from' | 'to'): string | null {
  try {
    return partyOf(headers, name).parsed.user;
  } catch {
    return null;
  }
}

/** The `tag` of a From or To value, null where there is none or the value cannot be read. */
export function tagOf(value: string | undefined): string | null {
  if (value === undefined) return null;
  try {
    return parseNameAddr(value).params.get('tag') ?? null;
  } catch {
    return null;
  }
}

/** The user part of a From or To value, null where there is none or the value cannot be read. */
export function userOf(value: string | undefined): string | null {
  if (value === undefined) return null;
  try {
    return parseNameAddr(value).parsed.user;
  } catch {
    return null;
  }
}

/**
 * `Digest name=value, name="value"` of Authorization and WWW-Authenticate (RFC 7616 3.3, 3.4). Names in lower case, the
 * first of equal names counts. A tokenizer, because searching for `nonce="` also finds `cnonce="`.
 * @throws BerthwatchError bad-input
 */
export function parseAuthParams(value: string): { scheme: string; params: Map<string, string> } {
  const scanner = new Scanner(value.trim());
  const scheme = scanner.token('the authentication scheme').toLowerCase();
  const params = new Map<string, string>();
  while (!scanner.skipSpace().atEnd) {
    if (scanner.take(',')) continue;
    const name = scanner.token('a parameter name').toLowerCase();
    scanner.skipSpace().expect('=');
    scanner.skipSpace();
    const text = scanner.peek() === '"' ? scanner.quoted() : scanner.until(', \t');
    if (!params.has(name)) params.set(name, text);
    if (params.size > 32) throw sipError('an authentication header has more than 32 parameters');
  }
  return { scheme, params };
}
