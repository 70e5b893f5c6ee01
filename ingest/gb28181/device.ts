import type { CatalogItem } from './catalog.js';
import type { Charset } from './charset.js';
import type { DeviceInfo } from './device-info.js';
import type { DeviceSettings } from './device-settings.js';
import { editionOf, type Edition } from './gb-version.js';
import type { Flow, SipTransportName, SocketAddress } from '../sip/flow.js';

/** A device as others may see it: a snapshot, times in Unix ms. */
export interface DeviceStatus {
  id: string;
  online: boolean;
  transport: SipTransportName;
  /** Source of its last authenticated packet. */
  address: SocketAddress;
  registeredAt: number;
  expiresAt: number;
  lastKeepaliveAt: number | null;
  /** Last packet of any kind from its authenticated address. */
  lastSeenAt: number;
  /** What the last keepalive said of the device's own health. */
  healthy: boolean | null;
  /** Children that the last keepalive named as faulty. */
  faultyChannels: readonly string[];
  /** X-GB-Ver: 1.0 is the 2011 edition, 2.0 2016, 3.0 2022; null where the device does not say. */
  gbVersion: string | null;
  /** The edition that it is taken for, by its version or the operator's word. */
  edition: Edition;
  userAgent: string | null;
  channels: readonly CatalogItem[];
  /** Null before the first catalogue. */
  catalogComplete: boolean | null;
  info: DeviceInfo | null;
  /** The keepalives that it is expected to send, by its own configuration; null where that is not known. */
  heartbeat: { intervalMs: number; missed: number } | null;
  /** Why it is offline; null while online. */
  offlineReason: string | null;
}

/** The server's own record of a device that has registered at least once. */
export class Device {
  readonly id: string;
  online = false;
  /** The flow whose key authenticated packets carry. */
  sourceKey: string;
  source: SocketAddress;
  /** Where requests to the device go. */
  flow: Flow;
  registeredAt = 0;
  expiresAt = 0;
  /** Monotonic ms of the last sign of life. */
  lastSeen = 0;
  lastSeenAt = 0;
  lastKeepaliveAt: number | null = null;
  healthy: boolean | null = null;
  faultyChannels: readonly string[] = [];
  gbVersion: string | null = null;
  userAgent: string | null = null;
  channels: readonly CatalogItem[] = [];
  catalogComplete: boolean | null = null;
  info: DeviceInfo | null = null;
  offlineReason: string | null = null;
  settings: DeviceSettings = {};
  /** Call-ID of its last REGISTER: another one means that it began anew. */
  registerCallId: string | null = null;
  /** What its configuration says of keepalives; null before it told. */
  heartbeat: { intervalMs: number; missed: number } | null = null;
  /** Things that it has refused as unknown since it registered. */
  readonly unsupported = new Set<string>();
  /** Messages to it whose 200 is still to come. */
  openAnswers = 0;
  /** Monotonic ms of the last keepalive, and the time between it and the one before. */
  lastKeepalive: number | null = null;
  keepaliveGapMs: number | null = null;
  /** Where MESSAGEs in its name last came from without proof, monotonic ms. */
  unproven: { from: SocketAddress; at: number } | null = null;
  cancelPresence: (() => void) | null = null;
  cancelExpiry: (() => void) | null = null;

  constructor(id: string, source: Flow, flow: Flow) {
    this.id = id;
    this.sourceKey = source.key;
    this.source = source.remote;
    this.flow = flow;
  }

  /** X-GB-Ver as the operator says, else as the device does. */
  get spokenVersion(): string | null {
    return this.settings.gbVersion ?? this.gbVersion;
  }

  /** GB18030 from the 2022 edition on. */
  get charset(): Charset {
    return this.settings.charset ?? (editionOf(this.spokenVersion) === '2022' ? 'GB18030' : 'GB2312');
  }

  snapshot(): DeviceStatus {
    return {
      id: this.id,
      online: this.online,
      transport: this.flow.transport,
      address: { ...this.source },
      registeredAt: this.registeredAt,
      expiresAt: this.expiresAt,
      lastKeepaliveAt: this.lastKeepaliveAt,
      lastSeenAt: this.lastSeenAt,
      healthy: this.healthy,
      faultyChannels: this.faultyChannels,
      gbVersion: this.gbVersion,
      edition: editionOf(this.spokenVersion),
      userAgent: this.userAgent,
      channels: this.channels,
      catalogComplete: this.catalogComplete,
      info: this.info,
      heartbeat: this.heartbeat,
      offlineReason: this.offlineReason,
    };
  }
}

/** Devices by id and by source. */
export class DeviceTable {
  readonly #byId = new Map<string, Device>();
  readonly #bySource = new Map<string, Set<Device>>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Device | undefined {
    return this.#byId.get(id);
  }

  all(): Device[] {
    return [...this.#byId.values()];
  }

  /** Devices whose authenticated source this is; usually one, more behind a gateway. */
  atSource(key: string): Device[] {
    return [...(this.#bySource.get(key) ?? [])];
  }

  add(device: Device): void {
    this.#byId.set(device.id, device);
    this.#index(device);
  }

  /** Makes `source` the device's address, and `flow` the way to it. Only for authenticated packets. */
  move(device: Device, source: Flow, flow: Flow): void {
    this.#unindex(device);
    device.sourceKey = source.key;
    device.source = source.remote;
    device.flow = flow;
    this.#index(device);
  }

  #index(device: Device): void {
    const set = this.#bySource.get(device.sourceKey) ?? new Set();
    this.#bySource.set(device.sourceKey, set.add(device));
  }

  #unindex(device: Device): void {
    const set = this.#bySource.get(device.sourceKey);
    set?.delete(device);
    if (set?.size === 0) this.#bySource.delete(device.sourceKey);
  }
}
