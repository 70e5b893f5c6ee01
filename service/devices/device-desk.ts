import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { alarmWords } from '../../ingest/gb28181/alarm.js';
import { neverRegistered } from '../../ingest/gb28181/diagnosis.js';
import type { GbServer } from '../../ingest/gb28181/server.js';
import type { Database } from '../../storage/catalogue/database.js';
import type { DeviceSources } from '../api/device-routes.js';
import type { AlarmView, DeviceView } from '../api/device-schemas.js';
import type { Site, SiteCamera } from '../config/site.js';
import type { Feed } from '../live/feed.js';
import type { ProblemBoard } from '../live/problems.js';
import { AlarmKeeper } from './alarm-keeper.js';
import { AlarmStore, type AlarmFilter } from './alarm-store.js';
import { deviceView } from './device-view.js';
import { Pace } from './pace.js';
import { takePicture, type ChannelPicture } from './snapshots.js';

export interface DeviceDeskOptions {
  gb: GbServer;
  site: () => Site;
  database: Database;
  feed: Feed;
  problems: ProblemBoard;
  clock: Clock;
  logger: Logger;
  alarmRetentionMs: number;
  snapshotTimeoutMs: number;
  /** The newest key frame of a camera as JPEG; null where there is none. */
  newestFrame: (cameraId: string) => Promise<{ jpeg: Uint8Array; capturedAt: number } | null>;
  /** A device is asked for more about itself at a random moment within this time after it came online. */
  describeWithinMs?: number;
}

/**
 * From one device's first questions to the next one's, ms. A thousand cameras that come back at once have to be answered, and called for
 * their pictures, before they are asked who they are.
 */
const INTRODUCTIONS_MS = 20;

/** Device ids whose refusals are remembered; they can be invented, so there must be an end. */
const MOST_REFUSALS = 1000;

/** What the service knows of its GB/T 28181 devices beside their streams: for the API, the feed and the catalogue. */
export class DeviceDesk implements DeviceSources {
  readonly #options: DeviceDeskOptions;
  readonly #alarms: AlarmStore;
  readonly #keeper: AlarmKeeper;
  readonly #clockOffsets = new Map<string, number>();
  readonly #refused = new Map<string, { reason: string; host: string; at: number }>();
  readonly #timers = new Map<string, () => void>();
  readonly #introductions: Pace;
  #off: (() => void)[] = [];

  constructor(options: DeviceDeskOptions) {
    this.#options = options;
    const { database, clock, feed, problems } = options;
    this.#alarms = new AlarmStore(database);
    this.#introductions = new Pace(clock, INTRODUCTIONS_MS);
    this.#keeper = new AlarmKeeper({
      store: this.#alarms,
      clock,
      retentionMs: options.alarmRetentionMs,
      onKept: (alarm, words) => feed.publish('device-alarm', { deviceId: alarm.deviceId, sourceId: alarm.sourceId, cameraId: this.#camerasOf(alarm.deviceId, alarm.sourceId)[0] ?? null, words, method: alarm.method, type: alarm.type, priority: alarm.priority }),
      onTrouble: (message) => problems.set('alarms', message),
    });
  }

