import { readFileSync } from 'node:fs';

/**
 * FOR TESTS: messages of our own in the manner of RFC 4475 (all 49) and RFC 5118, each with its clause and the outcome that is
 * named there for an element like ours: user agent and registrar, no proxy.
 *
 * - `ok`: understood; a request reaches the owner, a response is looked up (and is nobody's: its Via names another)
 * - a status code: refused with it before the owner hears of it
 * - `drop`: not answered, and nobody hears of it
 */
export type Outcome = 'ok' | 'drop' | number;

export interface TortureCase {
  clause: string;
  outcome: Outcome;
  /**
   * What a byte stream does where a datagram's outcome cannot hold: `waits` for the bytes that were announced; `closes` the
   * connection behind the answer, because nobody knows where the next message begins; `resumes` at the next start line.
   */
  tcp?: 'waits' | 'closes' | 'resumes';
}

const liberal = ', the liberal choice';

export const RFC_4475: Readonly<Record<string, TortureCase>> = {
  'valid-folding-and-compact': { clause: '3.1.1.1', outcome: 'ok' },
  'valid-wide-characters': { clause: '3.1.1.2', outcome: 501 },
  'valid-escapes': { clause: '3.1.1.3', outcome: 'ok' },
  'valid-escaped-nul': { clause: '3.1.1.4', outcome: 'ok' },
  'valid-escaped-method-is-unknown': { clause: '3.1.1.5', outcome: 501 },
  'valid-no-space-before-bracket': { clause: '3.1.1.6', outcome: 'ok' },
  'valid-long-values': { clause: '3.1.1.7', outcome: 'ok' },
  // On a stream the octets behind the body are not part of it: they are skipped up to the next start line.
  'valid-octets-after-the-body': { clause: '3.1.1.8', outcome: 'ok', tcp: 'resumes' },
  'valid-semicolon-in-user': { clause: '3.1.1.9', outcome: 'ok' },
  'valid-unknown-transports': { clause: '3.1.1.10', outcome: 'ok' },
  'valid-multipart-with-nul': { clause: '3.1.1.11', outcome: 'ok' },
  'valid-reason-not-ascii': { clause: '3.1.1.12', outcome: 'ok' },
  'valid-reason-empty': { clause: '3.1.1.13', outcome: 'ok' },
  'bad-empty-parameters': { clause: '3.1.2.1', outcome: 400 },
  'bad-length-too-large': { clause: '3.1.2.2', outcome: 400, tcp: 'waits' },
  'bad-length-negative': { clause: '3.1.2.3', outcome: 400, tcp: 'closes' },
  'bad-scalars-overflow': { clause: '3.1.2.4', outcome: 400 },
  'bad-scalars-overflow-response': { clause: '3.1.2.5', outcome: 'drop' },
  'bad-unterminated-quote': { clause: '3.1.2.6', outcome: 400 },
  'bad-brackets-around-uri': { clause: '3.1.2.7', outcome: 400 },
  'bad-space-in-uri': { clause: '3.1.2.8', outcome: 400 },
  'bad-two-spaces-in-start-line': { clause: '3.1.2.9', outcome: 400 },
  'valid-trailing-space-in-start-line': { clause: `3.1.2.10${liberal}`, outcome: 'ok' },
  'bad-headers-in-uri': { clause: '3.1.2.11', outcome: 400 },
  'valid-date-in-odd-zone': { clause: `3.1.2.12${liberal}`, outcome: 'ok' },
  'bad-contact-unbracketed': { clause: '3.1.2.13', outcome: 400 },
  'valid-space-inside-brackets': { clause: `3.1.2.14${liberal}`, outcome: 'ok' },
  'valid-comma-in-bare-display': { clause: `3.1.2.15${liberal}`, outcome: 'ok' },
  'bad-version': { clause: '3.1.2.16', outcome: 505 },
  'bad-method-mismatch': { clause: '3.1.2.17', outcome: 400 },
  'bad-unknown-method-mismatch': { clause: '3.1.2.18', outcome: 400 },
  'bad-status-code-overflow': { clause: '3.1.2.19', outcome: 'drop' },
  'valid-empty-branch': { clause: '3.2.1', outcome: 'ok' },
  'bad-missing-fields': { clause: '3.3.1', outcome: 400 },
  'valid-unknown-scheme': { clause: '3.3.2', outcome: 416 },
  'valid-unknown-scheme-with-dots': { clause: '3.3.3', outcome: 416 },
  'valid-unknown-schemes-in-headers': { clause: '3.3.4: such URIs are no syntax error; the registrar decides', outcome: 'ok' },
  'valid-required-extension': { clause: '3.3.5', outcome: 420 },
  'valid-unknown-body-type': { clause: '3.3.6: the owner refuses with 415', outcome: 'ok' },
  'valid-unknown-auth-scheme': { clause: '3.3.7: the owner challenges', outcome: 'ok' },
  'bad-several-single-values': { clause: '3.3.8', outcome: 400 },
  'bad-two-lengths': { clause: '3.3.9', outcome: 400, tcp: 'closes' },
  'stray-broadcast-via': { clause: '3.3.10: never forwarded', outcome: 'ok' },
  'valid-max-forwards-zero': { clause: '3.3.11: who is addressed answers', outcome: 'ok' },
  'valid-contact-parameters': { clause: '3.3.12', outcome: 'ok' },
  'valid-contact-parameters-in-brackets': { clause: '3.3.13', outcome: 'ok' },
  'valid-escaped-route-in-contact': { clause: '3.3.14', outcome: 'ok' },
  'valid-unacceptable-accept': { clause: '3.3.15: the owner refuses', outcome: 'ok' },
  'valid-rfc2543': { clause: '3.4.1', outcome: 'ok' },
};

