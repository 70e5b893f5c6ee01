import { afterEach, describe, expect, it } from 'vitest';
import type { BerthwatchError } from '../../base/errors.js';
import type { InviteRequest } from './invite.js';
import type { DialogStore, OpenDialog } from './open-dialogs.js';
import type { GbSession } from './session.js';
import { CAMERA_ID, Fixture, PASSWORD, SERVER } from './testing/fixture.js';
import { header, reply, status, type TestCamera } from './testing/test-camera.js';

let fixture: Fixture;
afterEach(() => fixture.close());

const CHANNEL = '34020000001310000001';
const FROM = 1_700_000_000_000;
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
const recorded = (more: Partial<InviteRequest> = {}): InviteRequest => wish({ ssrc: '1200001234', recording: { kind: 'playback', from: FROM, to: FROM + 60_000 }, ...more });
const sdp = (more = ''): string => ['v=0', `o=${CHANNEL} 0 0 IN IP4 127.0.0.1`, 's=Play', 'c=IN IP4 127.0.0.1', 't=0 0', 'm=video 15060 RTP/AVP 96', 'a=sendonly', 'a=rtpmap:96 PS/90000', `${more}`].filter(Boolean).join('\r\n') + '\r\n';

const failure = async (promise: Promise<unknown>): Promise<BerthwatchError> => {
  try {
    await promise;
  } catch (error) {
    return error as BerthwatchError;
  }
  throw new Error('it succeeded');
};

/** Takes every call; what else it is asked is answered by `other`. */
function talkative(camera: TestCamera, other: (text: string) => string | null = () => null, body = sdp()): { invites: string[]; byes: string[]; infos: string[] } {
  const seen = { invites: [] as string[], byes: [] as string[], infos: [] as string[] };
  camera.onRequest = (text) => {
    const own = other(text);
    if (text.startsWith('INVITE')) seen.invites.push(text);
    if (text.startsWith('BYE')) seen.byes.push(text);
    if (text.startsWith('INFO')) seen.infos.push(text);
    if (own !== null) return own === '' ? null : own;
    if (text.startsWith('INVITE')) return reply(text, 200, 'OK', { body, extra: [`Contact: <sip:${CHANNEL}@192.168.1.64:5060>`, 'Content-Type: application/sdp'] });
    return text.startsWith('BYE') || text.startsWith('INFO') ? reply(text, 200, 'OK') : null;
  };
  return seen;
}

async function calling(request = wish(), other?: (text: string) => string | null, options: ConstructorParameters<typeof Fixture>[0] = {}): Promise<{ camera: TestCamera; session: GbSession; seen: ReturnType<typeof talkative> }> {
  fixture = await new Fixture(options).start();
  const camera = await fixture.registered();
  const seen = talkative(camera, other);
  const session = await fixture.server.invite(request);
  return { camera, session, seen };
}

/** A request of the camera's inside the call. */
function inside(camera: TestCamera, session: GbSession, method: string, options: { cseq: number; body?: string; extra?: string[]; from?: string; to?: string }): string {
  const invite = camera.inbox.find((text) => text.startsWith('INVITE') && header(text, 'Call-ID') === session.callId) as string;
  const ours = /tag=(\w+)/.exec(header(invite, 'From') as string)?.[1] as string;
  const body = options.body ?? '';
  return camera
    .request(method, { callId: session.callId, cseq: options.cseq, body, extra: [...(body ? ['Content-Type: application/sdp'] : []), ...(options.extra ?? [])] })
    .replace(/From: .*/, `From: <sip:${CHANNEL}@3402000000>;tag=${options.from ?? 'camtag'}`)
    .replace(/To: .*/, `To: <sip:${SERVER.serverId}@3402000000>;tag=${options.to ?? ours}`);
}

