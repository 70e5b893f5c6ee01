import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { haveTool } from '../../base/test-tools.js';
import type { InviteRequest } from '../../ingest/gb28181/invite.js';
import { GbServer, type GbServerOptions } from '../../ingest/gb28181/server.js';
import { deviceId, freePort, play, type Played } from './sipp.js';

/** SIPp, a SIP implementation that is not ours, plays cameras against the real server. */
const available = haveTool('sipp');
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
if (available && !hasIpv6) process.stderr.write('skipping SIPp over IPv6: this machine has no ::1\n');

const folder = mkdtempSync(join(tmpdir(), 'berthwatch-sipp-'));
let server: GbServer;
afterEach(() => server.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(options: Partial<GbServerOptions> = {}): Promise<void> {
  server = new GbServer({
    serverId: '34020000002000000001',
    domain: '3402000000',
    host: '127.0.0.1',
    port: 0,
    devicePassword: () => 'right',
    keepalive: { intervalMs: 60_000, missed: 3 },
    clock: systemClock,
    logger: silentLogger,
    dateHeader: true,
    byeTimeoutMs: 3000,
    ...options,
  });
  await server.start();
}

type Transport = 'UDP' | 'TCP';
const portFor = (transport: Transport): number => (transport === 'UDP' ? server.address.udpPort : server.address.tcpPort);
const run = (scenario: string, transport: Transport, more: Partial<Parameters<typeof play>[0]> = {}): Promise<Played> => play({ scenario, transport, to: portFor(transport), folder, ...more });

function well({ code, output }: Played): void {
  expect(code, output).toBe(0);
}

describe.skipIf(!available).each(['UDP', 'TCP'] as const)('SIPp over %s', (transport) => {
  it.each([
    ['register-keepalive-unregister', 'right', 20],
    ['refresh', 'right', 5],
    ['unregister', 'right', 5],
    ['wrong-password', 'wrong', 5],
    ['keepalive-unregistered', 'right', 5],
    ['reused-nonce', 'right', 5],
  ])('%s', async (name, password, calls) => {
    await start();
    // SIPp closes its connection when it is done, so what counts is who was online, not who is.
    const seen = new Set<string>();
    server.on('online', ({ device }) => seen.add(device.id));
    well(await run(name, transport, { password, calls }));
    expect(seen.size).toBe(password === 'wrong' || name === 'keepalive-unregistered' ? 0 : calls);
    if (name === 'wrong-password') expect(server.devices()).toEqual([]);
  });

  it('replayed-nonce', async () => {
    await start({ offerQop: false });
    const ended: string[] = [];
    server.on('offline', ({ reason }) => ended.push(reason));
    well(await run('replayed-nonce', transport));
    expect(ended.filter((reason) => reason.includes('unregistered'))).toEqual([]);
  });

  it('retransmits', async () => {
    await start();
    let keepalives = 0;
    let registrations = 0;
    server.on('keepalive', () => void keepalives++);
    server.on('registered', () => void registrations++);
    well(await run('retransmits', transport));
    expect({ keepalives, registrations }).toEqual({ keepalives: 2, registrations: 1 });
  });
});

describe.skipIf(!available || !hasIpv6).each(['UDP', 'TCP'] as const)('SIPp over %s and IPv6', (transport) => {
  it('register-keepalive-unregister', async () => {
    await start({ host: '::1' });
    const seen = new Set<string>();
    server.on('online', ({ device }) => seen.add(device.address.host));
    well(await run('register-keepalive-unregister', transport, { host: '::1', serverHost: '::1', calls: 3 }));
    expect([...seen]).toEqual(['::1']);
  });
});

const wish: InviteRequest = { deviceId: deviceId(0), channelId: '34020000001310000001', transport: 'udp', mediaHost: '127.0.0.1', mediaPort: 30_002, ssrc: '0200001234', stream: 'main', timeoutMs: 20_000 };

/**
 * SIPp registers as a device and is then called. Over UDP it plays one scenario a process: one registers and ends, the next
 * listens on the same port. Over TCP the call comes on the connection of the registration, to its scenario for incoming calls.
 */
async function called(scenario: string, transport: Transport, edit: Record<string, string> = {}): Promise<{ played: Promise<Played>; port: number }> {
  const port = await freePort();
  if (transport === 'TCP') {
    const played = run('register-hold', 'TCP', { incoming: scenario });
    await online();
    return { played, port };
  }
  well(await run('register', 'UDP', { port }));
  return { played: run(scenario, 'UDP', { port, edit }), port };
}

async function online(): Promise<void> {
  const end = Date.now() + 30_000;
  while (!server.device(deviceId(0))?.online) {
    if (Date.now() > end) throw new Error('SIPp did not register');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe.skipIf(!available)('SIPp as the camera that is called', () => {
  it.each([
    ['camera-stream', 'udp', 15_060],
    ['camera-stream-tcp-passive', 'tcp-passive', null],
    ['camera-stream-tcp-active', 'tcp-active', 15_060],
  ] as const)('%s', async (scenario, transport, port) => {
    await start();
    const { played } = await called(scenario, 'UDP');
    const session = await server.invite({ ...wish, transport });
    expect(session.ssrc).toBe('0200001234');
    if (port !== null) expect(session.remoteMedia).toEqual({ host: '127.0.0.1', port });
    await session.bye();
    well(await played);
    expect(server.sessions()).toEqual([]);
  });

  it('camera-stream on the TCP connection of its registration', async () => {
    await start();
    const { played } = await called('camera-stream', 'TCP');
    const session = await server.invite(wish);
    await session.bye();
    // Confirmed by SIPp, not given up after byeTimeoutMs: such a call would be kept in mind.
    expect(server.leftOpen()).toEqual([]);
    expect(server.sessions()).toEqual([]);
    await server.close();
    await played;
  });

  it.each([
    ['400', 'Bad Request', /refused INVITE with 400/],
    ['404', 'Not Found', /refused INVITE with 404/],
    ['408', 'Request Timeout', /refused INVITE with 408/],
    ['486', 'Busy Here', /refused INVITE with 486.*busy/],
    ['487', 'Request Terminated', /refused INVITE with 487/],
    ['488', 'Not Acceptable Here', /refused INVITE with 488/],
    ['500', 'Server Internal Error', /refused INVITE with 500/],
    ['503', 'Service Unavailable', /refused INVITE with 503/],
  ])('camera-refuses with %s', async (refusal, reason, message) => {
    await start();
    const { played } = await called('camera-refuses', 'UDP', { '486 Busy Here': `${refusal} ${reason}` });
    await expect(server.invite(wish)).rejects.toThrow(message);
    well(await played);
    expect(server.sessions()).toEqual([]);
    expect(server.device(wish.deviceId)?.online).toBe(true);
  });

  it.each([
    ['camera-lost-200', 'UDP'],
    ['camera-retransmits', 'UDP'],
  ] as const)('%s', async (scenario, transport) => {
    await start();
    const { played } = await called(scenario, transport);
    const session = await server.invite(wish);
    if (scenario === 'camera-retransmits') await new Promise((resolve) => setTimeout(resolve, 300));
    await session.bye();
    well(await played);
    expect(await session.closed).toMatchObject({ reason: 'ended by the server' });
  });

  it('camera-reinvite', async () => {
    await start();
    const { played } = await called('camera-reinvite', 'UDP');
    const session = await server.invite(wish);
    // All three are settled before we hang up: three requests and their ACKs, and then nothing more.
    const before = server.stats.received;
    for (let quietSince = performance.now(), heard = 0; heard < before + 6 || performance.now() - quietSince < 1_000; await new Promise((resolve) => setTimeout(resolve, 20))) {
      if (server.stats.received !== heard) [heard, quietSince] = [server.stats.received, performance.now()];
      if (performance.now() - quietSince > 60_000) throw new Error(`only ${heard - before} messages came`);
    }
    expect(server.sessions().map(({ callId, ssrc }) => ({ callId, ssrc }))).toEqual([{ callId: session.callId, ssrc: '0200001234' }]);
    await session.bye();
    well(await played);
  });

  it('camera-bye', async () => {
    await start();
    const { played } = await called('camera-bye', 'UDP');
    const session = await server.invite(wish);
    expect(await session.closed).toMatchObject({ reason: 'the camera said BYE' });
    well(await played);
  });

  it('camera-bye-crossing', async () => {
    await start();
    const { played } = await called('camera-bye-crossing', 'UDP');
    const session = await server.invite(wish);
    await session.bye();
    await session.closed;
    well(await played);
    expect(server.sessions()).toEqual([]);
  });

  it('camera-bye-ignored', async () => {
    await start({ byeTimeoutMs: 1200 });
    const { played } = await called('camera-bye-ignored', 'UDP');
    const session = await server.invite(wish);
    await session.bye();
    expect(await session.closed).toMatchObject({ reason: 'ended by the server' });
    expect(server.sessions()).toEqual([]);
    well(await played);
  });

  it.each(['camera-cancelled', 'camera-late-200'])('%s', async (scenario) => {
    await start();
    const { played } = await called(scenario, 'UDP');
    await expect(server.invite({ ...wish, timeoutMs: 1500 })).rejects.toThrow(/INVITE/);
    well(await played);
    expect(server.sessions()).toEqual([]);
  });

  it.each([1, 500])('catalog-%i', async (parts) => {
    await start({ catalogQuietMs: 20_000 });
    const { played } = await called(`catalog-${parts}`, 'UDP');
    const result = await server.queryCatalog(wish.deviceId);
    well(await played);
    expect(result).toMatchObject({ complete: true, total: parts });
    expect(new Set(result.items.map(({ id }) => id)).size).toBe(parts);
    expect(result.items[0]).toMatchObject({ id: '34020000001311000001', name: 'Camera 1000001' });
  });

  it('stolen-address: whoever speaks in a device’s name from elsewhere is challenged, and calls go where the device proved to be', async () => {
    await start();
    const { played, port } = await called('camera-stream', 'UDP');
    const moved: unknown[] = [];
    server.on('moved', (event) => moved.push(event));
    // The same host, another port; and another host.
    for (const host of ['127.0.0.1', '127.0.0.2']) well(await run('stolen-address', 'UDP', { password: 'guessed', host }));
    well(await run('stolen-address', 'TCP', { password: 'guessed' }));
    expect(moved).toEqual([]);
    expect(server.device(wish.deviceId)).toMatchObject({ online: true, address: { host: '127.0.0.1', port }, lastKeepaliveAt: null });
    const session = await server.invite(wish);
    await session.bye();
    well(await played);
  });
});
