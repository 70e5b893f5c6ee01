import { chinaIsoSeconds } from '../common/local-time.js';
import type { EventLog } from '../common/event-log.js';
import type { CameraConfig } from './config.js';
import { element, elementText, encodeManscdp, parseManscdp } from './manscdp.js';
import { cseq, header, parameter } from './sip/message.js';
import { token, type IncomingRequest, type UserAgent } from './sip/user-agent.js';

interface Subscription {
  kind: 'Catalog' | 'Alarm' | 'MobilePosition';
  callId: string;
  event: string;
  localTag: string;
  localIdentity: string;
  remoteIdentity: string;
  remoteTarget: string;
  remoteSequence: number;
  sequence: number;
  endsAt: number;
  timer: NodeJS.Timeout;
}

/** Longest and shortest subscription that the device grants, seconds. */
const LONGEST_S = 86_400;

/** Subscriptions at the device (GB/T 28181-2016 9.11, RFC 6665): takes SUBSCRIBE, sends NOTIFY, lets them run out. */
export class Notifier {
  private readonly open = new Map<string, Subscription>();
  private number = 100;

  constructor(
    private readonly config: CameraConfig,
    private readonly agent: UserAgent,
    private readonly log: EventLog,
  ) {}

  /** What is subscribed to now. */
  get kinds(): string[] {
    return [...this.open.values()].map(({ kind }) => kind).sort();
  }

  close(): void {
    for (const subscription of this.open.values()) clearTimeout(subscription.timer);
    this.open.clear();
  }

  receive(request: IncomingRequest): void {
    const { message } = request;
    const { misbehaviour } = this.config;
    const refuse = (status: number, reason: string): void => {
      this.log.emit('subscribe-refused', { status, reason });
      request.respond(status, reason, { toTag: token() });
    };
    if (misbehaviour.subscribeStatus !== null) return refuse(misbehaviour.subscribeStatus, 'As Configured');
    const asked = Number(header(message, 'expires') ?? NaN);
    const event = header(message, 'event');
    const command = parseManscdp(message.body);
    const kind = (['Catalog', 'Alarm', 'MobilePosition'] as const).find((name) => name === command?.cmdType);
    if (!Number.isInteger(asked) || asked < 0 || header(message, 'contact') === undefined) return refuse(400, 'Bad Request');
    if (event === undefined || !/^(Catalog(;id=\w+)?|presence)$/i.test(event.replace(/\s+/g, '')) || !kind) return refuse(489, 'Bad Event');
    const callId = header(message, 'call-id') ?? '';
    const inDialog = parameter(header(message, 'to') ?? '', 'tag') !== undefined;
    const known = this.open.get(callId);
    if (inDialog && (!known || misbehaviour.forgetsSubscriptions)) {
      this.end(callId);
      return refuse(481, 'Subscription Does Not Exist');
    }
    // RFC 3261 12.2.2: requests of a dialog count upwards, and keep their event.
    if (known && (cseq(message).number <= known.remoteSequence || known.event !== event)) return refuse(500, 'Out Of Order');
    const granted = asked === 0 ? 0 : Math.min(asked, misbehaviour.shortSubscriptionS ?? LONGEST_S);
    const localTag = known?.localTag ?? token();
    request.respond(200, 'OK', { headers: [{ name: 'Expires', value: String(granted) }, { name: 'Contact', value: this.agent.contact(this.config.device.id) }, { name: 'Event', value: event }], toTag: localTag });
    this.log.emit('subscribe', { kind, eventHeader: event, expires: asked, granted, callId, refresh: known !== undefined });
    if (known) clearTimeout(known.timer);
    if (granted === 0) {
      if (known) void this.send(known, 'terminated;reason=timeout', null);
      this.open.delete(callId);
      return;
    }
    const to = header(message, 'to') ?? '';
    const subscription: Subscription = {
      kind,
      callId,
      event,
      localTag,
      localIdentity: inDialog ? to : `${to};tag=${localTag}`,
      remoteIdentity: header(message, 'from') ?? '',
      remoteTarget: /<([^>]+)>/.exec(header(message, 'contact') ?? '')?.[1] ?? '',
      remoteSequence: cseq(message).number,
      sequence: known?.sequence ?? 0,
      endsAt: Date.now() + granted * 1000,
      timer: setTimeout(() => this.end(callId), granted * 1000).unref(),
    };
    this.open.set(callId, subscription);
    // RFC 6665 4.2.1.2: the state at once.
    void this.send(subscription, `active;expires=${granted}`, this.first(kind));
  }

