import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { DevicePlaybacks } from '../../service/device-footage/device-playbacks.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import { hasProgram, makeTestClip, temporaryFolder } from '../simulators/camera/testing/clips.js';
import { canCapture, Capture, captureHost } from './capture.js';
import { deviceId, PASSWORD, SERVER_ID, siteCamera, TestPlatform, until } from './platform.js';

/** Wireshark's dissectors read subscriptions, the steering of playbacks, control, and streams on the one shared media port. */
const HOST = captureHost();
const ready = hasProgram('ffmpeg') && (await canCapture());
const FROM = Date.parse('2026-01-05T10:00:00+08:00');

describe.skipIf(!ready)('what tshark says of subscriptions, steering and the shared port', () => {
  const folder = temporaryFolder();
  const capture = new Capture(HOST, join(folder.path, 'control.pcapng'));
  const ways = [
    { signalling: 'udp', media: 'udp' },
    { signalling: 'tcp', media: 'tcp-passive' },
  ] as const;
  const channel = (i: number): string => `3402000000131000001${i}`;
  const ssrcs = new Set<number>();
  let sharedPort = 0;

  beforeAll(async () => {
    const clip = makeTestClip(folder.path, 'h264', { seconds: 2, gop: 10 });
    const platform = new TestPlatform({ subscribe: { kinds: ['Catalog', 'Alarm'], expiresS: 600 } }, HOST, { mediaMode: 'shared' });
    await platform.start();
    const sip = platform.server.address;
    capture.sip(sip);
    await capture.start();
    const cameras = ways.map(
      ({ signalling }, i) =>
        new CameraSimulator({
          server: { id: SERVER_ID, host: HOST, port: signalling === 'udp' ? sip.udpPort : sip.tcpPort },
          device: { id: deviceId(i), password: PASSWORD, version: '3.0' },
          channels: [{ id: channel(i), clip }],
          signalling,
          registration: { keepaliveMs: 500, backoffMinMs: 100 },
        }),
    );
    const told = { alarms: 0 };
    platform.server.on('alarm', () => void (told.alarms += 1));
    await Promise.all(cameras.map((camera) => camera.start()));
    await until('both online and subscribed to', () => ways.every((_, i) => platform.server.device(deviceId(i))?.online === true && platform.server.services.subscriptions(deviceId(i)).filter(({ state }) => state === 'active').length === 2));
    const watched = ways.map(({ media }, i) => platform.watch(deviceId(i), channel(i), media));
    for (const camera of cameras) await camera.alarm({ method: 5, type: 2, by: 'notify' });
    await until('alarms by NOTIFY', () => told.alarms >= ways.length);
    await until('pictures on the shared port, and a receiver report', () => watched.every(({ units }) => units.length > 20) && (cameras[0]?.log.events('rtcp').length ?? 0) > 0);
    sharedPort = (watched[0]?.stream.stats as { port: number } | null)?.port ?? 0;
    expect(new Set(watched.map(({ stream }) => (stream.stats as { port: number } | null)?.port))).toEqual(new Set([sharedPort]));
    for (const session of platform.server.sessions()) ssrcs.add(Number(session.ssrc));

    const sites = ways.map(({ media }, i) => siteCamera(deviceId(i), channel(i), media));
    const playbacks = new DevicePlaybacks({ calls: platform.calls, camera: (id) => sites.find((site) => site.id === id), clock: systemClock, logger: silentLogger, most: 4, unwatchedMs: 60_000 });
    for (const { id: cameraId } of sites) {
      const { id } = await playbacks.open({ cameraId, from: FROM, to: FROM + 600_000, stream: 'main' });
      playbacks.read(id).resume();
      await until('it plays', () => playbacks.get(id).position !== null);
      for (const steering of [{ paused: true }, { paused: false }, { position: 300 }, { speed: 4 }, { speed: -2 }]) await playbacks.steer(id, steering);
      for (const session of platform.server.sessions()) ssrcs.add(Number(session.ssrc));
      await playbacks.end(id);
    }
    for (const [i] of ways.entries()) await platform.server.services.control(deviceId(i), channel(i), { kind: 'ptz', ptz: { kind: 'move', pan: 'right', panSpeed: 50 } });
    await playbacks.close();
    await platform.close();
    await Promise.all(cameras.map((camera) => camera.close()));
    await capture.stop();
    capture.media('udp', sharedPort);
    capture.media('tcp', sharedPort);
  });
  afterAll(() => folder.remove());

  it('nothing is malformed, and no expert calls it an error', async () => {
    expect(await capture.faults()).toEqual([]);
  });

  it.each(ways)('SUBSCRIBE and NOTIFY of a device over $signalling, by their fields', async ({ signalling }) => {
    const asked = await capture.dissect('-Y', `sip.Method == "SUBSCRIBE" && ${signalling}`, '-T', 'fields', '-E', 'separator=|', '-e', 'sip.Event', '-e', 'sip.Expires', '-e', 'sip.Content-Type', '-e', 'xml.cdata');
    const first = asked.filter((line) => line.includes('|600|'));
    expect(first.length).toBeGreaterThanOrEqual(2);
    for (const line of asked) expect(line).toMatch(/^(Catalog;id=\w+|presence)\|(600|0)\|Application\/MANSCDP\+xml\|/i);
    for (const kind of ['Catalog', 'Alarm']) expect(first.some((line) => line.includes(kind)), kind).toBe(true);
    // All are given back at the end.
    expect(asked.filter((line) => line.includes('|0|')).length).toBeGreaterThanOrEqual(2);
    const notified = await capture.dissect('-Y', `sip.Method == "NOTIFY" && ${signalling}`, '-T', 'fields', '-e', 'sip.Subscription-State', '-e', 'xml.cdata');
    expect(notified.some((line) => /^active/.test(line) && line.includes('Alarm'))).toBe(true);
    expect(await capture.values(`sip.CSeq.method == "NOTIFY" && sip.Status-Code && ${signalling}`, 'sip.Status-Code')).toEqual(new Set(['200']));
  });

  it.each(ways)('INFO of a playback over $signalling, with the MANSRTSP in it', async ({ signalling }) => {
    const steered = await capture.dissect('-Y', `sip.Method == "INFO" && ${signalling}`, '-T', 'fields', '-E', 'separator=|', '-e', 'sip.Content-Type', '-e', 'sip.msg_body');
    expect(new Set(steered.map((line) => line.split('|')[0]?.toLowerCase()))).toEqual(new Set(['application/mansrtsp']));
    // Over UDP each may have been repeated.
    expect(steered.length).toBeGreaterThanOrEqual(5);
    expect(await capture.values(`sip.CSeq.method == "INFO" && sip.Status-Code && ${signalling}`, 'sip.Status-Code')).toEqual(new Set(['200']));
    const offers = await capture.dissect('-Y', `sdp && sip.Method == "INVITE" && ip.src == ${HOST} && ${signalling}`, '-T', 'fields', '-e', 'sdp.session_name', '-e', 'sdp.time');
    expect(offers.some((line) => line === `Playback\t${FROM / 1000} ${FROM / 1000 + 600}`)).toBe(true);
  });

  it('every stream on the shared port is RTP of an SSRC that was agreed', async () => {
    for (const transport of ['udp', 'tcp'] as const) {
      const seen = await capture.values(`rtp && ${transport}.dstport == ${sharedPort}`, 'rtp.ssrc');
      // A live stream and a playback.
      expect(seen.size, transport).toBeGreaterThanOrEqual(2);
      for (const ssrc of seen) expect([...ssrcs], transport).toContain(Number(ssrc));
    }
    // Receiver report and source description in one compound packet.
    const reports = await capture.dissect('-Y', `rtcp && ip.src == ${HOST} && udp.srcport == ${sharedPort + 1}`, '-T', 'fields', '-e', 'rtcp.pt', '-e', 'rtcp.sdes.text');
    expect(reports.length).toBeGreaterThan(0);
    expect(new Set(reports)).toEqual(new Set(['201,202\tberthwatch']));
  });
});
