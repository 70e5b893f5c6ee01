import { createSocket, type Socket } from 'node:dgram';
import { getEventListeners, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { ManualClock } from '../../base/manual-clock.js';
import { chooseSample, HostClock, type HostClockOptions } from './host-clock.js';
import { readNtpReply, writeNtpRequest } from './ntp-packet.js';
import { askTime, parseTimeServer } from './sntp-client.js';

const sockets: Socket[] = [];
const clocks: HostClock[] = [];
afterEach(async () => {
  for (const clock of clocks.splice(0)) await clock.close();
  for (const socket of sockets.splice(0)) socket.close();
});

interface Answer {
  offsetMs?: number;
  stratum?: number;
  first?: number;
  origin?: Buffer;
  kiss?: string;
  rootDispersion?: number;
}

/** An answer as RFC 5905 lays it out, written from its text. */
function answer(request: Buffer, now: number, { offsetMs = 0, stratum = 2, first = 0x24, origin, kiss, rootDispersion = 0 }: Answer): Buffer {
  const packet = Buffer.alloc(48);
  packet[0] = first;
  packet[1] = stratum;
  packet.writeUInt32BE(rootDispersion, 8);
  if (kiss) packet.write(kiss, 12, 'latin1');
  (origin ?? request.subarray(40, 48)).copy(packet, 24);
  for (const at of [32, 40]) {
    const seconds = (now + offsetMs) / 1000 + 2_208_988_800;
    packet.writeUInt32BE(Math.floor(seconds) % 2 ** 32, at);
    packet.writeUInt32BE(Math.floor((seconds % 1) * 2 ** 32), at + 4);
  }
  return packet;
}

/** A time server on loopback that answers as told; null: it says nothing. */
async function timeServer(say: () => Answer | null, clock: Clock = systemClock): Promise<string> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (request, peer) => {
    const said = say();
    if (said) socket.send(answer(request, clock.now(), said), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `127.0.0.1:${(socket.address() as AddressInfo).port}`;
}

describe('askTime', () => {
  const ask = (server: string): ReturnType<typeof askTime> => askTime(server, { clock: systemClock, timeoutMs: 400 });

  it('measures offset and round trip', async () => {
    const sample = await ask(await timeServer(() => ({ offsetMs: 12_345 })));
    // Half a round trip is what may be wrong.
    expect(Math.abs(sample.offsetMs - 12_345)).toBeLessThan(sample.delayMs / 2 + 2);
    expect(sample.stratum).toBe(2);
  });

  it('takes no answer that is not one to its question', async () => {
    for (const said of [{ origin: Buffer.alloc(8) }, { first: 0x23 }, { first: 0x3c }]) await expect(ask(await timeServer(() => said))).rejects.toMatchObject({ code: 'NTP_NO_ANSWER', kind: 'unavailable' });
  });

  it('leaves nothing on the signal of whoever asks, and stops with it', async () => {
    const stop = new AbortController();
    const server = await timeServer(() => ({}));
    for (let i = 0; i < 3; i++) await askTime(server, { clock: systemClock, timeoutMs: 400, signal: stop.signal });
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    const silent = askTime(await timeServer(() => null), { clock: systemClock, timeoutMs: 60_000, signal: stop.signal });
    const refused = expect(silent).rejects.toThrow(/stopped/);
    while (getEventListeners(stop.signal, 'abort').length === 0) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await refused;
  });

  it('says why a server cannot help', async () => {
    await expect(ask(await timeServer(() => ({ stratum: 0, kiss: 'RATE' })))).rejects.toThrow(/does not want to be asked \(RATE\)/);
    await expect(ask(await timeServer(() => ({ first: 0xe4 })))).rejects.toThrow(/does not know the time itself/);
    await expect(ask(await timeServer(() => ({ rootDispersion: 2 << 16 })))).rejects.toThrow(/2000 ms from its own source/);
    await expect(ask('no-such-host.invalid')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('reads servers as people write them', () => {
    expect(['ntp.example.cn', '192.0.2.1:1123', '[2001:db8::1]:123', '2001:db8::1'].map(parseTimeServer)).toEqual([
      { host: 'ntp.example.cn', port: 123 },
      { host: '192.0.2.1', port: 1123 },
      { host: '2001:db8::1', port: 123 },
      { host: '2001:db8::1', port: 123 },
    ]);
    for (const text of ['', 'a b', 'host:0', 'host:99999']) expect(() => parseTimeServer(text)).toThrow(/is not a time server/);
  });

  it('reads times on both sides of 2036', () => {
    const nonce = Buffer.from('12345678');
    for (const at of [Date.UTC(2026, 10, 21), Date.UTC(2036, 1, 7, 6, 28, 17), Date.UTC(2060, 0, 1)]) {
      expect(readNtpReply(answer(writeNtpRequest(nonce), at, {}), nonce).sentAt).toBeCloseTo(at, 0);
    }
  });
});

describe('HostClock', () => {
  const troubles = new Map<string, string | null>();
  function hostClock(options: Partial<HostClockOptions>): HostClock {
    troubles.clear();
    const clock = new HostClock({ clock: systemClock, logger: silentLogger, servers: [], chosen: true, everyMs: 900_000, alarmMs: 1_000, timeoutMs: 400, onTrouble: (part, message) => void troubles.set(part, message), ...options });
    clocks.push(clock);
    return clock;
  }

  it('alarms beyond a second, and says when it is over', async () => {
    let offsetMs = 0;
    const clock = hostClock({ servers: [await timeServer(() => ({ offsetMs }))] });
    expect(clock.status().state).toBe('unknown');
    await clock.check();
    expect([clock.status().state, troubles.get('clock')]).toEqual(['ok', null]);
    offsetMs = -90_000;
    await clock.check();
    expect(clock.status().state).toBe('wrong');
    expect(troubles.get('clock')).toMatch(/90\.0 s ahead of 127\.0\.0\.1/);
    // What is counted in days is counted from the right time.
    expect(Math.abs(clock.trustedNow() - (Date.now() - 90_000))).toBeLessThan(2_000);
    // Who says that it is later than it is makes no footage old.
    offsetMs = 400 * 86_400_000;
    await clock.check();
    expect(clock.trustedNow()).toBeLessThanOrEqual(Date.now());
    offsetMs = 0;
    await clock.check();
    expect([clock.status().state, troubles.get('clock')]).toEqual(['ok', null]);
  });

  it('believes the majority, tells that one disagrees, and needs but one answer', async () => {
    const servers = [await timeServer(() => ({ offsetMs: 50_000 })), await timeServer(() => ({})), await timeServer(() => ({})), await timeServer(() => null)];
    const clock = hostClock({ servers });
    await clock.check();
    expect(clock.status().state).toBe('ok');
    expect(troubles.get('clock/disagree')).toMatch(/disagree by 50\.0 s/);
    expect(clock.status().servers.map(({ error }) => error === null)).toEqual([true, true, true, false]);
    expect(chooseSample([{ server: 'far', offsetMs: 5, delayMs: 90, stratum: 1 }, { server: 'near', offsetMs: 1, delayMs: 3, stratum: 3 }]).server).toBe('near');
  });

  it('sees the clock set, and counts no age by a clock set forward until a server confirms it or a day has passed', async () => {
    const manual = new ManualClock();
    const clock = hostClock({ clock: manual });
    expect(clock.status().state).toBe('off');
    clock.start();
    manual.advance(2_000);
    const before = manual.now();
    manual.setWall(before + 86_400_000);
    manual.advance(1_000);
    expect(clock.status().steps).toEqual([{ at: before + 86_401_000, byMs: 86_400_000 }]);
    expect(clock.trustedNow()).toBe(before + 1_000);
    // Back an hour: time is what it is, less than the doubt.
    manual.setWall(manual.now() - 3_600_000);
    manual.advance(1_000);
    expect(clock.trustedNow()).toBe(before + 2_000);
    manual.advance(86_400_001);
    expect(clock.trustedNow()).toBe(manual.now());
  });

  it('is told right by a server after it was set forward', async () => {
    const manual = new ManualClock();
    const server = await timeServer(() => ({}), manual);
    const clock = hostClock({ clock: manual, servers: [server] });
    clock.start();
    manual.setWall(manual.now() + 40 * 86_400_000);
    manual.advance(1_000);
    expect(clock.status()).toMatchObject({ state: 'unknown', unconfirmedMs: 40 * 86_400_000 });
    // The question under way was asked before the step: its answer does not count.
    await clock.check();
    await clock.check();
    expect(clock.status()).toMatchObject({ state: 'ok', unconfirmedMs: 0 });
    expect(clock.trustedNow()).toBe(manual.now());
  });

  it('doubts a clock that is far beyond the newest footage', () => {
    const manual = new ManualClock();
    const clock = hostClock({ clock: manual });
    clock.lastKnown(manual.now() - 3_600_000);
    expect(clock.trustedNow()).toBe(manual.now());
    clock.lastKnown(manual.now() - 100 * 86_400_000);
    expect(clock.trustedNow()).toBe(manual.now() - 100 * 86_400_000);
  });
});
