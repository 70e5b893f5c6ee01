import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseMessage, serializeMessage } from './codec.js';
import { listValues, parseCSeq, parseNameAddr, parseUri, parseVia } from './header-values.js';
import type { SipMessage } from './message.js';
import { refusalOf } from './uas-checks.js';
import { faultOf } from './validate.js';

/**
 * Messages of our own in the manner of RFC 4475, each with the clause that it follows and the outcome named there:
 * `ok`, a status code of refusal, or `drop` for what must not be answered.
 */
const folder = new URL('./corpus/', import.meta.url);
const read = (name: string): Uint8Array => readFileSync(new URL(`${name}.sip`, folder));

const OUTCOMES: Record<string, [clause: string, outcome: 'ok' | 'drop' | number]> = {
  'valid-folding-and-compact': ['3.1.1.1', 'ok'],
  'valid-wide-characters': ['3.1.1.2', 501],
  'valid-escapes': ['3.1.1.3', 'ok'],
  'valid-escaped-nul': ['3.1.1.4', 'ok'],
  'valid-escaped-method-is-unknown': ['3.1.1.5', 501],
  'valid-no-space-before-bracket': ['3.1.1.6', 'ok'],
  'valid-long-values': ['3.1.1.7', 'ok'],
  'valid-octets-after-the-body': ['3.1.1.8', 'ok'],
  'valid-semicolon-in-user': ['3.1.1.9', 'ok'],
  'valid-unknown-transports': ['3.1.1.10', 'ok'],
  'valid-multipart-with-nul': ['3.1.1.11', 'ok'],
  'valid-reason-not-ascii': ['3.1.1.12', 'ok'],
  'valid-reason-empty': ['3.1.1.13', 'ok'],
  'bad-empty-parameters': ['3.1.2.1', 400],
  'bad-length-too-large': ['3.1.2.2', 400],
  'bad-length-negative': ['3.1.2.3', 400],
  'bad-scalars-overflow': ['3.1.2.4', 400],
  'bad-scalars-overflow-response': ['3.1.2.5', 'drop'],
  'bad-unterminated-quote': ['3.1.2.6', 400],
  'bad-brackets-around-uri': ['3.1.2.7', 400],
  'bad-space-in-uri': ['3.1.2.8', 400],
  'bad-two-spaces-in-start-line': ['3.1.2.9', 400],
  'valid-trailing-space-in-start-line': ['3.1.2.10, the liberal choice', 'ok'],
  'bad-headers-in-uri': ['3.1.2.11', 400],
  'valid-date-in-odd-zone': ['3.1.2.12, the liberal choice', 'ok'],
  'bad-contact-unbracketed': ['3.1.2.13', 400],
  'valid-space-inside-brackets': ['3.1.2.14, the liberal choice', 'ok'],
  'valid-comma-in-bare-display': ['3.1.2.15, the liberal choice', 'ok'],
  'bad-version': ['3.1.2.16', 505],
  'bad-method-mismatch': ['3.1.2.17', 400],
  'bad-unknown-method-mismatch': ['3.1.2.18', 400],
  'bad-status-code-overflow': ['3.1.2.19', 'drop'],
  'valid-empty-branch': ['3.2.1', 'ok'],
  'bad-missing-fields': ['3.3.1', 400],
  'valid-unknown-scheme': ['3.3.2', 416],
  'valid-unknown-scheme-with-dots': ['3.3.3', 416],
  'valid-required-extension': ['3.3.5', 420],
  'valid-unknown-body-type': ['3.3.6, refused by the owner with 415', 'ok'],
  'valid-unknown-auth-scheme': ['3.3.7, challenged by the owner', 'ok'],
  'bad-several-single-values': ['3.3.8', 400],
  'bad-two-lengths': ['3.3.9', 400],
  'valid-max-forwards-zero': ['3.3.11', 'ok'],
  'valid-contact-parameters': ['3.3.12', 'ok'],
  'valid-contact-parameters-in-brackets': ['3.3.13', 'ok'],
  'valid-escaped-route-in-contact': ['3.3.14', 'ok'],
  'valid-rfc2543': ['3.4.1', 'ok'],
  'valid-bare-lf': ['not in the RFC', 'ok'],
  'valid-manscdp-keepalive': ['not in the RFC', 'ok'],
  'valid-register-authorized': ['not in the RFC', 'ok'],
  'bad-header-without-colon': ['not in the RFC', 400],
  'bad-truncated': ['not in the RFC', 400],
  'bad-garbage': ['not in the RFC', 'drop'],
  'bad-empty-line-only': ['not in the RFC', 'drop'],
  'bad-http': ['not in the RFC', 'drop'],
  'bad-rtp': ['not in the RFC', 'drop'],
};

