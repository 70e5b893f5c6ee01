import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { UacDialog } from '../sip/dialog.js';
import type { SipEndpoint } from '../sip/endpoint.js';
import { parseCSeq, tagOf } from '../sip/header-values.js';
import type { IncomingRequest } from '../sip/incoming.js';
import type { SipRequest, SipResponse } from '../sip/message.js';
import { excerpt } from '../sip/scanner.js';
import type { Device } from './device.js';
import type { GbEmitter } from './events.js';
import { buildManscdp, MANSCDP_TYPE, parseManscdp, type ManscdpField, type ManscdpMessage } from './manscdp.js';
import type { RequestFactory } from './request-factory.js';
import type { SubscriptionKind } from './subscription-kind.js';

export interface SubscriptionsOptions {
  clock: Clock;
  logger: Logger;
  /** What every device is subscribed to when it registers. */
  kinds: readonly SubscriptionKind[];
  /** Lifetime asked for, seconds. */
  expiresS: number;
  /** A device is asked at a random moment within this time after it registered, so that a thousand are not asked at once. */
  spreadMs: number;
  answerTimeoutMs: number;
  /** Seconds between positions. */
  positionIntervalS: number;
}

export type SubscriptionState = 'pending' | 'active' | 'refused' | 'failed' | 'ended';

/** A subscription as others may see it. */
export interface SubscriptionStatus {
  kind: SubscriptionKind;
  /** `refused`: the device does not do this; asked again when it registers anew. `failed`: will be tried again. */
  state: SubscriptionState;
  /** Unix ms. */
  expiresAt: number | null;
  lastNotifyAt: number | null;
  notifies: number;
  reason: string | null;
}

class Subscription {
  readonly device: Device;
  readonly kind: SubscriptionKind;
  state: SubscriptionState = 'pending';
  dialog: UacDialog | null = null;
  callId = '';
  localTag: string | null = null;
  event = '';
  expiresAt: number | null = null;
  lastNotifyAt: number | null = null;
  notifies = 0;
  reason: string | null = null;
  failures = 0;
  /** Highest CSeq of its NOTIFYs. Equal ones are taken: some firmware never counts. */
  lastCSeq = -1;
  /** Rises with every attempt, so that an answer to an earlier one is recognised. */
  attempt = 0;
  cancelTimer: () => void = () => undefined;

  constructor(device: Device, kind: SubscriptionKind) {
    this.device = device;
    this.kind = kind;
  }
}

const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 1_800_000;
const LAST_NOTIFY_MS = 32_000;
/** Statuses by which a device says that it does not know SUBSCRIBE, or not to this. */
const REFUSALS = new Set([400, 403, 404, 405, 415, 420, 423, 488, 489, 501, 603, 606]);

