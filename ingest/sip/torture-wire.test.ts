import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { SipEndpoint } from './endpoint.js';
import { TORTURE, tortureBytes, type Outcome } from './torture-outcomes.js';
import { refusalOf } from './uas-checks.js';

/** The torture messages over real sockets against a real endpoint, whose owner takes what its checks let through. */
const METHODS = ['INVITE', 'ACK', 'BYE', 'OPTIONS', 'REGISTER', 'MESSAGE'];
const PROBE = 'probe-after-torture';

let endpoint: SipEndpoint;
let requests: string[] = [];
let strays = 0;

beforeAll(async () => {
  endpoint = new SipEndpoint(
    { host: '127.0.0.1', port: 0, clock: systemClock, logger: silentLogger },
    {
      onRequest: (incoming) => {
        requests.push(incoming.request.headers.get('call-id') ?? '');
        incoming.respond(refusalOf(incoming.request, METHODS) ?? { status: 299, reason: 'Taken' });
      },
      onStrayResponse: () => void strays++,
      onFlowClosed: () => undefined,
    },
  );
  await endpoint.start();
});
afterAll(() => endpoint.close());
beforeEach(() => {
  requests = [];
  strays = 0;
});

const probe = (n: number, transport: string): Buffer =>
  Buffer.from(
    `OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/${transport} 192.0.2.99:5060;rport;branch=z9hG4bK${PROBE}${n}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n` +
      `Call-ID: ${PROBE}-${n}\r\nCSeq: ${n} OPTIONS\r\nContent-Length: 0\r\n\r\n`,
  );

/** Status codes in what came back, in order, with those of the probe left out. */
function statusesIn(text: string): number[] {
  return text
    .split(/(?=SIP\/2\.0 \d{3} )/)
    .filter((part) => part.startsWith('SIP/2.0 ') && !part.includes(PROBE))
    .map((part) => Number(part.slice(8, 11)));
}

const taken = (outcome: Outcome, kind: string): number[] => (outcome === 'drop' || kind === 'response' ? [] : outcome === 'ok' ? [299] : [outcome]);
const cases = Object.entries(TORTURE).map(([name, value]) => ({ name, ...value, kind: tortureBytes(name).subarray(0, 4).toString() === 'SIP/' ? 'response' : 'request' }));
let n = 0;

describe('over UDP', () => {
  it.each(cases)('$name ($clause): $outcome', async ({ name, outcome, kind }) => {
    const socket = createSocket('udp4');
    let heard = '';
    socket.on('message', (bytes) => (heard += bytes.toString('latin1')));
    socket.connect(endpoint.udpPort, '127.0.0.1');
    await once(socket, 'connect');
    socket.send(tortureBytes(name));
    // Loopback keeps the order: when the probe is answered, so is all that came before it.
    socket.send(probe(++n, 'UDP'));
    await vi.waitFor(() => expect(heard).toContain(`${PROBE}-${n}`), { timeout: 20_000, interval: 2 });
    socket.close();
    expect(statusesIn(heard)).toEqual(taken(outcome, kind));
    // Their Via names another: what comes astray is nobody's answer (RFC 3261 18.1.2).
    expect(strays).toBe(0);
    // Refused with 400 or 505, a request never reaches the owner; the owner's own checks come after.
    expect(requests.length).toBe(1 + (kind === 'request' && outcome !== 'drop' && outcome !== 400 && outcome !== 505 ? 1 : 0));
  });
});

describe('over TCP', () => {
  it.each(cases)('$name ($clause): $outcome, on a stream $tcp', async ({ name, outcome, kind, tcp }) => {
    const socket = connect(endpoint.tcpPort, '127.0.0.1');
    let heard = '';
    let closed = false;
    socket.on('data', (bytes) => (heard += bytes.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => (closed = true));
    await once(socket, 'connect');
    socket.write(tortureBytes(name));
    if (tcp === 'closes') await vi.waitFor(() => expect(closed).toBe(true), { timeout: 20_000, interval: 2 });
    else if (tcp === 'waits') {
      // Another connection is served meanwhile.
      const other = connect(endpoint.tcpPort, '127.0.0.1');
      let said = '';
      other.on('data', (bytes) => (said += bytes.toString('latin1')));
      other.write(probe(++n, 'TCP'));
      await vi.waitFor(() => expect(said).toContain(`${PROBE}-${n}`), { timeout: 20_000, interval: 2 });
      other.destroy();
      expect(closed).toBe(false);
    } else {
      socket.write(probe(++n, 'TCP'));
      await vi.waitFor(() => expect(heard).toContain(`${PROBE}-${n}`), { timeout: 20_000, interval: 2 });
    }
    socket.destroy();
    expect(statusesIn(heard)).toEqual(tcp === 'waits' ? [] : taken(outcome, kind));
  });
});
