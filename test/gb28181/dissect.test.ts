import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MEDIA_TRANSPORTS } from '../../ingest/media/media-transport.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import { hasProgram, makeTestClip, temporaryFolder } from '../simulators/camera/testing/clips.js';
import { canCapture, Capture, captureHost } from './capture.js';
import { deviceId, PASSWORD, SERVER_ID, TestPlatform, until, type Watched } from './platform.js';

/**
 * Wireshark's dissectors read what really went over the wire: registration, keepalives, queries, calls with every media transport,
 * RTP, RTCP and their ends, over UDP and TCP.
 */
const HOST = captureHost();
const ready = hasProgram('ffmpeg') && (await canCapture());

describe.skipIf(!ready)('what tshark says of our conversations', () => {
  const folder = temporaryFolder();
  const capture = new Capture(HOST, join(folder.path, 'all.pcapng'));
  const dissect = capture.dissect.bind(capture);
  const signalling = ['udp', 'tcp'] as const;
  const CHANNELS = MEDIA_TRANSPORTS.map((_, i) => `3402000000131000000${i}`);
  let sip = { udpPort: 0, tcpPort: 0 };

  beforeAll(async () => {
    const clip = makeTestClip(folder.path, 'h264', { seconds: 2, gop: 10 });
    const platform = new TestPlatform({}, HOST);
    await platform.start();
    sip = platform.server.address;
    capture.sip(sip);
    await capture.start();
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
    for (const [i, { stream }] of watched.entries()) capture.media(MEDIA_TRANSPORTS[i % 3] === 'udp' ? 'udp' : 'tcp', (stream.stats as { port: number } | null)?.port ?? 0);
    for (const camera of cameras) for (const event of camera.log.events('streaming')) if (typeof event['localPort'] === 'number') capture.media('tcp', event['localPort']);
    await platform.close();
    await Promise.all(cameras.map((camera) => camera.close()));
    await capture.stop();
  });
  afterAll(() => folder.remove());

  it('nothing is malformed, and no expert calls it an error', async () => {
    expect(await capture.faults()).toEqual([]);
  });

  it('it knows every message for what it is, on both transports', async () => {
    for (const [protocol, port] of [['udp', sip.udpPort], ['tcp', sip.tcpPort]] as const) {
      const methods = await capture.values(`sip && ${protocol}.port == ${port}`, 'sip.Method');
      for (const method of ['REGISTER', 'MESSAGE', 'INVITE', 'ACK', 'BYE']) expect(methods, protocol).toContain(method);
      const statuses = await capture.values(`sip.Status-Code && ${protocol}.port == ${port}`, 'sip.Status-Code');
      for (const status of ['100', '200', '401']) expect(statuses, protocol).toContain(status);
      const commands = await capture.values(`xml.cdata && ${protocol}.port == ${port}`, 'xml.cdata');
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