  /** Items of a catalogue that changed. */
  async catalog(changes: readonly { id: string; event: string; name?: string }[]): Promise<void> {
    const items = changes.map(({ id, event, name }) => `<Item>\r\n${element('DeviceID', id)}${element('Event', event)}${name === undefined ? '' : element('Name', name)}</Item>\r\n`).join('');
    await this.tell('Catalog', element('SumNum', changes.length) + `<DeviceList Num="${changes.length}">\r\n${items}</DeviceList>\r\n`);
  }

  async alarm(inner: string): Promise<boolean> {
    return this.tell('Alarm', inner);
  }

  async position(longitude: number, latitude: number): Promise<void> {
    await this.tell('MobilePosition', element('Time', chinaIsoSeconds(Date.now())) + element('Longitude', longitude) + element('Latitude', latitude) + element('Speed', 0) + element('Direction', 90) + element('Altitude', 12));
  }

  /** Tells the platform that a subscription is over, for a reason of RFC 6665. */
  async terminate(kind: string, reason: string): Promise<void> {
    for (const subscription of [...this.open.values()].filter((candidate) => candidate.kind === kind)) {
      this.end(subscription.callId);
      await this.send(subscription, `terminated;reason=${reason}`, null);
    }
  }

  private end(callId: string): void {
    const known = this.open.get(callId);
    if (!known) return;
    clearTimeout(known.timer);
    this.open.delete(callId);
    this.log.emit('subscription-ended', { kind: known.kind, callId });
  }

  private first(kind: Subscription['kind']): string | null {
    return kind === 'MobilePosition' ? element('Time', chinaIsoSeconds(Date.now())) + element('Longitude', this.config.channels[0]?.longitude ?? 120) + element('Latitude', this.config.channels[0]?.latitude ?? 36) : null;
  }

  private async tell(kind: Subscription['kind'], inner: string): Promise<boolean> {
    const listeners = [...this.open.values()].filter((candidate) => candidate.kind === kind);
    for (const subscription of listeners) await this.send(subscription, `active;expires=${Math.max(1, Math.round((subscription.endsAt - Date.now()) / 1000))}`, inner);
    return listeners.length > 0;
  }

  private async send(subscription: Subscription, state: string, inner: string | null): Promise<void> {
    subscription.sequence += 1;
    this.number += 1;
    const { device } = this.config;
    const id = inner === null ? null : (elementText(inner, 'SourceID') ?? device.id);
    const body = inner === null ? Buffer.alloc(0) : encodeManscdp('Notify', element('CmdType', subscription.kind) + element('SN', this.number) + element('DeviceID', id) + inner, device.version);
    await this.agent
      .request({
        method: 'NOTIFY',
        uri: subscription.remoteTarget,
        from: subscription.localIdentity,
        to: subscription.remoteIdentity,
        callId: subscription.callId,
        cseq: subscription.sequence,
        headers: [
          { name: 'Contact', value: this.agent.contact(device.id) },
          { name: 'Event', value: subscription.event },
          { name: 'Subscription-State', value: state },
          ...(inner === null ? [] : [{ name: 'Content-Type', value: 'Application/MANSCDP+xml' }]),
        ],
        body,
      })
      .then(
        (response) => {
          this.log.emit('notified', { kind: subscription.kind, state, status: response.status });
          // RFC 6665 4.2.2: a platform that does not know the subscription ends it.
          if (response.status === 481) this.end(subscription.callId);
        },
        (error: Error) => this.log.emit('notify-unanswered', { kind: subscription.kind, reason: error.message }),
      );
  }
}
