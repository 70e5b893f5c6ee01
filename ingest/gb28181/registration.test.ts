import { afterEach, describe, expect, it } from 'vitest';
import { CAMERA_ID, Fixture, PASSWORD, SERVER } from './testing/fixture.js';
import { authorize, header, status, unique } from './testing/test-camera.js';

let fixture: Fixture;
afterEach(() => fixture.close());

const URI = `sip:${SERVER.serverId}@${SERVER.domain}`;

describe.each(['UDP', 'TCP'] as const)('registration over %s', (transport) => {
  it('challenges, accepts the right digest and says what it granted', async () => {
    fixture = await new Fixture().start();
    const events: string[] = [];
    fixture.server.on('online', ({ device }) => events.push(`online ${device.id}`));
    const camera = await fixture.camera(transport);
    const answer = await camera.register(PASSWORD, { expires: 7200, extra: ['X-GB-Ver: 2.0'] });
    expect(status(answer)).toBe(200);
    expect(header(answer, 'Expires')).toBe('7200');
    expect(header(answer, 'Contact')).toBe(`<sip:${CAMERA_ID}@192.168.1.64:5060>;expires=7200`);
    expect(header(answer, 'Date')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);
    expect(header(answer, 'Via')).toContain(`rport=${camera.port};`.slice(0, -1));
    const device = fixture.server.device(CAMERA_ID);
    expect(device).toMatchObject({ online: true, transport, address: { host: '127.0.0.1', port: camera.port }, gbVersion: '2.0' });
    expect(events).toEqual([`online ${CAMERA_ID}`]);
  });

  it('takes the older digest without qop, and a username that differs from the id', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.camera(transport);
    expect(status(await camera.register(PASSWORD, { qop: false, username: 'admin' }))).toBe(200);
  });

  it('refuses a wrong password, an unknown device, and an id that is none', async () => {
    fixture = await new Fixture().start();
    const refused: string[] = [];
    fixture.server.on('refused', ({ reason }) => refused.push(reason));
    const camera = await fixture.camera(transport);
    expect(status(await camera.register('wrong'))).toBe(403);
    const unknown = await fixture.camera(transport, '99999999991320000001');
    expect(status(await unknown.register(PASSWORD))).toBe(403);
    const odd = await fixture.camera(transport, 'camera-1');
    expect(status(await odd.register(PASSWORD))).toBe(403);
    expect(refused).toEqual(['the password is wrong', 'the device is unknown', 'the user of To is not an id of 20 digits']);
    expect(fixture.server.devices()).toEqual([]);
  });

  it('ends a registration only with credentials', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered(transport);
    const bare = await camera.ask(camera.request('REGISTER', { extra: ['Expires: 0'] }));
    expect(status(bare)).toBe(401);
    expect(fixture.server.device(CAMERA_ID)?.online).toBe(true);
    const answer = await camera.register(PASSWORD, { expires: 0 });
    expect(status(answer)).toBe(200);
    expect(fixture.server.device(CAMERA_ID)).toMatchObject({ online: false, offlineReason: 'the device unregistered' });
    expect(status(await camera.ask(camera.keepalive()))).toBe(403);
  });

  it('reads the lifetime from the Contact where the header is missing', async () => {
    fixture = await new Fixture({ dateHeader: false }).start();
    const camera = await fixture.camera(transport);
    const request = (extra: string[]): string => camera.request('REGISTER', { extra }).replace(':5060>', ':5060>;expires=1800');
    const challenge = await camera.ask(request([]));
    const answer = await camera.ask(request([`Authorization: ${authorize(challenge, { username: CAMERA_ID, password: PASSWORD, method: 'REGISTER', uri: URI, qop: true })}`]));
    expect(status(answer)).toBe(200);
    expect(header(answer, 'Expires')).toBe('1800');
    expect(header(answer, 'Date')).toBeNull();
  });
});

