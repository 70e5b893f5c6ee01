import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { mutations } from '../../base/fuzz-target.js';
import { CAMERA_ID, Fixture, PASSWORD } from './testing/fixture.js';
import { header, status, unique } from './testing/test-camera.js';

let fixture: Fixture;
afterEach(() => fixture.close());

const folder = new URL('../sip/corpus/', import.meta.url);
const corpus = readdirSync(folder).filter((name) => name.endsWith('.sip')).map((name) => Uint8Array.from(readFileSync(new URL(name, folder))));

describe('noise on the ports', () => {
  it('does not keep devices from registering: UDP', async () => {
    fixture = await new Fixture().start();
    const noise = await fixture.camera();
    const inputs = mutations(corpus, 5);
    for (let i = 0; i < 2000; i++) {
      noise.sendBytes(i % 4 === 0 ? randomBytes(i % 1400) : inputs.next().value.subarray(0, 8000));
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const camera = await fixture.camera();
    // The datagrams before may have filled the socket: a camera repeats what is lost.
    let answer = '';
    for (let attempt = 0; attempt < 10 && !answer; attempt++) answer = await camera.register(PASSWORD).catch(() => '');
    expect(status(answer)).toBe(200);
    expect(fixture.server.stats.unreadable).toBeGreaterThan(100);
    expect(fixture.server.devices()).toHaveLength(1);
  });

  it('does not keep devices from registering: TCP, and damaged connections are closed', async () => {
    fixture = await new Fixture().start();
    const { tcpPort } = fixture.server.address;
    const inputs = mutations(corpus, 6);
    const closed: Promise<void>[] = [];
    for (let i = 0; i < 60; i++) {
      const socket = connect(tcpPort, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
      for (let n = 0; n < 10; n++) socket.write(i % 3 === 0 ? randomBytes(3000) : inputs.next().value.subarray(0, 4000));
      socket.end();
    }
    const camera = await fixture.registered('TCP');
    expect(status(await camera.ask(camera.keepalive()))).toBe(200);
    await Promise.all(closed);
    expect(status(await camera.ask(camera.keepalive(2)))).toBe(200);
  });

  it('a stranger may not announce a large message, a registered device may send one', async () => {
    fixture = await new Fixture().start();
    const stranger = await fixture.camera('TCP');
    stranger.send(`MESSAGE sip:x@y SIP/2.0\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(100_000)}`);
    while (!stranger.closed) await new Promise((resolve) => setTimeout(resolve, 5));
    const camera = await fixture.registered('TCP');
    const padded = (camera.keepalive().split('\r\n\r\n')[1] as string).replace('</Notify>', `<Info>${'<DeviceID>1</DeviceID>'.repeat(20_000)}</Info></Notify>`);
    expect(status(await camera.ask(camera.message(padded)))).toBe(200);
    expect(fixture.server.device(CAMERA_ID)?.faultyChannels).toHaveLength(256);
  });

  it('a TCP ping is answered', async () => {
    fixture = await new Fixture().start();
    const socket = connect(fixture.server.address.tcpPort, '127.0.0.1');
    const pong = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())));
    socket.write('\r\n\r\n');
    expect(await pong).toBe('\r\n');
    socket.destroy();
  });
});

describe('requests that are refused', () => {
  const cases: [string, (text: string) => string, number][] = [
    ['an unknown method', (text) => text.replaceAll('OPTIONS', 'DANCE'), 501],
    ['a method for others', (text) => text.replaceAll('OPTIONS', 'SUBSCRIBE'), 405],
    ['an unknown scheme', (text) => text.replace(/sip:\S+ SIP/, 'tel:110 SIP'), 416],
    ['a required extension', (text) => text.replace('Max-Forwards', 'Require: 100rel\r\nMax-Forwards'), 420],
    ['another version', (text) => text.replace('SIP/2.0\r\n', 'SIP/3.0\r\n'), 505],
    ['a number out of range', (text) => text.replace('Max-Forwards: 70', 'Max-Forwards: 700'), 400],
  ];
  it.each(cases)('%s', async (_name, change, expected) => {
    fixture = await new Fixture().start();
    const camera = await fixture.camera();
    const answer = await camera.ask(change(camera.request('OPTIONS')));
    expect(status(answer)).toBe(expected);
    if (expected === 405) expect(header(answer, 'Allow')).toContain('REGISTER');
    if (expected === 420) expect(header(answer, 'Unsupported')).toBe('100rel');
  });

  it('a MESSAGE that is not MANSCDP, one that is broken, and a BYE for no call', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    const plain = await camera.ask(camera.request('MESSAGE', { extra: ['Content-Type: text/plain'], body: 'hello' }));
    expect(status(plain)).toBe(415);
    expect(header(plain, 'Accept')).toBe('Application/MANSCDP+xml');
    expect(status(await camera.ask(camera.message('<Notify><CmdType>Keepalive</CmdType>')))).toBe(400);
    expect(status(await camera.ask(camera.request('BYE')))).toBe(481);
    expect(status(await camera.ask(camera.request('CANCEL')))).toBe(481);
  });

  it('requests whose branch is the bare cookie are told apart all the same (RFC 4475 3.2.1)', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.camera();
    const first = camera.request('OPTIONS', { branch: 'z9hG4bK', callId: unique('a') });
    const second = camera.request('OPTIONS', { branch: 'z9hG4bK', callId: unique('b') });
    expect(status(await camera.ask(first))).toBe(200);
    expect(status(await camera.ask(second))).toBe(200);
  });
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ family }) => family === 'IPv6'));

it.skipIf(!hasIpv6)('one socket on "::" serves IPv4 cameras by their plain address', async () => {
  fixture = await new Fixture({ host: '::' }).start();
  for (const transport of ['UDP', 'TCP'] as const) {
    await fixture.registered(transport);
    expect(fixture.server.device(CAMERA_ID)?.address.host).toBe('127.0.0.1');
  }
});

it('a port in use is said so', async () => {
  fixture = await new Fixture().start();
  const other = new Fixture({ port: fixture.server.address.udpPort });
  await expect(other.start()).rejects.toThrow(/SIP cannot listen on UDP 127\.0\.0\.1:\d+: .*EADDRINUSE.*free the port or configure another/);
});

it('300 cameras that come at once are all registered', async () => {
  fixture = await new Fixture().start();
  const cameras = await Promise.all(Array.from({ length: 300 }, (_, i) => fixture.camera(i % 2 ? 'TCP' : 'UDP', `3402000000132${String(i).padStart(7, '0')}`)));
  const answers = await Promise.all(cameras.map((camera) => camera.register(PASSWORD)));
  expect(answers.filter((answer) => status(answer) === 200)).toHaveLength(300);
  expect(fixture.server.devices().filter(({ online }) => online)).toHaveLength(300);
});
