import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import { uriHost } from '../sip/header-values.js';
import type { Device } from './device.js';
import type { GbEmitter } from './events.js';

export interface PresenceOptions {
  clock: Clock;
  logger: Logger;
  keepalive: {
    /** What the devices are set to, ms. */
    intervalMs: number;
    /** Keepalives that may be missed in a row. */
    missed: number;
  };
  /** Asked before a silent device is called offline: true while its pictures still come. */
  stillSending?: (deviceId: string) => boolean;
}

/** A refresh may come late by this much before the registration counts as expired, ms. */
const EXPIRY_GRACE_MS = 60_000;

/** Who is online: registered, and heard of within the keepalive limit (GB/T 28181-2016 9.6). */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #events: GbEmitter;
  readonly #onGone: (device: Device, reason: string) => void;

  constructor(options: PresenceOptions, events: GbEmitter, onGone: (device: Device, reason: string) => void) {
    this.#options = options;
    this.#events = events;
    this.#onGone = onGone;
  }

  /** A REGISTER was accepted. */
  registered(device: Device): void {
    device.cancelExpiry?.();
    const left = device.expiresAt - device.registeredAt + EXPIRY_GRACE_MS;
    device.cancelExpiry = this.#later(left, () => this.gone(device, 'the registration expired'));
    this.alive(device);
  }

  /** A packet came from the device's authenticated address while its registration holds. */
  alive(device: Device): void {
    device.lastSeen = this.#options.clock.monotonic();
    device.lastSeenAt = this.#options.clock.now();
    if (device.online) return;
    device.online = true;
    device.offlineReason = null;
    this.#watch(device, this.#limitMs(device));
    this.#options.logger.info({ device: device.id, transport: device.flow.transport, address: device.source }, 'device online');
    this.#events.emit('online', { device: device.snapshot() });
  }

  /** The registration ended; nothing but a new REGISTER brings the device back. */
  gone(device: Device, reason: string): void {
    device.cancelExpiry?.();
    device.cancelExpiry = null;
    device.expiresAt = 0;
    this.offline(device, reason);
  }

  /** Silence: the registration still holds, and the next packet from the same address brings the device back. */
  offline(device: Device, reason: string): void {
    device.cancelPresence?.();
    device.cancelPresence = null;
    if (!device.online) return;
    device.online = false;
    device.offlineReason = reason;
    this.#options.logger.warn({ device: device.id, reason }, 'device offline');
    this.#onGone(device, reason);
    this.#events.emit('offline', { device: device.snapshot(), reason });
  }

  stop(device: Device): void {
    device.cancelPresence?.();
    device.cancelExpiry?.();
    device.cancelPresence = device.cancelExpiry = null;
  }

  /** A keepalive came: the time between two tells how often the device really sends them. */
  keepalive(device: Device): void {
    const now = this.#options.clock.monotonic();
    const first = device.keepaliveGapMs === null;
    device.keepaliveGapMs = device.lastKeepalive === null ? null : now - device.lastKeepalive;
    device.lastKeepalive = now;
    if (first && device.keepaliveGapMs !== null && device.online) {
      device.cancelPresence?.();
      this.#watch(device, this.#limitMs(device));
    }
  }

  /**
   * What the device says of its keepalives counts where it does as it says: wrong figures are common, and a device that takes
   * longer than it says must not be called offline for it. Else, and until two keepalives were seen, the more patient of its figures
   * and ours.
   */
  #limitMs(device: Device): number {
    // Half an interval on top: the last of the allowed keepalives may be a little late.
    const patience = ({ intervalMs, missed }: { intervalMs: number; missed: number }): number => intervalMs * (missed + 0.5);
    const ours = patience(this.#options.keepalive);
    const { heartbeat, keepaliveGapMs } = device;
    if (!heartbeat) return ours;
    const trueToIt = keepaliveGapMs !== null && keepaliveGapMs <= heartbeat.intervalMs * 1.5;
    return trueToIt ? patience(heartbeat) : Math.max(patience(heartbeat), ours);
  }

  /** One timer per device, armed anew only when it fires: keepalives cost no timers. */
  #watch(device: Device, ms: number): void {
    device.cancelPresence = this.#options.clock.after(ms, () => {
      const limitMs = this.#limitMs(device);
      const left = device.lastSeen + limitMs - this.#options.clock.monotonic();
      if (left > 0) this.#watch(device, left);
      else if (this.#options.stillSending?.(device.id)) this.#watch(device, this.#options.keepalive.intervalMs);
      else this.offline(device, `no keepalive for ${Math.round(limitMs / 1000)} s${this.#elsewhere(device, limitMs)}`);
    });
  }

  /** What a person should know where somebody did speak in the device's name, from another address. */
  #elsewhere(device: Device, withinMs: number): string {
    const { unproven } = device;
    if (!unproven || this.#options.clock.monotonic() - unproven.at > withinMs) return '';
    const { host, port } = unproven.from;
    return ` from its address; messages in its name came from ${uriHost(host)}:${port}, which did not prove to be the device when challenged: if a router changed its port, restart the camera or have the router keep the port`;
  }

  /** Timers beyond 2^31 ms would fire at once. */
  #later(ms: number, fn: () => void): () => void {
    return this.#options.clock.after(Math.min(ms, 2 ** 31 - 1), fn);
  }
}