/**
 * SUBSCRIBE and NOTIFY (GB/T 28181-2016 9.11, RFC 6665). A subscription is refreshed in its own dialog before it ends, made anew
 * when the device registers anew or no longer knows it, and cancelled with Expires 0.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #endpoint: SipEndpoint;
  readonly #factory: RequestFactory;
  readonly #events: GbEmitter;
  readonly #onNotify: (device: Device, message: ManscdpMessage) => void;
  readonly #nextSn: () => number;
  readonly #byDevice = new Map<Device, Map<SubscriptionKind, Subscription>>();
  readonly #byCallId = new Map<string, Subscription>();
  /** Subscriptions that were cancelled a moment ago. */
  readonly #ending = new Map<string, { device: Device; localTag: string | null }>();
  #eventId = 0;
  #closed = false;

  constructor(options: SubscriptionsOptions, endpoint: SipEndpoint, factory: RequestFactory, events: GbEmitter, nextSn: () => number, onNotify: (device: Device, message: ManscdpMessage) => void) {
    this.#options = options;
    this.#endpoint = endpoint;
    this.#factory = factory;
    this.#events = events;
    this.#nextSn = nextSn;
    this.#onNotify = onNotify;
  }

  /** The device registered; `anew` where it is not a refresh of what it was: then it remembers no subscription. */
  registered(device: Device, anew: boolean): void {
    const known = this.#byDevice.get(device);
    for (const kind of new Set([...this.#options.kinds, ...(known?.keys() ?? [])])) {
      const subscription = known?.get(kind);
      if (subscription && subscription.state === 'ended') continue;
      if (subscription && !anew && subscription.state !== 'failed') continue;
      this.#later(this.#entry(device, kind), Math.random() * this.#options.spreadMs, (entry) => this.#subscribe(entry));
    }
  }

  /** The device is heard of again after a silence: what it was subscribed to may have run out meanwhile, or never begun. */
  resumed(device: Device): void {
    for (const subscription of this.#byDevice.get(device)?.values() ?? []) {
      if (subscription.state !== 'refused' && subscription.state !== 'ended') this.#later(subscription, Math.random() * this.#options.spreadMs, (entry) => this.#refresh(entry));
    }
  }

  offline(device: Device): void {
    for (const subscription of this.#byDevice.get(device)?.values() ?? []) subscription.cancelTimer();
  }

  statuses(device: Device): SubscriptionStatus[] {
    return [...(this.#byDevice.get(device)?.values() ?? [])].map(({ kind, state, expiresAt, lastNotifyAt, notifies, reason }) => ({ kind, state, expiresAt, lastNotifyAt, notifies, reason }));
  }

  /** Subscribes now, whatever was before. Resolves with what came of it. */
  async subscribe(device: Device, kind: SubscriptionKind): Promise<SubscriptionStatus> {
    const entry = this.#entry(device, kind);
    await this.#subscribe(entry);
    return this.statuses(device).find((status) => status.kind === kind) as SubscriptionStatus;
  }

  /** Ends a subscription with Expires 0; it is not made again until `subscribe` is called. */
  async unsubscribe(device: Device, kind: SubscriptionKind): Promise<void> {
    const entry = this.#byDevice.get(device)?.get(kind);
    if (!entry) return;
    const { dialog, callId, localTag } = entry;
    this.#drop(entry, 'ended', null);
    if (!dialog) return;
    // RFC 6665 4.1.2.3: the device confirms the end by a last NOTIFY.
    this.#ending.set(callId, { device, localTag });
    this.#options.clock.after(LAST_NOTIFY_MS, () => this.#ending.delete(callId));
    await this.#cancel(entry, dialog);
  }

  /** Tells the devices, without waiting longer than a moment. */
  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#byDevice.values()].flatMap((kinds) => [...kinds.values()]);
    const ends = open.flatMap((entry) => {
      const { dialog, device, callId, localTag } = entry;
      this.#drop(entry, 'ended', null);
      // What confirms the end may come before the sockets are closed.
      if (dialog) this.#ending.set(callId, { device, localTag });
      return dialog && device.online && device.flow.alive ? [this.#cancel(entry, dialog, 500)] : [];
    });
    await Promise.all(ends);
  }

  /** A NOTIFY. */
  receive(incoming: IncomingRequest): void {
    const { request, flow } = incoming;
    const callId = request.headers.get('call-id') ?? '';
    const entry = this.#byCallId.get(callId);
    const ending = this.#ending.get(callId);
    if (ending && tagOf(request.headers.get('to')) === ending.localTag && ending.device.source.host === flow.remote.host) {
      incoming.respond({ status: 200 });
      return;
    }
    // Our tag was told to the device alone; that it must also speak from its proven host costs nothing.
    if (!entry || tagOf(request.headers.get('to')) !== entry.localTag || entry.device.source.host !== flow.remote.host) {
      incoming.respond({ status: 481, reason: 'Subscription does not exist' });
      return;
    }
    const { number } = parseCSeq(request.headers.get('cseq') ?? '');
    if (number < entry.lastCSeq) {
      incoming.respond({ status: 500, reason: 'CSeq out of order' });
      return;
    }
    let message: ManscdpMessage | null = null;
    if (request.body.length > 0) {
      try {
        message = parseManscdp(request.body);
      } catch (error) {
        this.#options.logger.warn({ device: entry.device.id, kind: entry.kind, error: messageOf(error) }, 'a NOTIFY cannot be read');
        incoming.respond({ status: 400, reason: excerpt(messageOf(error), 100) });
        return;
      }
    }
    entry.lastCSeq = number;
    incoming.respond({ status: 200 });
    entry.lastNotifyAt = this.#options.clock.now();
    entry.notifies++;
    if (message) this.#onNotify(entry.device, message);
    if (/^\s*terminated/i.test(request.headers.get('subscription-state') ?? '')) this.#terminated(entry, request.headers.get('subscription-state') ?? '');
  }

  /** RFC 6665 4.1.3: what the reason says about trying again. */
  #terminated(entry: Subscription, state: string): void {
    const reason = /reason\s*=\s*"?([\w-]+)/i.exec(state)?.[1]?.toLowerCase() ?? 'none given';
    if (entry.state === 'ended') return;
    const final = reason === 'rejected' || reason === 'noresource' || reason === 'invariant';
    this.#drop(entry, final ? 'refused' : 'failed', `the device ended the subscription (${reason})`);
    if (!final) this.#later(entry, reason === 'deactivated' || reason === 'timeout' ? 1000 : this.#retryMs(entry), (again) => this.#subscribe(again));
  }

  #entry(device: Device, kind: SubscriptionKind): Subscription {
    const kinds = this.#byDevice.get(device) ?? new Map<SubscriptionKind, Subscription>();
    this.#byDevice.set(device, kinds);
    const entry = kinds.get(kind) ?? new Subscription(device, kind);
    kinds.set(kind, entry);
    return entry;
  }

  #later(entry: Subscription, ms: number, work: (entry: Subscription) => Promise<void>): void {
    entry.cancelTimer();
    if (this.#closed) return;
    entry.cancelTimer = this.#options.clock.after(ms, () => void work(entry));
  }

  #drop(entry: Subscription, state: SubscriptionState, reason: string | null): void {
    entry.cancelTimer();
    if (this.#byCallId.get(entry.callId) === entry) this.#byCallId.delete(entry.callId);
    entry.attempt++;
    entry.dialog = null;
    entry.expiresAt = null;
    entry.state = state;
    entry.reason = reason;
    entry.lastCSeq = -1;
  }

  async #subscribe(entry: Subscription): Promise<void> {
    const { device } = entry;
    if (this.#closed) return;
    this.#drop(entry, 'pending', null);
    if (!device.online) return;
    const attempt = entry.attempt;
    const request = this.#factory.create('SUBSCRIBE', device);
    entry.callId = request.headers.get('call-id') ?? '';
    entry.localTag = tagOf(request.headers.get('from'));
    entry.event = entry.kind === 'Catalog' ? `Catalog;id=${++this.#eventId}` : 'presence';
    // A NOTIFY may overtake the 200 (RFC 6665 4.1.2.4).
    this.#byCallId.set(entry.callId, entry);
    const response = await this.#ask(entry, this.#complete(request, entry, this.#options.expiresS));
    if (entry.attempt !== attempt) return;
    if (typeof response === 'string') this.#failed(entry, response);
    else if (response.status >= 300) this.#refused(entry, response);
    else {
      entry.dialog = new UacDialog(response, request.uri);
      this.#agreed(entry, response);
    }
  }

  /** In the dialog; where the device has forgotten it, a new one. */
  async #refresh(entry: Subscription): Promise<void> {
    const { dialog, attempt } = entry;
    if (!dialog) return this.#subscribe(entry);
    if (!entry.device.online) return;
    const response = await this.#ask(entry, this.#complete(dialog.request('SUBSCRIBE'), entry, this.#options.expiresS));
    if (entry.attempt !== attempt) return;
    if (typeof response !== 'string' && response.status < 300) this.#agreed(entry, response);
    else await this.#subscribe(entry);
  }

  #agreed(entry: Subscription, response: SipResponse): void {
    const told = response.headers.get('expires')?.trim() ?? '';
    const granted = /^\d{1,9}$/.test(told) && Number(told) > 0 ? Number(told) : this.#options.expiresS;
    const first = entry.state !== 'active';
    entry.state = 'active';
    entry.reason = null;
    entry.failures = 0;
    entry.expiresAt = this.#options.clock.now() + granted * 1000;
    this.#later(entry, Math.min(granted * 800, 2 ** 31 - 1), (again) => this.#refresh(again));
    if (first) this.#events.emit('subscribed', { deviceId: entry.device.id, kind: entry.kind, expiresS: granted });
  }

  #refused(entry: Subscription, response: SipResponse): void {
    const words = `the device refused SUBSCRIBE with ${response.status} ${excerpt(response.reason)}`;
    if (!REFUSALS.has(response.status)) this.#failed(entry, words);
    else {
      this.#options.logger.info({ device: entry.device.id, kind: entry.kind, status: response.status }, 'a device does not take a subscription');
      this.#drop(entry, 'refused', words);
    }
  }

  #failed(entry: Subscription, reason: string): void {
    this.#drop(entry, 'failed', reason);
    entry.failures++;
    this.#options.logger.info({ device: entry.device.id, kind: entry.kind, reason }, 'a subscription failed');
    this.#later(entry, this.#retryMs(entry), (again) => this.#subscribe(again));
  }

  #retryMs(entry: Subscription): number {
    return Math.min(FIRST_RETRY_MS * 2 ** Math.min(entry.failures, 10), LONGEST_RETRY_MS);
  }

  async #cancel(entry: Subscription, dialog: UacDialog, timeoutMs = this.#options.answerTimeoutMs): Promise<void> {
    const answer = await this.#ask(entry, this.#complete(dialog.request('SUBSCRIBE'), entry, 0), timeoutMs);
    if (typeof answer === 'string') this.#options.logger.debug({ device: entry.device.id, kind: entry.kind, answer }, 'the end of a subscription was not confirmed');
  }

  async #ask(entry: Subscription, request: SipRequest, timeoutMs = this.#options.answerTimeoutMs): Promise<SipResponse | string> {
    try {
      return await this.#endpoint.request(entry.device.flow, request, timeoutMs);
    } catch (error) {
      return messageOf(error);
    }
  }

  #complete(request: SipRequest, entry: Subscription, expiresS: number): SipRequest {
    const { device, kind } = entry;
    request.headers.add('Contact', this.#factory.contact(device.flow)).add('Event', entry.event).add('Expires', String(expiresS)).add('Content-Type', MANSCDP_TYPE);
    request.body = buildManscdp('Query', kind, this.#nextSn(), device.id, this.#fields(kind), device.charset);
    return request;
  }

  #fields(kind: SubscriptionKind): ManscdpField[] {
    if (kind === 'MobilePosition') return [['Interval', this.#options.positionIntervalS]];
    // 0: all priorities, all methods.
    if (kind === 'Alarm') return [['StartAlarmPriority', 0], ['EndAlarmPriority', 0], ['AlarmMethod', 0]];
    return [];
  }
}
