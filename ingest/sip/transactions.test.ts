import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import { makeResponse } from './build.js';
import { cancelFor, InviteClientTransaction, NonInviteClientTransaction } from './client-transaction.js';
import { SipHeaders, NO_BODY, type SipRequest, type SipResponse } from './message.js';
import { InviteServerTransaction, NonInviteServerTransaction } from './server-transaction.js';
import { RFC_TIMERS } from './timers.js';

const request = (method: string): SipRequest => ({
  kind: 'request',
  method,
  uri: 'sip:cam@192.0.2.1',
  headers: SipHeaders.of([
    ['Via', 'SIP/2.0/UDP 192.0.2.9:5060;rport;branch=z9hG4bKabc'],
    ['From', '<sip:s@d>;tag=1'],
    ['To', '<sip:cam@d>'],
    ['Call-ID', 'c1'],
    ['CSeq', `4 ${method}`],
  ]),
  body: NO_BODY,
});
const answer = (to: SipRequest, status: number): SipResponse => makeResponse(to, { status }, 'tag9', { host: '192.0.2.9', port: 5060 });

let clock: ManualClock;
let log: string[];
const now = (): number => clock.monotonic();
const firstLine = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1').split('\r\n')[0] as string;
const clientHooks = () => ({
  send: (bytes: Uint8Array) => void log.push(`${now()} ${firstLine(bytes).split(' ')[0]}`),
  onResponse: (response: SipResponse) => void log.push(`${now()} <${response.status}`),
  onTimeout: () => void log.push(`${now()} timeout`),
  onTerminated: () => void log.push(`${now()} end`),
});
const serverHooks = () => ({
  send: (bytes: Uint8Array) => void log.push(`${now()} ${firstLine(bytes).split(' ')[1]}`),
  onUnacknowledged: () => void log.push(`${now()} unacknowledged`),
  onTerminated: () => void log.push(`${now()} end`),
});

beforeEach(() => {
  clock = new ManualClock();
  log = [];
});

describe('client, other than INVITE (RFC 3261 figure 6)', () => {
  it('repeats at T1, doubling up to T2, and gives up after 64*T1', () => {
    new NonInviteClientTransaction(request('MESSAGE'), false, RFC_TIMERS, clock, clientHooks()).start();
    clock.advance(40_000);
    expect(log).toEqual([0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map((ms) => `${ms} MESSAGE`).concat('32000 timeout', '32000 end'));
  });

  it('repeats every T2 once a provisional response came', () => {
    const transaction = new NonInviteClientTransaction(request('MESSAGE'), false, RFC_TIMERS, clock, clientHooks());
    transaction.start();
    clock.advance(100);
    transaction.receive(answer(transaction.request, 100));
    clock.advance(9000);
    expect(log).toEqual(['0 MESSAGE', '100 <100', '500 MESSAGE', '4500 MESSAGE', '8500 MESSAGE']);
  });

  it('reports the final response once and absorbs its repetitions for T4', () => {
    const transaction = new NonInviteClientTransaction(request('BYE'), false, RFC_TIMERS, clock, clientHooks());
    transaction.start();
    transaction.receive(answer(transaction.request, 200));
    transaction.receive(answer(transaction.request, 200));
    clock.advance(60_000);
    expect(log).toEqual(['0 BYE', '0 <200', '5000 end']);
  });

  it('never repeats on a connection', () => {
    new NonInviteClientTransaction(request('BYE'), true, RFC_TIMERS, clock, clientHooks()).start();
    clock.advance(60_000);
    expect(log).toEqual(['0 BYE', '32000 timeout', '32000 end']);
  });
});

describe('client, INVITE (RFC 3261 figure 5, RFC 6026)', () => {
  it('repeats doubling without bound and gives up by timer B', () => {
    new InviteClientTransaction(request('INVITE'), false, RFC_TIMERS, clock, clientHooks()).start();
    clock.advance(40_000);
    expect(log).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500].map((ms) => `${ms} INVITE`).concat('32000 timeout', '32000 end'));
  });

  it('stops repeating at 100 and then waits as long as its owner likes', () => {
    const transaction = new InviteClientTransaction(request('INVITE'), false, RFC_TIMERS, clock, clientHooks());
    transaction.start();
    transaction.receive(answer(transaction.request, 100));
    clock.advance(100_000);
    transaction.receive(answer(transaction.request, 200));
    transaction.receive(answer(transaction.request, 200));
    clock.advance(40_000);
    expect(log).toEqual(['0 INVITE', '0 <100', '100000 <200', '100000 <200', '132000 end']);
  });

  it('acknowledges a refusal itself, as often as it comes', () => {
    const transaction = new InviteClientTransaction(request('INVITE'), false, RFC_TIMERS, clock, clientHooks());
    transaction.start();
    transaction.receive(answer(transaction.request, 486));
    clock.advance(1000);
    transaction.receive(answer(transaction.request, 486));
    clock.advance(60_000);
    expect(log).toEqual(['0 INVITE', '0 ACK', '0 <486', '1000 ACK', '32000 end']);
  });

  it('cancels with the same Via and number', () => {
    const cancel = cancelFor(request('INVITE'));
    expect(cancel.headers.get('via')).toBe('SIP/2.0/UDP 192.0.2.9:5060;rport;branch=z9hG4bKabc');
    expect(cancel.headers.get('cseq')).toBe('4 CANCEL');
  });
});

describe('server, other than INVITE (RFC 3261 figure 8)', () => {
  it('repeats its last response when the request comes again, and forgets after 64*T1', () => {
    const asked = request('MESSAGE');
    const transaction = new NonInviteServerTransaction(asked, false, RFC_TIMERS, clock, serverHooks());
    transaction.retransmitted();
    transaction.respond(answer(asked, 200));
    // Thousands of these are remembered: only the answer is kept.
    expect(transaction.request).toBeNull();
    transaction.respond(answer(asked, 500));
    transaction.retransmitted();
    clock.advance(60_000);
    expect(log).toEqual(['0 200', '0 200', '32000 end']);
  });
});

describe('server, INVITE (RFC 3261 figure 7)', () => {
  it('repeats a refusal until it is acknowledged', () => {
    const asked = request('INVITE');
    const transaction = new InviteServerTransaction(asked, false, RFC_TIMERS, clock, serverHooks());
    transaction.respond(answer(asked, 488));
    clock.advance(1600);
    transaction.acknowledged();
    clock.advance(60_000);
    expect(log).toEqual(['0 488', '500 488', '1500 488', '6600 end']);
  });

  it('gives up by timer H where no ACK comes', () => {
    const asked = request('INVITE');
    const transaction = new InviteServerTransaction(asked, false, RFC_TIMERS, clock, serverHooks());
    transaction.respond(answer(asked, 200));
    clock.advance(60_000);
    expect(log.slice(-2)).toEqual(['32000 unacknowledged', '32000 end']);
    expect(log.filter((line) => line.endsWith(' 200')).map((line) => Number.parseInt(line, 10))).toEqual([0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
  });

  it('does not repeat a refusal on a connection', () => {
    const asked = request('INVITE');
    const transaction = new InviteServerTransaction(asked, true, RFC_TIMERS, clock, serverHooks());
    transaction.respond(answer(asked, 404));
    clock.advance(5000);
    expect(log).toEqual(['0 404']);
  });
});
