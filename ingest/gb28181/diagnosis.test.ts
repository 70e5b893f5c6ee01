import { describe, expect, it } from 'vitest';
import type { MediaTransportKind } from '../media/media-transport.js';
import { readAnswer } from './answer.js';
import { badAnswer, mediaStopped, noMedia, refusedByDevice, type InviteFacts, type MediaSigns } from './diagnosis.js';

const facts = (transport: MediaTransportKind = 'udp', mediaHost = '203.0.113.5'): InviteFacts => ({ deviceId: '34020000001320000001', channelId: '34020000001310000001', transport, mediaHost, mediaPort: 30_002 });
const NAME = 'channel 34020000001310000001 of device 34020000001320000001';

/** Everything that makes a camera answer without showing anything (see the field's failures), with what a person must read. */
const ANSWERS: [what: string, transport: MediaTransportKind, sdp: string, words: RegExp][] = [
  ['no description', 'udp', '', /200 OK carries no session description/],
  ['something that is no description', 'udp', 'hello', /no session description/],
  ['port 0', 'udp', 'v=0\r\nc=IN IP4 198.51.100.7\r\nm=video 0 RTP/AVP 96\r\n', /gives port 0/],
  ['TCP to an offer of UDP', 'udp', 'v=0\r\nm=video 9 TCP/RTP/AVP 96\r\n', /says TCP although UDP was asked for/],
  ['UDP to an offer of TCP', 'tcp-passive', 'v=0\r\nm=video 9000 RTP/AVP 96\r\n', /says UDP although TCP was asked for/],
  ['that it waits too', 'tcp-passive', 'v=0\r\nm=video 9000 TCP/RTP/AVP 96\r\na=setup:passive\r\n', /both wait for a connection/],
  ['that it dials too', 'tcp-active', 'v=0\r\nm=video 9000 TCP/RTP/AVP 96\r\na=setup:active\r\n', /both dial/],
  ['that it only receives', 'udp', 'v=0\r\nm=video 9000 RTP/AVP 96\r\na=recvonly\r\n', /does not mean to send/],
  ['an address of its own network', 'udp', 'v=0\r\nc=IN IP4 192.168.1.64\r\nm=video 9000 RTP/AVP 96\r\n', /names the private address 192\.168\.1\.64; behind its router the camera is 198\.51\.100\.7/],
  ['no address', 'udp', 'v=0\r\nc=IN IP4 0.0.0.0\r\nm=video 9000 RTP/AVP 96\r\n', /media address 0\.0\.0\.0 is unusable/],
  ['an SSRC that is none', 'udp', 'v=0\r\nm=video 9000 RTP/AVP 96\r\ny=0\r\n', /y=0 is not an SSRC/],
];

const PROBLEMS: [what: string, transport: MediaTransportKind, sdp: string, words: RegExp][] = [
  ['a private stream of one maker', 'udp', 'v=0\r\nm=video 9000 RTP/AVP 96\r\na=rtpmap:96 HIKVISION/90000\r\n', /private stream \(HIKVISION\/90000\); switch its GB\/T 28181 stream to PS/],
  ['a private stream of another', 'tcp-passive', 'v=0\r\nm=video 9 TCP/RTP/AVP 96\r\na=rtpmap:96 DAHUA/90000\r\n', /private stream/],
  ['sound alone', 'udp', 'v=0\r\nm=audio 9000 RTP/AVP 8\r\n', /audio but no video/],
  ['nowhere to dial', 'tcp-active', 'v=0\r\nm=video 9 TCP/RTP/AVP 96\r\n', /does not say where it listens \(port 9\): .*use tcp-passive or udp/],
];

const SIGNS: [what: string, transport: MediaTransportKind, mediaHost: string, signs: MediaSigns, words: RegExp][] = [
  ['closed UDP ports', 'udp', '203.0.113.5', {}, /no packet came to 203\.0\.113\.5:30002 in 10 s: check that UDP 203\.0\.113\.5:30002 can be reached .*or try TCP$/],
  ['closed TCP ports', 'tcp-passive', '203.0.113.5', {}, /check that TCP 203\.0\.113\.5:30002 can be reached .*or try UDP$/],
  ['an advertised address that only we have', 'udp', '127.0.0.1', { peerHost: '198.51.100.7' }, /means the camera itself when it reads it: set gb28181\.advertisedHost/],
  ['an advertised address behind our NAT', 'tcp-passive', '192.168.0.2', { peerHost: '198.51.100.7' }, /192\.168\.0\.2 is private, while the camera comes from 198\.51\.100\.7 outside: set gb28181\.advertisedHost/],
  ['a camera that cannot be dialled', 'tcp-active', '203.0.113.5', { dial: { host: '192.168.1.64', port: 6000, failure: 'connect ETIMEDOUT' } }, /listens at TCP 192\.168\.1\.64:6000, but .*\(connect ETIMEDOUT\): .*or use tcp-passive$/],
  ['what came instead', 'udp', '203.0.113.5', { notes: ['7 packets were no RTP', 'RTCP came, but no RTP'] }, /\(also: 7 packets were no RTP; RTCP came, but no RTP\)$/],
  ['IPv6', 'udp', '2001:db8::5', { peerHost: '2001:db8::9' }, /to \[2001:db8::5\]:30002 in 10 s: [^(]*\([^)]*\), or try TCP$/],
];

describe('a camera that answered and sends nothing', () => {
  it.each(ANSWERS)('having answered %s', (_what, transport, sdp, words) => {
    const answer = readAnswer(Buffer.from(sdp), { ssrc: '0200001234', transport }, '198.51.100.7');
    if ('problem' in answer) throw new Error(answer.problem);
    const text = noMedia(facts(transport), 10_000, { notes: answer.notes, peerHost: '198.51.100.7' });
    expect(text).toMatch(words);
    expect(text.startsWith(`${NAME} answered INVITE`)).toBe(true);
  });

  it.each(SIGNS)('because of %s', (_what, transport, mediaHost, signs, words) => expect(noMedia(facts(transport, mediaHost), 10_000, signs)).toMatch(words));

  it('is not told of addresses that are fine', () => {
    for (const [media, peer] of [['127.0.0.1', '127.0.0.2'], ['10.0.0.5', '192.168.1.64'], ['203.0.113.5', '10.1.1.1'], ['192.168.0.2', '127.0.0.1']] as const) expect(noMedia(facts('udp', media), 10_000, { peerHost: peer })).not.toContain('also');
  });
});

it.each(PROBLEMS)('an answer with %s is refused at once', (_what, transport, sdp, words) => {
  const answer = readAnswer(Buffer.from(sdp), { ssrc: '0200001234', transport }, '198.51.100.7');
  if (!('problem' in answer)) throw new Error('it was taken');
  expect(badAnswer(facts(transport), answer.problem)).toMatch(words);
});

it.each([400, 401, 403, 404, 405, 406, 408, 415, 480, 481, 486, 487, 488, 500, 503, 603, 699])('a refusal with %i says what to do', (status) => {
  const text = refusedByDevice(facts(), status, 'No');
  expect(text).toContain(`${NAME} refused INVITE with ${status} No: `);
  expect((text.split('No: ')[1] as string).length).toBeGreaterThan(12);
});

it('a stale session is named where a camera is busy, and a stream that stops is told', () => {
  expect(refusedByDevice(facts(), 486, 'Busy Here')).toContain('still sends to an earlier session');
  expect(mediaStopped(facts(), 10_400)).toBe(`${NAME} stopped sending 10 s ago without a word: its network may be down, or it restarted; it is asked again`);
});
