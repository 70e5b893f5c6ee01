import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import type { BerthwatchError } from '../../base/errors.js';
import type { InviteRequest } from './invite.js';
import { CAMERA_ID, Fixture, SERVER } from './testing/fixture.js';
import { header, reply, status, type TestCamera } from './testing/test-camera.js';

let fixture: Fixture;
afterEach(() => fixture.close());

const CHANNEL = '34020000001310000001';
const wish = (more: Partial<InviteRequest> = {}): InviteRequest => ({
  deviceId: CAMERA_ID,
  channelId: CHANNEL,
  transport: 'udp',
  mediaHost: '127.0.0.1',
  mediaPort: 30_002,
  ssrc: '0200001234',
  stream: 'main',
  timeoutMs: 5000,
  ...more,
});

const SDP = ['v=0', `o=${CHANNEL} 0 0 IN IP4 127.0.0.1`, 's=Play', 'c=IN IP4 127.0.0.1', 't=0 0', 'm=video 15060 RTP/AVP 96', 'a=sendonly', 'a=rtpmap:96 PS/90000', 'y=0200001234', ''].join('\r\n');

/** A camera that answers INVITE with 100 and then with what `answer` makes of it, and BYE with 200. */
function obedient(camera: TestCamera, answer: (invite: string) => string | null): { invites: string[]; byes: string[] } {
  const seen = { invites: [] as string[], byes: [] as string[] };
  camera.onRequest = (text) => {
    if (text.startsWith('INVITE')) {
      seen.invites.push(text);
      camera.send(reply(text, 100, 'Trying'));
      return answer(text);
    }
    if (text.startsWith('BYE')) {
      seen.byes.push(text);
      return reply(text, 200, 'OK');
    }
    return null;
  };
  return seen;
}

const accept = (invite: string, more: { body?: string; toTag?: string | null; extra?: string[] } = {}): string =>
  reply(invite, 200, 'OK', { body: SDP, extra: [`Contact: <sip:${CHANNEL}@192.168.1.64:5060>`, 'Content-Type: application/sdp'], ...more });

const failure = async (promise: Promise<unknown>): Promise<BerthwatchError> => {
  try {
    await promise;
  } catch (error) {
    return error as BerthwatchError;
  }
  throw new Error('it succeeded');
};

describe.each(['UDP', 'TCP'] as const)('a live session over %s', (transport) => {
  it('is offered, agreed, acknowledged and ended by BYE', async () => {
    fixture = await new Fixture().start();
    const ended: string[] = [];
    fixture.server.on('sessionEnded', ({ reason }) => ended.push(reason));
    const camera = await fixture.registered(transport);
    const seen = obedient(camera, (invite) => accept(invite));
    const session = await fixture.server.invite(wish());
    const invite = seen.invites[0] as string;
    expect(invite.split('\r\n')[0]).toBe(`INVITE sip:${CHANNEL}@127.0.0.1:${camera.port} SIP/2.0`);
    expect(header(invite, 'Subject')).toBe(`${CHANNEL}:0200001234,${SERVER.serverId}:0`);
    expect(header(invite, 'Content-Type')).toBe('application/sdp');
    const offer = (invite.split('\r\n\r\n')[1] as string).split('\r\n');
    expect(offer).toEqual(['v=0', `o=${SERVER.serverId} 0 0 IN IP4 127.0.0.1`, 's=Play', 'c=IN IP4 127.0.0.1', 't=0 0', 'm=video 30002 RTP/AVP 96', 'a=recvonly', 'a=rtpmap:96 PS/90000', 'a=streamnumber:0', 'y=0200001234', '']);
    const ack = await camera.next((text) => text.startsWith('ACK'));
    expect(ack.split('\r\n')[0]).toBe(`ACK sip:${CHANNEL}@192.168.1.64:5060 SIP/2.0`);
    expect(header(ack, 'CSeq')).toBe('1 ACK');
    expect(header(ack, 'To')).toContain(';tag=camtag');
    expect(header(ack, 'Via')).not.toBe(header(invite, 'Via'));
    expect(session).toMatchObject({ ssrc: '0200001234', remoteMedia: { host: '127.0.0.1', port: 15_060 }, peerHost: '127.0.0.1' });
    expect(session.answer.notes).toEqual([]);
    await session.bye();
    expect(header(seen.byes[0] as string, 'CSeq')).toBe('2 BYE');
    expect(await session.closed).toMatchObject({ reason: 'ended by the server' });
    expect(ended).toEqual(['ended by the server']);
    expect(fixture.server.sessions()).toEqual([]);
  });

  it('is ended by a BYE of the camera, not by one of a stranger', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered(transport);
    obedient(camera, (invite) => accept(invite));
    const session = await fixture.server.invite(wish());
    const ack = await camera.next((text) => text.startsWith('ACK'));
    const bye = (fromTag: string, toTag: string): string =>
      camera
        .request('BYE', { callId: session.callId, cseq: 7 })
        .replace(/From: .*/, `From: <sip:${CHANNEL}@3402000000>;tag=${fromTag}`)
        .replace(/To: .*/, `To: <sip:${SERVER.serverId}@3402000000>;tag=${toTag}`);
    const ours = /tag=(\w+)/.exec(header(ack, 'From') as string)?.[1] as string;
    expect(status(await camera.ask(bye('camtag', 'guess')))).toBe(481);
    expect(fixture.server.sessions()).toHaveLength(1);
    expect(status(await camera.ask(bye('camtag', ours)))).toBe(200);
    expect(await session.closed).toMatchObject({ reason: 'the camera said BYE' });
  });
});