  start(): void {
    const { gb, clock } = this.#options;
    this.#off = [
      gb.on('alarm', ({ alarm }) => this.#keeper.take(alarm)),
      gb.on('refused', ({ deviceId, source, reason }) => {
        if (deviceId === null) return;
        this.#refused.delete(deviceId);
        this.#refused.set(deviceId, { reason, host: source.host, at: clock.now() });
        if (this.#refused.size > MOST_REFUSALS) this.#refused.delete(this.#refused.keys().next().value as string);
      }),
      gb.on('online', ({ device }) => {
        this.#introductions.take(device.id, () => void this.#introduce(device.id));
        this.#describeLater(device.id);
      }),
      gb.on('offline', ({ device }) => {
        this.#introductions.drop(device.id);
        this.#timers.get(device.id)?.();
      }),
    ];
  }

  async close(): Promise<void> {
    for (const off of this.#off) off();
    this.#introductions.close();
    for (const cancel of this.#timers.values()) cancel();
    await this.#keeper.close();
  }

  /** Drops old alarms. */
  expire(): Promise<void> {
    return this.#keeper.expire();
  }

  get services(): GbServer['services'] {
    return this.#options.gb.services;
  }

  devices(): DeviceView[] {
    const { gb, site } = this.#options;
    const ids = new Set([...gb.devices().map(({ id }) => id), ...site().cameras.flatMap((camera) => (camera.gb28181 ? [camera.gb28181.deviceId] : []))]);
    return [...ids].sort().map((id) => this.#view(id));
  }

  device(deviceId: string): DeviceView {
    if (!this.#options.gb.device(deviceId) && this.#cameras(deviceId).length === 0) throw new BerthwatchError('not-found', 'GB_NOT_REGISTERED', neverRegistered(deviceId), { detail: { deviceId } });
    return this.#view(deviceId);
  }

  async alarms(filter: AlarmFilter): Promise<AlarmView[]> {
    const alarms = await this.#alarms.list(filter);
    return alarms.map((alarm) => ({ ...alarm, words: alarmWords(alarm), cameras: this.#camerasOf(alarm.deviceId, alarm.sourceId) }));
  }

  async resetAlarms(deviceId: string, { channel, method, type }: { channel?: string | undefined; method?: number | undefined; type?: number | undefined }): Promise<number> {
    await this.services.control(deviceId, channel ?? deviceId, { kind: 'reset-alarm', method, type });
    return this.#alarms.reset(deviceId, { sourceId: channel ?? null, method: method ?? null, type: type ?? null }, this.#options.clock.now());
  }

  picture(deviceId: string, channelId: string): Promise<ChannelPicture> {
    const { clock, snapshotTimeoutMs, newestFrame } = this.#options;
    const cameraId = this.#cameras(deviceId).find((camera) => camera.gb28181?.channelId === channelId)?.id;
    return takePicture(
      { services: this.services, now: () => clock.now(), timeoutMs: snapshotTimeoutMs, newestFrame: async () => (cameraId === undefined ? null : newestFrame(cameraId)) },
      deviceId,
      channelId,
    );
  }

  #view(id: string): DeviceView {
    const { gb } = this.#options;
    return deviceView(id, { status: gb.device(id), cameras: this.#cameras(id), subscriptions: this.services.subscriptions(id), clockOffsetMs: this.#clockOffsets.get(id) ?? null, refused: this.#refused.get(id) ?? null });
  }

  #cameras(deviceId: string): SiteCamera[] {
    return this.#options.site().cameras.filter((camera) => camera.gb28181?.deviceId === deviceId);
  }

  /** Cameras of the site that an alarm is about: the one of its channel, else those of the device. */
  #camerasOf(deviceId: string, sourceId: string): string[] {
    const cameras = this.#cameras(deviceId);
    const exact = cameras.filter((camera) => camera.gb28181?.channelId === sourceId);
    return (exact.length > 0 ? exact : cameras).map(({ id }) => id);
  }

  /** Asks a device that came online who it is and what it shows, and says so where a channel of the site is not among that. */
  async #introduce(deviceId: string): Promise<void> {
    const { logger, problems } = this.#options;
    // Many devices answer only one of the two; the stream depends on neither.
    const silent = (question: string) => (error: unknown) => {
      logger.info({ deviceId, question, reason: messageOf(error) }, 'the device did not describe itself');
      return null;
    };
    const [info, catalog] = await Promise.all([this.services.deviceInfo(deviceId).catch(silent('DeviceInfo')), this.services.catalog(deviceId).catch(silent('Catalog'))]);
    if (!catalog) return;
    const { items, complete, total } = catalog;
    logger.info({ deviceId, ...info, channels: items.length, announced: total, complete }, 'device described itself');
    for (const camera of this.#cameras(deviceId).filter(({ enabled }) => enabled)) {
      const channelId = camera.gb28181?.channelId ?? '';
      const missing = complete && items.length > 0 && !items.some((item) => item.id === channelId);
      problems.set(`catalog/${camera.id}`, missing ? `device ${deviceId} does not list channel ${channelId} of camera ${camera.name} in its catalogue: compare the channel id with its GB/T 28181 settings` : null);
    }
  }

  #describeLater(deviceId: string): void {
    this.#timers.get(deviceId)?.();
    const cancel = this.#options.clock.after(Math.random() * (this.#options.describeWithinMs ?? 10_000), () => {
      this.#timers.delete(deviceId);
      void this.#describe(deviceId);
    });
    this.#timers.set(deviceId, cancel);
  }

  /** How often it sends keepalives, and what its clock says. Many devices answer only one of the two. */
  async #describe(deviceId: string): Promise<void> {
    const { clock, logger } = this.#options;
    const failed = (question: string) => (error: unknown) => logger.debug({ deviceId, question, reason: messageOf(error) }, 'a device did not answer a question');
    await this.services.config(deviceId, ['BasicParam']).catch(failed('ConfigDownload'));
    await this.services.condition(deviceId).then(({ deviceTime }) => {
      if (deviceTime !== null) this.#clockOffsets.set(deviceId, deviceTime - clock.now());
    }, failed('DeviceStatus'));
  }
}
