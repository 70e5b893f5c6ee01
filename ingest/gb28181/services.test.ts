import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import type { DeviceAlarm } from './alarm.js';
import { CAMERA_ID, Fixture, PASSWORD } from './testing/fixture.js';
import { authorize, header, reply, status, unique, type TestCamera } from './testing/test-camera.js';

let fixture: Fixture;
afterEach(() => fixture.close());

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 8000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));
const notify = (cmdType: string, inner: string, sn = 1): string => `<?xml version="1.0"?><Notify><CmdType>${cmdType}</CmdType><SN>${sn}</SN><DeviceID>${CAMERA_ID}</DeviceID>${inner}</Notify>`;
const motion = (second: number): string => notify('Alarm', `<AlarmPriority>4</AlarmPriority><AlarmMethod>5</AlarmMethod><AlarmTime>2026-01-05T12:${String(Math.floor(second / 60)).padStart(2, '0')}:${String(second % 60).padStart(2, '0')}</AlarmTime>`);

/** A NOTIFY in the dialog that `subscribe` began. */
function inDialog(camera: TestCamera, subscribe: string, body: string, options: { cseq?: number; toTag?: string; state?: string } = {}): string {
  const from = header(subscribe, 'From') ?? '';
  const to = options.toTag === undefined ? from : from.replace(/tag=.*/, `tag=${options.toTag}`);
  return [
    `NOTIFY sip:x@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/${camera.transport} 127.0.0.1:${camera.port};rport;branch=${unique('z9hG4bK')}`,
    `From: ${header(subscribe, 'To')};tag=camtag`,
    `To: ${to}`,
    `Call-ID: ${header(subscribe, 'Call-ID')}`,
    `CSeq: ${options.cseq ?? 1} NOTIFY`,
    `Event: ${header(subscribe, 'Event')}`,
    `Subscription-State: ${options.state ?? 'active'}`,
    'Content-Type: Application/MANSCDP+xml',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

describe('subscriptions', () => {
  async function subscribed(answer: (text: string) => string | null = (text) => reply(text, 200, 'OK', { extra: ['Expires: 600'] })): Promise<{ camera: TestCamera; subscribes: string[] }> {
    fixture = await new Fixture({ subscribe: { kinds: ['Alarm'], spreadMs: 0 } }).start();
    const camera = await fixture.camera();
    const subscribes: string[] = [];
    camera.onRequest = (text) => {
      if (!text.startsWith('SUBSCRIBE')) return null;
      subscribes.push(text);
      return answer(text);
    };
    await camera.register(PASSWORD);
    await until(() => subscribes.length > 0);
    return { camera, subscribes };
  }

  it('ask in the words of the standard', async () => {
    const { subscribes } = await subscribed();
    const text = subscribes[0] as string;
    expect([header(text, 'Event'), header(text, 'Expires'), header(text, 'Content-Type')]).toEqual(['presence', '600', 'Application/MANSCDP+xml']);
    expect(header(text, 'Contact')).toMatch(/^<sip:34020000002000000001@127\.0\.0\.1:\d+>$/);
    expect(text.split('\r\n\r\n')[1]).toContain('<CmdType>Alarm</CmdType>');
    await until(() => fixture.server.services.subscriptions(CAMERA_ID)[0]?.state === 'active');
  });

  it('take a NOTIFY that comes before the answer, and none that lies about the dialog', async () => {
    const alarms: DeviceAlarm[] = [];
    const { camera, subscribes } = await subscribed(() => null);
    fixture.server.on('alarm', ({ alarm }) => alarms.push(alarm));
    const subscribe = subscribes[0] as string;
    expect(status(await camera.ask(inDialog(camera, subscribe, motion(1))))).toBe(200);
    expect(status(await camera.ask(inDialog(camera, subscribe, motion(2), { toTag: 'guess', cseq: 2 })))).toBe(481);
    expect(status(await camera.ask(inDialog(camera, subscribe.replace(/Call-ID: /, 'Call-ID: x'), motion(3), { cseq: 3 })))).toBe(481);
    expect(status(await camera.ask(inDialog(camera, subscribe, '<Notify>', { cseq: 4 })))).toBe(400);
    // Firmware that never counts is tolerated, one that counts back is not.
    expect(status(await camera.ask(inDialog(camera, subscribe, motion(5), { cseq: 9 })))).toBe(200);
    expect(status(await camera.ask(inDialog(camera, subscribe, motion(6), { cseq: 9 })))).toBe(200);
    expect(status(await camera.ask(inDialog(camera, subscribe, motion(7), { cseq: 8 })))).toBe(500);
    expect(alarms).toHaveLength(3);
    expect(status(await camera.ask(camera.request('NOTIFY')))).toBe(481);
  });

  it('are made anew when the device registers in a new series, and not at a refresh', async () => {
    const { camera, subscribes } = await subscribed();
    await until(() => fixture.server.services.subscriptions(CAMERA_ID)[0]?.state === 'active');
    await camera.register(PASSWORD);
    await until(() => subscribes.length === 2);
    expect(header(subscribes[1] as string, 'Call-ID')).not.toBe(header(subscribes[0] as string, 'Call-ID'));
  });

  it.each(['rejected', 'noresource'])('that the device ends for good (%s) are not made again', async (reason) => {
    const { camera, subscribes } = await subscribed();
    await until(() => fixture.server.services.subscriptions(CAMERA_ID)[0]?.state === 'active');
    expect(status(await camera.ask(inDialog(camera, subscribes[0] as string, motion(1), { state: `terminated;reason=${reason}` })))).toBe(200);
    expect(fixture.server.services.subscriptions(CAMERA_ID)).toMatchObject([{ state: 'refused', notifies: 1 }]);
  });

  it('are told to be over when the server closes', async () => {
    const { camera, subscribes } = await subscribed();
    await until(() => fixture.server.services.subscriptions(CAMERA_ID)[0]?.state === 'active');
    await fixture.server.close();
    expect(subscribes.map((text) => header(text, 'Expires'))).toEqual(['600', '0']);
    expect(header(subscribes[1] as string, 'To')).toContain('tag=camtag');
    expect(camera.closed).toBe(false);
  });
});

describe('alarms', () => {
  it('are confirmed every time, and kept once; a flood is answered and not kept', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered('TCP');
    let confirmed = 0;
    camera.onRequest = (text) => {
      if (!text.includes('<CmdType>Alarm</CmdType>')) return null;
      confirmed++;
      return reply(text, 200, 'OK');
    };
    const alarms: DeviceAlarm[] = [];
    fixture.server.on('alarm', ({ alarm }) => alarms.push(alarm));
    for (let i = 0; i < 2; i++) expect(status(await camera.ask(camera.message(motion(7))))).toBe(200);
    expect(alarms).toHaveLength(1);
    for (let i = 100; i < 200; i++) camera.send(camera.message(motion(i)));
    await until(() => confirmed === 102);
    expect(alarms).toHaveLength(60);
    expect(fixture.server.services.alarms()).toHaveLength(60);
  });

  it('of strangers are not heard', async () => {
    fixture = await new Fixture().start();
    await fixture.registered();
    const stranger = await fixture.camera('UDP');
    expect(status(await stranger.ask(stranger.message(motion(1))))).toBe(401);
    expect(fixture.server.services.alarms()).toEqual([]);
  });
});

describe('answers', () => {
  it('without SN are taken where there is no doubt, and where there is none are', async () => {
    fixture = await new Fixture({ queryTimeoutMs: 400 }).start();
    const camera = await fixture.registered();
    const answer = (): void => camera.send(camera.message(`<Response><CmdType>DeviceInfo</CmdType><DeviceID>${CAMERA_ID}</DeviceID><DeviceName>P</DeviceName></Response>`));
    camera.onRequest = (text) => {
      if (!text.startsWith('MESSAGE')) return null;
      setTimeout(answer, 50);
      return reply(text, 200, 'OK');
    };
    expect(await fixture.server.queryDeviceInfo(CAMERA_ID)).toMatchObject({ name: 'P' });
    const two = await Promise.allSettled([fixture.server.queryDeviceInfo(CAMERA_ID), fixture.server.queryDeviceInfo(CAMERA_ID)]);
    expect(two.map(({ status: outcome }) => outcome)).toEqual(['rejected', 'rejected']);
  });

  it('that refuse say whether trying again can help', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    camera.onRequest = (text) => reply(text, 501, 'Not Implemented');
    await expect(fixture.server.services.presets(CAMERA_ID, CAMERA_ID)).rejects.toMatchObject({ code: 'GB_NOT_SUPPORTED', retryable: false });
    camera.onRequest = (text) => reply(text, 503, 'Busy');
    await expect(fixture.server.services.presets(CAMERA_ID, CAMERA_ID)).rejects.toMatchObject({ code: 'GB_QUERY_REFUSED', retryable: true });
  });
});

