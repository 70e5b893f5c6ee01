import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import type { MediaTransportKind } from '../media/media-transport.js';
import { readAnswer, type MediaAnswer } from './answer.js';
import { noMedia } from './diagnosis.js';
import { buildOffer, type OfferParts } from './offer.js';
import { parseSdp } from './sdp.js';
import { SsrcPool } from './ssrc-pool.js';

const file = (name: string): Uint8Array => readFileSync(new URL(`./corpus/sdp/${name}.sdp`, import.meta.url));
const offered = { ssrc: '0200001234', transport: 'udp' as const };
const answer = (body: Uint8Array, more: Partial<{ ssrc: string; transport: MediaTransportKind }> = {}, peer = '192.168.1.64'): MediaAnswer => {
  const result = readAnswer(body, { ...offered, ...more }, peer);
  if ('problem' in result) throw new Error(result.problem);
  return result;
};

describe('offers', () => {
  const parts: OfferParts = { serverId: '34020000002000000001', channelId: '34020000001310000001', mediaHost: '10.0.0.5', mediaPort: 30_002, transport: 'tcp-passive', ssrc: '0200001234', stream: 'sub', dialect: 'streamnumber' };
  const lines = (more: Partial<OfferParts>): string[] => Buffer.from(buildOffer({ ...parts, ...more })).toString().split('\r\n');

  it('for TCP say that we wait', () => {
    expect(lines({})).toEqual([
      'v=0',
      'o=34020000002000000001 0 0 IN IP4 10.0.0.5',
      's=Play',
      'c=IN IP4 10.0.0.5',
      't=0 0',
      'm=video 30002 TCP/RTP/AVP 96',
      'a=recvonly',
      'a=rtpmap:96 PS/90000',
      'a=setup:passive',
      'a=connection:new',
      'a=streamnumber:1',
      'y=0200001234',
      '',
    ]);
  });

  it('for TCP active say that we dial', () => {
    expect(lines({ transport: 'tcp-active', mediaPort: 9 })).toEqual(expect.arrayContaining(['m=video 9 TCP/RTP/AVP 96', 'a=setup:active', 'a=connection:new']));
    expect(lines({ transport: 'udp' }).join()).not.toContain('setup');
  });

  it('ask for main or sub stream in the dialect of the device, and know IPv6', () => {
    expect(lines({ dialect: 'streamMode' })).toContain('a=streamMode:SUB');
    expect(lines({ dialect: 'streamprofile', stream: 'main' })).toContain('a=streamprofile:0');
    expect(lines({ dialect: 'stream' })).toContain('a=stream:1');
    expect(lines({ dialect: 'none' }).filter((line) => line.startsWith('a=stream'))).toEqual([]);
    expect(lines({ mediaHost: '2001:db8::5' })).toContain('c=IN IP6 2001:db8::5');
  });

  it('for a recording name its time in Unix seconds, and how fast a download shall come', () => {
    const recording = { kind: 'playback' as const, from: 1_700_000_000_900, to: 1_700_000_060_100 };
    expect(lines({ recording, ssrc: '1200001234', stream: 'main' })).toEqual([
      'v=0',
      'o=34020000002000000001 0 0 IN IP4 10.0.0.5',
      's=Playback',
      'u=34020000001310000001:0',
      'c=IN IP4 10.0.0.5',
      't=1700000000 1700000061',
      'm=video 30002 TCP/RTP/AVP 96',
      'a=recvonly',
      'a=rtpmap:96 PS/90000',
      'a=setup:passive',
      'a=connection:new',
      'a=streamnumber:0',
      'y=1200001234',
      '',
    ]);
    expect(lines({ recording: { ...recording, kind: 'download', speed: 4 } })).toEqual(expect.arrayContaining(['s=Download', 'a=downloadspeed:4']));
    expect(lines({ recording: { ...recording, kind: 'download' }, existing: true })).toEqual(expect.arrayContaining(['a=downloadspeed:1', 'a=connection:existing']));
  });
});

