import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { haveTool } from '../../base/test-tools.js';
import type { MediaMode } from '../../ingest/media/media-transport.js';
import { PortPool } from '../../ingest/media/port-pool.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import type { CameraConfigInput } from '../simulators/camera/config.js';
import { ClipPlayer } from '../simulators/camera/media/clip-player.js';
import { MediaSession } from '../simulators/camera/media/media-session.js';
import { Mp4Clip } from '../simulators/camera/media/mp4-clip.js';
import type { MediaSender } from '../simulators/camera/media/senders.js';
import { misbehaviourSchema } from '../simulators/camera/misbehaviour.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';
import { deviceId, PASSWORD, SERVER_ID, siteCamera, TestPlatform, until, type Watched } from './platform.js';

/**
 * Attempts to make one camera's picture appear as another's. Camera A films in H.264, camera B in H.265: a unit that is in the wrong
 * place gives itself away by its codec.
 */
const A = deviceId(1);
const B = deviceId(3);
const folder = mkdtempSync(join(tmpdir(), 'bw-crosstalk-'));
let clipA = '';
let clipB = '';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sends from an address of our choice whatever a session makes, and never gives up. */
class RogueSender implements MediaSender {
  private udp: UdpSocket | null = null;
  private tcp: Socket | null = null;
  private closed = false;

  constructor(
    private readonly from: string,
    private readonly port: number,
    private readonly transport: 'udp' | 'tcp',
  ) {}

  async open(): Promise<number> {
    if (this.transport === 'udp') {
      this.udp = createSocket('udp4');
      this.udp.on('error', () => undefined);
      this.udp.bind(0, this.from);
      await once(this.udp, 'listening');
    } else this.dial();
    return 0;
  }

  start(): void {}

  send(packets: readonly Buffer[]): void {
    for (const packet of packets) {
      this.udp?.send(packet, this.port, '127.0.0.1', () => undefined);
      if (this.tcp?.writable && this.tcp.writableLength < 1 << 20) this.tcp.write(packet);
    }
  }

  sendControl(): void {}

  close(): Promise<void> {
    this.closed = true;
    this.tcp?.destroy();
    this.udp?.close();
    return Promise.resolve();
  }

  private dial(): void {
    if (this.closed) return;
    const socket = connect({ port: this.port, host: '127.0.0.1', localAddress: this.from });
    this.tcp = socket;
    socket.on('error', () => undefined);
    socket.on('close', () => setTimeout(() => this.dial(), 100));
  }
}

/** Camera A's pictures with an SSRC and from an address of our choice. */
async function rogue(options: { from: string; port: number; ssrc: number; transport: 'udp' | 'tcp' }): Promise<void> {
  const sender = new RogueSender(options.from, options.port, options.transport);
  await sender.open();
  const player = new ClipPlayer(Mp4Clip.open(clipA), { speed: 1, loop: true, timeline: 'held', atEnd: 'still', scenarioStart: null, rewindGops: 0 }, { clipEnded: () => undefined });
  const session = new MediaSession(player, sender, { ssrc: options.ssrc, payloadType: 96, transport: options.transport, audio: null, misbehaviour: misbehaviourSchema.parse({}) }, () => undefined, () => undefined);
  session.begin();
  open.push({ close: async () => (await session.end(), player.close()) });
}

async function platform(mode: MediaMode, ports = 1): Promise<TestPlatform> {
  const from = 40_000 + 2 * Math.floor(Math.random() * 5_000);
  const made = new TestPlatform({}, '127.0.0.1', { mediaMode: mode, ports: new PortPool({ from, to: from + 2 * ports - 1, clock: systemClock, quarantineMs: 0 }), firstPacketTimeoutMs: 4_000, silenceTimeoutMs: 20_000 });
  await made.start();
  open.push(made);
  return made;
}

async function camera(at: TestPlatform, id: string, misbehaviour: CameraConfigInput['misbehaviour'] = {}, playback: CameraConfigInput['playback'] = {}): Promise<CameraSimulator> {
  const made = new CameraSimulator({
    server: { id: SERVER_ID, port: at.server.address.udpPort },
    device: { id, password: PASSWORD },
    channels: [{ id, clip: id === A ? clipA : clipB }],
    registration: { keepaliveMs: 1_000, backoffMinMs: 100, backoffMaxMs: 500 },
    misbehaviour,
    playback,
  });
  open.push({ close: () => made.crash() });
  await made.start();
  await until(`${id} is online`, () => at.server.device(id)?.online === true);
  return made;
}

const codecs = ({ units }: Watched): string[] => [...new Set(units.map((unit) => unit.codec))];
/** The port that a camera was told last. */
const portTold = (device: CameraSimulator): number => (device.log.events('invite').at(-1) as unknown as { offer: { port: number } }).offer.port;

