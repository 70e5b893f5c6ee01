import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { mutations } from '../../base/fuzz-target.js';
import { silentLogger } from '../../base/logger.js';
import { ManualClock } from '../../base/manual-clock.js';
import type { AccessUnit } from '../access-unit.js';
import { MediaReceiver, type MediaReceiverOptions } from './media-receiver.js';
import { SharedMediaPort, type SharedMediaPortOptions } from './shared-media-port.js';
import { fixture, picturesOf, streamPackets } from './test-muxer.js';

const A = 200_000_001;
const B = 200_000_002;
const OWN = 77;
const pictures = picturesOf(fixture('h264.es'), 'h264');
const stream = (ssrc: number, sequence = 0): Buffer[] => streamPackets(pictures, (i) => ({ pts: i * 3600 }), { ssrc, mtu: 400 }, { sequence, timestamp: 0 });
const LENGTH = stream(A).length;
const framed = (packets: readonly Buffer[]): Buffer => Buffer.concat(packets.flatMap((p) => [Buffer.from([p.length >> 8, p.length & 0xff]), p]));

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 5 });

async function shared(options: Partial<SharedMediaPortOptions> = {}): Promise<SharedMediaPort> {
  const port = new SharedMediaPort({ host: '127.0.0.1', port: 0, clock: systemClock, logger: silentLogger, firstPacketTimeoutMs: 10_000, ...options });
  await port.start();
  cleanups.push(() => port.close());
  return port;
}

interface Stream {
  receiver: MediaReceiver;
  units: AccessUnit[];
}

async function awaited(port: SharedMediaPort, cameraId: string, expectedSsrc: number, peer: string, options: Partial<MediaReceiverOptions> = {}): Promise<Stream> {
  const units: AccessUnit[] = [];
  const receiver = new MediaReceiver({
    host: '127.0.0.1',
    ports: 0,
    shared: port,
    transport: 'udp',
    cameraId,
    expectedSsrc,
    strictSsrc: false,
    clock: systemClock,
    logger: silentLogger,
    firstPacketTimeoutMs: 10_000,
    silenceTimeoutMs: 10_000,
    onUnit: (unit) => units.push(unit),
    onEvent: () => undefined,
    ...options,
  });
  cleanups.push(() => receiver.close());
  expect((await receiver.start()).port).toBe(port.port);
  receiver.bindPeer(peer);
  return { receiver, units };
}

async function sender(host: string): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, host);
  await once(socket, 'listening');
  cleanups.push(() => socket.close());
  return socket;
}

async function send(socket: Socket, packets: readonly Buffer[], port: number): Promise<void> {
  for (const packet of packets) await new Promise<void>((resolve) => socket.send(packet, port, '127.0.0.1', () => resolve()));
}

async function dial(port: number, localAddress: string): Promise<TcpSocket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  socket.resume();
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const whose = ({ units }: Stream): Set<string> => new Set(units.map((unit) => unit.cameraId));