describe('a recording', () => {
  it('is asked for by time, and steered by INFO in its dialog', async () => {
    const answers = ['RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n', '', '<?xml version="1.0"?><x/>'];
    const { session, seen } = await calling(recorded(), (text) => (text.startsWith('INFO') ? reply(text, 200, 'OK', { body: answers.shift() ?? '' }) : null));
    expect(header(seen.invites[0] as string, 'Subject')).toBe(`${CHANNEL}:1200001234,${SERVER.serverId}:0`);
    expect(seen.invites[0]).toContain(`s=Playback\r\nu=${CHANNEL}:0\r\nc=IN IP4 127.0.0.1\r\nt=1700000000 1700000060\r\n`);
    await Promise.all([session.control({ do: 'pause' }), session.control({ do: 'play', scale: 2, positionS: 30 }), session.control({ do: 'play' })]);
    expect(seen.infos.map((info) => header(info, 'CSeq'))).toEqual(['2 INFO', '3 INFO', '4 INFO']);
    expect(seen.infos.map((info) => header(info, 'Content-Type'))).toEqual(Array(3).fill('Application/MANSRTSP'));
    expect(seen.infos.map((info) => info.split('\r\n\r\n')[1])).toEqual(['PAUSE RTSP/1.0\r\nCSeq: 1\r\nPauseTime: now', 'PLAY RTSP/1.0\r\nCSeq: 2\r\nScale: 2.0\r\nRange: npt=30-', 'PLAY RTSP/1.0\r\nCSeq: 3\r\nRange: npt=now-']);
    await session.bye();
    expect(header(seen.byes[0] as string, 'CSeq')).toBe('5 BYE');
  });

  it.each([
    ['does not know INFO', 'SIP 501', 'conflict', /does not take PAUSE by INFO \(it answered 501 .*can be played and ended/],
    ['does not like its body', 'SIP 415', 'conflict', /does not take PAUSE by INFO/],
    ['refuses it', 'SIP 403', 'conflict', /refused PAUSE with 403/],
    ['takes it and cannot do it', 'RTSP/1.0 455 Method Not Valid\r\nCSeq: 1\r\n\r\n', 'conflict', /took PAUSE but refuses it: 455 Method Not Valid/],
    ['does not answer', '', 'unavailable', /did not answer PAUSE/],
  ])('of a device that %s says so', async (_name, answer, kind, words) => {
    const { session } = await calling(
      recorded(),
      (text) => (!text.startsWith('INFO') ? null : answer === '' ? '' : answer.startsWith('SIP') ? reply(text, Number(answer.slice(4)), 'No') : reply(text, 200, 'OK', { body: answer })),
      { infoTimeoutMs: 150 },
    );
    const error = await failure(session.control({ do: 'pause' }));
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(words);
    expect(fixture.server.sessions()).toHaveLength(1);
  });

  it('is over where the device knows nothing of it', async () => {
    const { session } = await calling(recorded(), (text) => (text.startsWith('INFO') ? reply(text, 481, 'Gone') : null));
    expect((await failure(session.control({ do: 'pause' }))).message).toContain('is over');
    expect(await session.closed).toMatchObject({ cause: 'lost' });
  });

  it('cannot be played backwards by the 2016 edition, nor can a live stream be steered', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.camera();
    await camera.register(PASSWORD, { extra: ['X-GB-Ver: 2.0'] });
    const seen = talkative(camera);
    const session = await fixture.server.invite(recorded());
    expect((await failure(session.control({ do: 'play', scale: -1 }))).message).toContain('cannot play backwards');
    const live = await fixture.server.invite(wish());
    expect((await failure(live.control({ do: 'pause' }))).message).toContain('is live');
    expect((await failure(session.control({ do: 'play', scale: 99 }))).kind).toBe('bad-input');
    expect(seen.infos).toEqual([]);
  });

  it('that has ended by MediaStatus leaves the live stream of its channel alone', async () => {
    const { camera, session: live } = await calling();
    const recording = await fixture.server.invite(recorded());
    const notify = `<Notify><CmdType>MediaStatus</CmdType><SN>2</SN><DeviceID>${CHANNEL}</DeviceID><NotifyType>121</NotifyType></Notify>`;
    expect(status(await camera.ask(camera.message(notify)))).toBe(200);
    expect(await recording.closed).toMatchObject({ cause: 'finished' });
    expect(fixture.server.sessions()).toEqual([live]);
  });

  it('tells the size of a download where the device does, and refuses senseless times', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    talkative(camera, () => null, sdp('a=filesize:123456'));
    const session = await fixture.server.invite(recorded({ recording: { kind: 'download', from: FROM, to: FROM + 1, speed: 4 } }));
    expect(session.answer.fileSize).toBe(123_456);
    expect((await failure(fixture.server.invite(recorded({ recording: { kind: 'download', from: FROM, to: FROM } })))).kind).toBe('bad-input');
  });
});

