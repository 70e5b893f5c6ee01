import { beijingIso } from '../../base/beijing-time.js';
import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import { Authenticator } from '../sip/authenticator.js';
import type { DigestAlgorithm } from '../sip/digest.js';
import { partyUser } from '../sip/header-values.js';
import type { IncomingRequest } from '../sip/incoming.js';
import { Device, type DeviceTable } from './device.js';
import type { DeviceSettingsOf } from './device-settings.js';
import type { GbEmitter } from './events.js';
import { FailureLimiter } from './failure-limiter.js';
import { isGbId } from './gb-id.js';
import { OUR_GB_VERSION, readGbVersion } from './gb-version.js';
import type { Presence } from './presence.js';
import { contactEcho, readRegister } from './register-fields.js';

export interface RegistrarOptions {
  domain: string;
  devicePassword: (deviceId: string) => string | null;
  deviceSettings: DeviceSettingsOf;
  clock: Clock;
  logger: Logger;
  /** Whether the 200 OK carries Date (Beijing time) to set the device's clock; some devices misbehave on it. */
  dateHeader: boolean;
  algorithms: readonly DigestAlgorithm[];
  offerQop: boolean;
  nonceLifetimeMs: number;
  /** Longest registration granted, and the one granted where the device names none, seconds. */
  maxExpires: number;
  defaultExpires: number;
  maxDevices: number;
  /** Wrong passwords per source address and minute, and per device at that address. */
  failuresPerAddress: number;
  failuresPerDevice: number;
}

const WINDOW_MS = 60_000;

/**
 * REGISTER (GB/T 28181-2016 9.1): every one is challenged, first, refresh and end alike, and only an authenticated one
 * changes anything, above all the address at which a device is believed to be.
 */