describe('UDP on one port', () => {
  it('streams are told apart by SSRC, also of one device', async () => {
    const port = await shared();
    const [a, b] = [await awaited(port, 'a', A, '127.0.0.1'), await awaited(port, 'b', B, '127.0.0.1')];
    const socket = await sender('127.0.0.1');
    for (let i = 0; i < LENGTH; i++) await send(socket, [stream(A)[i] as Buffer, stream(B)[i] as Buffer], port.port);
    await until(() => expect([a.receiver.stats().packets, b.receiver.stats().packets]).toEqual([LENGTH, LENGTH]));
    await Promise.all([a.receiver.close(), b.receiver.close()]);
    expect([a.units.length, b.units.length, [...whose(a)], [...whose(b)]]).toEqual([50, 50, ['a'], ['b']]);
    expect(port.stats).toMatchObject({ streams: 0, unknownPackets: 0 });
  });

  it("another peer with the right SSRC, and the right peer with another camera's, are dropped and counted", async () => {
    const port = await shared();
    const [a, b] = [await awaited(port, 'a', A, '127.0.0.1'), await awaited(port, 'b', B, '127.0.0.2')];
    const [ofA, ofB] = [await sender('127.0.0.1'), await sender('127.0.0.2')];
    await send(ofB, stream(A), port.port);
    await send(ofA, stream(B).slice(0, 7), port.port);
    await until(() => expect([a.receiver.stats().strangerPackets, b.receiver.stats().strangerPackets]).toEqual([LENGTH, 7]));
    expect([a.units, b.units]).toEqual([[], []]);
    await send(ofA, stream(A), port.port);
    await send(ofB, stream(B), port.port);
    await until(() => expect([a.receiver.stats().packets, b.receiver.stats().packets]).toEqual([LENGTH, LENGTH]));
  });

  it('an SSRC that was neither offered nor answered is learnt only where one stream of that address waits', async () => {
    const clock = new ManualClock();
    const port = await shared({ clock });
    const socket = await sender('127.0.0.1');
    const [a, b] = [await awaited(port, 'a', A, '127.0.0.1', { clock }), await awaited(port, 'b', B, '127.0.0.1', { clock })];
    const packets = stream(OWN);
    let at = 0;
    const come = async (count: number): Promise<void> => {
      const before = total();
      await send(socket, packets.slice(at, at + count), port.port);
      at += count;
      await until(() => expect(total()).toBe(before + count));
    };
    const total = (): number => port.stats.unknownPackets + [a, b].reduce((sum, { receiver }) => sum + receiver.stats().packets + receiver.stats().strangerPackets, 0);
    for (let i = 0; i < 4; i++) {
      await come(2);
      clock.advance(1000);
    }
    expect(port.stats.unknownPackets).toBe(8);
    expect(a.receiver.hints.join()).toMatch(/SSRC 77, which was neither offered nor answered, come from 127\.0\.0\.1, where 2 streams are awaited.*port-per-stream/);
    // The other's stream comes: now only one is left to which it can belong.
    await send(socket, stream(B).slice(0, 1), port.port);
    await until(() => expect(b.receiver.stats().packets).toBe(1));
    await come(2);
    clock.advance(1000);
    await come(2);
    clock.advance(1100);
    await come(2);
    expect(a.receiver.stats().source).toMatchObject({ ssrc: OWN, expected: false });
    expect(b.receiver.stats().source).toMatchObject({ ssrc: B });
    await come(packets.length - at);
    expect(a.receiver.stats().packets).toBeGreaterThan(packets.length - at);
  });

  it('a sender that goes on from before is never learnt, nor is a foreign SSRC, nor by a strict stream', async () => {
    const clock = new ManualClock();
    const port = await shared({ clock });
    const old = await sender('127.0.0.1');
    let sent = 0;
    const go = async (rounds: number): Promise<void> => {
      for (let i = 0; i < rounds; i++) {
        await send(old, [stream(OWN)[sent++ % LENGTH] as Buffer], port.port);
        clock.advance(500);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await go(3);
    const late = await awaited(port, 'late', A, '127.0.0.1', { clock });
    await go(10);
    expect(late.receiver.stats().source).toBeNull();
    expect(late.receiver.hints.join()).toContain('since before this stream was asked for');
    await late.receiver.close();
    clock.advance(5000);
    const strict = await awaited(port, 'strict', A, '127.0.0.1', { clock, strictSsrc: true });
    await go(10);
    expect(strict.receiver.stats().source).toBeNull();
    await strict.receiver.close();
    clock.advance(5000);
    const wary = await awaited(port, 'wary', A, '127.0.0.1', { clock, isForeignSsrc: (ssrc) => ssrc === OWN });
    await go(10);
    expect(wary.receiver.stats().source).toBeNull();
    await wary.receiver.close();
    clock.advance(5000);
    const glad = await awaited(port, 'glad', A, '127.0.0.1', { clock });
    await go(10);
    expect(glad.receiver.stats().source).toMatchObject({ ssrc: OWN });
  });

  it('a changed SSRC in mid-stream is not followed: it may be another camera of the same recorder', async () => {
    const port = await shared();
    const a = await awaited(port, 'a', A, '127.0.0.1');
    const socket = await sender('127.0.0.1');
    await send(socket, stream(A), port.port);
    await send(socket, stream(OWN), port.port);
    await until(() => expect(port.stats.unknownPackets).toBe(LENGTH));
    await a.receiver.close();
    expect(a.units.length).toBe(50);
  });

  it('cameras that choose the same SSRC are told apart by their addresses, or not at all', async () => {
    const port = await shared();
    const [a, b] = [await awaited(port, 'a', A, '127.0.0.1'), await awaited(port, 'b', A, '127.0.0.2')];
    await send(await sender('127.0.0.1'), stream(A), port.port);
    await send(await sender('127.0.0.2'), stream(A), port.port);
    await until(() => expect([a.receiver.stats().packets, b.receiver.stats().packets]).toEqual([LENGTH, LENGTH]));
    const c = await awaited(port, 'c', B, '127.0.0.3');
    const d = await awaited(port, 'd', B, '127.0.0.3');
    await send(await sender('127.0.0.3'), stream(B).slice(0, 5), port.port);
    await until(() => expect(port.stats.unknownPackets).toBe(5));
    expect([c.units, d.units]).toEqual([[], []]);
    expect(d.receiver.hints.join()).toContain('several streams of 127.0.0.3 use the SSRC');
  });

  it('takes RTCP beside RTP and on its own port, and only from the sender; answers with reports', async () => {
    const clock = new ManualClock();
    const port = await shared({ clock });
    const a = await awaited(port, 'a', A, '127.0.0.1', { clock });
    const [device, control, stranger] = [await sender('127.0.0.1'), await sender('127.0.0.1'), await sender('127.0.0.2')];
    const report = (ssrc: number): Buffer => {
      const bytes = Buffer.alloc(28);
      bytes.set([0x80, 200, 0, 6], 0);
      bytes.writeUInt32BE(ssrc, 4);
      bytes.writeUInt32BE(0x01020304, 10);
      return bytes;
    };
    await send(device, [report(A)], port.port);
    await until(() => expect(port.stats.unknownRtcp).toBe(1));
    expect(a.receiver.stats().source).toBeNull();
    await send(device, stream(A).slice(0, 5), port.port);
    await until(() => expect(a.receiver.stats().packets).toBe(5));
    await send(stranger, [report(A)], port.port + 1);
    await send(control, [report(B)], port.port + 1);
    await until(() => expect(port.stats.unknownRtcp).toBe(3));
    await send(device, [report(A)], port.port);
    await send(control, [report(A)], port.port + 1);
    await until(() => expect(a.receiver.stats().rtcpPackets).toBe(2));
    const answer = once(control, 'message') as Promise<[Buffer]>;
    for (let i = 5; i < 13; i++) {
      await send(device, [stream(A)[i] as Buffer], port.port);
      await until(() => expect(a.receiver.stats().packets).toBe(i + 1));
      clock.advance(1000);
    }
    const [bytes] = await answer;
    expect([bytes[1], bytes.readUInt32BE(8), bytes.readUInt32BE(24)]).toEqual([201, A, 0x01020304]);
  });

  it('a storm of random bytes harms nobody', async () => {
    const port = await shared();
    const a = await awaited(port, 'a', A, '127.0.0.1');
    const [device, stranger] = [await sender('127.0.0.1'), await sender('127.0.0.2')];
    const storm = mutations(stream(OWN), 3);
    for (const packet of stream(A)) {
      for (let i = 0; i < 10; i++) await send(stranger, [Buffer.from(storm.next().value.subarray(0, 1400))], port.port);
      await send(device, [packet], port.port);
    }
    await until(() => expect(a.receiver.stats().packets).toBe(LENGTH));
    await a.receiver.close();
    expect(a.units.length).toBe(50);
    expect(port.stats.unknownPackets + port.stats.malformedPackets).toBeGreaterThan(100);
  }, 30_000);
});

describe('TCP on one port', () => {
  const tcp = { transport: 'tcp-passive' as const };

  it('the first packet binds a connection to its stream', async () => {
    const port = await shared();
    const [a, b] = [await awaited(port, 'a', A, '127.0.0.1', tcp), await awaited(port, 'b', B, '127.0.0.1', tcp)];
    const [ofB, ofA] = [await dial(port.port, '127.0.0.1'), await dial(port.port, '127.0.0.1')];
    for (let at = 0; at < framed(stream(A)).length; at += 1000) {
      ofA.write(framed(stream(A)).subarray(at, at + 1000));
      ofB.write(framed(stream(B)).subarray(at, at + 1000));
    }
    await until(() => expect([a.receiver.stats().packets, b.receiver.stats().packets]).toEqual([LENGTH, LENGTH]));
    expect(port.stats).toMatchObject({ connections: 2, unprovenConnections: 0 });
    await a.receiver.close();
    await once(ofA, 'close');
    expect([a.units.length, [...whose(a)]]).toEqual([50, ['a']]);
    expect(port.stats).toMatchObject({ connections: 1, streams: 1 });
  });

  it("a stranger's connection and another camera's SSRC bring nothing, and a connection that proves nothing is closed", async () => {
    const port = await shared({ firstPacketTimeoutMs: 400 });
    const [a, b] = [await awaited(port, 'a', A, '127.0.0.1', tcp), await awaited(port, 'b', B, '127.0.0.2', tcp)];
    const [silent, stranger, unknown] = [await dial(port.port, '127.0.0.1'), await dial(port.port, '127.0.0.3'), await dial(port.port, '127.0.0.1')];
    const gone = Promise.all([silent, stranger, unknown].map((socket) => once(socket, 'close')));
    stranger.write(framed(stream(A)));
    unknown.write(framed(stream(B)));
    await gone;
    expect([a.receiver.stats().strangerPackets, b.receiver.stats().strangerPackets]).toEqual([LENGTH, LENGTH]);
    expect([a.units, b.units]).toEqual([[], []]);
    expect(port.stats).toMatchObject({ connections: 0, unprovenConnections: 0, refusedConnections: 3 });
    const device = await dial(port.port, '127.0.0.1');
    device.write(framed(stream(A)));
    await until(() => expect(a.receiver.stats().packets).toBe(LENGTH));
  });

  it('goes on by another connection once the first is gone, not beside it', async () => {
    const port = await shared();
    const a = await awaited(port, 'a', A, '127.0.0.1', tcp);
    const first = await dial(port.port, '127.0.0.1');
    first.write(framed(stream(A)));
    await until(() => expect(a.receiver.stats().packets).toBe(LENGTH));
    const second = await dial(port.port, '127.0.0.1');
    second.write(framed(stream(A, LENGTH)));
    await until(() => expect(a.receiver.stats().strangerPackets).toBe(LENGTH));
    first.destroy();
    await until(() => expect(port.stats.connections).toBe(1));
    second.write(framed(stream(A, 2 * LENGTH)));
    await until(() => expect(a.receiver.stats().packets).toBe(2 * LENGTH));
  });

  it('bounds what one host may open', async () => {
    const port = await shared();
    const a = await awaited(port, 'a', A, '127.0.0.1', tcp);
    await Promise.all(Array.from({ length: 40 }, () => dial(port.port, '127.0.0.9')));
    await until(() => expect(port.stats.refusedConnections).toBe(24));
    expect(port.stats.unprovenConnections).toBe(16);
    const device = await dial(port.port, '127.0.0.1');
    device.write(framed(stream(A)));
    await until(() => expect(a.receiver.stats().packets).toBe(LENGTH));
  });
});

it('says which port cannot be had', async () => {
  const port = await shared();
  const second = new SharedMediaPort({ host: '127.0.0.1', port: port.port, clock: systemClock, logger: silentLogger, firstPacketTimeoutMs: 1000 });
  await expect(second.start()).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining(`the shared media port 127.0.0.1:${port.port} cannot be opened`) as unknown });
});