const WAYS = (['port-per-stream', 'shared'] as const).flatMap((mode) => (['udp', 'tcp-passive'] as const).map((transport) => ({ mode, transport, wire: transport === 'udp' ? ('udp' as const) : ('tcp' as const) })));

describe.skipIf(!haveTool('ffmpeg'))('no camera speaks for another', () => {
  beforeAll(() => {
    clipA = makeTestClip(folder, 'h264', { seconds: 2, gop: 10 });
    clipB = makeTestClip(folder, 'h265', { seconds: 2, gop: 10 });
  });

  describe.each(WAYS)('$mode, $transport', ({ mode, transport, wire }) => {
    it('where A still sends to the port that B is given, and B uses an SSRC that nobody agreed to', async () => {
      const at = await platform(mode);
      const deviceA = await camera(at, A);
      const a = at.watch(A, A, transport);
      await until('A shows', () => a.units.length > 5);
      const ssrc = a.stream.ssrc as number;
      const port = portTold(deviceA);
      await a.stream.close();
      // The old sender goes on from the address that both cameras have: they hang on one recorder, or behind one router.
      await rogue({ from: '127.0.0.1', port, ssrc, transport: wire });
      const deviceB = await camera(at, B, { rtpSsrc: 77 });
      const b = at.watch(B, B, transport);
      await until('B shows', () => b.units.length > 30);
      expect(portTold(deviceB)).toBe(port);
      expect(codecs(b)).toEqual(['h265']);
      expect(b.stream.stats?.strangerPackets ?? 0).toBeGreaterThan(0);
    });

    it("where a stranger sends A's pictures with B's own SSRC beside B", async () => {
      const at = await platform(mode);
      const deviceB = await camera(at, B);
      const first = at.watch(B, B, transport);
      await until('B shows', () => first.units.length > 5);
      await rogue({ from: '127.0.0.2', port: portTold(deviceB), ssrc: first.stream.ssrc as number, transport: wire });
      const before = first.units.length;
      await until('B goes on', () => first.units.length > before + 30);
      expect(codecs(first)).toEqual(['h265']);
      const strangers = first.events.filter((event) => event.type === 'stranger');
      expect(strangers.length).toBeGreaterThan(0);
      expect(new Set(strangers.map((event) => event.host))).toEqual(new Set(['127.0.0.2']));
    });

    // Its wait is long; the two ways that it leaves out have unit tests beside the code.
    if ((mode === 'shared') === (transport === 'udp')) it("where B sends with A's SSRC from the right address", async () => {
      const at = await platform(mode, 4);
      await camera(at, A);
      const a = at.watch(A, A, transport);
      await until('A shows', () => a.units.length > 5);
      await camera(at, B, { rtpSsrc: a.stream.ssrc as number });
      const b = at.watch(B, B, transport);
      await until('B is given up, with the reason', () => b.states.some((state) => state.state === 'waiting' && state.diagnosis !== null));
      expect(b.states.find((state) => state.state === 'waiting')?.diagnosis).toMatch(/no packet came to/);
      const before = a.units.length;
      await until('A goes on', () => a.units.length > before + 10);
      expect([codecs(a), b.units]).toEqual([['h264'], []]);
    });
  });

  it.each(WAYS.filter(({ mode, transport }) => (mode === 'shared') === (transport === 'tcp-passive')))("where B has fallen silent and a stranger sends A's pictures with B's own SSRC: $mode, $transport", async ({ mode, transport, wire }) => {
    const at = await platform(mode);
    const device = await camera(at, B, { ignoreIcmp: true }, { loop: false, atEnd: 'silence' });
    const b = at.watch(B, B, transport);
    await until('B has shown everything', () => device.log.events('clip-finished').length > 0 && b.units.length > 40);
    await rogue({ from: '127.0.0.2', port: portTold(device), ssrc: b.stream.ssrc as number, transport: wire });
    const began = performance.now();
    const strangers = (): number => b.events.filter((event) => event.type === 'stranger').length;
    // Longer than a source must be silent to be followed by another one.
    await until('the stranger has tried for long enough', () => strangers() > 0 && performance.now() - began > 6_500);
    expect(codecs(b)).toEqual(['h265']);
    expect(b.stream.stats?.strangerPackets ?? 0).toBeGreaterThan(50);
  });

  it('RTCP of strangers changes nothing, and is counted', async () => {
    const at = await platform('port-per-stream');
    const device = await camera(at, B);
    const b = at.watch(B, B, 'udp');
    await until('B shows', () => b.units.length > 5);
    const stranger = createSocket('udp4');
    open.push({ close: () => new Promise<void>((resolve) => stranger.close(() => resolve())) });
    stranger.bind(0, '127.0.0.2');
    await once(stranger, 'listening');
    const ssrc = b.stream.ssrc as number;
    const goodbye = Buffer.alloc(8);
    goodbye.set([0x81, 203, 0, 1], 0);
    goodbye.writeUInt32BE(ssrc, 4);
    const report = Buffer.alloc(28);
    report.set([0x80, 200, 0, 6], 0);
    report.writeUInt32BE(ssrc, 4);
    for (let i = 0; i < 20; i++) for (const bytes of [goodbye, report]) for (const port of [portTold(device), portTold(device) + 1]) await new Promise((resolve) => stranger.send(bytes, port, '127.0.0.1', resolve));
    const before = b.units.length;
    await until('B goes on', () => b.units.length > before + 20);
    expect(codecs(b)).toEqual(['h265']);
    expect((b.stream.stats as unknown as { rtcpPackets: number }).rtcpPackets).toBeGreaterThanOrEqual(40);
  });

  it('BYE, INFO and re-INVITE with a known Call-ID from somebody else are refused and counted', async () => {
    const at = await platform('port-per-stream');
    await camera(at, A);
    await camera(at, B);
    const b = at.watch(B, B, 'udp');
    await until('B shows', () => b.units.length > 5);
    const [session] = at.server.sessions();
    const other = createSocket('udp4');
    open.push({ close: () => new Promise<void>((resolve) => other.close(() => resolve())) });
    other.bind(0, '127.0.0.1');
    await once(other, 'listening');
    const answers: string[] = [];
    other.on('message', (bytes) => answers.push(bytes.toString('latin1').split('\r\n')[0] as string));
    for (const [i, method] of ['BYE', 'INFO', 'INVITE', 'UPDATE'].entries()) {
      const text = [
        `${method} sip:${SERVER_ID}@127.0.0.1 SIP/2.0`,
        `Via: SIP/2.0/UDP 127.0.0.1:${other.address().port};rport;branch=z9hG4bKrogue${i}`,
        `From: <sip:${B}@3402000000>;tag=whatever`,
        `To: <sip:${SERVER_ID}@3402000000>;tag=guessed`,
        `Call-ID: ${session?.callId ?? ''}`,
        `CSeq: ${i + 1} ${method}`,
        'Max-Forwards: 70',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n');
      other.send(Buffer.from(text, 'latin1'), at.server.address.udpPort, '127.0.0.1');
      await until(`an answer to ${method}`, () => answers.length > i);
    }
    expect(answers.map((answer) => answer.split(' ')[1])).toEqual(['481', '481', '481', '481']);
    expect(at.server.stats.strangerRequests).toBe(4);
    const before = b.units.length;
    await until('B goes on', () => b.units.length > before + 20);
  });

  it('a new address is asked to prove itself before anything is sent to it', async () => {
    const at = await platform('port-per-stream');
    const device = await camera(at, B);
    const before = at.server.device(B)?.address.port as number;
    const thief = createSocket('udp4');
    open.push({ close: () => new Promise<void>((resolve) => thief.close(() => resolve())) });
    thief.bind(0, '127.0.0.2');
    await once(thief, 'listening');
    const heard: string[] = [];
    thief.on('message', (bytes) => heard.push(bytes.toString('latin1').split('\r\n')[0] as string));
    const body = `<?xml version="1.0"?>\r\n<Notify><CmdType>Keepalive</CmdType><SN>9</SN><DeviceID>${B}</DeviceID><Status>OK</Status></Notify>\r\n`;
    const keepalive = [
      `MESSAGE sip:${SERVER_ID}@3402000000 SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.2:${thief.address().port};rport;branch=z9hG4bKthief`,
      `From: <sip:${B}@3402000000>;tag=t`,
      `To: <sip:${SERVER_ID}@3402000000>`,
      'Call-ID: thief',
      'CSeq: 1 MESSAGE',
      `Contact: <sip:${B}@127.0.0.2:${thief.address().port}>`,
      'Content-Type: Application/MANSCDP+xml',
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n');
    thief.send(Buffer.from(keepalive, 'latin1'), at.server.address.udpPort, '127.0.0.1');
    await until('an answer', () => heard.length > 0);
    expect(heard).toEqual(['SIP/2.0 401 Unauthorized']);
    expect(at.server.device(B)?.address).toMatchObject({ host: '127.0.0.1', port: before });
    const b = at.watch(B, B, 'udp', { camera: siteCamera(B, B, 'udp', { strictSsrc: true }) });
    await until('B shows', () => b.units.length > 5);
    expect(heard).toHaveLength(1);
    // The camera itself gets another port from its router: it proves itself there, and is spoken to there.
    await device.moveAddress();
    await until('it was found again', () => at.server.device(B)?.address.port !== before && at.server.device(B)?.online === true);
    await b.stream.close();
    await until('BYE reached it there', () => device.log.events('bye').length > 0);
    const again = at.watch(B, B, 'udp');
    await until('B shows', () => again.units.length > 5);
    expect(codecs(again)).toEqual(['h265']);
  });
});
