import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseMessage, serializeMessage } from './codec.js';
import { listValues, parseCSeq, parseNameAddr, parseUri, parseVia } from './header-values.js';
import type { SipMessage } from './message.js';
import { RFC_4475, TORTURE, tortureBytes as read, tortureFolder, type Outcome } from './torture-outcomes.js';
import { refusalOf } from './uas-checks.js';
import { faultOf } from './validate.js';

const METHODS = ['INVITE', 'ACK', 'BYE', 'OPTIONS', 'REGISTER', 'MESSAGE'];

function outcome(bytes: Uint8Array): Outcome {
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

it('every file of the corpus has an outcome, none is missing, and every message of RFC 4475 has its counterpart', () => {
  const files = readdirSync(tortureFolder).filter((name) => name.endsWith('.sip')).map((name) => name.slice(0, -4));
  expect(files.sort()).toEqual(Object.keys(TORTURE).sort());
  const clauses = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}.${i + 1}`);
  expect(Object.values(RFC_4475).map(({ clause }) => /^[\d.]+/.exec(clause)?.[0])).toEqual([...clauses('3.1.1', 13), ...clauses('3.1.2', 19), '3.2.1', ...clauses('3.3', 15), '3.4.1']);
});

it.each(Object.entries(TORTURE).map(([name, { clause, outcome: expected }]) => ({ name, clause, expected })))('$name ($clause): $expected', ({ name, expected }) => {
  expect(outcome(read(name))).toBe(expected);
});

it('whatever is accepted means the same after being written and read again', () => {
  const accepted = Object.entries(TORTURE).filter(([, { outcome: expected }]) => expected === 'ok');
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
