import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { partyUser } from '../sip/header-values.js';
import type { IncomingRequest } from '../sip/incoming.js';
import { excerpt } from '../sip/scanner.js';
import { readOnOff } from './catalog.js';
import type { Device, DeviceTable } from './device.js';
import type { GbEmitter } from './events.js';
import { readGbVersion } from './gb-version.js';
import { MANSCDP_TYPE, parseManscdp, type ManscdpMessage } from './manscdp.js';
import type { Presence } from './presence.js';
import type { DeviceServices } from './device-services.js';
import type { Registrar } from './registrar.js';
import type { Sessions } from './sessions.js';
import { childOf, childrenOf, textOf } from './xml.js';

export interface MessageParts {
  table: DeviceTable;
  registrar: Registrar;
  presence: Presence;
  services: DeviceServices;
  sessions: Sessions;
  events: GbEmitter;
  clock: Clock;
  logger: Logger;
}

const MAX_FAULTY = 256;

/** MESSAGE from devices: who may speak, and what it means. */
export class DeviceMessages {
  readonly #parts: MessageParts;

  constructor(parts: MessageParts) {
    this.#parts = parts;
  }

  receive(incoming: IncomingRequest): void {
    const device = this.#speaker(incoming);
    if (!device) return;
    this.#parts.presence.alive(device);
    device.gbVersion = readGbVersion(incoming.request.headers.get('x-gb-ver')) ?? device.gbVersion;
    const type = incoming.request.headers.get('content-type');
    if (type !== undefined && !/manscdp|xml/i.test(type)) {
      incoming.respond({ status: 415, headers: [['Accept', MANSCDP_TYPE]] });
      return;
    }
    let message: ManscdpMessage;
    try {
      message = parseManscdp(incoming.request.body);
    } catch (error) {
      this.#parts.logger.warn({ device: device.id, error: messageOf(error) }, 'a MESSAGE cannot be read');
      incoming.respond({ status: 400, reason: excerpt(messageOf(error), 100) });
      return;
    }
    incoming.respond({ status: 200 });
    this.#dispatch(device, message, incoming);
  }

  /**
   * The registered device that speaks, proven by the address that it registered from. All others are answered such that
   * they register: 401 with a challenge where the device is known (if it can, it proves itself here and now and is moved),
   * 403 where it is not. Nothing they say is looked at.
   */
  #speaker(incoming: IncomingRequest): Device | null {
    const { table, registrar, clock } = this.#parts;
    const { request, flow } = incoming;
    const registered = (device: Device): boolean => device.expiresAt > 0;
    // Within a call the Call-ID says who speaks, whatever firmware writes into From (MediaStatus of some recorders).
    const inCall = this.#parts.sessions.get(request.headers.get('call-id') ?? '')?.device;
    if (inCall && registered(inCall) && inCall.sourceKey === flow.key) return inCall;
    const named = table.get(partyUser(request.headers, 'from') ?? '');
    if (named && registered(named)) {
      if (named.sourceKey === flow.key) return named;
      if (!registrar.authenticate(incoming, named.id)) {
        named.unproven = { from: flow.remote, at: clock.monotonic() };
        this.#parts.logger.debug({ device: named.id, source: flow.remote, at: clock.now() }, 'a MESSAGE from another address than the registered one was challenged');
        return null;
      }
      registrar.relocate(named, incoming);
      return named;
    }
    // Some firmware writes a channel's id into From: the source then says which device it is, if only one lives there.
    const here = named ? [] : table.atSource(flow.key).filter(registered);
    if (here.length === 1) return here[0] as Device;
    if (here.length > 1) {
      const byChannel = here.find((device) => device.channels.some((channel) => channel.id === partyUser(request.headers, 'from')));
      if (byChannel) return byChannel;
    }
    incoming.respond({ status: 403, reason: 'Not registered' });
    return null;
  }

  #dispatch(device: Device, message: ManscdpMessage, incoming: IncomingRequest): void {
    const type = message.cmdType.toLowerCase();
    if (message.root === 'Notify' && type === 'keepalive') this.#keepalive(device, message);
    else if (message.root === 'Notify' && type === 'mediastatus') {
      // 121: the file has been sent to its end (GB/T 28181-2016 9.8).
      if (textOf(message.element, 'NotifyType') !== '121') return;
      const callId = incoming.request.headers.get('call-id') ?? '';
      this.#parts.events.emit('mediaFinished', { deviceId: device.id, channelId: message.deviceId, callId });
      this.#parts.sessions.mediaFinished(device, callId, message.deviceId);
    } else if (!this.#parts.services.receive(device, message, 'message')) {
      this.#parts.logger.debug({ device: device.id, root: message.root, type, sn: message.sn }, 'a MESSAGE that nobody waits for, or without a meaning here');
    }
  }

  #keepalive(device: Device, message: ManscdpMessage): void {
    device.lastKeepaliveAt = this.#parts.clock.now();
    this.#parts.presence.keepalive(device);
    device.healthy = readOnOff(textOf(message.element, 'Status'));
    const info = childOf(message.element, 'Info');
    device.faultyChannels = info ? childrenOf(info, 'DeviceID').slice(0, MAX_FAULTY).map((child) => child.text.slice(0, 64)) : [];
    this.#parts.events.emit('keepalive', { device: device.snapshot() });
  }
}