describe('nobody takes a device over', () => {
  it('refuses a replayed Authorization from the same and from another address', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.camera();
    const challenge = await camera.ask(camera.request('REGISTER', { extra: ['Expires: 3600'] }));
    const authorization = authorize(challenge, { username: CAMERA_ID, password: PASSWORD, method: 'REGISTER', uri: URI, qop: true });
    const register = (): string => camera.request('REGISTER', { extra: ['Expires: 3600', `Authorization: ${authorization}`] });
    expect(status(await camera.ask(register()))).toBe(200);
    const replay = await camera.ask(register());
    expect(status(replay)).toBe(401);
    expect(header(replay, 'WWW-Authenticate')).toContain('stale=true');
    const thief = await fixture.camera();
    expect(status(await thief.ask(thief.request('REGISTER', { extra: ['Expires: 3600', `Authorization: ${authorization}`] })))).toBe(401);
    expect(fixture.server.device(CAMERA_ID)?.address.port).toBe(camera.port);
  });

  it('counts nc upwards: the next count is good, an old one is not', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.camera();
    const challenge = await camera.ask(camera.request('REGISTER'));
    const attempt = async (nc: string): Promise<number> => {
      const authorization = authorize(challenge, { username: CAMERA_ID, password: PASSWORD, method: 'REGISTER', uri: URI, qop: true, nc });
      return status(await camera.ask(camera.request('REGISTER', { extra: [`Authorization: ${authorization}`] })));
    };
    expect(await attempt('00000001')).toBe(200);
    expect(await attempt('0000000A')).toBe(200);
    expect(await attempt('00000002')).toBe(401);
    expect(await attempt('0000000b')).toBe(200);
  });

  it('does not take nonces that it did not make, nor the known Call-ID for proof', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    const forged = 'SIP/2.0 401 x\r\nWWW-Authenticate: Digest realm="3402000000", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"\r\n';
    const authorization = authorize(forged, { username: CAMERA_ID, password: PASSWORD, method: 'REGISTER', uri: URI, qop: true });
    expect(status(await camera.ask(camera.request('REGISTER', { extra: [`Authorization: ${authorization}`] })))).toBe(401);
    const callId = unique('same');
    expect(status(await camera.ask(camera.request('REGISTER', { callId })))).toBe(401);
    expect(status(await camera.ask(camera.request('REGISTER', { callId })))).toBe(401);
  });

  it('challenges a keepalive from another address and leaves the device where it is', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    const thief = await fixture.camera();
    const answer = await thief.ask(thief.keepalive());
    expect(status(answer)).toBe(401);
    expect(fixture.server.device(CAMERA_ID)?.address.port).toBe(camera.port);
    // The camera itself, behind a router that gave it a new port, proves itself and is moved.
    const moved: number[] = [];
    fixture.server.on('moved', ({ to }) => moved.push(to.port));
    const authorization = authorize(answer, { username: CAMERA_ID, password: PASSWORD, method: 'MESSAGE', uri: URI, qop: true });
    const body = thief.keepalive().split('\r\n\r\n')[1] as string;
    expect(status(await thief.ask(thief.message(body, { extra: [`Authorization: ${authorization}`] })))).toBe(200);
    expect(fixture.server.device(CAMERA_ID)?.address.port).toBe(thief.port);
    expect(moved).toEqual([thief.port]);
    expect(status(await camera.ask(camera.keepalive()))).toBe(401);
  });

  it('answers a keepalive of a device that never registered such that it registers', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.camera();
    expect(status(await camera.ask(camera.keepalive()))).toBe(403);
  });

  it('makes an address wait after too many wrong passwords, other addresses not', async () => {
    fixture = await new Fixture({ failuresPerDevice: 3 }).start();
    const camera = await fixture.camera();
    for (let i = 0; i < 3; i++) expect(status(await camera.register('wrong'))).toBe(403);
    const blocked = await camera.register(PASSWORD);
    expect(status(blocked)).toBe(503);
    expect(Number(header(blocked, 'Retry-After'))).toBeGreaterThan(0);
    const other = await fixture.camera('UDP', '34020000001320000002');
    expect(status(await other.register(PASSWORD))).toBe(200);
  });

  it('cannot be made to lock a device out by failures under nonces it never gave', async () => {
    fixture = await new Fixture({ failuresPerDevice: 3, failuresPerAddress: 3 }).start();
    const camera = await fixture.camera();
    const forged = 'SIP/2.0 401 x\r\nWWW-Authenticate: Digest realm="3402000000", nonce="00"\r\n';
    for (let i = 0; i < 10; i++) {
      const authorization = authorize(forged, { username: CAMERA_ID, password: 'guess', method: 'REGISTER', uri: URI, qop: true });
      expect(status(await camera.ask(camera.request('REGISTER', { extra: [`Authorization: ${authorization}`] })))).toBe(401);
    }
    expect(status(await camera.register(PASSWORD))).toBe(200);
  });
});

describe('the way back to a device', () => {
  it('answers a repeated request with the same bytes and does its work once', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered();
    let keepalives = 0;
    fixture.server.on('keepalive', () => keepalives++);
    const text = camera.keepalive();
    const first = await camera.ask(text);
    expect(await camera.ask(text)).toBe(first);
    expect(keepalives).toBe(1);
  });

  it('answers at the port of the Via where a camera on the same host asks for no rport', async () => {
    fixture = await new Fixture().start();
    const sender = await fixture.camera();
    const listener = await fixture.camera();
    const text = sender.request('OPTIONS', { rport: false }).replace(`127.0.0.1:${sender.port}`, `127.0.0.1:${listener.port}`);
    sender.send(text);
    expect(status(await listener.next((answer) => header(answer, 'Call-ID') === header(text, 'Call-ID')))).toBe(200);
    // A Via behind NAT names another host: the answer goes to the true source.
    const behindNat = sender.request('OPTIONS', { rport: false }).replace('127.0.0.1:', '192.168.1.64:');
    const answer = await sender.ask(behindNat);
    expect(header(answer, 'Via')).toContain(';received=127.0.0.1');
  });

  it('calls a TCP device offline when its connection closes, and takes it back on a new one', async () => {
    fixture = await new Fixture().start();
    const camera = await fixture.registered('TCP');
    const offline = new Promise<string>((resolve) => fixture.server.on('offline', ({ reason }) => resolve(reason)));
    await camera.close();
    expect(await offline).toBe('its SIP connection closed');
    await fixture.registered('TCP');
    expect(fixture.server.device(CAMERA_ID)?.online).toBe(true);
  });
});
