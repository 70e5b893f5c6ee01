import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { ManualClock } from '../../base/manual-clock.js';
import { mutations, seededRandom } from '../../base/fuzz-target.js';
import { silentLogger } from '../../base/logger.js';
import type { AccessUnit } from '../access-unit.js';
import type { MediaEvent } from './media-event.js';
import { MediaReceiver, type MediaReceiverOptions } from './media-receiver.js';
import { PortPool } from './port-pool.js';
import { fixture, picturesOf, rtpPacket, streamPackets } from './test-muxer.js';

const SSRC = 200_001_234;
const OTHER = 200_005_678;
const pictures = picturesOf(fixture('h264.es'), 'h264');
const stream = (ssrc = SSRC, from = { sequence: 0, timestamp: 0 }): Buffer[] => streamPackets(pictures, (i) => ({ pts: from.timestamp + i * 3600 }), { ssrc, mtu: 400 }, from);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Rig {
  receiver: MediaReceiver;
  port: number;
  units: AccessUnit[];
  events: MediaEvent[];
}

async function open(options: Partial<MediaReceiverOptions> = {}): Promise<Rig> {
  const units: AccessUnit[] = [];
  const events: MediaEvent[] = [];
  const receiver = new MediaReceiver({
    host: '127.0.0.1',
    ports: 0,
    transport: 'udp',
    cameraId: 'cam',
    expectedSsrc: SSRC,
    strictSsrc: false,
    clock: systemClock,
    logger: silentLogger,
    firstPacketTimeoutMs: 10_000,
    silenceTimeoutMs: 10_000,
    onUnit: (unit) => units.push(unit),
    onEvent: (event) => events.push(event),
    ...options,
  });
  cleanups.push(() => receiver.close());
  const { port } = await receiver.start();
  return { receiver, port, units, events };
}

async function udpSender(host = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, host);
  await once(socket, 'listening');
  cleanups.push(() => socket.close());
  return socket;
}

/** Loopback keeps order and loses nothing as long as the receiver's buffer is not run over. */
async function sendAll(socket: Socket, packets: readonly Buffer[], port: number): Promise<void> {
  for (const packet of packets) await new Promise<void>((resolve) => socket.send(packet, port, '127.0.0.1', () => resolve()));
}

async function dial(port: number, localAddress = '127.0.0.1'): Promise<TcpSocket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function framed(packets: readonly Buffer[]): Buffer {
  return Buffer.concat(packets.flatMap((p) => [Buffer.from([p.length >> 8, p.length & 0xff]), p]));
}

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 5 });
const types = (events: readonly MediaEvent[]): string[] => events.map((event) => event.type);