describe('answers that cameras give', () => {
  const answered = async (more: Parameters<typeof accept>[1], request: Partial<InviteRequest> = {}): ReturnType<Fixture['server']['invite']> => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    obedient(camera, (invite) => accept(invite, more));
    return fixture.server.invite(wish(request));
  };

  it('are taken without a To tag, and BYE still goes out', async () => {
    const session = await answered({ toTag: null });
    await session.bye();
    expect(await session.closed).toMatchObject({ reason: 'ended by the server' });
  });

  it('are taken without SDP', async () => {
    const session = await answered({ body: '' });
    expect(session.remoteMedia).toBeNull();
    expect(session.ssrc).toBe('0200001234');
    expect(session.answer.notes).toEqual(['the 200 OK carries no session description']);
  });

  it('may choose the SSRC', async () => {
    const session = await answered({ body: SDP.replace('y=0200001234', 'y=0200009999') });
    expect(session.ssrc).toBe('0200009999');
    expect(session.answer.ssrcChosenByCamera).toBe(true);
  });

  it('cannot choose a y= that is no SSRC', async () => {
    const session = await answered({ body: SDP.replace('y=0200001234', 'y=0') });
    expect(session.ssrc).toBe('0200001234');
    expect(session.answer.notes.join()).toContain('y=0 is not an SSRC');
  });

  it('name addresses that cannot be right', async () => {
    const session = await answered({ body: SDP.replace('c=IN IP4 127.0.0.1', 'c=IN IP4 0.0.0.0') });
    expect(session.remoteMedia).toEqual({ host: '127.0.0.1', port: 15_060 });
  });

  it('say UDP to a TCP offer: taken with a note', async () => {
    const session = await answered({}, { transport: 'tcp-passive' });
    expect(session.answer.notes).toEqual(['the answer says UDP although TCP was asked for']);
  });

  it('with a private coding are refused, acknowledged and ended', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    const seen = obedient(camera, (invite) => accept(invite, { body: SDP.replace('96 PS/90000', '96 DAHUA/90000') }));
    const error = await failure(fixture.server.invite(wish()));
    expect(error.code).toBe('GB_BAD_ANSWER');
    expect(error.message).toContain('private stream (DAHUA/90000)');
    await camera.next((text) => text.startsWith('ACK'));
    await camera.next((text) => text.startsWith('BYE'));
    expect(seen.byes.length).toBeGreaterThan(0);
  });
});

describe('what is told to people', () => {
  it('for a device that never registered, and one that is offline', async () => {
    fixture = await new Fixture().start();
    expect((await failure(fixture.server.invite(wish()))).message).toContain('has never registered here');
    const camera = await fixture.registered('TCP');
    const gone = new Promise((resolve) => fixture.server.on('offline', resolve));
    await camera.close();
    await gone;
    const error = await failure(fixture.server.invite(wish()));
    expect(error).toMatchObject({ kind: 'unavailable', code: 'GB_OFFLINE' });
    expect(error.message).toContain('is offline (its SIP connection closed)');
  });

  it.each([
    [400, 'faulty'],
    [404, 'does not know the channel'],
    [486, 'busy'],
    [488, 'other media transport'],
    [500, 'inside the camera'],
    [699, 'its own log'],
  ])('for %i', async (code, words) => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    obedient(camera, (invite) => reply(invite, code, 'No'));
    const error = await failure(fixture.server.invite(wish()));
    expect(error.detail).toMatchObject({ status: code, deviceId: CAMERA_ID, channelId: CHANNEL });
    expect(error.message).toContain(`channel ${CHANNEL} of device ${CAMERA_ID} refused INVITE with ${code} No`);
    expect(error.message).toContain(words);
    const ack = await camera.next((text) => text.startsWith('ACK'));
    expect(header(ack, 'Via')).toContain('z9hG4bK');
  });

  it('when nobody answers', async () => {
    fixture = await new Fixture().start();
    await fixture.registered();
    const error = await failure(fixture.server.invite(wish({ timeoutMs: 100 })));
    expect(error.code).toBe('GB_INVITE_TIMEOUT');
    expect(error.message).toMatch(/did not answer INVITE at UDP 127\.0\.0\.1:\d+ within 0\.1 s/);
  });

  it('when the connection closes meanwhile', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered('TCP');
    camera.onRequest = (text) => (text.startsWith('INVITE') ? (void camera.close(), null) : null);
    expect((await failure(fixture.server.invite(wish()))).code).toBe('GB_CONNECTION_LOST');
  });
});

