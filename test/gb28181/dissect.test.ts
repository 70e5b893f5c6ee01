import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haveTool } from '../../base/test-tools.js';
import { MEDIA_TRANSPORTS } from '../../ingest/media/media-transport.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import { hasProgram, makeTestClip, temporaryFolder } from '../simulators/camera/testing/clips.js';
import { deviceId, PASSWORD, SERVER_ID, TestPlatform, until, type Watched } from './platform.js';

/**
 * Wireshark's dissectors read what really went over the wire: registration, keepalives, queries, calls with every media transport,
 * RTP, RTCP and their ends, over UDP and TCP. An own loopback address tells our packets from others'.
 */
const HOST = `127.77.${1 + Math.floor(Math.random() * 250)}.1`;
const ready = hasProgram('ffmpeg') && haveTool('tshark') && haveTool('dumpcap') && (await mayCapture());

/** Capturing needs rights: root, or dumpcap with its capabilities. */
function mayCapture(): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('dumpcap', ['-i', 'lo', '-c', '1', '-a', 'duration:1', '-q', '-w', '/dev/null'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', () => resolve(false));
    child.once('close', () => {
      const denied = /permission|not permitted|no interfaces|privilege/i.test(said);
      if (denied) process.stderr.write(`skipping the dissection of a capture: dumpcap may not listen on lo (${said.trim().split('\n')[0] ?? ''})\n`);
      resolve(!denied);
    });
  });
}

/** dumpcap says that it captures before it does: packets of our own are sent until one is in the file. */
async function listening(file: string): Promise<void> {
  const mark = 'is anybody listening?';
  const socket = createSocket('udp4');
  try {
    await until('dumpcap captures', () => {
      socket.send(mark, 9, HOST);
      return existsSync(file) && readFileSync(file).includes(mark);
    });
  } finally {
    socket.close();
  }
}

