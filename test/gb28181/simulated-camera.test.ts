import { createSocket, type Socket } from 'node:dgram';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import type { InviteRequest } from '../../ingest/gb28181/invite.js';
import { GbServer, type GbServerOptions } from '../../ingest/gb28181/server.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import type { CameraConfigInput } from '../simulators/camera/config.js';
import { hasProgram, makeTestClip, temporaryFolder } from '../simulators/camera/testing/clips.js';

/** The signalling server and the simulated camera, which were written apart from each other, from the standard. */
const ready = hasProgram('ffmpeg');

const SERVER_ID = '34020000002000000001';
const DEVICE = '34020000001320000001';
const CHANNEL = '34020000001310000001';

/** A media port that counts what comes to it. */
class Sink {
  readonly #socket: Socket = createSocket('udp4');
  packets = 0;
  readonly ssrcs = new Set<number>();

  async open(): Promise<number> {
    this.#socket.on('message', (bytes) => {
      if (bytes.length < 12 || (bytes[1] as number & 0x7f) >= 72 && (bytes[1] as number & 0x7f) <= 79) return;
      this.packets++;
      this.ssrcs.add(bytes.readUInt32BE(8));
    });
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    return this.#socket.address().port;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

async function until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe.skipIf(!ready)('the signalling server with a simulated camera', () => {
  const folder = temporaryFolder();
  let clip = '';
  let server: GbServer;
  let camera: CameraSimulator;
  let sink: Sink;
  beforeAll(() => void (clip = makeTestClip(folder.path, 'h264', { seconds: 2, gop: 10 })));
  afterAll(() => folder.remove());
  afterEach(async () => {
    await camera.close();
    await server.close();
    await sink.close();
  });

  type Parts = Omit<CameraConfigInput, 'server' | 'device' | 'channels'>;

  async function start(parts: Parts = {}, options: Partial<GbServerOptions> = {}): Promise<void> {
    sink = new Sink();
    server = new GbServer({
      serverId: SERVER_ID,
      domain: SERVER_ID.slice(0, 10),
      host: '127.0.0.1',
      port: 0,
      devicePassword: () => 'pw',
      keepalive: { intervalMs: 1000, missed: 3 },
      clock: systemClock,
      logger: silentLogger,
      dateHeader: true,
      catalogQuietMs: 700,
      byeTimeoutMs: 1500,
      ...options,
    });
    await server.start();
    const { udpPort, tcpPort } = server.address;
    camera = new CameraSimulator({
      server: { id: SERVER_ID, port: parts.signalling === 'tcp' ? tcpPort : udpPort },
      device: { id: DEVICE, password: 'pw' },
      channels: [{ id: CHANNEL, clip }],
      registration: { keepaliveMs: 300, backoffMinMs: 50 },
      ...parts,
    });
    await camera.start();
    await until('online', () => server.device(DEVICE)?.online === true);
  }

  const wish = async (): Promise<InviteRequest> => ({
    deviceId: DEVICE,
    channelId: CHANNEL,
    transport: 'udp',
    mediaHost: '127.0.0.1',
    mediaPort: await sink.open(),
    ssrc: '0200001234',
    stream: 'main',
    timeoutMs: 15_000,
  });

  it.each(['udp', 'tcp'] as const)('registers, shows its channels, streams and stops over %s', async (signalling) => {
    await start({ signalling, catalog: { itemsPerMessage: 1, extraChannels: 20 } });
    const catalog = await server.queryCatalog(DEVICE);
    expect(catalog).toMatchObject({ complete: true, total: 21 });
    expect(catalog.items.find(({ id }) => id === CHANNEL)?.name).toBe('高位视频');
    expect(await server.queryDeviceInfo(DEVICE)).toMatchObject({ name: '路侧高位视频', manufacturer: 'Simulated' });
    const session = await server.invite(await wish());
    await until('media', () => sink.packets > 20);
    expect([...sink.ssrcs]).toEqual([200_001_234]);
    await session.bye();
    const before = sink.packets;
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What was under way when BYE arrived may still come; a stream would bring dozens.
    expect(sink.packets - before).toBeLessThan(5);
    await until('keepalive', () => server.device(DEVICE)?.lastKeepaliveAt !== null);
  });

  it.each([
    ['noSdp', { noSdp: true }],
    ['noToTag', { noToTag: true }],
    ['privateContact', { privateContact: true }],
    ['privateSdpAddress', { privateSdpAddress: true }],
    ['noAnswerSsrc', { noAnswerSsrc: true }],
    ['duplicateSip', { duplicateSip: true }],
    ['loseInviteAnswers', { loseInviteAnswers: 1 }],
    ['startBeforeAck', { startBeforeAck: true }],
  ] as const)('gets a stream, and an end of it, in spite of %s', async (_name, misbehaviour) => {
    await start({ misbehaviour });
    const session = await server.invite(await wish());
    await until('media', () => sink.packets > 5);
    await session.bye();
    await camera.log.waitFor('bye');
    expect(server.sessions()).toEqual([]);
  });

  it('takes the SSRC that the camera chose', async () => {
    await start({ misbehaviour: { answerSsrc: '0200007777' } });
    const session = await server.invite(await wish());
    expect(session.ssrc).toBe('0200007777');
    await until('media', () => sink.packets > 5);
    expect([...sink.ssrcs]).toEqual([200_007_777]);
  });

  it('says why a stream is refused', async () => {
    await start({ misbehaviour: { inviteStatus: 486 } });
    await expect(server.invite(await wish())).rejects.toThrow(/refused INVITE with 486.*it is busy/);
  });

  it('does not wait for ever where BYE is ignored', async () => {
    await start({ misbehaviour: { ignoreBye: true } });
    const session = await server.invite(await wish());
    await session.bye();
    expect(await session.closed).toMatchObject({ cause: 'server', reason: 'ended by the server' });
  });

  it.each([
    ['lost items is marked', { missingCatalogItems: 2 }, 8],
    ['repeats its items is whole', { duplicateCatalogItems: true }, 10],
  ] as const)('a catalogue that %s', async (_name, misbehaviour, items) => {
    await start({ catalog: { itemsPerMessage: 1, extraChannels: 9 }, misbehaviour });
    await sink.open();
    const result = await server.queryCatalog(DEVICE);
    expect(result).toMatchObject({ total: 10, complete: items === 10 });
    expect(result.items).toHaveLength(items);
  });

  it('challenges a replayed Authorization again, and the camera stays online', async () => {
    let refreshes = 0;
    await start({ registration: { expiresS: 1, keepaliveMs: 300, backoffMinMs: 50 }, misbehaviour: { replayAuthorization: true } });
    await sink.open();
    server.on('registered', ({ refresh }) => (refreshes += refresh ? 1 : 0));
    await until('two refreshes', () => refreshes >= 2);
    expect(server.device(DEVICE)?.online).toBe(true);
  });

  it('finds a camera again whose router gave it a new port', async () => {
    await start();
    const before = server.device(DEVICE)?.address.port;
    await camera.moveAddress();
    await until('the new address', () => server.device(DEVICE)?.address.port !== before);
    const session = await server.invite(await wish());
    await until('media', () => sink.packets > 5);
    await session.bye();
  });

  it('learns at once that a TCP camera is gone, and by silence that a UDP camera is', async () => {
    await start({ signalling: 'tcp' }, { keepalive: { intervalMs: 300, missed: 2 } });
    await sink.open();
    await camera.crash();
    await until('offline', () => server.device(DEVICE)?.online === false);
    await server.close();
    await sink.close();
    await start({ registration: { keepaliveMs: 200 } }, { keepalive: { intervalMs: 300, missed: 2 } });
    await sink.open();
    await camera.crash();
    await until('offline', () => server.device(DEVICE)?.offlineReason?.startsWith('no keepalive') === true);
  });
});