it('a device is told an address of its own IP family', async () => {
  fixture = await new Fixture({ host: '::', advertisedHost: '203.0.113.9' }).start();
  const camera = await fixture.registered();
  expect(fixture.server.hostFor(CAMERA_ID)).toBe('203.0.113.9');
  await camera.close();
  const v6 = await fixture.camera('UDP', '34020000001320000006', '::1').catch(() => null);
  if (!v6) return;
  await v6.register(PASSWORD);
  let via: string | null = null;
  v6.onRequest = (text) => {
    via = header(text, 'Via');
    return reply(text, 200, 'OK');
  };
  await fixture.server.services.control(v6.id, v6.id, { kind: 'key-frame' });
  expect(via).toMatch(/^SIP\/2\.0\/UDP \[[0-9a-f:]+\]:\d+;rport;branch=z9hG4bK/);
  expect(fixture.server.hostFor(v6.id)).toContain(':');
});

it('MediaStatus is of the device whose call it is, whatever From says, also where two live at one address', async () => {
  fixture = await new Fixture().start();
  const gateway = await fixture.registered();
  const other = '34020000001320000002';
  // A second device behind the same socket.
  const callId = unique('reg');
  const register = (extra: string[], cseq: number): string => gateway.request('REGISTER', { callId, cseq, fromUser: other, to: other, extra: ['Expires: 3600', ...extra] });
  const challenge = await gateway.ask(register([], 1));
  const uri = `sip:${gateway.serverId}@${gateway.domain}`;
  expect(status(await gateway.ask(register([`Authorization: ${authorize(challenge, { username: other, password: PASSWORD, method: 'REGISTER', uri, qop: true })}`], 2)))).toBe(200);
  const sdp = 'v=0\r\no=x 0 0 IN IP4 127.0.0.1\r\ns=Play\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 9000 RTP/AVP 96\r\na=sendonly\r\na=rtpmap:96 PS/90000\r\ny=0200001234\r\n';
  gateway.onRequest = (text) => (text.startsWith('INVITE') ? reply(text, 200, 'OK', { extra: ['Content-Type: application/sdp'], body: sdp }) : text.startsWith('BYE') ? reply(text, 200, 'OK') : null);
  const wish = { channelId: '34020000001310000001', transport: 'udp', mediaHost: '127.0.0.1', mediaPort: 9, stream: 'main', timeoutMs: 8000 } as const;
  const first = await fixture.server.invite({ ...wish, deviceId: CAMERA_ID, ssrc: '0200001234' });
  const second = await fixture.server.invite({ ...wish, deviceId: other, ssrc: '0200001235' });
  const finished: string[] = [];
  fixture.server.on('mediaFinished', ({ deviceId }) => finished.push(deviceId));
  const body = notify('MediaStatus', '<NotifyType>121</NotifyType>').replace(CAMERA_ID, wish.channelId);
  const text = gateway.request('MESSAGE', { callId: second.callId, fromUser: '34020000001180000077', extra: ['Content-Type: Application/MANSCDP+xml'], body });
  expect(status(await gateway.ask(text))).toBe(200);
  await second.closed;
  expect(finished).toEqual([other]);
  expect(fixture.server.sessions().map(({ callId: left }) => left)).toEqual([first.callId]);
});

