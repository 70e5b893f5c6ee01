import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { DigestAlgorithm } from '../sip/digest.js';
import { SipEndpoint, type EndpointStats } from '../sip/endpoint.js';
import type { Flow } from '../sip/flow.js';
import type { IncomingRequest } from '../sip/incoming.js';
import type { SipTimers } from '../sip/timers.js';
import { refusalOf } from '../sip/uas-checks.js';
import type { CatalogResult } from './catalog.js';
import { DeviceTable, type Device, type DeviceStatus } from './device.js';
import type { DeviceInfo } from './device-info.js';
import type { DeviceSettingsOf } from './device-settings.js';
import { DeviceMessages } from './device-messages.js';
import { DeviceServices } from './device-services.js';
import { DialogRequests } from './dialog-requests.js';
import { isOffline, neverRegistered } from './diagnosis.js';
import { GbEmitter, type GbEvents } from './events.js';
import { isGbId } from './gb-id.js';
import type { InviteRequest } from './invite.js';
import { MANSCDP_TYPE } from './manscdp.js';
import { OpenDialogs, type DialogStore, type OpenDialog } from './open-dialogs.js';
import { Presence } from './presence.js';
import { Registrar } from './registrar.js';
import { RequestFactory } from './request-factory.js';
import type { GbSession } from './session.js';
import { Sessions } from './sessions.js';
import { SnapshotUploads } from './snapshot-uploads.js';
import type { SubscriptionKind } from './subscription-kind.js';

export interface GbServerOptions {
  /** 20 digits. */
  serverId: string;
  /** SIP domain, also the digest realm; usually the first 10 digits of the server id. */
  domain: string;
  /** Address to bind; "::" serves IPv4 and IPv6. */
  host: string;
  /** One port for UDP and TCP; 0 takes free ones, see `address`. */
  port: number;
  /** The host that devices are told in Via and Contact; needed behind NAT, else `EndpointOptions.advertisedHost` says what is taken. */
  advertisedHost?: string;
  /** The password of a device, null for devices that may not register. */
  devicePassword: (deviceId: string) => string | null;
  /** What the operator sets for single devices; asked at each registration. */
  deviceSettings?: DeviceSettingsOf;
  keepalive: { intervalMs: number; missed: number };
  clock: Clock;
  logger: Logger;
  /** Whether 200 to REGISTER carries Date and so sets device clocks. */
  dateHeader: boolean;
  /** Digest algorithms offered, in order; MD5 where not given. */
  algorithms?: readonly DigestAlgorithm[];
  /** Offer qop="auth"; default true. Answers without it are taken all the same. */
  offerQop?: boolean;
  nonceLifetimeMs?: number;
  maxDevices?: number;
  /** Longest registration granted, seconds; default 7 days. */
  maxExpires?: number;
  queryTimeoutMs?: number;
  /** A multi-part catalogue ends when no part came for so long, ms. */
  catalogQuietMs?: number;
  byeTimeoutMs?: number;
  /** What devices are subscribed to when they register; default nothing. */
  subscribe?: { kinds: readonly SubscriptionKind[]; expiresS?: number; spreadMs?: number; positionIntervalS?: number };
  /** Port on which snapshots are received by HTTP, 0 for a free one; without it none are. */
  snapshotPort?: number;
  /** How long a device may take to answer INFO, ms. */
  infoTimeoutMs?: number;
  /** Keeps open calls over a restart, so that cameras can be told to end them. */
  dialogs?: DialogStore;
  timers?: SipTimers;
  /** Asked before a silent device is called offline: true while its pictures still come. */
  stillSending?: (deviceId: string) => boolean;
  /** Wrong passwords per minute after which a source address, or one device at it, must wait. */
  failuresPerAddress?: number;
  failuresPerDevice?: number;
}

const METHODS = ['REGISTER', 'MESSAGE', 'INVITE', 'UPDATE', 'INFO', 'BYE', 'ACK', 'CANCEL', 'OPTIONS', 'NOTIFY'] as const;

/** The GB/T 28181 signalling server: devices register here and are asked for streams. Media are not its business. */
export class GbServer {
  readonly #endpoint: SipEndpoint;
  readonly #table = new DeviceTable();
  readonly #events: GbEmitter;
  readonly #presence: Presence;
  readonly #registrar: Registrar;
  readonly #uploads: SnapshotUploads | null;
  /** What a device can be asked and told besides streams. */
  readonly services: DeviceServices;
  readonly #open: OpenDialogs;
  readonly #sessions: Sessions;
  readonly #dialogs: DialogRequests;
  readonly #clock: Clock;
  readonly #messages: DeviceMessages;
  #closed = false;