describe('answers', () => {
  it('are understood', () => {
    expect(answer(file('answer-udp'))).toMatchObject({ ssrc: '0200001234', remoteMedia: { host: '192.168.1.64', port: 15_060 }, payloads: [{ type: 96, encoding: 'PS/90000' }], notes: [] });
    expect(answer(file('answer-tcp'), { transport: 'tcp-passive' }, '10.0.0.5')).toMatchObject({ notes: [], payloads: [{ type: 96 }, { type: 98, encoding: 'H264/90000' }] });
    expect(answer(file('answer-audio-too'), {}, '2001:db8::5')).toMatchObject({ remoteMedia: { host: '2001:db8::5', port: 6000 }, ssrcChosenByCamera: false });
  });

  it('that name a private address behind a router are expected from the router', () => {
    const result = answer(file('answer-udp'), {}, '203.0.113.9');
    expect(result.remoteMedia).toEqual({ host: '203.0.113.9', port: 15_060 });
    expect(result.notes.join()).toContain('private address 192.168.1.64');
  });

  it('that contradict the offer are noted', () => {
    expect(answer(file('answer-tcp')).notes.join()).toContain('says TCP although UDP');
    const passive = Buffer.from(Buffer.from(file('answer-tcp')).toString().replace('setup:active', 'setup:passive'));
    expect(answer(passive, { transport: 'tcp-passive' }).notes.join()).toContain('both wait');
    expect(answer(file('answer-lf-and-noise')).notes).toEqual(expect.arrayContaining(['the answer says inactive: the camera does not mean to send', 'the answer gives port 0 for the video']));
  });

  it('to TCP active must say where the camera listens', () => {
    const passive = Buffer.from(file('answer-tcp')).toString().replace('setup:active', 'setup:passive');
    expect(answer(Buffer.from(passive.replace(/m=video \d+/, 'm=video 6123')), { transport: 'tcp-active' }, '10.0.0.5')).toMatchObject({ remoteMedia: { port: 6123 }, notes: [] });
    for (const body of [Buffer.from(passive.replace(/m=video \d+/, 'm=video 9')), Buffer.alloc(0), file('not-sdp')]) {
      expect(readAnswer(body, { ...offered, transport: 'tcp-active' }, '10.0.0.5')).toEqual({ problem: expect.stringContaining('does not say where it listens') });
    }
    expect(answer(Buffer.from(passive.replace(/m=video \d+/, 'm=video 6123').replace('setup:passive', 'setup:active')), { transport: 'tcp-active' }).notes.join()).toContain('both dial');
  });

  it('that no stream can come of are a problem', () => {
    expect(readAnswer(file('answer-private'), offered, '10.0.0.5')).toEqual({ problem: expect.stringContaining('private stream (DAHUA/90000)') });
    expect(readAnswer(Buffer.from('v=0\r\nm=audio 5000 RTP/AVP 8\r\n'), offered, '10.0.0.5')).toEqual({ problem: expect.stringContaining('no video') });
  });

  it('that are no description leave the stream possible', () => {
    expect(answer(file('not-sdp'))).toMatchObject({ sdp: null, ssrc: '0200001234', remoteMedia: null });
    expect(() => parseSdp(file('not-sdp'))).toThrow(expect.objectContaining({ kind: 'bad-input' }));
  });

  it('lead to words for the case that nothing comes', () => {
    const facts = { deviceId: '1', channelId: '1', transport: 'udp' as const, mediaHost: '10.0.0.5', mediaPort: 30_002 };
    expect(noMedia(facts, 10_000, { notes: ['x'] })).toBe(
      'camera 1 answered INVITE but no packet came to 10.0.0.5:30002 in 10 s: check that UDP 10.0.0.5:30002 can be reached from the camera (firewall, NAT, the advertised media address), or try TCP (also: x)',
    );
  });
});

describe('the SSRC pool', () => {
  it('gives unique numbers of the domain, and rests them after use', () => {
    const clock = new ManualClock();
    const pool = new SsrcPool({ serverId: '34020000002000000001', clock });
    const all = Array.from({ length: 10_000 }, (_, i) => pool.allocate(i % 2 ? 'history' : 'live'));
    expect(new Set(all.map((ssrc) => ssrc.slice(1))).size).toBe(10_000);
    expect(all.every((ssrc, i) => ssrc.startsWith(i % 2 ? '120000' : '020000') && Number(ssrc) < 2 ** 32)).toBe(true);
    expect(() => pool.allocate()).toThrow(expect.objectContaining({ kind: 'unavailable', code: 'GB_SSRC_EXHAUSTED' }));
    pool.release(all[5] as string);
    pool.release(all[5] as string);
    expect(pool.inUse).toBe(9999);
    clock.advance(15_000);
    expect(() => pool.allocate()).toThrow();
    clock.advance(5000);
    expect(pool.allocate().slice(-4)).toBe((all[5] as string).slice(-4));
  });

  it('knows whose an SSRC is, and whose it was', () => {
    const clock = new ManualClock();
    const pool = new SsrcPool({ serverId: '34020000002000000001', clock });
    const ssrc = pool.allocate('live', 'a');
    pool.claim('4000000001', 'a');
    clock.advance(90_000_000);
    for (const number of [Number(ssrc), 4_000_000_001]) expect([pool.isForeign(number, 'a'), pool.isForeign(number, 'b')]).toEqual([false, true]);
    pool.release(ssrc);
    pool.release('4000000001');
    clock.advance(80_000_000);
    for (const number of [Number(ssrc), 4_000_000_001]) expect(pool.isForeign(number, 'b')).toBe(true);
    clock.advance(10_000_000);
    for (const number of [Number(ssrc), 4_000_000_001]) expect(pool.isForeign(number, 'b')).toBe(false);
    expect(pool.isForeign(7, 'b')).toBe(false);
  });

  it('leaves alone what calls of a former run may still send', () => {
    const clock = new ManualClock();
    const pool = new SsrcPool({ serverId: '34020000002000000001', clock });
    for (let i = 0; i < 9_999; i++) pool.leftOver(`020000${String(i).padStart(4, '0')}`, 'a');
    expect(pool.allocate('live', 'b')).toBe('0200009999');
    expect(() => pool.allocate()).toThrow();
    expect(pool.isForeign(200_000_001, 'b')).toBe(true);
    clock.advance(3_600_000);
    expect(pool.allocate('history', 'b')).toMatch(/^120000/);
  });
});