export const RFC_5118: Readonly<Record<string, TortureCase>> = {
  'v6-reference': { clause: '4.1', outcome: 'ok' },
  'v6-bad-reference': { clause: '4.2', outcome: 400 },
  'v6-port-inside-brackets': { clause: '4.3', outcome: 'ok' },
  'v6-port-outside-brackets': { clause: '4.4', outcome: 'ok' },
  'v6-received-with-brackets': { clause: '4.5', outcome: 'ok' },
  'v6-received-without-brackets': { clause: '4.5', outcome: 'ok' },
  'v6-in-sdp': { clause: '4.6', outcome: 'ok' },
  'v6-and-v4-in-headers': { clause: '4.7', outcome: 'ok' },
  'v6-and-v4-in-sdp': { clause: '4.8', outcome: 'ok' },
  'v6-mapped-v4': { clause: '4.9', outcome: 'ok' },
  'v6-three-colons': { clause: `4.10${liberal}`, outcome: 'ok' },
};

/** What cameras and scanners send besides. */
export const OURS: Readonly<Record<string, TortureCase>> = {
  'valid-bare-lf': { clause: 'not in the RFC', outcome: 'ok' },
  'valid-manscdp-keepalive': { clause: 'not in the RFC', outcome: 'ok', tcp: 'resumes' },
  'valid-register-authorized': { clause: 'not in the RFC', outcome: 'ok' },
  'bad-header-without-colon': { clause: 'not in the RFC', outcome: 400 },
  'bad-truncated': { clause: 'not in the RFC', outcome: 400, tcp: 'waits' },
  'bad-garbage': { clause: 'not in the RFC', outcome: 'drop' },
  'bad-empty-line-only': { clause: 'not in the RFC', outcome: 'drop' },
  'bad-http': { clause: 'not in the RFC', outcome: 'drop' },
  'bad-rtp': { clause: 'not in the RFC', outcome: 'drop' },
};

export const TORTURE: Readonly<Record<string, TortureCase>> = { ...RFC_4475, ...RFC_5118, ...OURS };

export const tortureFolder = new URL('./corpus/', import.meta.url);

export function tortureBytes(name: string): Buffer {
  return readFileSync(new URL(`${name}.sip`, tortureFolder));
}