const METHODS = ['INVITE', 'ACK', 'BYE', 'OPTIONS', 'REGISTER', 'MESSAGE'];

function outcome(bytes: Uint8Array): 'ok' | 'drop' | number {
  let message: SipMessage;
  let fault;
  try {
    ({ message, fault } = parseMessage(bytes));
  } catch {
    return 'drop';
  }
  fault ??= faultOf(message);
  if (message.kind === 'response') return fault ? 'drop' : 'ok';
  return fault?.status ?? refusalOf(message, METHODS)?.status ?? 'ok';
}

it('every file of the corpus has an outcome, and none is missing', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.sip')).map((name) => name.slice(0, -4));
  expect(files.sort()).toEqual(Object.keys(OUTCOMES).sort());
});

it.each(Object.entries(OUTCOMES).map(([name, [clause, expected]]) => ({ name, clause, expected })))('$name ($clause): $expected', ({ name, expected }) => {
  expect(outcome(read(name))).toBe(expected);
});

it('whatever is accepted means the same after being written and read again', () => {
  const accepted = Object.entries(OUTCOMES).filter(([, [, expected]]) => expected === 'ok');
  for (const [name] of accepted) {
    const { message } = parseMessage(read(name));
    const again = parseMessage(serializeMessage(message)).message;
    const plain = (of: SipMessage): unknown => ({ ...of, body: Buffer.from(of.body), headers: of.headers.fields().filter((field) => field.name.toLowerCase() !== 'content-length') });
    expect(plain(again), name).toEqual(plain(message));
  }
});

it('the folded INVITE is understood in every part', () => {
  const { message } = parseMessage(read('valid-folding-and-compact'));
  const { headers } = message;
  expect(message).toMatchObject({ kind: 'request', method: 'INVITE', uri: 'sip:kerb@lot-9.example.cn;oddparam' });
  expect(parseNameAddr(headers.get('to') as string)).toMatchObject({ uri: 'sip:kerb@lot-9.example.cn', params: new Map([['tag', '77120n']]) });
  expect(parseNameAddr(headers.get('from') as string)).toMatchObject({ display: 'P Warden \\"', uri: 'sip:warden@example.cn', params: new Map([['tag', '5kk1']]) });
  expect(parseCSeq(headers.get('cseq') as string)).toEqual({ number: 9, method: 'INVITE' });
  const vias = listValues(headers, 'via').map(parseVia);
  expect(vias.map(({ transport, host, params }) => [transport, host, params.get('branch')])).toEqual([
    ['UDP', '192.0.2.9', '52knrs'],
    ['TCP', 'yard.example.cn', 'z9hG4bK7abc'],
    ['UDP', '192.168.200.3', 'z9hG4bK88001'],
  ]);
  expect(headers.get('subject')).toBe('');
  expect(headers.get('newheader')).toBe('first and second');
  expect(parseNameAddr(headers.get('contact') as string)).toMatchObject({ display: 'A quoted "name"', params: new Map([['newparam', 'newvalue'], ['secondparam', null], ['q', '0.33']]) });
  expect(Buffer.from(message.body).toString()).toBe('v=0\r\n');
});

it('URIs keep what may stand in their user part', () => {
  expect(parseUri('sip:user;par=u%40example.net@example.cn')).toMatchObject({ user: 'user;par=u%40example.net', host: 'example.cn' });
  expect(parseUri('sip:a@[2001:db8::9]:5061;transport=tcp')).toMatchObject({ host: '2001:db8::9', port: 5061, params: new Map([['transport', 'tcp']]) });
  const { message } = parseMessage(read('valid-wide-characters'));
  expect(message.kind === 'request' && parseUri(message.uri).host).toBe('example.cn');
});

it('octets behind the announced length belong to nobody', () => {
  expect(parseMessage(read('valid-octets-after-the-body')).message.body).toHaveLength(0);
  expect(Buffer.from(parseMessage(read('valid-multipart-with-nul')).message.body).includes(Buffer.from([0, 1, 2, 255, 0]))).toBe(true);
});
