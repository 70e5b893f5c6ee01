import { endOfHeaders, header, parseHead, type SipMessage } from './message.js';

/** A platform that sends more than this without a message end is broken, or not a platform. */
const LIMIT = 1 << 20;

/** Cuts a TCP byte stream into SIP messages by Content-Length (RFC 3261 §18.3); CRLF keep-alives between them are skipped. */
export class StreamFramer {
  private pending: Buffer = Buffer.alloc(0);

  /** Feeds a chunk; returns the messages completed by it. Throws when the stream cannot be SIP: the caller closes it. */
  push(chunk: Buffer): SipMessage[] {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const messages: SipMessage[] = [];
    for (;;) {
      let from = 0;
      while (from < this.pending.length && (this.pending[from] === 0x0d || this.pending[from] === 0x0a)) from += 1;
      this.pending = this.pending.subarray(from);
      const end = endOfHeaders(this.pending);
      if (end < 0) break;
      const message = parseHead(this.pending.subarray(0, end).toString('utf8'));
      if (!message) throw new Error('the stream does not carry SIP');
      const length = Number(header(message, 'content-length') ?? 0);
      if (!Number.isInteger(length) || length < 0 || length > LIMIT) throw new Error('Content-Length out of range');
      if (this.pending.length < end + length) break;
      message.body = Buffer.from(this.pending.subarray(end, end + length));
      messages.push(message);
      this.pending = this.pending.subarray(end + length);
    }
    if (this.pending.length > LIMIT) throw new Error('no end of message within 1 MiB');
    return messages;
  }
}
