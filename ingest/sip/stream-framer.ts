import { contentLength } from './codec.js';
import { SipHeaders } from './message.js';
import { isToken, sipError } from './scanner.js';
import { TRUSTED_LIMITS, type SipLimits } from './limits.js';
import { splitRequestLine } from './start-line.js';

const MAX_START_LINE = 8192;

/**
 * Cuts SIP messages out of a byte stream (RFC 3261 18.3), whatever the pieces in which it arrives.
 *
 * CRLF between messages is a keep-alive (RFC 5626 4.4.1). Cameras that count Content-Length in characters instead of bytes
 * leave the tail of a body before the next message: such bytes are skipped up to the next line that looks like a start
 * line, at most `maxGarbage` of them in a row. Memory is bounded by the limits: one message and one chunk.
 */
export class StreamFramer {
  #buffer: Buffer = Buffer.alloc(0);
  /** Chunks of a message whose length is known and not reached. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Where the search for the end of the header goes on: bytes before it were looked at. */
  #searched = 0;
  #garbage = 0;
  /** Length of the message whose header is complete, 0 while it is not. */
  #need = 0;
  #limits: SipLimits;
  readonly #maxGarbage: number;
  /** Bytes skipped so far because they belonged to no message. */
  skippedBytes = 0;
  /** CRLF CRLF pings since the last call of `takePings`. */
  #pings = 0;
  #broken: string | null = null;

  constructor(limits: SipLimits = TRUSTED_LIMITS, maxGarbage = 16_384) {
    this.#limits = limits;
    this.#maxGarbage = maxGarbage;
  }

  set limits(limits: SipLimits) {
    this.#limits = limits;
  }

  /** Bytes held. */
  get buffered(): number {
    return this.#buffer.length + this.#waitingBytes;
  }

  /**
   * Why nothing behind the last message can be told apart: its Content-Length is no number. The message was handed out, without a
   * body, so that its sender hears of it (RFC 4475 3.1.2.3); then the connection must be closed.
   */
  get broken(): string | null {
    return this.#broken;
  }

  takePings(): number {
    const pings = this.#pings;
    this.#pings = 0;
    return pings;
  }

  /**
   * Takes a chunk and returns the messages that are complete now.
   * @throws BerthwatchError bad-input where the stream cannot be followed any more; the connection must be closed
   */
  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#broken !== null) return [];
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    // A large body is joined once, when it is complete, not once for every segment of it.
    if (this.buffered < this.#need) return [];
    this.#buffer = Buffer.concat([this.#buffer, ...this.#waiting]);
    this.#waiting = [];
    this.#waitingBytes = 0;
    const messages: Uint8Array[] = [];
    for (;;) {
      if (this.#need === 0 && !this.#readHeader()) return messages;
      if (this.#buffer.length < this.#need) return messages;
      messages.push(this.#buffer.subarray(0, this.#need));
      this.#drop(this.#need);
      if (this.#broken === null) continue;
      this.#buffer = Buffer.alloc(0);
      return messages;
    }
  }

  #drop(count: number): void {
    this.#buffer = this.#buffer.subarray(count);
    this.#searched = 0;
    this.#need = 0;
  }

  /** True when a whole header stands at the front and `#need` says how long its message is. */
  #readHeader(): boolean {
    if (!this.#alignToStartLine()) return false;
    const end = this.#findHeaderEnd();
    if (end < 0) {
      if (this.#buffer.length > this.#limits.maxHeaderBytes) throw sipError(`a header is longer than ${this.#limits.maxHeaderBytes} bytes`);
      return false;
    }
    if (end > this.#limits.maxHeaderBytes) throw sipError(`a header is longer than ${this.#limits.maxHeaderBytes} bytes`);
    const headers = new SipHeaders();
    for (const match of this.#buffer.toString('latin1', 0, end).matchAll(/^(content-length|l)[ \t]*:(?:[ \t]|\r?\n[ \t])*([^\r\n]*)/gim)) {
      headers.add('Content-Length', (match[2] as string).trim());
    }
    const length = contentLength(headers);
    if (typeof length === 'string') {
      this.#broken = `${length}: the next message cannot be found`;
      this.#need = end;
      return true;
    }
    // RFC 3261 20.14 demands the field on streams; without it only an empty body can be meant.
    if ((length ?? 0) > this.#limits.maxBodyBytes) throw sipError(`a body of ${length} bytes is announced, ${this.#limits.maxBodyBytes} are allowed`);
    this.#need = end + (length ?? 0);
    return true;
  }

  /** Removes keep-alives and garbage until a start line (or what may become one) is at the front. */
  #alignToStartLine(): boolean {
    if (this.#searched > 0) return true;
    for (;;) {
      let at = 0;
      while (this.#buffer[at] === 0x0d || this.#buffer[at] === 0x0a) at++;
      if (at > 0) {
        if (at >= 4 && this.#garbage === 0) this.#pings++;
        this.#drop(at);
      }
      if (this.#buffer.length === 0) return false;
      const lineEnd = this.#buffer.indexOf(0x0a);
      const line = this.#buffer.toString('latin1', 0, Math.min(lineEnd < 0 ? this.#buffer.length : lineEnd, MAX_START_LINE));
      if (lineEnd >= 0 ? isStartLine(line) : mayBecomeStartLine(line)) {
        if (lineEnd >= 0) this.#garbage = 0;
        return lineEnd >= 0;
      }
      const skip = this.#skipLength(lineEnd);
      this.#garbage += skip;
      this.skippedBytes += skip;
      if (this.#garbage > this.#maxGarbage) throw sipError(`${this.#garbage} bytes in a row are not SIP`);
      this.#drop(skip);
      if (this.#buffer.length === 0) return false;
    }
  }

  /** Bytes of the bad line to skip; the tail of a body may run straight into a start line ("…fy>MESSAGE sip:… SIP/2.0"). */
  #skipLength(lineEnd: number): number {
    if (lineEnd < 0) return this.#buffer.length;
    const line = this.#buffer.toString('latin1', 0, Math.min(lineEnd, 4096));
    const glued = /(?:REGISTER|MESSAGE|INVITE|ACK|BYE|CANCEL|OPTIONS|INFO|NOTIFY|SUBSCRIBE) sips?:\S+ SIP\/2\.0\r?$|SIP\/2\.0 \d{3} [^\r]*\r?$/.exec(line);
    return glued && glued.index > 0 ? glued.index : lineEnd + 1;
  }

  #findHeaderEnd(): number {
    let at = Math.max(0, this.#searched - 3);
    for (;;) {
      const lf = this.#buffer.indexOf(0x0a, at);
      if (lf < 0) break;
      if (this.#buffer[lf + 1] === 0x0a) return lf + 2;
      if (this.#buffer[lf + 1] === 0x0d && this.#buffer[lf + 2] === 0x0a) return lf + 3;
      at = lf + 1;
    }
    this.#searched = this.#buffer.length;
    return -1;
  }
}

function isStartLine(line: string): boolean {
  const request = splitRequestLine(line);
  return request !== null ? isToken(request.method) : /^SIP\/\d+\.\d+ \d/i.test(line);
}

function mayBecomeStartLine(line: string): boolean {
  // A request line begins with a token and a space; binary noise shows itself within a few bytes.
  return line.length < MAX_START_LINE && /^[A-Za-z0-9\-.!%*_+`'~/]*(?: [^]*)?$/.test(line);
}