describe('requests of a camera inside a call', () => {
  it('re-INVITE to refresh is answered with what was agreed, and its ACK ends the repetitions', async () => {
    const { camera, session } = await calling(wish({ transport: 'tcp-passive' }));
    const offer = sdp('y=0200001234').replace('RTP/AVP', 'TCP/RTP/AVP') + 'a=setup:active\r\n';
    for (const [cseq, body] of [[5, offer], [6, '']] as const) {
      const invite = inside(camera, session, 'INVITE', { cseq, body, extra: ['Require: timer', 'Supported: timer', 'Session-Expires: 1800;refresher=uac'] });
      const answer = await camera.ask(invite);
      expect(status(answer)).toBe(200);
      expect(header(answer, 'Session-Expires')).toBe('1800;refresher=uac');
      expect(header(answer, 'Contact')).toContain(SERVER.serverId);
      expect(answer).toContain('m=video 30002 TCP/RTP/AVP 96\r\n');
      expect(answer).toContain('a=setup:passive\r\na=connection:existing\r\n');
      expect(answer).toContain('y=0200001234\r\n');
      // RFC 3261 13.2.2.4: its own branch.
      camera.send(inside(camera, session, 'ACK', { cseq }).replace(/CSeq: .*/, `CSeq: ${cseq} ACK`).replace(/From: .*/, `From: ${header(invite, 'From')}`));
    }
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(camera.inbox.filter((text) => text.startsWith('SIP/2.0 200') && header(text, 'CSeq')?.endsWith('INVITE'))).toEqual([]);
    expect(fixture.server.sessions()).toEqual([session]);
  });

  it.each([
    ['another SSRC', sdp('y=0200009999'), 488, 'the SSRC of this call is 0200001234, not 0200009999'],
    ['another transport', sdp().replace('RTP/AVP', 'TCP/RTP/AVP'), 488, 'this call is over UDP'],
    ['a private stream', sdp().replace('PS/90000', 'DAHUA/90000'), 488, 'private stream'],
    ['no video', 'v=0\r\nm=audio 4000 RTP/AVP 8\r\n', 488, 'audio but no video'],
    ['nothing readable', 'hello', 488, 'cannot be read'],
  ])('re-INVITE for %s is refused, and the stream stays', async (_name, body, code, words) => {
    const { camera, session } = await calling();
    const answer = await camera.ask(inside(camera, session, 'INVITE', { cseq: 5, body }));
    expect(status(answer)).toBe(code);
    expect(header(answer, 'Warning')).toContain(words);
    expect(fixture.server.sessions()).toEqual([session]);
  });

  it('UPDATE, INFO and OPTIONS are taken; what is old or not SDP is not', async () => {
    const { camera, session } = await calling();
    const ask = async (method: string, cseq: number, more: { body?: string; extra?: string[] } = {}): Promise<string> => camera.ask(inside(camera, session, method, { cseq, ...more }));
    const update = await ask('UPDATE', 3, { extra: ['Session-Expires: 90'] });
    expect([status(update), header(update, 'Session-Expires'), header(update, 'Content-Length')]).toEqual([200, '90;refresher=uac', '0']);
    expect((await ask('UPDATE', 4, { body: sdp('y=0200001234') }))).toContain('m=video 30002 RTP/AVP 96');
    expect(status(await ask('INFO', 5, { extra: ['Content-Type: Application/MANSRTSP'] }))).toBe(200);
    const options = await ask('OPTIONS', 6);
    expect([status(options), header(options, 'Allow')]).toEqual([200, expect.stringContaining('UPDATE')]);
    expect(status(await ask('INFO', 6))).toBe(500);
    const plain = inside(camera, session, 'UPDATE', { cseq: 9, body: 'x' }).replace('application/sdp', 'text/plain');
    expect(status(await camera.ask(plain))).toBe(415);
  });

  it('with a guessed tag, or from another host or device, are refused and counted', async () => {
    const { camera, session } = await calling();
    const other = await fixture.registered('UDP', '34020000001320000002');
    for (const [i, method] of ['INVITE', 'UPDATE', 'INFO', 'BYE', 'OPTIONS'].entries()) {
      expect(status(await camera.ask(inside(camera, session, method, { cseq: 20 + i, to: 'guess' }))), method).toBe(481);
      expect(status(await other.ask(inside(camera, session, method, { cseq: 30 + i, to: 'guess' }).replaceAll(`127.0.0.1:${camera.port}`, `127.0.0.1:${other.port}`))), method).toBe(481);
    }
    expect(fixture.server.stats.strangerRequests).toBe(10);
    expect(fixture.server.sessions()).toEqual([session]);
    expect(status(await camera.ask(camera.request('INFO')))).toBe(481);
    expect(status(await camera.ask(camera.request('INVITE')))).toBe(488);
    const stranger = await fixture.camera();
    expect(status(await stranger.ask(stranger.request('INVITE')))).toBe(403);
  });
});

