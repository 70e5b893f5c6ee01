import { sipError, excerpt, isToken } from './scanner.js';
import { NO_BODY, SipHeaders, type SipFault, type SipMessage } from './message.js';
import { TRUSTED_LIMITS, type SipLimits } from './limits.js';
import { splitRequestLine } from './start-line.js';

/**
 * SIP on bytes (RFC 3261 clauses 7 and 25).
 *
 *     INVITE sip:channel@host SIP/2.0 CRLF        or  SIP/2.0 200 OK CRLF
 *     Name: value CRLF  [SP continued CRLF]           folded lines are joined by one space
 *     CRLF
 *     body of Content-Length bytes
 *
 * A bare LF is accepted where CRLF should stand.
 */

export interface ParsedMessage {
  message: SipMessage;
  /** Set where the message could be read but must be refused: a request is answered with it, a response dropped. */
  fault: SipFault | null;
}

const STATUS_LINE = /^SIP\/(\d+)\.(\d+) (\d+)(?: (.*))?$/i;
const CR = 0x0d;
const LF = 0x0a;

/** The header lines (unfolded) and the offset at which the body begins; `ended` is false where the empty line is missing. */
function readLines(buffer: Buffer, limits: SipLimits): { lines: string[]; bodyAt: number; ended: boolean } {
  const lines: string[] = [];
  let at = 0;
  // RFC 3261 7.5: empty lines before the start line are ignored.
  while (at < buffer.length && (buffer[at] === CR || buffer[at] === LF)) at++;
  const from = at;
  while (at < buffer.length) {
    const found = buffer.indexOf(LF, at);
    const next = found < 0 ? buffer.length : found + 1;
    if (next - from > limits.maxHeaderBytes) throw sipError(`the header is longer than ${limits.maxHeaderBytes} bytes`);
    let end = found < 0 ? buffer.length : found;
    if (end > at && buffer[end - 1] === CR) end--;
    const line = buffer.toString('latin1', at, end);
    at = next;
    if (line === '') return { lines, bodyAt: at, ended: true };
    const folded = line[0] === ' ' || line[0] === '\t';
    if (folded && lines.length > 1) lines[lines.length - 1] += ` ${line.trim()}`;
    else if (lines.length > limits.maxHeaders) throw sipError(`the message has more than ${limits.maxHeaders} header fields`);
    else lines.push(line);
  }
  return { lines, bodyAt: at, ended: false };
}

function parseStartLine(line: string): ParsedMessage {
  const status = STATUS_LINE.exec(line);
  if (status) {
    const code = Number(status[3]);
    if (status[1] !== '2' || status[2] !== '0') throw sipError(`a response of SIP version ${status[1]}.${status[2]}`);
    if (!/^[1-6]\d\d$/.test(status[3] as string)) throw sipError(`"${excerpt(status[3] as string, 16)}" is not a status code`);
    return { message: { kind: 'response', status: code, reason: status[4] ?? '', headers: new SipHeaders(), body: NO_BODY }, fault: null };
  }
  const request = splitRequestLine(line);
  if (!request) throw sipError(`"${excerpt(line)}" is not the start of a SIP message`);
  const { method, uri } = request;
  if (!isToken(method)) throw sipError(`"${excerpt(method)}" is not a method`);
  let fault: SipFault | null = null;
  if (request.major !== 2 || request.minor !== 0) fault = { status: 505, reason: `SIP/${request.major}.${request.minor} is not spoken here` };
  else if (!request.clean) fault = { status: 400, reason: 'Request line is not "method SP uri SP version"' };
  return { message: { kind: 'request', method, uri, headers: new SipHeaders(), body: NO_BODY }, fault };
}

/**
 * The value of Content-Length: null where the field is missing.
 * A text instead of a number is the reason for refusal (negative, not a number, two that differ: RFC 4475 3.1.2.3, 3.3.9).
 */
export function contentLength(headers: SipHeaders): number | null | string {
  const values = headers.all('content-length').map((value) => value.trim());
  if (values.length === 0) return null;
  if (values.some((value) => value !== values[0])) return 'Content-Length occurs twice with different values';
  if (!/^\d{1,10}$/.test(values[0] as string)) return 'Content-Length is not a number';
  return Number(values[0]);
}

/**
 * Reads one message. Bytes behind Content-Length are ignored (RFC 3261 18.3).
 * @param bytes one datagram, or one message cut from a stream by `StreamFramer`
 * @throws BerthwatchError bad-input where not even a start line and fields can be told apart, or a limit is passed
 */
export function parseMessage(bytes: Uint8Array, limits: SipLimits = TRUSTED_LIMITS): ParsedMessage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { lines, bodyAt, ended } = readLines(buffer, limits);
  const startLine = lines[0];
  if (startLine === undefined) throw sipError('the message is empty');
  const { message, fault: startFault } = parseStartLine(startLine);
  let fault = startFault;
  const refuse = (reason: string): void => void (fault ??= { status: 400, reason });
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trimEnd();
    if (colon < 0 || !isToken(name)) refuse('A header line has no valid name');
    else message.headers.add(name, line.slice(colon + 1).trim());
    if (line.includes('\r')) refuse('A header line holds a bare carriage return');
  }
  if (!ended) refuse('The header does not end with an empty line');
  const available = buffer.length - bodyAt;
  const declared = contentLength(message.headers);
  let length = available;
  if (typeof declared === 'string') refuse(declared);
  else if (declared !== null && declared > available) refuse('Content-Length is larger than the body');
  else if (declared !== null) length = declared;
  if (length > limits.maxBodyBytes) throw sipError(`the body is longer than ${limits.maxBodyBytes} bytes`);
  message.body = length === 0 ? NO_BODY : bytes.subarray(bodyAt, bodyAt + length);
  return { message, fault };
}

/** Line breaks inside a value would let a peer's text write header fields of ours. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/** Writes a message; Content-Length is always the body's true length in bytes. */
export function serializeMessage(message: SipMessage): Buffer {
  const start =
    message.kind === 'request' ? `${message.method} ${oneLine(message.uri)} SIP/2.0` : `SIP/2.0 ${message.status} ${oneLine(message.reason)}`;
  let head = `${start}\r\n`;
  for (const { name, value } of message.headers.fields()) {
    if (name.toLowerCase() !== 'content-length') head += `${name}: ${oneLine(value)}\r\n`;
  }
  head += `Content-Length: ${message.body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), message.body]);
}