  constructor(options: GbServerOptions) {
    if (!isGbId(options.serverId)) throw new BerthwatchError('bad-input', 'GB_SERVER_ID', `the server id "${options.serverId}" is not 20 digits`);
    const { clock, serverId, domain } = options;
    const logger = options.logger.child({ part: 'gb28181' });
    this.#events = new GbEmitter(logger);
    this.#endpoint = new SipEndpoint(
      {
        host: options.host,
        port: options.port,
        clock,
        logger,
        ...(options.advertisedHost === undefined ? {} : { advertisedHost: options.advertisedHost }),
        ...(options.timers ? { timers: options.timers } : {}),
      },
      {
        onRequest: (incoming) => this.#onRequest(incoming),
        onStrayResponse: (response, flow) => this.#sessions.receiveStray(response, flow, this.#table.atSource(flow.key).length > 0),
        onFlowClosed: (flow) => this.#onFlowClosed(flow),
      },
    );
    const factory = new RequestFactory({ serverId, domain, hostOf: (flow) => this.#endpoint.hostOf(flow), portOf: (flow) => this.#endpoint.portOf(flow) });
    this.#clock = clock;
    this.#open = new OpenDialogs(options.dialogs ?? null, logger);
    this.#sessions = new Sessions({ serverId, clock, logger, byeTimeoutMs: options.byeTimeoutMs ?? 3000, infoTimeoutMs: options.infoTimeoutMs ?? 5000 }, this.#endpoint, factory, this.#events, this.#open);
    this.#dialogs = new DialogRequests({ serverId, factory, logger, methods: METHODS, find: (callId) => this.#sessions.get(callId), onBye: (session) => this.#sessions.endedByCamera(session) });
    // Before any listener of others: what a device may still send is ended before it is asked for more.
    this.#events.on('registered', ({ device }) => this.#reached(device.id));
    this.#events.on('online', ({ device }) => this.#reached(device.id));
    this.#presence = new Presence(
      { clock, logger, keepalive: options.keepalive, ...(options.stillSending ? { stillSending: options.stillSending } : {}) },
      this.#events,
      (device, reason) => this.#sessions.deviceGone(device, reason),
    );
    this.#registrar = new Registrar(
      {
        domain,
        devicePassword: options.devicePassword,
        deviceSettings: options.deviceSettings ?? (() => ({})),
        clock,
        logger,
        dateHeader: options.dateHeader,
        algorithms: options.algorithms ?? ['MD5'],
        offerQop: options.offerQop ?? true,
        nonceLifetimeMs: options.nonceLifetimeMs ?? 300_000,
        maxExpires: options.maxExpires ?? 604_800,
        defaultExpires: 86_400,
        maxDevices: options.maxDevices ?? 10_000,
        failuresPerAddress: options.failuresPerAddress ?? 60,
        failuresPerDevice: options.failuresPerDevice ?? 10,
      },
      this.#table,
      this.#presence,
      this.#events,
    );
    this.#uploads = options.snapshotPort === undefined ? null : new SnapshotUploads({ host: options.host, port: options.snapshotPort, clock, logger });
    this.services = new DeviceServices(
      {
        clock,
        logger,
        exchange: { clock, answerTimeoutMs: options.queryTimeoutMs ?? 10_000, quietMs: options.catalogQuietMs ?? 5000 },
        subscriptions: { expiresS: 600, spreadMs: 5000, positionIntervalS: 5, ...(options.subscribe ?? { kinds: [] }) },
        uploads: this.#uploads,
        online: (deviceId) => this.#online(deviceId),
      },
      this.#endpoint,
      factory,
      this.#table,
      this.#events,
    );
    this.#messages = new DeviceMessages({
      table: this.#table,
      registrar: this.#registrar,
      presence: this.#presence,
      services: this.services,
      sessions: this.#sessions,
      events: this.#events,
      clock,
      logger,
    });
  }

  /** @throws BerthwatchError unavailable where the ports cannot be bound */
  async start(): Promise<void> {
    await this.#open.load(this.#clock.now());
    await this.#endpoint.start();
    try {
      await this.#uploads?.start();
    } catch (error) {
      await this.#endpoint.close();
      throw error;
    }
  }

  /** Ends all sessions with BYE, then closes the sockets. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([this.#sessions.close(), this.services.close(), this.#uploads?.close()]);
    for (const device of this.#table.all()) this.#presence.stop(device);
    await this.#endpoint.close();
  }

  /** The ports bound. */
  get address(): { udpPort: number; tcpPort: number } {
    return { udpPort: this.#endpoint.udpPort, tcpPort: this.#endpoint.tcpPort };
  }

  get stats(): EndpointStats & { connections: number; transactions: { client: number; server: number }; sessions: number; strangerRequests: number } {
    return { ...this.#endpoint.stats, connections: this.#endpoint.connections, transactions: this.#endpoint.transactions, sessions: this.#sessions.all().length, strangerRequests: this.#dialogs.strangers };
  }

  /** All devices that have registered since the start, online or not. */
  devices(): readonly DeviceStatus[] {
    return this.#table.all().map((device) => device.snapshot());
  }

  device(deviceId: string): DeviceStatus | null {
    return this.#table.get(deviceId)?.snapshot() ?? null;
  }

  /** The host under which a device sees us, for its signalling and its media; null for one that never registered. */
  hostFor(deviceId: string): string | null {
    const device = this.#table.get(deviceId);
    return device ? this.#endpoint.hostOf(device.flow) : null;
  }

  sessions(): readonly GbSession[] {
    return this.#sessions.all();
  }

  /** Calls that a camera may still believe in although they are over: of a former run, or whose BYE was not confirmed. */
  leftOpen(): readonly OpenDialog[] {
    return this.#open.left();
  }

  /** @returns a function that takes the listener off again */
  on<K extends keyof GbEvents>(name: K, listener: (event: GbEvents[K]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Asks a device for its channels; they then stand in its status. @throws BerthwatchError see `DeviceServices` */
  queryCatalog(deviceId: string): Promise<CatalogResult> {
    return this.services.catalog(deviceId);
  }

  /** @throws BerthwatchError see `DeviceServices` */
  queryDeviceInfo(deviceId: string): Promise<DeviceInfo> {
    return this.services.deviceInfo(deviceId);
  }

  /**
   * Asks for a stream, live or recorded. Resolves when the camera has agreed and been acknowledged; whether packets come is for the
   * media receiver to see (`noMedia` in diagnosis.ts words it when they do not).
   * @throws BerthwatchError not-found or unavailable, its message a diagnosis for people
   */
  async invite(request: InviteRequest): Promise<GbSession> {
    if (this.#closed) throw new BerthwatchError('unavailable', 'GB_CLOSED', 'the signalling server is closed');
    if (!/^\d{10}$/.test(request.ssrc)) throw new BerthwatchError('bad-input', 'GB_SSRC', `the SSRC "${request.ssrc}" is not ten digits; take it from SsrcPool`);
    if (!isGbId(request.channelId)) throw new BerthwatchError('bad-input', 'GB_CHANNEL_ID', `the channel id "${request.channelId}" is not 20 digits`);
    const { recording } = request;
    if (recording && !(recording.from >= 0 && recording.to > recording.from && recording.to < 2 ** 32 * 1000)) throw new BerthwatchError('bad-input', 'GB_RECORDING_TIMES', 'a recording is asked for from a time to a later one');
    return this.#sessions.invite(this.#online(request.deviceId), request);
  }

  #online(deviceId: string): Device {
    const device = this.#table.get(deviceId);
    if (!device) throw new BerthwatchError('not-found', 'GB_NOT_REGISTERED', neverRegistered(deviceId), { detail: { deviceId } });
    if (!device.online) throw new BerthwatchError('unavailable', 'GB_OFFLINE', isOffline(device), { detail: { deviceId } });
    return device;
  }

  #reached(deviceId: string): void {
    const device = this.#table.get(deviceId);
    if (device?.online) this.#sessions.deviceReached(device);
  }

  #onRequest(incoming: IncomingRequest): void {
    const refusal = refusalOf(incoming.request, METHODS);
    if (refusal) {
      incoming.respond(refusal);
      return;
    }
    switch (incoming.request.method) {
      case 'REGISTER':
        this.#registrar.register(incoming);
        break;
      case 'MESSAGE':
        this.#messages.receive(incoming);
        break;
      case 'BYE':
      case 'INFO':
      case 'UPDATE':
        if (!this.#dialogs.receive(incoming)) incoming.respond({ status: 481 });
        break;
      case 'INVITE':
        // Devices call to talk (GB/T 28181-2016 9.12), which we never asked them to.
        if (!this.#dialogs.receive(incoming)) incoming.respond(this.#table.atSource(incoming.flow.key).length > 0 ? { status: 488 } : { status: 403, reason: 'Not registered' });
        break;
      case 'NOTIFY':
        this.services.receiveNotify(incoming);
        break;
      case 'OPTIONS':
        if (!this.#dialogs.receive(incoming)) incoming.respond({ status: 200, headers: [['Allow', METHODS.join(', ')], ['Accept', `application/sdp, ${MANSCDP_TYPE}`]] });
        break;
      default:
        // An ACK that belongs to no transaction: nothing is ever answered to it (RFC 3261 17).
        break;
    }
  }

  #onFlowClosed(flow: Flow): void {
    // The device must register again on its next connection (GB/T 28181-2022 9.1.1 f).
    for (const device of this.#table.atSource(flow.key)) this.#presence.gone(device, 'its SIP connection closed');
  }
}