describe('a new call for a stream', () => {
  it('takes the place of the one before, but not of its sub stream or a recording', async () => {
    const { session: first, seen } = await calling();
    const sub = await fixture.server.invite(wish({ stream: 'sub' }));
    const recording = await fixture.server.invite(recorded());
    const second = await fixture.server.invite(wish());
    expect(await first.closed).toMatchObject({ cause: 'replaced' });
    expect(new Set(fixture.server.sessions())).toEqual(new Set([sub, recording, second]));
    expect(seen.byes.map((bye) => header(bye, 'Call-ID'))).toEqual([first.callId]);
  });
});

/** A catalogue in memory. */
class Shelf implements DialogStore {
  readonly kept = new Map<string, OpenDialog>();
  load(): Promise<OpenDialog[]> {
    return Promise.resolve([...this.kept.values()].map((open) => structuredClone(open)));
  }
  put(open: OpenDialog): Promise<void> {
    this.kept.set(open.dialog.callId, open);
    return Promise.resolve();
  }
  remove(callId: string): Promise<void> {
    this.kept.delete(callId);
    return Promise.resolve();
  }
}

describe('calls that were left open', () => {
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('by a former run are ended when the device registers, before anything new', async () => {
    const dialogs = new Shelf();
    const { camera, session, seen } = await calling(wish(), undefined, { dialogs });
    await until(() => dialogs.kept.size === 1);
    // The process dies: nothing is said to the camera.
    const copy = new Shelf();
    for (const open of await dialogs.load()) await copy.put(open);
    const next = new Fixture({ dialogs: copy });
    const invite = seen.invites[0] as string;
    await fixture.close();
    fixture = await next.start();
    expect(next.server.leftOpen()).toMatchObject([{ deviceId: CAMERA_ID, channelId: CHANNEL, ssrc: '0200001234', mediaPort: 30_002 }]);
    const again = await next.camera();
    const told: string[] = [];
    const after = talkative(again, (text) => (told.push(text.split(' ')[0] as string), text.startsWith('BYE') ? reply(text, 481, 'Gone') : null));
    next.server.on('online', () => void next.server.invite(wish()).catch(() => undefined));
    await again.register(PASSWORD);
    await until(() => after.invites.length > 0 && after.byes.length > 0);
    expect(told.slice(0, 2)).toEqual(['BYE', 'INVITE']);
    const bye = after.byes[0] as string;
    expect(header(bye, 'Call-ID')).toBe(session.callId);
    expect(header(bye, 'From')).toBe(header(invite, 'From'));
    expect(header(bye, 'To')).toContain('tag=camtag');
    expect(Number.parseInt(header(bye, 'CSeq') ?? '', 10)).toBeGreaterThan(1000);
    await until(() => ![...copy.kept.keys()].includes(session.callId));
    expect(next.server.leftOpen()).toEqual([]);
    await camera.close();
  });

  it('since BYE was lost are ended when the device is heard of again, a few times at most', async () => {
    const dialogs = new Shelf();
    let deaf = true;
    const { camera, session, seen } = await calling(wish(), (text) => (text.startsWith('BYE') && deaf ? '' : null), { dialogs, byeTimeoutMs: 60 });
    await session.bye();
    expect(fixture.server.leftOpen()).toHaveLength(1);
    expect(dialogs.kept.size).toBe(1);
    for (let i = 0; i < 2; i++) {
      await camera.register(PASSWORD);
      await until(() => fixture.server.leftOpen().length === 1);
    }
    deaf = false;
    const before = seen.byes.length;
    await camera.register(PASSWORD);
    await until(() => dialogs.kept.size === 0);
    expect(seen.byes.length).toBe(before + 1);
    deaf = true;
    const stubborn = await fixture.server.invite(wish());
    await stubborn.bye();
    for (let i = 0; i < 8 && dialogs.kept.size > 0; i++) {
      await camera.register(PASSWORD);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect([fixture.server.leftOpen(), dialogs.kept.size]).toEqual([[], 0]);
  });

  it('a store that fails costs nothing but that', async () => {
    const broken: DialogStore = { load: () => Promise.reject(new Error('no database')), put: () => Promise.reject(new Error('no')), remove: () => Promise.reject(new Error('no')) };
    const { session, seen } = await calling(wish(), undefined, { dialogs: broken });
    await session.bye();
    expect(seen.byes).toHaveLength(1);
  });
});