describe('UDP', () => {
  it('yields the pictures of the stream and says what it saw', async () => {
    const { receiver, port, units, events } = await open();
    expect(port % 2).toBe(0);
    const sender = await udpSender();
    await sendAll(sender, stream(), port);
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    await receiver.close();
    expect(units.length).toBe(50);
    expect(units[0]).toMatchObject({ cameraId: 'cam', codec: 'h264', keyframe: true });
    expect(Math.abs((units[0] as AccessUnit).capturedAt - Date.now())).toBeLessThan(10_000);
    expect(types(events)).toEqual(['first-packet', 'first-keyframe', 'closed']);
    expect(events[0]).toMatchObject({ ssrc: SSRC, expected: true, host: '127.0.0.1', port: sender.address().port });
  });

  it('reorders, drops duplicates and survives sequence wrap', async () => {
    const { receiver, port, units } = await open();
    const packets = stream(SSRC, { sequence: 65_500, timestamp: 2 ** 32 - 50_000 });
    const random = seededRandom(3);
    const shaken = packets.flatMap((p, i) => (random() < 0.2 ? [{ at: i, p }, { at: i + 3, p }] : [{ at: i + (i > 5 ? random() * 20 : 0), p }]));
    shaken.sort((a, b) => a.at - b.at);
    await sendAll(await udpSender(), shaken.map(({ p }) => p), port);
    await until(() => expect(receiver.stats().packets).toBe(shaken.length));
    await receiver.close();
    expect(units.length).toBe(50);
    expect(receiver.stats()).toMatchObject({ lostPackets: 0 });
    expect(receiver.stats().duplicatePackets + receiver.stats().latePackets).toBe(shaken.length - packets.length);
  });

  it('after a loss begins again at the next keyframe', async () => {
    const { receiver, port, units, events } = await open();
    const packets = stream().filter((_, i) => i !== 12);
    await sendAll(await udpSender(), packets, port);
    await until(() => expect(receiver.stats().packets).toBe(packets.length));
    await receiver.close();
    expect(units.length).toBeLessThan(50);
    expect(units.filter((unit) => unit.keyframe).length).toBe(2);
    expect(types(events)).toContain('loss');
  });

  it("drops a stranger's packets and says so once", async () => {
    const { receiver, port, units, events } = await open();
    const [device, stranger] = [await udpSender(), await udpSender('127.0.0.2')];
    receiver.bindPeer('127.0.0.1');
    for (const packet of stream()) {
      await sendAll(device, [packet], port);
      await sendAll(stranger, [rtpPacket(Buffer.alloc(500, 0x41), 7, 9, true, { ssrc: OTHER })], port);
    }
    await until(() => expect(receiver.stats().strangerPackets).toBe(stream().length));
    await receiver.close();
    expect(units.length).toBe(50);
    expect(events.filter((event) => event.type === 'stranger')).toMatchObject([{ host: '127.0.0.2', ssrc: OTHER, why: 'ssrc' }]);
  });

  it('a stranger who knows the SSRC cannot push in, before the device comes or after', async () => {
    const { receiver, port, units, events } = await open();
    receiver.bindPeer('127.0.0.1');
    const [device, stranger] = [await udpSender(), await udpSender('127.0.0.2')];
    await sendAll(stranger, stream().slice(0, 3), port);
    await until(() => expect(receiver.stats().strangerPackets).toBe(3));
    expect(receiver.stats()).toMatchObject({ source: null, lastStranger: { host: '127.0.0.2', ssrc: SSRC, why: 'host' } });
    expect(receiver.hints.join()).toContain("add it to the camera's mediaHosts");
    await sendAll(device, stream(), port);
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    await sendAll(stranger, stream().slice(0, 5), port);
    await until(() => expect(receiver.stats().strangerPackets).toBe(8));
    await receiver.close();
    expect(receiver.stats().source?.host).toBe('127.0.0.1');
    expect(units.length).toBe(50);
    expect(events).toContainEqual(expect.objectContaining({ type: 'stranger', why: 'host', host: '127.0.0.2' }));
  });

  it('media may come from the address that the answer or the configuration names, until the device itself sends', async () => {
    const { receiver, port, events } = await open();
    receiver.agree({ ssrc: SSRC, peerHost: '127.0.0.1', remoteMedia: { host: '127.0.0.3', port: 9 }, alsoFrom: ['127.0.0.4'] });
    const [device, card, other] = [await udpSender(), await udpSender('127.0.0.3'), await udpSender('127.0.0.2')];
    await sendAll(other, stream().slice(0, 1), port);
    await sendAll(card, stream().slice(0, 3), port);
    await until(() => expect(receiver.stats().source?.host).toBe('127.0.0.3'));
    await sendAll(device, stream(), port);
    await until(() => expect(receiver.stats().source?.host).toBe('127.0.0.1'));
    expect(types(events)).toContain('rebound');
    expect(receiver.stats().strangerPackets).toBe(1);
  });

  it('a device that has moved goes on from its new address at once, and no more from the old one', async () => {
    const { receiver, port } = await open();
    receiver.bindPeer('127.0.0.1');
    const [before, after] = [await udpSender(), await udpSender('127.0.0.2')];
    await sendAll(before, stream().slice(0, 10), port);
    await until(() => expect(receiver.stats().packets).toBe(10));
    await sendAll(after, stream().slice(10, 12), port);
    await until(() => expect(receiver.stats().strangerPackets).toBe(2));
    receiver.bindPeer('127.0.0.2');
    await sendAll(after, stream().slice(10), port);
    await until(() => expect(receiver.stats().source?.host).toBe('127.0.0.2'));
    await sendAll(before, stream().slice(0, 4), port);
    await until(() => expect(receiver.stats().strangerPackets).toBe(6));
    expect(receiver.stats().source?.host).toBe('127.0.0.2');
  });

  it("never shows another camera's picture: the old sender on a reused port", async () => {
    // Both cameras hang on one recorder: same address, so only the SSRC tells them apart.
    const { receiver, port, units } = await open({ isForeignSsrc: (ssrc) => ssrc === OTHER });
    receiver.bindPeer('127.0.0.1');
    const [old, device] = [await udpSender(), await udpSender()];
    await sendAll(old, stream(OTHER), port);
    await until(() => expect(receiver.stats().strangerPackets).toBe(stream().length));
    expect(units).toEqual([]);
    for (const packet of stream()) {
      await sendAll(device, [packet], port);
      await sendAll(old, stream(OTHER).slice(0, 1), port);
    }
    await until(() => expect(receiver.stats().strangerPackets).toBe(stream().length * 2));
    await receiver.close();
    expect(units.length).toBe(50);
    expect(receiver.stats().source).toMatchObject({ ssrc: SSRC, port: device.address().port });
  });

  it('learns the SSRC of a device that sends its own, unless strict', async () => {
    const clock = new ManualClock();
    for (const strictSsrc of [false, true]) {
      const { receiver, port, events } = await open({ strictSsrc, clock });
      receiver.bindPeer('127.0.0.1');
      const device = await udpSender();
      const packets = stream(OTHER);
      await sendAll(device, packets.slice(0, 5), port);
      await until(() => expect(receiver.stats().strangerPackets).toBe(5));
      expect(receiver.stats().source).toBeNull();
      clock.advance(2500);
      await sendAll(device, packets.slice(5), port);
      await until(() => expect(receiver.stats().packets + receiver.stats().strangerPackets).toBe(packets.length));
      if (strictSsrc) expect(receiver.stats().source).toBeNull();
      else expect(events).toContainEqual(expect.objectContaining({ type: 'first-packet', ssrc: OTHER, expected: false }));
    }
  });

  it('learns nothing from RTCP and garbage', async () => {
    const { receiver, port } = await open({ expectedSsrc: null });
    const sender = await udpSender();
    const report = Buffer.alloc(28);
    report.set([0x80, 200, 0, 6], 0);
    report.writeUInt32BE(OTHER, 4);
    await sendAll(sender, [report, Buffer.from('hello'), Buffer.alloc(0), Buffer.alloc(40, 0xff)], port);
    await sendAll(sender, stream().slice(0, 1), port);
    await until(() => expect(receiver.stats().packets).toBe(1));
    expect(receiver.stats()).toMatchObject({ rtcpPackets: 1, source: { ssrc: SSRC } });
  });

  it('follows a device whose NAT gave it another port, after silence', async () => {
    const clock = new ManualClock();
    const { receiver, port } = await open({ clock });
    receiver.bindPeer('127.0.0.1');
    const [first, second] = [await udpSender(), await udpSender()];
    const packets = stream();
    await sendAll(first, packets.slice(0, 20), port);
    await until(() => expect(receiver.stats().packets).toBe(20));
    await sendAll(second, packets.slice(20, 21), port);
    await until(() => expect(receiver.stats().strangerPackets).toBe(1));
    clock.advance(6000);
    await sendAll(second, packets.slice(20), port);
    await until(() => expect(receiver.stats().packets).toBe(packets.length));
    expect(receiver.stats().source?.port).toBe(second.address().port);
  });

  it('sends receiver reports to the port above the sender, or where its RTCP comes from', async () => {
    const clock = new ManualClock();
    const { receiver, port } = await open({ clock });
    const device = await udpSender();
    const deviceRtcp = await udpSender();
    await sendAll(device, stream().slice(0, 10), port);
    await until(() => expect(receiver.stats().packets).toBe(10));
    const report = Buffer.alloc(28);
    report.set([0x80, 200, 0, 6], 0);
    report.writeUInt32BE(SSRC, 4);
    report.writeUInt32BE(0xaabbccdd, 10);
    await sendAll(deviceRtcp, [report], port + 1);
    await until(() => expect(receiver.stats().rtcpPackets).toBe(1));
    const answer = once(deviceRtcp, 'message') as Promise<[Buffer]>;
    // Packets keep coming while time passes, else the stream counts as quiet.
    for (let i = 10; i < 16; i++) {
      await sendAll(device, [stream()[i] as Buffer], port);
      await until(() => expect(receiver.stats().packets).toBe(i + 1));
      clock.advance(1000);
    }
    const [bytes] = await answer;
    expect([bytes[0], bytes[1], bytes.readUInt16BE(2)]).toEqual([0x81, 201, 7]);
    expect(bytes.readUInt32BE(8)).toBe(SSRC);
    expect(bytes[12]).toBe(0);
    expect(bytes.readUInt32BE(16)).toBe(14);
    expect(bytes.readUInt32BE(24)).toBe(0xaabbccdd);
    expect([bytes[32], bytes[33]]).toEqual([0x81, 202]);
    expect(bytes.length % 4).toBe(0);
  });

  it('receives over IPv6, and over IPv4 on a socket for both', async () => {
    const probe = createSocket('udp6');
    const hasIpv6 = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.bind(0, '::', () => resolve(true));
    });
    probe.close();
    if (!hasIpv6) {
      process.stderr.write('skipping IPv6: this machine has none\n');
      return;
    }
    const { receiver, port, units } = await open({ host: '::' });
    receiver.bindPeer('::ffff:127.0.0.1');
    const sender = await udpSender();
    await sendAll(sender, stream(), port);
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    expect(receiver.stats().source?.host).toBe('127.0.0.1');
    await receiver.close();
    expect(units.length).toBe(50);
  });

  it('tells silence before and after the first packet', async () => {
    const clock = new ManualClock();
    const { receiver, port, events, units } = await open({ clock, firstPacketTimeoutMs: 10_000, silenceTimeoutMs: 5000 });
    clock.advance(9000);
    expect(events).toEqual([]);
    receiver.agree({ ssrc: OTHER, peerHost: '127.0.0.1' });
    clock.advance(9000);
    expect(events).toEqual([]);
    clock.advance(2000);
    expect(events).toEqual([{ type: 'silence', firstPacketSeen: false, silentMs: expect.any(Number) as number }]);
    await sendAll(await udpSender(), stream(OTHER), port);
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    clock.advance(20_000);
    expect(events.at(-1)).toMatchObject({ type: 'silence', firstPacketSeen: true });
    expect(events.filter((event) => event.type === 'silence').length).toBe(2);
    // The last picture was complete when the stream fell silent.
    expect(units.length).toBe(50);
  });

  it('a throwing consumer does not stop the stream', async () => {
    let calls = 0;
    const { receiver, port } = await open({
      onUnit: () => {
        calls++;
        throw new Error('disk full');
      },
    });
    await sendAll(await udpSender(), stream(), port);
    await until(() => expect(calls).toBeGreaterThan(40));
    await receiver.close();
    expect(calls).toBe(50);
  });

  it('gets a good stream through a storm of random bytes', async () => {
    const { receiver, port, units } = await open();
    receiver.bindPeer('127.0.0.1');
    const [device, stranger] = [await udpSender(), await udpSender('127.0.0.2')];
    const storm = mutations(stream(OTHER), 11);
    for (const packet of stream()) {
      for (let i = 0; i < 20; i++) await sendAll(stranger, [Buffer.from(storm.next().value.subarray(0, 2000))], port);
      await sendAll(device, [packet], port);
      expect(receiver.stats().bufferedBytes).toBeLessThan(9 * 1024 * 1024);
    }
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    await receiver.close();
    expect(units.length).toBe(50);
    expect(receiver.stats().strangerPackets).toBeGreaterThan(100);
  }, 30_000);
});

