import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasProgram, makeTestClip, pictureHashes, temporaryFolder } from './testing/clips.js';
import { pcap, type Datagram } from './testing/pcap.js';
import { CHANNEL, DEVICE, Rig } from './testing/rig.js';
import { headerOf, offer } from './testing/tiny-platform.js';

const ready = hasProgram('ffmpeg');
const tshark = ready && hasProgram('tshark');

describe.skipIf(!ready)('simulated camera, further', () => {
  const folder = temporaryFolder();
  const rig = new Rig();
  let clip = '';
  let other = '';

  beforeAll(() => {
    clip = makeTestClip(folder.path, 'h264', { seconds: 1, gop: 5 });
    other = makeTestClip(folder.path, 'h265', { seconds: 1, gop: 5 });
  });
  afterAll(() => folder.remove());
  afterEach(() => rig.close());

  it('loses nothing but the boundary when it glues pictures or packets', async () => {
    for (const misbehaviour of [{ gluedPictures: true }, { gluedPackets: true }, { splitPes: true, privateStream: true, marker: 'never' as const }, { rtpExtras: true }]) {
      const server = await rig.platform();
      const media = await rig.sink('udp');
      const device = await rig.camera(server.port, clip, { playback: { loop: false, atEnd: 'silence', speed: 4 }, misbehaviour });
      await device.log.waitFor('registered');
      await server.invite(CHANNEL, offer('udp', media.port));
      await device.log.waitFor('clip-finished');
      await media.until(() => media.packets.length >= device.sessions[0]!.packets, 'all packets');
      const path = join(folder.path, 'glued.ps');
      writeFileSync(path, media.stream());
      const wanted = pictureHashes(clip);
      const got = pictureHashes(path, 'mpeg');
      // What did not fill the last packet (glued), or waited for a partner (odd count), never left: the last picture may be damaged or missing.
      expect(got.slice(0, wanted.length - 2)).toEqual(wanted.slice(0, wanted.length - 2));
      if (misbehaviour.marker === 'never' || misbehaviour.gluedPackets) expect(media.packets.some((packet) => packet.marker)).toBe(false);
      await rig.close();
    }
  });

  it('damages TCP framing and goes on', async () => {
    const server = await rig.platform();
    const media = await rig.sink('tcp');
    const device = await rig.camera(server.port, clip, { misbehaviour: { tcpShortWritePercent: 5, tcpGarbagePercent: 5, seed: 3 } });
    await device.log.waitFor('registered');
    await server.invite(CHANNEL, offer('passive', media.port));
    await device.log.waitFor('loop-ended');
    expect(device.sessions[0]!.tcpDamaged).toBeGreaterThan(2);
  });

  it('pushes on into a closed port with ignoreIcmp', async () => {
    const server = await rig.platform();
    const media = await rig.sink('udp');
    const device = await rig.camera(server.port, clip, { misbehaviour: { ignoreIcmp: true } });
    await device.log.waitFor('registered');
    await server.invite(CHANNEL, offer('udp', media.port));
    await media.until(() => media.packets.length > 3, 'pictures');
    await media.close();
    await device.log.waitForNew('loop-ended');
    expect(device.sessions).toHaveLength(1);
  });

  it('repeats its old credentials with replayAuthorization', async () => {
    const server = await rig.platform();
    const device = await rig.camera(server.port, clip, { registration: { expiresS: 1, keepaliveMs: 5000, backoffMinMs: 20 }, misbehaviour: { replayAuthorization: true } });
    await device.log.waitFor('refreshed');
    const [, first, refresh, second] = server.heard.filter((entry) => entry.text.startsWith('REGISTER')).map((entry) => headerOf(entry.text, 'Authorization'));
    expect(refresh).toBe(first);
    expect(second).not.toBe(first);
  });

  it('sends catalog items twice or not at all', async () => {
    const server = await rig.platform();
    const device = await rig.camera(server.port, clip, { catalog: { itemsPerMessage: 1, extraChannels: 2 }, misbehaviour: { duplicateCatalogItems: true, missingCatalogItems: 1 } });
    await device.log.waitFor('registered');
    server.request('MESSAGE', DEVICE, `<Query><CmdType>Catalog</CmdType><SN>1</SN><DeviceID>${DEVICE}</DeviceID></Query>`);
    expect(await device.log.waitFor('catalog-sent')).toMatchObject({ items: 5, parts: 5 });
    expect(server.heard.filter((entry) => entry.text.includes('<SumNum>3</SumNum>'))).toHaveLength(5);
  });

  it('goes on from another port after moveAddress', async () => {
    const server = await rig.platform();
    const device = await rig.camera(server.port, clip, { registration: { keepaliveMs: 60, backoffMinMs: 20 } });
    await device.log.waitFor('keepalive');
    const via = (): string => headerOf(server.heard.at(-1)!.text, 'Via').split(';')[0]!;
    const before = via();
    await device.moveAddress();
    await device.log.waitForNew('keepalive');
    expect(via()).not.toBe(before);
  });

  it('starts in the middle of a GOP with startMidGop', async () => {
    const server = await rig.platform();
    const media = await rig.sink('udp');
    const device = await rig.camera(server.port, clip, { misbehaviour: { startMidGop: true } });
    await device.log.waitFor('registered');
    await server.invite(CHANNEL, offer('udp', media.port));
    await media.until(() => media.packets.length > 0, 'pictures');
    expect(media.packets[0]!.payload.includes(Buffer.from([0, 0, 1, 0xbb]))).toBe(false);
  });

  it('repeats its last GOP after the end (still), or hangs up and refuses (bye)', async () => {
    const server = await rig.platform();
    const media = await rig.sink('udp');
    const device = await rig.camera(server.port, clip, { playback: { loop: false, atEnd: 'still', speed: 4 } });
    await device.log.waitFor('registered');
    await server.invite(CHANNEL, offer('udp', media.port));
    await device.log.waitFor('clip-finished');
    const later = await device.log.waitForNew('position');
    expect(Number(later['position'])).toBeGreaterThanOrEqual(25);
    expect(Number(later['frame'])).toBeGreaterThanOrEqual(20);
    await device.crash();
    const ending = await rig.camera(server.port, clip, { playback: { loop: false, atEnd: 'bye', speed: 4 } });
    await ending.log.waitFor('registered');
    await server.invite(CHANNEL, offer('udp', media.port));
    await server.hears(/^BYE/);
    expect((await server.invite(CHANNEL, offer('udp', media.port))).answer).toMatch(/^SIP\/2\.0 480/);
  });

  it('sends the sub stream when one is asked for in any dialect', async () => {
    for (const dialect of ['a=streamnumber:1', 'a=streamprofile:1', 'a=stream:1', 'a=streamMode:SUB']) {
      const server = await rig.platform();
      const media = await rig.sink('udp');
      const device = await rig.camera(server.port, clip, { channels: [{ id: CHANNEL, clip, subClip: other }] });
      await device.log.waitFor('registered');
      expect((await server.invite(CHANNEL, offer('udp', media.port, '0200000001', [dialect]))).answer).toContain('f=v/5/');
      await rig.close();
    }
  });

  it.skipIf(!tshark)('speaks SIP, SDP, RTP and RTCP that a foreign dissector takes without complaint', async () => {
    const server = await rig.platform({ qop: true });
    const media = await rig.sink('udp');
    const device = await rig.camera(server.port, clip, { channels: [{ id: CHANNEL, clip, audio: 'g711a' }], misbehaviour: { rtcpFirst: true } });
    await device.log.waitFor('registered');
    server.request('MESSAGE', DEVICE, `<Query><CmdType>Catalog</CmdType><SN>1</SN><DeviceID>${DEVICE}</DeviceID></Query>`);
    await device.log.waitFor('catalog-sent');
    const call = await server.invite(CHANNEL, offer('udp', media.port));
    await media.until(() => media.packets.length > 20, 'pictures');
    server.request('BYE', CHANNEL, '', { callId: call.callId, toTag: call.toTag });
    await device.log.waitFor('session-ended');
    await device.close();
    const sip = server.heard.map((entry): Datagram => ({ at: entry.at, fromPort: 5062, toPort: 5060, bytes: Buffer.from(entry.text, 'latin1') }));
    const rtp = media.raw.map((bytes, i): Datagram => (bytes[1] === 200 ? { at: i, fromPort: 30_001, toPort: 30_001, bytes } : { at: i, fromPort: 30_000, toPort: 30_000, bytes }));
    const path = join(folder.path, 'all.pcap');
    writeFileSync(path, pcap([...sip, ...rtp]));
    const dissect = (...args: string[]): string[] =>
      execFileSync('tshark', ['-r', path, '-d', 'udp.port==5060,sip', '-d', 'udp.port==30000,rtp', '-d', 'udp.port==30001,rtcp', ...args], { stdio: ['ignore', 'pipe', 'ignore'] }).toString().split('\n').filter((line) => line !== '');
    expect(dissect('-Y', '_ws.malformed || _ws.expert.severity == error', '-T', 'fields', '-e', 'frame.number', '-e', '_ws.expert.message')).toEqual([]);
    expect(dissect('-Y', 'sip')).toHaveLength(sip.length);
    expect(new Set(dissect('-Y', 'sip.Method', '-T', 'fields', '-e', 'sip.Method'))).toEqual(new Set(['REGISTER', 'MESSAGE']));
    expect(dissect('-Y', 'sdp', '-T', 'fields', '-e', 'sdp.media')).toEqual([expect.stringMatching(/^video \d+ RTP\/AVP 96$/)]);
    expect(dissect('-Y', 'rtp')).toHaveLength(media.packets.length);
    expect(dissect('-Y', 'rtcp.pt == 200')).toHaveLength(1);
  });
});
