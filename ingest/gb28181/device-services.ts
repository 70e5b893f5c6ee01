import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { SipEndpoint } from '../sip/endpoint.js';
import type { IncomingRequest } from '../sip/incoming.js';
import type { DeviceAlarm } from './alarm.js';
import { Alarms } from './alarms.js';
import { applyCatalogNotify } from './catalog-events.js';
import { MAX_CATALOG_ITEMS, type CatalogResult } from './catalog.js';
import { Commands, type ConfigOutcome } from './commands.js';
import type { ControlCommand } from './controls.js';
import { readMobilePosition, type DeviceCondition, type MobilePosition, type PresetResult } from './device-answers.js';
import { knownConfigTypes, type BasicParamChange, type ConfigType, type DeviceConfigResult } from './device-config.js';
import type { DeviceInfo } from './device-info.js';
import type { Device, DeviceTable } from './device.js';
import type { GbEmitter } from './events.js';
import { Exchange, type ExchangeOptions } from './exchange.js';
import { isGbId } from './gb-id.js';
import type { ManscdpMessage } from './manscdp.js';
import { Queries } from './queries.js';
import type { RecordQuery, RecordResult } from './record-info.js';
import type { RequestFactory } from './request-factory.js';
import { SnapshotTaker } from './snapshot-taker.js';
import type { Snapshot, SnapshotUploads } from './snapshot-uploads.js';
import type { SubscriptionKind } from './subscription-kind.js';
import { Subscriptions, type SubscriptionsOptions, type SubscriptionStatus } from './subscriptions.js';
import { childOf, childrenOf, textOf, type XmlElement } from './xml.js';

export interface ServicesOptions {
  clock: Clock;
  logger: Logger;
  exchange: ExchangeOptions;
  subscriptions: Omit<SubscriptionsOptions, 'clock' | 'logger' | 'answerTimeoutMs'>;
  /** Where snapshots come in; null where none are received. */
  uploads: SnapshotUploads | null;
  /** Throws where the device is not here or not online. */
  online: (deviceId: string) => Device;
}

/** Keepalive intervals that a device may be believed, ms. */
const HEARTBEAT_LEAST_MS = 5_000;
const HEARTBEAT_MOST_MS = 3_600_000;
const MAX_FILES = 64;

/**
 * Everything that a registered device can be asked, told and subscribed to, besides streams. All calls reject with
 * BerthwatchError: `not-found` for devices that never registered, `unavailable` for those offline or silent, `conflict`
 * where the device says that it cannot (`GB_NOT_SUPPORTED`), `bad-input` for values out of range.
 */
export class DeviceServices {
  readonly #options: ServicesOptions;
  readonly #table: DeviceTable;
  readonly #events: GbEmitter;
  readonly #exchange: Exchange;
  readonly #queries: Queries;
  readonly #commands: Commands;
  readonly #alarms: Alarms;
  readonly #subscriptions: Subscriptions;
  readonly #snapshots: SnapshotTaker;
  /** Movements that are to end by themselves. */
  readonly #stops = new Map<string, () => void>();

