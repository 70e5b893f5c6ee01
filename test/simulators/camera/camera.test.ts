import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CameraSimulator } from './camera.js';
import { hasProgram, makeTestClip, pictureHashes, temporaryFolder } from './testing/clips.js';
import { CHANNEL, DEVICE, Rig } from './testing/rig.js';
import { headerOf, offer, SERVER_ID } from './testing/tiny-platform.js';

const ready = hasProgram('ffmpeg');

describe.skipIf(!ready)('simulated camera', () => {
  const folder = temporaryFolder();
  let clip = '';
  const rig = new Rig();

  beforeAll(() => {
    clip = makeTestClip(folder.path, 'h264', { seconds: 2, gop: 10 });
  });
  afterAll(() => folder.remove());
  afterEach(() => rig.close());
  const platform: Rig['platform'] = (options) => rig.platform(options);
  const camera = (port: number, extra?: Parameters<Rig['camera']>[2]): Promise<CameraSimulator> => rig.camera(port, clip, extra);
  const sink: Rig['sink'] = (kind) => rig.sink(kind);

  it.each([
    { transport: 'udp', qop: false },
    { transport: 'udp', qop: true },
    { transport: 'tcp', qop: true },
  ] as const)('registers by digest over $transport (qop $qop) and unregisters', async ({ transport, qop }) => {
    const server = await platform({ transport, qop });
    const device = await camera(server.port, { signalling: transport });
    await device.log.waitFor('registered');
    const [first, second] = server.heard.filter((entry) => entry.text.startsWith('REGISTER'));
    expect(headerOf(first!.text, 'Authorization')).toBe('');
    expect(headerOf(second!.text, 'Authorization')).toContain(`username="${DEVICE}"`);
    expect(headerOf(first!.text, 'Call-ID')).toBe(headerOf(second!.text, 'Call-ID'));
    await device.close();
    const goodbye = server.heard.filter((entry) => entry.text.startsWith('REGISTER')).at(-1)!;
    expect(headerOf(goodbye.text, 'Expires')).toBe('0');
    expect(device.log.events('unregistered')).toHaveLength(1);
  });

  it('says so and tries again when the password is wrong', async () => {
    const server = await platform();
    const device = await camera(server.port, { device: { id: DEVICE, password: 'wrong' } });
    const failed = await device.log.waitFor('registration-failed');
    expect(failed['reason']).toContain('401');
    await device.log.waitForNew('registration-failed');
    expect(device.registered).toBe(false);
  });

  it('retransmits an unanswered request with the same branch', async () => {
    const server = await platform();
    server.rule = () => '';
    await camera(server.port);
    await server.hears(/^REGISTER/);
    await new Promise((resolve) => setTimeout(resolve, 250));
    const branches = server.heard.map((entry) => /branch=(\S+)/.exec(headerOf(entry.text, 'Via'))?.[1]);
    expect(branches.length).toBeGreaterThanOrEqual(3);
    expect(new Set(branches).size).toBe(1);
  });

  it.each(['401 Unauthorized', '403 Forbidden'])('registers anew when a keepalive gets %s', async (status) => {
    const server = await platform();
    const device = await camera(server.port, { registration: { keepaliveMs: 60, backoffMinMs: 20 } });
    await device.log.waitFor('keepalive');
    let refused = false;
    server.rule = (text) => (!refused && text.startsWith('MESSAGE') ? ((refused = true), status) : null);
    await device.log.waitForNew('registration-lost');
    await device.log.waitForNew('registered');
  });

  it.each(['udp', 'tcp'] as const)('comes back by itself when the platform dies and restarts (%s)', async (transport) => {
    const server = await platform({ transport });
    const device = await camera(server.port, { signalling: transport, registration: { keepaliveMs: 60, missedKeepalives: 1, backoffMinMs: 30, backoffMaxMs: 100 } });
    await device.log.waitFor('registered');
    await server.stop();
    await device.log.waitFor('registration-lost');
    await device.log.waitFor('registration-failed');
    await server.start(server.port);
    await device.log.waitForNew('registered');
  });

  it('answers Catalog in parts with Chinese names, DeviceInfo and DeviceStatus', async () => {
    const server = await platform();
    const device = await camera(server.port, { catalog: { itemsPerMessage: 2, extraChannels: 4 } });
    await device.log.waitFor('registered');
    const ask = (cmdType: string, sn: number): string =>
      server.request('MESSAGE', DEVICE, `<?xml version="1.0"?><Query><CmdType>${cmdType}</CmdType><SN>${sn}</SN><DeviceID>${DEVICE}</DeviceID></Query>`);
    ask('Catalog', 17);
    await device.log.waitFor('catalog-sent');
    const parts = server.heard.filter((entry) => entry.text.includes('<CmdType>Catalog</CmdType>')).map((entry) => new TextDecoder('gb18030').decode(Buffer.from(entry.text, 'latin1')));
    expect(parts).toHaveLength(3);
    expect(parts.every((part) => part.includes('<SN>17</SN>') && part.includes('<SumNum>5</SumNum>'))).toBe(true);
    expect(parts.flatMap((part) => [...part.matchAll(/<Item>\s*<DeviceID>(\d{20})/g)]).map((found) => found[1])).toHaveLength(5);
    expect(parts[0]).toContain('<Name>高位视频</Name>');
    ask('DeviceInfo', 18);
    expect((await server.hears(/<CmdType>DeviceInfo<\/CmdType>/)).text).toContain('<SN>18</SN>');
    ask('DeviceStatus', 19);
    expect((await server.hears(/<CmdType>DeviceStatus<\/CmdType>/)).text).toContain('<Online>ONLINE</Online>');
  });

  it('answers a retransmitted INVITE with the same 200, and repeats the 200 until the ACK', async () => {
    const server = await platform();
    const device = await camera(server.port);
    const media = await sink('udp');
    await device.log.waitFor('registered');
    const since = server.heard.length;
    const branch = 'z9hG4bKsame';
    const callId = server.request('INVITE', CHANNEL, offer('udp', media.port), { branch, cseq: 5 });
    await server.hears(/^SIP\/2\.0 200/, since);
    server.request('INVITE', CHANNEL, offer('udp', media.port), { branch, callId, cseq: 5 });
    await device.log.waitFor('no-ack', () => true, 6000);
    const answers = server.heard.slice(since).filter((entry) => entry.text.startsWith('SIP/2.0 200')).map((entry) => entry.text);
    expect(answers.length).toBeGreaterThan(3);
    expect(new Set(answers).size).toBe(1);
    expect(device.log.events('invite')).toHaveLength(1);
    expect(media.packets).toHaveLength(0);
  });

  it.each(['udp', 'passive', 'active'] as const)('sends the clip as RTP/PS, every picture intact (%s)', async (kind) => {
    const server = await platform();
    const device = await camera(server.port, { playback: { loop: false, atEnd: 'silence', speed: 4 } });
    const media = await sink(kind === 'udp' ? 'udp' : 'tcp');
    await device.log.waitFor('registered');
    const { answer } = await server.invite(CHANNEL, offer(kind, media.port));
    expect(answer).toContain('y=0200000001');
    if (kind === 'passive') expect(answer).toContain('a=setup:active');
    if (kind === 'active') {
      expect(answer).toContain('a=setup:passive');
      media.dial(Number(/m=video (\d+)/.exec(answer)![1]));
    }
    await device.log.waitFor('clip-finished');
    await media.until(() => media.packets.filter((packet) => packet.marker).length >= 50, 'fifty pictures');
    expect(new Set(media.packets.map((packet) => packet.ssrc))).toEqual(new Set([200_000_001]));
    media.packets.forEach((packet, i) => i > 0 && expect(packet.sequence).toBe((media.packets[i - 1]!.sequence + 1) & 0xffff));
    const times = media.packets.filter((packet) => packet.marker).map((packet) => packet.timestamp);
    times.forEach((time, i) => i > 0 && expect((time - times[i - 1]! + 2 ** 32) % 2 ** 32).toBe(3600));
    const path = join(folder.path, `received-${kind}.ps`);
    writeFileSync(path, media.stream());
    expect(pictureHashes(path, 'mpeg')).toEqual(pictureHashes(clip));
  });

  it('stops at BYE, and says BYE itself when asked to', async () => {
    const server = await platform();
    const device = await camera(server.port);
    const media = await sink('udp');
    await device.log.waitFor('registered');
    const first = await server.invite(CHANNEL, offer('udp', media.port));
    await media.until(() => media.packets.length > 5, 'pictures');
    server.request('BYE', CHANNEL, '', { callId: first.callId, toTag: first.toTag });
    await device.log.waitFor('session-ended');
    expect(device.sessions).toHaveLength(0);
    const second = await server.invite(CHANNEL, offer('udp', media.port));
    await device.log.waitForNew('position');
    await device.hangUp();
    const bye = await server.hears(/^BYE/);
    expect(headerOf(bye.text, 'Call-ID')).toBe(second.callId);
    expect(headerOf(bye.text, 'From')).toContain(`tag=${second.toTag}`);
    expect(headerOf(bye.text, 'To')).toContain('tag=platform');
  });

  it('moves its media to where a re-INVITE says', async () => {
    const server = await platform();
    const device = await camera(server.port);
    const [first, second] = [await sink('udp'), await sink('udp')];
    await device.log.waitFor('registered');
    const call = await server.invite(CHANNEL, offer('udp', first.port));
    await first.until(() => first.packets.length > 5, 'pictures');
    const again = await server.invite(CHANNEL, offer('udp', second.port), { callId: call.callId, toTag: call.toTag });
    expect(again.toTag).toBe(call.toTag);
    await second.until(() => second.packets.length > 5, 'pictures at the new port');
    expect(device.sessions).toHaveLength(1);
  });

  it('holds the scenario while nobody watches, and goes on from a key picture (held)', async () => {
    const server = await platform();
    const device = await camera(server.port, { playback: { speed: 2 } });
    await device.log.waitFor('registered');
    const media = await sink('tcp');
    await server.invite(CHANNEL, offer('passive', media.port));
    await media.until(() => device.position(CHANNEL) > 24, 'a second of film');
    await media.close();
    // The camera notices the closed connection by itself and says BYE.
    await device.log.waitFor('bye', (event) => event['by'] === 'camera');
    const stopped = device.position(CHANNEL);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const next = await sink('tcp');
    await server.invite(CHANNEL, offer('passive', next.port));
    const streaming = await device.log.waitForNew('position');
    expect(Number(streaming['position'])).toBeGreaterThanOrEqual(stopped - (stopped % 10));
    expect(Number(streaming['position'])).toBeLessThan(stopped + 26);
    await next.until(() => next.packets.length > 0, 'pictures');
    expect(next.packets[0]!.payload.includes(Buffer.from([0, 0, 1, 0xbb]))).toBe(true);
  });

  it('loses what happened meanwhile (wall)', async () => {
    const server = await platform();
    const media = await sink('udp');
    const device = await camera(server.port, { playback: { timeline: 'wall', scenarioStart: Date.now() - 60_500 } });
    await device.log.waitFor('registered');
    await server.invite(CHANNEL, offer('udp', media.port));
    // 60.5 s are thirty loops of two seconds and 12 pictures, and then some until now.
    const position = await device.log.waitFor('position');
    expect(Number(position['loop'])).toBeGreaterThanOrEqual(30);
    expect(Number(position['loop'])).toBeLessThan(60);
  });

  it('notices by ICMP that the platform was killed in the middle of UDP media, and resumes there', async () => {
    const server = await platform();
    const device = await camera(server.port);
    const media = await sink('udp');
    await device.log.waitFor('registered');
    await server.invite(CHANNEL, offer('udp', media.port));
    await media.until(() => device.position(CHANNEL) > 22, 'most of a second');
    const closedAt = device.position(CHANNEL);
    await media.close();
    const ended = await device.log.waitFor('session-ended');
    expect(ended['reason']).toContain('closed its port');
    // The pictures sent into the void do not count: back to about the frame at which it closed.
    expect(device.position(CHANNEL)).toBeLessThan(closedAt + 5);
  });

  it.each([
    { name: 'noSdp', misbehaviour: { noSdp: true }, check: (answer: string) => expect(answer).not.toContain('m=video') },
    { name: 'noToTag', misbehaviour: { noToTag: true }, check: (answer: string) => expect(headerOf(answer, 'To')).not.toContain('tag=') },
    { name: 'privateContact', misbehaviour: { privateContact: true }, check: (answer: string) => expect(headerOf(answer, 'Contact')).toContain('192.168.1.64') },
    { name: 'answerSsrc', misbehaviour: { answerSsrc: '0999999999' }, check: (answer: string) => expect(answer).toContain('y=0999999999'), ssrc: 999_999_999 },
    { name: 'noAnswerSsrc', misbehaviour: { noAnswerSsrc: true }, check: (answer: string) => expect(answer).not.toContain('y=') },
    { name: 'rtpSsrc', misbehaviour: { rtpSsrc: 77 }, check: (answer: string) => expect(answer).toContain('y=0200000001'), ssrc: 77 },
    { name: 'duplicateSip', misbehaviour: { duplicateSip: true }, check: () => {} },
    { name: 'startBeforeAck', misbehaviour: { startBeforeAck: true }, check: () => {} },
  ])('misbehaves on demand: $name', async ({ misbehaviour, check, ssrc }) => {
    const server = await platform();
    const media = await sink('udp');
    const device = await camera(server.port, { misbehaviour });
    await device.log.waitFor('registered');
    const { answer } = await server.invite(CHANNEL, offer('udp', media.port));
    check(answer);
    await media.until(() => media.packets.length > 3, 'pictures');
    expect(media.packets[0]!.ssrc).toBe(ssrc ?? 200_000_001);
  });

  it('misbehaves on demand: inviteStatus, loseInviteAnswers, ignoreBye, rtcpFirst', async () => {
    const server = await platform();
    const refusing = await camera(server.port, { misbehaviour: { inviteStatus: 486 } });
    await refusing.log.waitFor('registered');
    expect((await server.invite(CHANNEL, offer('udp', 9))).answer).toMatch(/^SIP\/2\.0 486/);
    await refusing.crash();

    const media = await sink('udp');
    const device = await camera(server.port, { misbehaviour: { loseInviteAnswers: 1, ignoreBye: true, rtcpFirst: true } });
    await device.log.waitFor('registered');
    const call = await server.invite(CHANNEL, offer('udp', media.port));
    expect(device.log.events('answer-lost')).toHaveLength(1);
    await media.until(() => media.packets.length > 3, 'pictures');
    expect(media.raw[0]![1]).toBe(200);
    const before = server.heard.length;
    server.request('BYE', CHANNEL, '', { callId: call.callId, toTag: call.toTag });
    await device.log.waitFor('bye');
    const had = media.packets.length;
    await media.until(() => media.packets.length > had + 5, 'media after BYE');
    expect(server.heard.slice(before).some((entry) => /^SIP\/2\.0 200[\s\S]*CSeq: \d+ BYE/.test(entry.text))).toBe(false);
  });

  it('closes soon although the platform is dead', async () => {
    const server = await platform();
    const device = await camera(server.port, { sip: { t1Ms: 500, timeoutMs: 60_000 }, registration: { keepaliveMs: 60 }, misbehaviour: { ignoreIcmp: true } });
    const media = await sink('udp');
    await device.log.waitFor('registered');
    await server.invite(CHANNEL, offer('udp', media.port));
    await media.until(() => media.packets.length > 0, 'pictures');
    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const begun = performance.now();
    await device.close();
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(device.sessions).toHaveLength(0);
  });

  it('refuses unknown configuration keys by name', () => {
    expect(() => new CameraSimulator({ server: { id: SERVER_ID, port: 1 }, device: { id: DEVICE, password: '' }, channels: [{ id: CHANNEL, clip, klip: 1 }] } as never)).toThrow(/channels\.0.*klip/);
  });

  const built = join(import.meta.dirname, '../../../dist/test/simulators/camera/main.js');
  const isBuilt = existsSync(built);
  if (!isBuilt) console.warn('camera program test: the project is not built (npm run build:server), skipped');
  it.skipIf(!isBuilt)('runs as a program', async () => {
    const server = await platform();
    const config = join(folder.path, 'camera.json');
    writeFileSync(config, JSON.stringify({ server: { id: SERVER_ID, port: server.port }, device: { id: DEVICE, password: 'secret' }, channels: [{ id: CHANNEL, clip }] }));
    const child = spawn(process.execPath, [built, '--config', config, '--once', '--set', 'misbehaviour.noPsm=true'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => lines.push(...chunk.toString().trim().split('\n')));
    await server.hears(/Authorization/);
    const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toContain('registered');
  });
});