describe('TCP passive', () => {
  it('yields the pictures, however the bytes are cut', async () => {
    for (const size of [1, 7, 1500, 100_000]) {
      const { receiver, port, units, events } = await open({ transport: 'tcp-passive' });
      receiver.bindPeer('127.0.0.1');
      const socket = await dial(port);
      const bytes = framed(stream());
      for (let at = 0; at < bytes.length; at += size) socket.write(bytes.subarray(at, at + size));
      await until(() => expect(receiver.stats().packets).toBe(stream().length));
      await receiver.close();
      expect(units.length).toBe(50);
      expect(types(events)).toEqual(['first-packet', 'first-keyframe', 'closed']);
    }
  });

  it('refuses a connection that is not from the device, and one beside the living one', async () => {
    const { receiver, port, events } = await open({ transport: 'tcp-passive' });
    receiver.bindPeer('127.0.0.1');
    const stranger = await dial(port, '127.0.0.2');
    stranger.resume();
    await once(stranger, 'close');
    const device = await dial(port);
    device.write(framed(stream().slice(0, 5)));
    await until(() => expect(receiver.stats().packets).toBe(5));
    const second = await dial(port);
    second.resume();
    await once(second, 'close');
    device.write(framed(stream().slice(5)));
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    const strangers = events.filter((event) => event.type === 'stranger');
    expect(strangers).toMatchObject([{ host: '127.0.0.2', why: 'host' }, { host: '127.0.0.1', why: 'second-connection' }]);
  });

  it('a silent stranger cannot keep the device out, and is shown the door', async () => {
    const { receiver, port, units } = await open({ transport: 'tcp-passive', firstPacketTimeoutMs: 200 });
    const silent = await dial(port);
    silent.resume();
    const closed = once(silent, 'close');
    const device = await dial(port);
    device.write(framed(stream()));
    await closed;
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    await receiver.close();
    expect(units.length).toBe(50);
  });

  it('a connection that brings nothing is closed after the first-packet time', async () => {
    const { port } = await open({ transport: 'tcp-passive', firstPacketTimeoutMs: 100 });
    const silent = await dial(port);
    silent.resume();
    await once(silent, 'close');
  });

  it('goes on when the device connects again', async () => {
    const { receiver, port, units } = await open({ transport: 'tcp-passive' });
    receiver.bindPeer('127.0.0.1');
    const first = await dial(port);
    first.write(framed(stream()));
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    first.destroy();
    await once(first, 'close');
    const again = stream(SSRC, { sequence: 500, timestamp: 200 * 3600 });
    await until(() => expect(receiver.stats().source).not.toBeNull());
    const second = await dial(port);
    second.write(framed(again));
    await until(() => expect(receiver.stats().packets).toBe(stream().length + again.length));
    await receiver.close();
    expect(units.length).toBeGreaterThanOrEqual(99);
  });

  it('finds its place again after bytes were lost on the way', async () => {
    const { receiver, port, units } = await open({ transport: 'tcp-passive' });
    receiver.bindPeer('127.0.0.1');
    const bytes = framed(stream());
    const socket = await dial(port);
    socket.write(bytes.subarray(0, 2500));
    socket.write(bytes.subarray(2733));
    await until(() => expect(receiver.stats().packets).toBeGreaterThan(stream().length - 5));
    await receiver.close();
    expect(receiver.stats().resyncBytes).toBeGreaterThan(0);
    expect(units.filter((unit) => unit.keyframe).length).toBe(2);
    expect(units.length).toBeGreaterThan(25);
  });

  it('survives random bytes; a good stream still gets through', async () => {
    const { receiver, port, units } = await open({ transport: 'tcp-passive', firstPacketTimeoutMs: 300 });
    const storm = mutations([framed(stream(OTHER))], 5);
    for (let i = 0; i < 8; i++) {
      const socket = await dial(port);
      for (let j = 0; j < 20; j++) socket.write(Buffer.from(storm.next().value));
      socket.end();
      await once(socket.resume(), 'close');
      expect(receiver.stats().bufferedBytes).toBeLessThan(9 * 1024 * 1024);
    }
    const device = await dial(port);
    device.write(framed(stream()));
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    await receiver.close();
    expect(units.length).toBe(50);
  });
});