describe('nothing is left streaming', () => {
  it('a 200 that comes after we gave up is acknowledged and ended', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    let invite = '';
    camera.onRequest = (text) => {
      if (text.startsWith('INVITE')) invite = text;
      return text.startsWith('BYE') ? reply(text, 200, 'OK') : null;
    };
    await failure(fixture.server.invite(wish({ timeoutMs: 50 })));
    camera.send(accept(invite));
    const ack = await camera.next((text) => text.startsWith('ACK'));
    const bye = await camera.next((text) => text.startsWith('BYE'));
    expect(header(bye, 'Call-ID')).toBe(header(invite, 'Call-ID'));
    expect(header(bye, 'To')).toBe(header(ack, 'To'));
    // Its repetition is acknowledged again, but not ended twice.
    camera.send(accept(invite));
    await camera.next((text) => text.startsWith('ACK'));
    expect(camera.inbox.filter((text) => text.startsWith('BYE'))).toEqual([]);
  });

  it('a camera that dithers gets CANCEL', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    camera.onRequest = (text) => (text.startsWith('INVITE') ? reply(text, 100, 'Trying') : text.startsWith('CANCEL') ? reply(text, 200, 'OK') : null);
    const error = await failure(fixture.server.invite(wish({ timeoutMs: 100 })));
    expect(error.message).toContain('took the INVITE (100 Trying) but did not decide');
    const cancel = await camera.next((text) => text.startsWith('CANCEL'));
    const invite = await camera.next((text) => text.startsWith('INVITE'));
    expect(header(cancel, 'Via')).toBe(header(invite, 'Via'));
    expect(header(cancel, 'CSeq')).toBe('1 CANCEL');
    camera.send(reply(invite, 487, 'Request Terminated'));
    await camera.next((text) => text.startsWith('ACK'));
  });

  it('a repeated 200 gets the same ACK again', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    const seen = obedient(camera, (invite) => accept(invite));
    await fixture.server.invite(wish());
    const first = await camera.next((text) => text.startsWith('ACK'));
    camera.send(accept(seen.invites[0] as string));
    expect(await camera.next((text) => text.startsWith('ACK'))).toBe(first);
    expect(fixture.server.sessions()).toHaveLength(1);
  });

  it('closing the server ends every session, even where BYE is ignored', async () => {
    fixture = await new Fixture({ byeTimeoutMs: 200 }).start();
    const camera = await fixture.registered();
    camera.onRequest = (text) => (text.startsWith('INVITE') ? accept(text) : null);
    const session = await fixture.server.invite(wish());
    const other = await fixture.registered('TCP', '34020000001320000002');
    const seen = obedient(other, (invite) => accept(invite));
    await fixture.server.invite(wish({ deviceId: '34020000001320000002' }));
    await fixture.server.close();
    expect(await session.closed).toMatchObject({ reason: 'the server is closing' });
    await camera.next((text) => text.startsWith('BYE'));
    expect(seen.byes).toHaveLength(1);
  });

  it('a device that unregisters ends its sessions; an abort gives up the INVITE', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    obedient(camera, (invite) => accept(invite));
    const session = await fixture.server.invite(wish());
    await camera.register('secret-12345', { expires: 0 });
    expect((await session.closed).reason).toContain('the device unregistered');
    await camera.register('secret-12345');
    camera.onRequest = () => null;
    const stop = new AbortController();
    const pending = failure(fixture.server.invite(wish({ signal: stop.signal })));
    stop.abort(new Error('not wanted'));
    expect((await pending).message).toContain('was given up: not wanted');
  });

  it('MediaStatus 121 ends the session of that channel', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    obedient(camera, (invite) => accept(invite));
    const session = await fixture.server.invite(wish());
    const notify = `<Notify><CmdType>MediaStatus</CmdType><SN>2</SN><DeviceID>${CHANNEL}</DeviceID><NotifyType>121</NotifyType></Notify>`;
    // Seen in the field: From names the channel, not the device.
    expect(status(await camera.ask(camera.message(notify, { fromUser: CHANNEL })))).toBe(200);
    expect((await session.closed).reason).toContain('media ended');
  });
});

describe('loss on UDP', () => {
  it('INVITE is repeated at 0.5, 1 and 2 s and given up by timer B', async () => {
    const clock = new ManualClock();
    fixture = await new Fixture({ clock }).start();
    const camera = await fixture.registered();
    const result = failure(fixture.server.invite(wish({ timeoutMs: 60_000 })));
    const seen: string[] = [];
    for (const ms of [0, 500, 1000, 2000]) {
      clock.advance(ms);
      seen.push(await camera.next((text) => text.startsWith('INVITE')));
    }
    expect(new Set(seen).size).toBe(1);
    clock.advance(32_000);
    expect((await result).code).toBe('GB_INVITE_TIMEOUT');
    clock.advance(60_000);
  });
});