  constructor(options: ServicesOptions, endpoint: SipEndpoint, factory: RequestFactory, table: DeviceTable, events: GbEmitter) {
    const { clock, logger } = options;
    this.#options = options;
    this.#table = table;
    this.#events = events;
    this.#exchange = new Exchange(options.exchange, endpoint, factory);
    this.#queries = new Queries(this.#exchange);
    this.#commands = new Commands(this.#exchange, events);
    this.#alarms = new Alarms({ clock, logger }, this.#exchange, events);
    this.#subscriptions = new Subscriptions(
      { ...options.subscriptions, clock, logger, answerTimeoutMs: options.exchange.answerTimeoutMs },
      endpoint,
      factory,
      events,
      () => this.#exchange.nextSn(),
      (device, message) => void this.receive(device, message, 'notify'),
    );
    this.#snapshots = new SnapshotTaker({ clock, hostOf: (flow) => endpoint.hostOf(flow), uploads: options.uploads }, this.#commands, events);
    const about = (id: string, work: (device: Device) => unknown): void => {
      const device = this.#table.get(id);
      if (device) work(device);
    };
    events.on('registered', ({ device, anew }) => about(device.id, (known) => {
      if (anew) known.unsupported.clear();
      this.#subscriptions.registered(known, anew);
    }));
    events.on('online', ({ device }) => about(device.id, (known) => this.#subscriptions.resumed(known)));
    // What it sends from another host is not taken for its subscriptions' until they were asked for there.
    events.on('moved', ({ device, from, to }) => about(device.id, (known) => from.host !== to.host && this.#subscriptions.resumed(known)));
    events.on('offline', ({ device }) => about(device.id, (known) => this.#subscriptions.offline(known)));
  }

  /** Cancels the subscriptions. */
  async close(): Promise<void> {
    for (const cancel of this.#stops.values()) cancel();
    await this.#subscriptions.close();
  }

  /** Its channels; they then stand in its status. A list that came in part takes none away that was known. */
  async catalog(deviceId: string): Promise<CatalogResult> {
    const device = this.#options.online(deviceId);
    const result = await this.#queries.catalog(device);
    device.channels = result.complete ? result.items : [...new Map([...device.channels, ...result.items].map((item) => [item.id, item])).values()].slice(0, MAX_CATALOG_ITEMS);
    device.catalogComplete = result.complete;
    this.#events.emit('catalog', { deviceId, result });
    return result;
  }

  async deviceInfo(deviceId: string): Promise<DeviceInfo> {
    const device = this.#options.online(deviceId);
    device.info = await this.#queries.deviceInfo(device);
    return device.info;
  }

  async condition(deviceId: string, channelId = deviceId): Promise<DeviceCondition> {
    return this.#queries.condition(this.#options.online(deviceId), checked(channelId));
  }

  /** Recordings at the device. */
  async records(deviceId: string, query: RecordQuery): Promise<RecordResult> {
    checked(query.channelId);
    return this.#queries.records(this.#options.online(deviceId), query);
  }

  async presets(deviceId: string, channelId: string): Promise<PresetResult> {
    return this.#queries.presets(this.#options.online(deviceId), checked(channelId));
  }

  async position(deviceId: string, channelId = deviceId): Promise<MobilePosition | null> {
    return this.#queries.position(this.#options.online(deviceId), checked(channelId));
  }

  /** @param types all that its edition knows unless given; what it says of keepalives is used from then on */
  async config(deviceId: string, types?: readonly ConfigType[]): Promise<DeviceConfigResult> {
    const device = this.#options.online(deviceId);
    const result = await this.#queries.config(device, types ?? knownConfigTypes(device.spokenVersion));
    if (result.basic) useHeartbeat(device, result.basic.heartBeatIntervalS, result.basic.heartBeatCount);
    return result;
  }

  /** Sets basic parameters of a device. */
  async configure(deviceId: string, change: BasicParamChange): Promise<ConfigOutcome> {
    const device = this.#options.online(deviceId);
    const outcome = await this.#commands.configure(device, change);
    const old = device.heartbeat;
    useHeartbeat(device, change.heartBeatIntervalS ?? (old ? old.intervalMs / 1000 : null), change.heartBeatCount ?? old?.missed ?? null);
    return outcome;
  }

  /**
   * Resolves when the device has confirmed, or for commands without a Response has taken it.
   * @param stopAfterMs ends a movement by itself after so long, unless another PTZ command comes first: whoever began it may be gone
   */
  async control(deviceId: string, channelId: string, command: ControlCommand, stopAfterMs?: number): Promise<void> {
    const device = this.#options.online(deviceId);
    const key = `${deviceId}/${checked(channelId)}`;
    if (command.kind === 'ptz') {
      this.#stops.get(key)?.();
      this.#stops.delete(key);
    }
    await this.#commands.control(device, channelId, command);
    if (command.kind !== 'ptz' || stopAfterMs === undefined || this.#stops.has(key)) return;
    const cancel = this.#options.clock.after(stopAfterMs, () => {
      this.#stops.delete(key);
      this.#commands.control(device, channelId, { kind: 'ptz', ptz: { kind: 'stop' } }).catch((error: unknown) => this.#options.logger.warn({ device: deviceId, channel: channelId, error: messageOf(error) }, 'a movement could not be ended'));
    });
    this.#stops.set(key, cancel);
  }

  /** Has a 2022 device take and upload a picture. @throws BerthwatchError conflict GB_NOT_SUPPORTED for older ones */
  async snapshot(deviceId: string, channelId: string, timeoutMs: number): Promise<Snapshot> {
    return this.#snapshots.take(this.#options.online(deviceId), checked(channelId), timeoutMs);
  }

  /** Alarms still in memory, newest last. */
  alarms(deviceId?: string): DeviceAlarm[] {
    return this.#alarms.recent(deviceId);
  }

  subscriptions(deviceId: string): SubscriptionStatus[] {
    const device = this.#table.get(deviceId);
    return device ? this.#subscriptions.statuses(device) : [];
  }

  async subscribe(deviceId: string, kind: SubscriptionKind): Promise<SubscriptionStatus> {
    return this.#subscriptions.subscribe(this.#options.online(deviceId), kind);
  }

  async unsubscribe(deviceId: string, kind: SubscriptionKind): Promise<void> {
    await this.#subscriptions.unsubscribe(this.#options.online(deviceId), kind);
  }

  /** A NOTIFY within a subscription. */
  receiveNotify(incoming: IncomingRequest): void {
    this.#subscriptions.receive(incoming);
  }

  /** What a device said, by MESSAGE or by NOTIFY. False where it means nothing here. */
  receive(device: Device, message: ManscdpMessage, via: 'message' | 'notify'): boolean {
    const type = message.cmdType.toLowerCase();
    // Some devices put a Response into their NOTIFYs.
    if (message.root === 'Response' && via === 'message') return this.#exchange.receive(device, message);
    if (message.root !== 'Notify' && via === 'message') return false;
    switch (type) {
      case 'alarm':
        this.#alarms.receive(device, message, via === 'message');
        return true;
      case 'catalog':
        this.#catalogNotify(device, message.element);
        return true;
      case 'mobileposition': {
        const position = readMobilePosition(message.element);
        if (position) this.#events.emit('position', { deviceId: device.id, position });
        // Devices answer the question by a Notify as well.
        this.#exchange.receive(device, message);
        return true;
      }
      case 'uploadsnapshotfinished':
        this.#events.emit('snapshotFinished', { deviceId: device.id, sessionId: textOf(message.element, 'SessionID') ?? '', files: fileIds(message.element) });
        return true;
      default:
        return false;
    }
  }

  /** Streams are not touched: what still sends pictures is not off, whatever a notification says. */
  #catalogNotify(device: Device, element: XmlElement): void {
    const { channels, changes } = applyCatalogNotify(device.channels, element);
    if (changes.length === 0) return;
    device.channels = channels;
    this.#events.emit('channelsChanged', { deviceId: device.id, changes });
  }
}

function checked(channelId: string): string {
  if (!isGbId(channelId)) throw new BerthwatchError('bad-input', 'GB_CHANNEL_ID', `the channel id "${channelId.slice(0, 40)}" is not 20 digits`);
  return channelId;
}

function fileIds(element: XmlElement): string[] {
  const list = childOf(element, 'SnapShotList');
  return (list ? childrenOf(list, 'SnapShotFileID') : []).slice(0, MAX_FILES).map((child) => child.text.slice(0, 128));
}

/** Figures that make no sense are not used: a wrong one would call a working device offline. */
function useHeartbeat(device: Device, intervalS: number | null, count: number | null): void {
  if (intervalS === null || count === null) return;
  const intervalMs = intervalS * 1000;
  if (intervalMs < HEARTBEAT_LEAST_MS || intervalMs > HEARTBEAT_MOST_MS || count < 1 || count > 20) return;
  device.heartbeat = { intervalMs, missed: count };
}