export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #authenticator: Authenticator;
  readonly #byAddress: FailureLimiter;
  readonly #byDevice: FailureLimiter;
  /** Refusals told of per address and minute: strangers shall not fill the log. */
  readonly #notices: FailureLimiter;
  readonly #table: DeviceTable;
  readonly #presence: Presence;
  readonly #events: GbEmitter;

  constructor(options: RegistrarOptions, table: DeviceTable, presence: Presence, events: GbEmitter) {
    this.#options = options;
    this.#table = table;
    this.#presence = presence;
    this.#events = events;
    const { clock } = options;
    this.#authenticator = new Authenticator({ realm: options.domain, algorithms: options.algorithms, offerQop: options.offerQop, nonceLifetimeMs: options.nonceLifetimeMs, clock });
    this.#byAddress = new FailureLimiter({ clock, limit: options.failuresPerAddress, windowMs: WINDOW_MS });
    this.#byDevice = new FailureLimiter({ clock, limit: options.failuresPerDevice, windowMs: WINDOW_MS });
    this.#notices = new FailureLimiter({ clock, limit: 30, windowMs: WINDOW_MS });
  }

  register(incoming: IncomingRequest): void {
    const { request } = incoming;
    const id = partyUser(request.headers, 'to') ?? '';
    if (!isGbId(id)) {
      this.#refuse(incoming, null, 'the user of To is not an id of 20 digits');
      incoming.respond({ status: 403, reason: 'To is not a 20-digit device id' });
      return;
    }
    if (!this.authenticate(incoming, id)) return;
    const { expires, contact } = readRegister(request, this.#options.defaultExpires);
    const granted = Math.min(expires, this.#options.maxExpires);
    if (granted === 0) {
      this.#unregister(incoming, id);
      return;
    }
    const device = this.#accept(incoming, id, granted);
    if (!device) return;
    const headers: [string, string][] = [];
    if (contact !== null) headers.push(['Contact', contactEcho(contact, granted)]);
    headers.push(['Expires', String(granted)]);
    if (device.settings.dateHeader ?? this.#options.dateHeader) headers.push(['Date', beijingIso(this.#options.clock.now())]);
    headers.push(['X-GB-Ver', OUR_GB_VERSION]);
    const callId = request.headers.get('call-id') ?? '';
    const anew = device.registerCallId !== callId;
    device.registerCallId = callId;
    incoming.respond({ status: 200, headers });
    this.#announce(device, anew);
  }

  /**
   * True where the request proves that it comes from device `id`; else it has been answered: 401 with a challenge, 403
   * for a wrong password, 503 with Retry-After where there were too many of those.
   */
  authenticate(incoming: IncomingRequest, id: string): boolean {
    const { host } = incoming.flow.remote;
    const hasCredentials = incoming.request.headers.has('authorization');
    const blocked = hasCredentials ? Math.max(this.#byAddress.blockedFor(host), this.#byDevice.blockedFor(`${host} ${id}`)) : 0;
    if (blocked > 0) {
      incoming.respond({ status: 503, reason: 'Too many wrong passwords', headers: [['Retry-After', String(Math.ceil(blocked / 1000))]] });
      return false;
    }
    const outcome = this.#authenticator.verify(incoming.request, id, this.#options.devicePassword(id), host);
    if (outcome.kind === 'ok') {
      incoming.flow.trust();
      return true;
    }
    if (outcome.kind === 'wrong') {
      // Reached only with a nonce that this host was given: a forged source address cannot lock anybody out.
      this.#byAddress.fail(host);
      this.#byDevice.fail(`${host} ${id}`);
      this.#refuse(incoming, id, outcome.reason);
      incoming.respond({ status: 403, reason: 'Wrong device id or password' });
      return false;
    }
    if (outcome.kind === 'malformed') this.#refuse(incoming, id, outcome.reason);
    this.challenge(incoming, outcome.kind === 'stale');
    return false;
  }

  challenge(incoming: IncomingRequest, stale = false): void {
    incoming.respond({ status: 401, headers: [...this.#authenticator.challenge(incoming.flow.remote.host, stale), ['X-GB-Ver', OUR_GB_VERSION]] });
  }

  /** Makes the source of an authenticated request the device's address. */
  relocate(device: Device, incoming: IncomingRequest): void {
    const from = device.source;
    const moved = device.sourceKey !== incoming.flow.key;
    this.#table.move(device, incoming.flow, incoming.replyFlow);
    if (!moved) return;
    this.#options.logger.info({ device: device.id, from, to: device.source }, 'a device authenticated from a new address');
    this.#events.emit('moved', { device: device.snapshot(), from, to: device.source });
  }

  #accept(incoming: IncomingRequest, id: string, granted: number): Device | null {
    let device = this.#table.get(id);
    if (device) this.relocate(device, incoming);
    else if (this.#table.size >= this.#options.maxDevices) {
      this.#refuse(incoming, id, `the limit of ${this.#options.maxDevices} devices is reached`);
      incoming.respond({ status: 503, reason: 'Device limit reached', headers: [['Retry-After', '300']] });
      return null;
    } else {
      device = new Device(id, incoming.flow, incoming.replyFlow);
      this.#table.add(device);
    }
    const now = this.#options.clock.now();
    device.registeredAt = now;
    device.expiresAt = now + granted * 1000;
    device.settings = this.#options.deviceSettings(id);
    device.gbVersion = readGbVersion(incoming.request.headers.get('x-gb-ver')) ?? device.gbVersion;
    device.userAgent = incoming.request.headers.get('user-agent')?.slice(0, 128) ?? device.userAgent;
    return device;
  }

  #announce(device: Device, anew: boolean): void {
    const refresh = device.online;
    this.#presence.registered(device);
    this.#events.emit('registered', { device: device.snapshot(), refresh, anew: anew || !refresh });
  }

  #unregister(incoming: IncomingRequest, id: string): void {
    incoming.respond({ status: 200, headers: [['Expires', '0']] });
    const device = this.#table.get(id);
    if (device) this.#presence.gone(device, 'the device unregistered');
  }

  #refuse(incoming: IncomingRequest, deviceId: string | null, reason: string): void {
    const source = incoming.flow.remote;
    if (this.#notices.blockedFor(source.host) > 0) return;
    this.#notices.fail(source.host);
    this.#options.logger.warn({ device: deviceId, source, reason }, 'a registration was refused');
    this.#events.emit('refused', { deviceId, source, reason });
  }
}