describe('what a device says of its edition and its keepalives', () => {
  it('is remembered from registrations and from answers; ours is told', async () => {
    fixture = await new Fixture({ deviceSettings: () => ({ dateHeader: false }) }).start();
    const camera = await fixture.camera();
    expect(header(await camera.ask(camera.request('REGISTER')), 'X-GB-Ver')).toBe('3.0');
    const answer = await camera.register(PASSWORD);
    expect([header(answer, 'X-GB-Ver'), header(answer, 'Date')]).toEqual(['3.0', null]);
    expect(fixture.server.device(CAMERA_ID)?.gbVersion).toBeNull();
    let asked = '';
    camera.onRequest = (text) => {
      asked = text;
      return reply(text, 200, 'OK', { extra: ['X-GB-Ver: 3.0'] });
    };
    await fixture.server.services.control(CAMERA_ID, CAMERA_ID, { kind: 'key-frame' });
    expect(asked).toContain('encoding="GB2312"');
    expect(asked).toContain('<IFameCmd>Send</IFameCmd>');
    expect(fixture.server.device(CAMERA_ID)?.gbVersion).toBe('3.0');
    await fixture.server.services.control(CAMERA_ID, CAMERA_ID, { kind: 'key-frame' });
    expect(asked).toContain('encoding="GB18030"');
    expect(asked).toContain('<IFrameCmd>Send</IFrameCmd>');
  });

  async function configured(clock: ManualClock, intervalS: string, count: string): Promise<TestCamera> {
    fixture = await new Fixture({ clock, keepalive: { intervalMs: 60_000, missed: 3 } }).start();
    const camera = await fixture.registered();
    camera.onRequest = (text) => {
      if (!text.includes('ConfigDownload')) return null;
      const sn = /<SN>(\d+)</.exec(text)?.[1];
      setTimeout(() => camera.send(camera.message(`<Response><CmdType>ConfigDownload</CmdType><SN>${sn}</SN><DeviceID>${CAMERA_ID}</DeviceID><Result>OK</Result><BasicParam><HeartBeatInterval>${intervalS}</HeartBeatInterval><HeartBeatCount>${count}</HeartBeatCount></BasicParam></Response>`)), 5);
      return reply(text, 200, 'OK');
    };
    await fixture.server.services.config(CAMERA_ID, ['BasicParam']);
    return camera;
  }

  it('decides when it is offline', async () => {
    const clock = new ManualClock();
    const camera = await configured(clock, '20', '2');
    await camera.ask(camera.keepalive(1));
    clock.advance(20_000);
    await camera.ask(camera.keepalive(2));
    clock.advance(49_000);
    expect(fixture.server.device(CAMERA_ID)?.online).toBe(true);
    clock.advance(2000);
    expect(fixture.server.device(CAMERA_ID)).toMatchObject({ online: false, offlineReason: 'no keepalive for 50 s' });
  });

  it('is not believed against what is seen, nor where it makes no sense', async () => {
    const clock = new ManualClock();
    const camera = await configured(clock, '5', '1');
    for (let i = 0; i < 10; i++) {
      await camera.ask(camera.keepalive(i));
      await tick();
      clock.advance(100_000);
      expect(fixture.server.device(CAMERA_ID)?.online).toBe(true);
    }
    await fixture.close();
    await configured(new ManualClock(), '65535', '3');
    expect(fixture.server.device(CAMERA_ID)?.heartbeat).toBeNull();
  });
});
