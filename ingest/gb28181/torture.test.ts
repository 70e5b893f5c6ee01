import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TORTURE, tortureBytes, type TortureCase } from '../sip/torture-outcomes.js';
import { CAMERA_ID, Fixture } from './testing/fixture.js';
import { status, unique, type TestCamera } from './testing/test-camera.js';

/** The torture messages from the very address of a registered device: what the platform makes of those that its SIP layer takes. */
const cases = Object.entries(TORTURE).map(([name, value]) => ({ name, ...value }));

/** What the platform says to a well-formed request, by its method. */
function answersTo(name: string, { outcome, tcp }: TortureCase, transport: string): number[] {
  const head = tortureBytes(name).toString('latin1').trimStart();
  if (outcome === 'drop' || head.startsWith('SIP/')) return [];
  if (outcome !== 'ok') return [outcome];
  const method = head.split(' ')[0] as string;
  if (method === 'OPTIONS') return [200];
  // Every REGISTER is challenged, if what stands in To can be a device at all.
  if (method === 'REGISTER') return /^To:.*sip:\d{20}@/im.test(head) ? [401] : [403];
  // The registered device speaks: MANSCDP is taken, other types refused (RFC 4475 3.3.6).
  // Without Content-Length a body on a stream belongs to nobody.
  if (method === 'MESSAGE' && transport === 'TCP' && tcp === 'resumes') return [400];
  if (method === 'MESSAGE') return /^Content-Type: *application\/manscdp/im.test(head) ? [200] : [415];
  if (method === 'BYE') return [481];
  // An INVITE outside a dialog: cameras do not call us.
  return method === 'INVITE' ? [405, 481, 488] : [];
}

describe.each(['UDP', 'TCP'] as const)('over %s', (transport) => {
  let fixture: Fixture;
  let camera: TestCamera;
  beforeAll(async () => {
    fixture = await new Fixture().start();
    camera = await fixture.registered(transport);
  });
  afterAll(() => fixture.close());
  /** Answers to an INVITE that nobody acknowledges are repeated, byte for byte, into the cases behind it. */
  const heard = new Set<string>();

  it.each(cases)('$name ($clause)', async ({ name, ...value }) => {
    const speaker = value.tcp && transport === 'TCP' ? await fixture.registered(transport) : camera;
    const before = fixture.server.device(CAMERA_ID);
    // Each is a request of its own, not another's repetition.
    speaker.sendBytes(Buffer.from(tortureBytes(name).toString('latin1').replace('call-1@', `${unique('call')}@`), 'latin1'));
    const callId = unique('probe');
    const waits = transport === 'TCP' && value.tcp === 'waits';
    const closes = transport === 'TCP' && value.tcp === 'closes';
    if (closes) await speaker.next((text) => status(text) === 400);
    else if (!waits) {
      // A datagram socket keeps the order: when this is answered, so is what came before it.
      speaker.send(speaker.request('OPTIONS', { callId }));
      await speaker.next((text) => text.includes(callId));
      const said = speaker.takeInbox().filter((text) => !heard.has(text) && heard.add(text)).map(status);
      const expected = answersTo(name, value, transport);
      if (expected.length > 1) expect(expected).toContain(said[0]);
      else expect(said).toEqual(expected);
    }
    if (!closes) expect(fixture.server.device(CAMERA_ID)).toMatchObject({ online: true, address: before?.address, registeredAt: before?.registeredAt });
    expect(fixture.server.devices()).toHaveLength(1);
    expect(fixture.server.sessions()).toEqual([]);
    // Who spoke on a connection of its own took the registration along.
    if (speaker !== camera) {
      await speaker.close();
      camera = await fixture.registered(transport);
    }
  });
});
