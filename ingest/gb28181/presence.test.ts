import { afterEach, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import { CAMERA_ID, Fixture } from './testing/fixture.js';
import { status } from './testing/test-camera.js';

let fixture: Fixture;
afterEach(() => fixture.close());

function record(target: Fixture): string[] {
  const events: string[] = [];
  target.server.on('online', () => events.push('online'));
  target.server.on('offline', ({ reason }) => events.push(`offline: ${reason}`));
  return events;
}

it('a silent device goes offline after the missed keepalives, and its next packet brings it back', async () => {
  const clock = new ManualClock();
  fixture = await new Fixture({ clock }).start();
  const events = record(fixture);
  const camera = await fixture.registered();
  clock.advance(170_000);
  expect(status(await camera.ask(camera.keepalive()))).toBe(200);
  clock.advance(200_000);
  expect(events).toEqual(['online']);
  clock.advance(11_000);
  expect(events).toEqual(['online', 'offline: no keepalive for 210 s']);
  expect(fixture.server.device(CAMERA_ID)).toMatchObject({ online: false, healthy: true });
  expect(status(await camera.ask(camera.keepalive()))).toBe(200);
  expect(events.at(-1)).toBe('online');
});

it('a device whose pictures still come is not called offline', async () => {
  const clock = new ManualClock();
  let sending = true;
  fixture = await new Fixture({ clock, stillSending: () => sending }).start();
  const events = record(fixture);
  await fixture.registered();
  clock.advance(600_000);
  expect(events).toEqual(['online']);
  sending = false;
  clock.advance(60_000);
  expect(events.at(-1)).toContain('offline');
});

it('a silent device in whose name somebody spoke from elsewhere: the reason names that address', async () => {
  const clock = new ManualClock();
  fixture = await new Fixture({ clock, keepalive: { intervalMs: 10_000, missed: 3 } }).start();
  const events = record(fixture);
  await fixture.registered();
  const stranger = await fixture.camera();
  clock.advance(20_000);
  expect(status(await stranger.ask(stranger.keepalive()))).toBe(401);
  clock.advance(16_000);
  expect(events).toEqual(['online', expect.stringMatching(new RegExp(`^offline: no keepalive for 35 s from its address; .*127\\.0\\.0\\.1:${stranger.port}, which did not prove`))]);
});

it('an expired registration ends whatever keepalives say', async () => {
  const clock = new ManualClock();
  fixture = await new Fixture({ clock }).start();
  const events = record(fixture);
  const camera = await fixture.camera();
  await camera.register('secret-12345', { expires: 120 });
  for (let i = 0; i < 4; i++) {
    clock.advance(40_000);
    await camera.ask(camera.keepalive(i));
  }
  clock.advance(30_000);
  expect(events).toEqual(['online', 'offline: the registration expired']);
  expect(status(await camera.ask(camera.keepalive()))).toBe(403);
});

it('keepalives tell of faulty children', async () => {
  fixture = await new Fixture().start();
  const camera = await fixture.registered();
  const xml = camera.keepalive().split('\r\n\r\n')[1]?.replace('<Status>OK</Status>', '<Status>ERROR</Status><Info><DeviceID>34020000001310000002</DeviceID></Info>') ?? '';
  expect(status(await camera.ask(camera.message(xml)))).toBe(200);
  expect(fixture.server.device(CAMERA_ID)).toMatchObject({ healthy: false, faultyChannels: ['34020000001310000002'] });
});
