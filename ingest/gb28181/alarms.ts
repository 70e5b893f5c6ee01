import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import { readAlarm, type DeviceAlarm } from './alarm.js';
import type { Device } from './device.js';
import type { GbEmitter } from './events.js';
import type { Exchange } from './exchange.js';
import { FailureLimiter } from './failure-limiter.js';
import { buildManscdp, type ManscdpMessage } from './manscdp.js';

export interface AlarmsOptions {
  clock: Clock;
  logger: Logger;
  /** Alarms kept in memory over all devices; default 500. */
  kept?: number;
  /** Alarms of one device in a minute that are kept and told of; more are only answered and counted. Default 60. */
  perMinute?: number;
}

/** Alarms that devices report (GB/T 28181-2016 9.4), by MESSAGE or in a subscription. Memory is bounded. */
export class Alarms {
  readonly #options: Required<AlarmsOptions>;
  readonly #exchange: Exchange;
  readonly #events: GbEmitter;
  readonly #rate: FailureLimiter;
  readonly #kept: DeviceAlarm[] = [];
  /** Alarms above the rate, since the start. */
  suppressed = 0;

  constructor(options: AlarmsOptions, exchange: Exchange, events: GbEmitter) {
    this.#options = { kept: 500, perMinute: 60, ...options };
    this.#exchange = exchange;
    this.#events = events;
    this.#rate = new FailureLimiter({ clock: options.clock, limit: this.#options.perMinute, windowMs: 60_000 });
  }

  /** Newest last. */
  recent(deviceId?: string): DeviceAlarm[] {
    return this.#kept.filter((alarm) => deviceId === undefined || alarm.deviceId === deviceId);
  }

  /** @param confirm by MESSAGE a Response is due (9.4.1); a NOTIFY is answered by its 200 alone */
  receive(device: Device, message: ManscdpMessage, confirm: boolean): void {
    const { clock, logger } = this.#options;
    const alarm = readAlarm(message.element, device.id, clock.now());
    if (confirm) {
      this.#exchange.answer(device, buildManscdp('Response', 'Alarm', message.sn ?? this.#exchange.nextSn(), alarm.sourceId, [['Result', 'OK']], device.charset));
    }
    if (this.#repeated(alarm)) return;
    if (this.#rate.blockedFor(device.id) > 0) {
      this.suppressed++;
      return;
    }
    this.#rate.fail(device.id);
    if (this.#rate.blockedFor(device.id) > 0) logger.warn({ device: device.id, perMinute: this.#options.perMinute }, 'a device reports more alarms than are kept');
    this.#kept.push(alarm);
    if (this.#kept.length > this.#options.kept) this.#kept.shift();
    this.#events.emit('alarm', { alarm });
  }

  /** A device that was not sure of our answer, or that both notifies and messages, says the same alarm again. */
  #repeated(alarm: DeviceAlarm): boolean {
    if (alarm.at === null) return false;
    return this.#kept.some((other) => other.at === alarm.at && other.deviceId === alarm.deviceId && other.sourceId === alarm.sourceId && other.method === alarm.method && other.type === alarm.type && other.eventType === alarm.eventType);
  }
}
