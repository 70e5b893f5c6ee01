import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { DeviceAlarm } from './alarm.js';
import type { CatalogResult } from './catalog.js';
import type { CatalogChange } from './catalog-events.js';
import type { MobilePosition } from './device-answers.js';
import type { DeviceStatus } from './device.js';
import type { SocketAddress } from '../sip/flow.js';
import type { SubscriptionKind } from './subscription-kind.js';

/** What the signalling server tells the rest of the service. */
export interface GbEvents {
  /** A REGISTER was accepted; `refresh` where the device was online already, `anew` where it began a new series of REGISTERs (it may have restarted). */
  registered: { device: DeviceStatus; refresh: boolean; anew: boolean };
  online: { device: DeviceStatus };
  offline: { device: DeviceStatus; reason: string };
  /** An authenticated request came from another address than before. */
  moved: { device: DeviceStatus; from: SocketAddress; to: SocketAddress };
  keepalive: { device: DeviceStatus };
  /** Something was refused in a way that an operator should know: wrong password, unknown device, stranger's address. */
  refused: { deviceId: string | null; source: SocketAddress; reason: string };
  catalog: { deviceId: string; result: CatalogResult };
  /** A NOTIFY changed the channels. */
  channelsChanged: { deviceId: string; changes: readonly CatalogChange[] };
  alarm: { alarm: DeviceAlarm };
  position: { deviceId: string; position: MobilePosition };
  subscribed: { deviceId: string; kind: SubscriptionKind; expiresS: number };
  /** MediaStatus 121: the device has sent a recording to its end. */
  mediaFinished: { deviceId: string; channelId: string | null; callId: string };
  /** A device of 2022 says that it has uploaded what it was asked to. */
  snapshotFinished: { deviceId: string; sessionId: string; files: readonly string[] };
  sessionStarted: { deviceId: string; channelId: string; callId: string; ssrc: string };
  sessionEnded: { deviceId: string; channelId: string; callId: string; ssrc: string; reason: string };
}

type Listener<K extends keyof GbEvents> = (event: GbEvents[K]) => void;

/** A typed emitter whose listeners cannot hurt the emitting code: what they throw is logged. */
export class GbEmitter {
  readonly #listeners = new Map<keyof GbEvents, Set<(event: never) => void>>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @returns a function that takes the listener off again */
  on<K extends keyof GbEvents>(name: K, listener: Listener<K>): () => void {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set.add(listener));
    return () => void set.delete(listener);
  }

  emit<K extends keyof GbEvents>(name: K, event: GbEvents[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as Listener<K>)(event);
      } catch (error) {
        this.#logger.error({ event: name, error: messageOf(error) }, 'a listener of the signalling server failed');
      }
    }
  }
}