describe.skipIf(!ready)('what tshark says of our conversations', () => {
  const folder = temporaryFolder();
  const capture = join(folder.path, 'all.pcapng');
  const signalling = ['udp', 'tcp'] as const;
  const CHANNELS = MEDIA_TRANSPORTS.map((_, i) => `3402000000131000000${i}`);
  let sip = { udpPort: 0, tcpPort: 0 };
  /** Media ports by what runs on them, for dissectors that know no SDP. */
  const media: { transport: string; port: number }[] = [];

  beforeAll(async () => {
    const clip = makeTestClip(folder.path, 'h264', { seconds: 2, gop: 10 });
    const platform = new TestPlatform({}, HOST);
    await platform.start();
    sip = platform.server.address;
    const dumpcap = spawn('dumpcap', ['-i', 'lo', '-q', '-B', '64', '-f', `host ${HOST}`, '-w', capture], { stdio: ['ignore', 'ignore', 'pipe'] });
    await listening(capture);
    const cameras = signalling.map(
      (transport, i) =>
        new CameraSimulator({
          server: { id: SERVER_ID, host: HOST, port: transport === 'udp' ? sip.udpPort : sip.tcpPort },
          device: { id: deviceId(i), password: PASSWORD },
          channels: CHANNELS.map((id) => ({ id, clip, audio: 'g711a' as const })),
          signalling: transport,
          registration: { keepaliveMs: 500, backoffMinMs: 100 },
          catalog: { itemsPerMessage: 1, extraChannels: 3 },
        }),
    );
    await Promise.all(cameras.map((camera) => camera.start()));
    await until('both online', () => signalling.every((_, i) => platform.server.device(deviceId(i))?.online === true));
    const watched: Watched[] = [];
    for (const [i] of signalling.entries()) {
      await platform.server.queryCatalog(deviceId(i));
      await platform.server.queryDeviceInfo(deviceId(i));
      watched.push(...CHANNELS.map((channel, n) => platform.watch(deviceId(i), channel, MEDIA_TRANSPORTS[n] ?? 'udp')));
    }
    const heardReport = (): boolean => cameras.every((camera) => camera.log.events('rtcp').length > 0);
    await until('pictures of all, and receiver reports', () => watched.every(({ units }) => units.length > 20) && heardReport());
    for (const [i, { stream }] of watched.entries()) media.push({ transport: MEDIA_TRANSPORTS[i % 3] ?? '', port: (stream.stats as { port: number } | null)?.port ?? 0 });
    for (const camera of cameras) for (const event of camera.log.events('streaming')) if (typeof event['localPort'] === 'number') media.push({ transport: 'tcp', port: event['localPort'] });
    await platform.close();
    await Promise.all(cameras.map((camera) => camera.close()));
    await stop(dumpcap);
  });
  afterAll(() => folder.remove());

  async function dissect(...args: string[]): Promise<string[]> {
    const as = ['-d', `udp.port==${sip.udpPort},sip`, '-d', `tcp.port==${sip.tcpPort},sip`];
    for (const { transport, port } of media) {
      if (transport === 'udp') as.push('-d', `udp.port==${port},rtp`, '-d', `udp.port==${port + 1},rtcp`);
      else as.push('-d', `tcp.port==${port},rtp`);
    }
    return new Promise((resolve, reject) => {
      // The capture of loopback has packets larger than any network's, with checksums that no card has filled in.
      execFile('tshark', ['-r', capture, '-2', '-n', ...as, '-d', 'media_type==application/manscdp+xml,xml', ...args], { maxBuffer: 256 << 20 }, (error, stdout, stderr) => {
        if (error) reject(new Error(`${error.message}\n${stderr}`));
        else resolve(stdout.split('\n').filter((line) => line !== ''));
      });
    });
  }

  it('nothing is malformed, and no expert calls it an error', async () => {
    expect(await dissect('-Y', '_ws.malformed || _ws.expert.severity == "Error"', '-T', 'fields', '-e', 'frame.number', '-e', '_ws.col.Protocol', '-e', '_ws.expert.message', '-e', '_ws.malformed')).toEqual([]);
  });

  it('it knows every message for what it is, on both transports', async () => {
    for (const [protocol, port] of [['udp', sip.udpPort], ['tcp', sip.tcpPort]] as const) {
      const methods = new Set((await dissect('-Y', `sip && ${protocol}.port == ${port}`, '-T', 'fields', '-e', 'sip.Method')).flatMap((line) => line.split(',')));
      for (const method of ['REGISTER', 'MESSAGE', 'INVITE', 'ACK', 'BYE']) expect(methods, protocol).toContain(method);
      const statuses = new Set((await dissect('-Y', `sip.Status-Code && ${protocol}.port == ${port}`, '-T', 'fields', '-e', 'sip.Status-Code')).flatMap((line) => line.split(',')));
      for (const status of ['100', '200', '401']) expect(statuses, protocol).toContain(status);
      const commands = (await dissect('-Y', `xml.cdata && ${protocol}.port == ${port}`, '-T', 'fields', '-e', 'xml.cdata')).flatMap((line) => line.split(','));
      for (const command of ['Catalog', 'DeviceInfo', 'Keepalive']) expect(commands, protocol).toContain(command);
    }
  });

  it('our offers say what GB/T 28181 wants, field by field', async () => {
    const fields = ['sip.Subject', 'sdp.owner', 'sdp.session_name', 'sdp.connection_info', 'sdp.time', 'sdp.media', 'sdp.media_attr', 'sdp.unknown', 'sdp.invalid'];
    const lines = await dissect('-Y', `sdp && sip.Method == "INVITE" && ip.src == ${HOST}`, '-T', 'fields', '-E', 'separator=|', '-E', 'aggregator=;', ...fields.flatMap((field) => ['-e', field]));
    expect(lines).toHaveLength(6);
    for (const line of lines) {
      const [subject = '', owner, name, connection, time, mediaLine = '', attributes = '', unknown = ''] = line.split('|');
      const { channel = '', ssrc = '' } = /^(?<channel>\d{20}):(?<ssrc>\d{10}),34020000002000000001:0$/.exec(subject)?.groups ?? {};
      const transport = MEDIA_TRANSPORTS[CHANNELS.indexOf(channel)];
      expect({ owner, name, connection, time }).toEqual({ owner: `${SERVER_ID} 0 0 IN IP4 ${HOST}`, name: 'Play', connection: `IN IP4 ${HOST}`, time: '0 0' });
      expect(ssrc).toMatch(/^020000\d{4}$/);
      expect(mediaLine).toMatch(transport === 'udp' ? /^video \d+ RTP\/AVP 96( \d+)*$/ : /^video \d+ TCP\/RTP\/AVP 96( \d+)*$/);
      const list = attributes.split(';');
      expect(list).toContain('recvonly');
      expect(list).toContain('rtpmap:96 PS/90000');
      if (transport === 'udp') expect(attributes).not.toContain('setup');
      else expect(list).toEqual(expect.arrayContaining([transport === 'tcp-passive' ? 'setup:passive' : 'setup:active', 'connection:new']));
      // The standard's own line, which a dissector of plain SDP does not know.
      expect(`${line}${unknown}`).toContain(`y=${ssrc}`);
    }
  });

  it('RTP over UDP and over RFC 4571, and RTCP both ways', async () => {
    const rtp = async (filter: string): Promise<number> => (await dissect('-Y', `rtp && ${filter}`, '-T', 'fields', '-e', 'frame.number')).length;
    expect(await rtp('udp')).toBeGreaterThan(100);
    expect(await rtp('tcp')).toBeGreaterThan(50);
    const types = (await dissect('-Y', 'rtp', '-T', 'fields', '-e', 'rtp.p_type')).flatMap((line) => line.split(','));
    expect(new Set(types)).toEqual(new Set(['96']));
    // Ours: receiver report and source description in one compound packet.
    const ours = await dissect('-Y', `rtcp && ip.src == ${HOST}`, '-T', 'fields', '-e', 'rtcp.pt', '-e', 'rtcp.ssrc.identifier', '-e', 'rtcp.sdes.text');
    expect(ours.length).toBeGreaterThan(1);
    for (const line of ours) expect(line).toMatch(/^201,202\t0x[0-9a-f]{8}.*\tberthwatch$/);
    expect((await dissect('-Y', `rtcp.pt == 200 && ip.dst == ${HOST}`)).length).toBeGreaterThan(0);
  });
});

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill('SIGINT');
  });
}