describe('ports', () => {
  it('a released port rests before it is used again', async () => {
    const clock = new ManualClock();
    const pool = new PortPool({ from: 30_000, to: 30_003, clock });
    const [a, b] = [pool.acquire(), pool.acquire()];
    expect([a, b]).toEqual([30_000, 30_002]);
    expect(() => pool.acquire()).toThrow(/no media port is free in 30000-30003/);
    pool.release(a);
    pool.release(a);
    clock.advance(14_000);
    expect(() => pool.acquire()).toThrow(/1 resting/);
    clock.advance(1000);
    expect(pool.acquire()).toBe(a);
    expect(pool.available).toBe(0);
  });

  it('refuses senseless ranges', () => {
    const clock = new ManualClock();
    for (const [from, to] of [[0, 10], [10, 10], [1, 70_000], [1.5, 9], [11, 12]] as const) {
      expect(() => new PortPool({ from, to, clock })).toThrow(/port/);
    }
  });

  it('gives its port back when closed, to rest there', async () => {
    const free = await open();
    await free.receiver.close();
    const pool = new PortPool({ from: free.port, to: free.port + 1, clock: systemClock });
    const { receiver } = await open({ ports: pool });
    expect(pool.inUse).toBe(1);
    await receiver.close();
    await receiver.close();
    expect([pool.inUse, pool.available]).toEqual([0, 0]);
  });

  it('says which address it cannot listen on', async () => {
    for (const transport of ['udp', 'tcp-passive'] as const) {
      await expect(open({ host: '192.0.2.1', transport })).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('192.0.2.1') as unknown });
    }
  });

  it('passes over a port that somebody still sends to, and not for ever', async () => {
    const free = await open();
    const from = free.port;
    await free.receiver.close();
    const old = await udpSender();
    const noise = setInterval(() => {
      for (let port = from; port < from + 12; port += 2) if (port === from || flooded) old.send(stream(OTHER)[0] as Buffer, port, '127.0.0.1');
    }, 10);
    let flooded = false;
    cleanups.push(() => clearInterval(noise));
    const pool = new PortPool({ from, to: from + 41, clock: systemClock });
    const { receiver, port } = await open({ ports: pool, listenFirstMs: 120 });
    expect(port).toBeGreaterThan(from);
    expect(pool.inUse).toBe(1);
    await receiver.close();
    flooded = true;
    const again = await open({ ports: new PortPool({ from, to: from + 41, clock: systemClock }), listenFirstMs: 60 });
    expect(again.port).toBeGreaterThan(from);
  });

  it('walks past ports that others hold', async () => {
    const occupied = await open();
    const from = occupied.port;
    const pool = new PortPool({ from, to: Math.min(from + 41, 65_535), clock: systemClock });
    const { port } = await open({ ports: pool });
    expect(port).toBeGreaterThan(from);
    expect(pool.inUse).toBe(1);
  });
});
