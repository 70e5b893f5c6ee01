import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../base/clock.js';
import { BerthwatchError, messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { program } from '../base/program-root.js';
import type { StreamKind } from '../ingest/gb28181/offer.js';
import { GbServer } from '../ingest/gb28181/server.js';
import { SsrcPool } from '../ingest/gb28181/ssrc-pool.js';
import { SUBSCRIPTION_KINDS } from '../ingest/gb28181/subscription-kind.js';
import type { MediaEvent } from '../ingest/media/media-event.js';
import { PortPool } from '../ingest/media/port-pool.js';
import type { Platform } from '../platform/message.js';
import { createApi } from './api/server.js';
import { ReadModel } from './api/read-model.js';
import type { Config } from './config/config.js';
import { intakeKey, type Site, type SiteCamera } from './config/site.js';
import { deviceSettings } from './config/device-quirks.js';
import { secondLogId } from './footage/retention-policy.js';
import { Core } from './core.js';
import { DeviceDesk } from './devices/device-desk.js';
import { CameraStream } from './live/camera-stream.js';
import { DeviceFootage } from './device-footage/device-footage.js';
import { Feed } from './live/feed.js';
import { KeyFrameAsker } from './live/key-frame-asker.js';
import { MediaCalls } from './live/media-calls.js';
import type { LiveStream, StreamStatus, UnitSink } from './live/live-stream.js';
import { ProblemBoard } from './live/problems.js';
import { Rates } from './live/rates.js';
import { RtspStream } from './live/rtsp-stream.js';
import { createMetrics } from './metrics.js';
import { FootageService } from './playback/footage-service.js';
import { DialogRecords } from './records/dialog-records.js';
import { buildPlatform } from './platforms/build-platform.js';
import { PlatformLink } from './platforms/platform-link.js';
import { unusedChannels } from './site-import/channels.js';

export interface ServiceOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
}

const CHECK_MS = 1_000;
const ALARM_RETENTION_EVERY_MS = 3_600_000;

/**
 * The whole program in one process plus children (DESIGN.md, Deployment): cameras in, footage kept, visits derived, records
 * delivered, and a page to watch it. `start` brings the parts up in the order in which they need each other; `close` ends
 * them the other way round, so that nothing received is left unwritten.
 */
export class BerthwatchService {
  readonly #options: ServiceOptions;
  readonly #feed: Feed;
  readonly #problems: ProblemBoard;
  readonly #metrics = createMetrics();
  readonly #streams = new Map<string, LiveStream>();
  /** Streams that are recorded beside the analysed ones, by camera. */
  readonly #secondStreams = new Map<string, LiveStream>();
  readonly #rates: Rates;
  readonly #onlineSince = new Map<string, number>();
  readonly #platforms: Platform[];
  #core: Core | null = null;
  #links: PlatformLink[] = [];
  #gb: GbServer | null = null;
  #desk: DeviceDesk | null = null;
  readonly #keyFrames: KeyFrameAsker;
  #api: FastifyInstance | null = null;
  #calls: MediaCalls | null = null;
  #footage: FootageService | null = null;
  #deviceFootage: DeviceFootage | null = null;
  #cancelTimers: (() => void)[] = [];
  #startedAt = 0;
  /** Site changes and the end come one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  /** @throws BerthwatchError bad-input where a platform's keys cannot be read */
  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#feed = new Feed(options.clock);
    this.#rates = new Rates(options.clock);
    this.#problems = new ProblemBoard(options.clock, options.logger, this.#feed);
    const { clock, logger } = options;
    this.#keyFrames = new KeyFrameAsker({ clock, logger, afterMs: options.config.gb28181.keyFrameAfter, ask: (cameraId) => this.#askKeyFrame(cameraId) });
    this.#platforms = options.config.platforms.map((platform) => buildPlatform(platform, options.config.baseFolder, options.clock));
  }

  /** @returns where the page and the SIP port are. */
  async start(): Promise<{ url: string; sipPort: number }> {
    const { config, clock, logger } = this.#options;
    this.#startedAt = clock.now();
    const core = new Core({
      config,
      clock,
      logger,
      feed: this.#feed,
      problems: this.#problems,
      metrics: this.#metrics,
      platforms: this.#platforms,
      onRecords: () => this.#links.forEach((link) => link.poke()),
    });
    this.#core = core;
    await core.start();
    this.#links = this.#platforms.map((platform, i) => this.#link(platform, config.platforms[i]?.retry ?? 0, config.platforms[i]?.heartbeat ?? 0, core));
    for (const link of this.#links) link.start();
    const sipPort = await this.#startIngest(core);
    const url = await this.#startApi(core);
    await core.keeper.start();
    this.#repeat(CHECK_MS, () => this.#check(core));
    this.#repeat(ALARM_RETENTION_EVERY_MS, () => void this.#desk?.expire());
    return { url, sipPort };
  }

  /** Ends everything in order. Footage in flight is sealed; sessions get their BYE. */
  async close(): Promise<void> {
    for (const cancel of this.#cancelTimers) cancel();
    await this.#queue.catch(() => undefined);
    await this.#api?.close();
    await this.#footage?.close();
    await this.#deviceFootage?.close();
    await Promise.all([...this.#streams.values(), ...this.#secondStreams.values()].map((stream) => stream.close()));
    await this.#gb?.close();
    await this.#desk?.close();
    await this.#calls?.close();
    await Promise.all(this.#links.map((link) => link.close()));
    await this.#core?.close();
  }

  get feed(): Feed {
    return this.#feed;
  }

  #link(platform: Platform, retryMs: number, heartbeatMs: number, core: Core): PlatformLink {
    const { clock, logger } = this.#options;
    return new PlatformLink({
      platform,
      database: core.database,
      lotCodes: () => core.site.lots.map((lot) => lot.code),
      clock,
      logger: logger.child({ platform: platform.id }),
      retryMs,
      heartbeatMs,
      readObject: (key) => core.readObject(key),
      onOutcome: (message, outcome, attempts) => {
        this.#metrics.deliveries.inc({ platform: platform.id, kind: message.kind, outcome: outcome.outcome });
        const uid = 'visit' in message ? message.visit.uid : message.kind === 'photo' ? message.uid : null;
        const facts = { platform: platform.id, kind: message.kind, uid, attempts };
        if (outcome.outcome === 'delivered') this.#feed.publish('record-delivered', { ...facts, name: message.kind === 'photo' ? message.name : null });
        else if (outcome.outcome === 'refused') this.#feed.publish('record-refused', { ...facts, reason: `${outcome.code} ${outcome.reason}` });
        else this.#feed.publish('platform-unreachable', { ...facts, reason: outcome.reason });
      },
      onTrouble: (part, message) => this.#problems.set(part, message),
    });
  }

  async #startIngest(core: Core): Promise<number> {
    const { config, clock, logger } = this.#options;
    const gbConfig = config.gb28181;
    const gb = new GbServer({
      serverId: gbConfig.serverId,
      domain: gbConfig.domain,
      host: gbConfig.host,
      port: gbConfig.port,
      ...(gbConfig.advertisedHost === null ? {} : { advertisedHost: gbConfig.advertisedHost }),
      devicePassword: (deviceId) => {
        const channel = core.site.cameras.find((camera) => camera.gb28181?.deviceId === deviceId)?.gb28181;
        if (channel) return channel.password ?? gbConfig.defaultPassword;
        return gbConfig.unknownDevices === 'accept' ? gbConfig.defaultPassword : null;
      },
      keepalive: { intervalMs: gbConfig.keepalive.interval, missed: gbConfig.keepalive.missed },
      clock,
      logger,
      dateHeader: gbConfig.dateHeader,
      deviceSettings: (deviceId) => deviceSettings(core.site.cameras, deviceId),
      subscribe: { kinds: SUBSCRIPTION_KINDS.filter((kind) => gbConfig.subscribe[kind === 'Catalog' ? 'catalog' : kind === 'Alarm' ? 'alarm' : 'mobilePosition']), expiresS: Math.round(gbConfig.subscribe.expires / 1000) },
      ...(gbConfig.snapshot.port === null ? {} : { snapshotPort: gbConfig.snapshot.port }),
      dialogs: new DialogRecords(core.database),
      stillSending: (deviceId) => [...this.#streams].some(([cameraId, stream]) => stream.status.state === 'streaming' && this.#cameraOf(core, cameraId)?.gb28181?.deviceId === deviceId),
    });
    this.#gb = gb;
    gb.on('online', ({ device }) => {
      this.#onlineSince.set(device.id, clock.now());
      this.#feed.publish('device-online', { deviceId: device.id, transport: device.transport });
    });
    gb.on('offline', ({ device, reason }) => {
      this.#onlineSince.delete(device.id);
      this.#feed.publish('device-offline', { deviceId: device.id, reason });
    });
    this.#desk = new DeviceDesk({
      gb,
      site: () => core.site,
      database: core.database,
      feed: this.#feed,
      problems: this.#problems,
      clock,
      logger: logger.child({ part: 'devices' }),
      alarmRetentionMs: gbConfig.alarmRetention,
      snapshotTimeoutMs: gbConfig.snapshot.timeout,
      newestFrame: (cameraId) => core.newestFrame(cameraId),
    });
    this.#desk.start();
    gb.on('alarm', ({ alarm }) => this.#metrics.deviceAlarms.inc({ method: String(alarm.method ?? 'unknown') }));
    await gb.start();
    this.#calls = new MediaCalls({
      server: gb,
      ports: new PortPool({ ...gbConfig.mediaPorts, clock }),
      ssrcs: new SsrcPool({ serverId: gbConfig.serverId, clock }),
      clock,
      logger,
      bindHost: gbConfig.host,
      mediaHost: gbConfig.advertisedHost ?? gbConfig.host,
      mediaMode: gbConfig.mediaMode,
      sharedPort: gbConfig.sharedMediaPort,
      firstPacketTimeoutMs: gbConfig.firstPacketTimeout,
      silenceTimeoutMs: gbConfig.silenceTimeout,
    });
    this.#deviceFootage = new DeviceFootage({ ...config.deviceFootage, calls: this.#calls, database: core.database, objects: core.objects, camera: (cameraId) => this.#cameraOf(core, cameraId), clock, logger, folder: join(config.dataFolder, 'device-recordings') });
    await this.#deviceFootage.start();
    this.#follow(core);
    return gb.address.udpPort;
  }

  #cameraOf(core: Core, cameraId: string): SiteCamera | undefined {
    return core.site.cameras.find((camera) => camera.id === cameraId);
  }

  /** Starts the streams of all cameras of the site. */
  #follow(core: Core): void {
    for (const camera of core.site.cameras) {
      if (!camera.enabled || (!camera.gb28181 && !camera.rtsp) || this.#streams.has(camera.id)) continue;
      const stream = this.#stream(camera, core);
      this.#streams.set(camera.id, stream);
      stream.start();
      if (camera.streams.record !== 'both') continue;
      const second = this.#secondStream(camera, core);
      this.#secondStreams.set(camera.id, second);
      second.start();
    }
  }

  /** The stream that is recorded beside the analysed one, into a log of its own. */
  #secondStream(camera: SiteCamera, core: Core): LiveStream {
    const logId = secondLogId(camera);
    const stream = camera.streams.analyse === 'main' ? 'sub' : 'main';
    return this.#takeIn(camera, stream, {
      sink: {
        append: (unit) => core.log.append({ ...unit, cameraId: logId }),
        appendAudio: camera.audio ? (unit) => core.log.appendAudio({ ...unit, cameraId: logId }) : undefined,
        discontinuity: (_cameraId, reason) => core.log.discontinuity(logId, reason),
        streamEnded: () => core.log.streamEnded(logId),
      },
      logger: this.#options.logger.child({ cameraId: logId }),
      onState: (status) => this.#problems.set(`camera/${logId}`, status.state === 'streaming' || status.diagnosis === null ? null : `${stream} stream: ${status.diagnosis}`),
    });
  }

  #stream(camera: SiteCamera, core: Core): LiveStream {
    return this.#takeIn(camera, camera.streams.analyse, { sink: this.#sink(camera, core), logger: this.#options.logger.child({ cameraId: camera.id }), onState: this.#onState(camera) });
  }

  #takeIn(camera: SiteCamera, stream: StreamKind, parts: { sink: UnitSink; logger: Logger; onState: (status: StreamStatus) => void }): LiveStream {
    const { config, clock } = this.#options;
    const { gb28181, rtsp } = config;
    if (!this.#gb || !this.#calls) throw new BerthwatchError('internal', 'SERVICE_ORDER', 'streams were started before signalling');
    const common = { camera, clock, ...parts };
    if (camera.rtsp) return new RtspStream({ ...common, stream, timeoutMs: rtsp.timeout, retry: { firstMs: rtsp.retry.first, longestMs: rtsp.retry.longest } });
    return new CameraStream({
      ...common,
      stream,
      server: this.#gb,
      calls: this.#calls,
      retry: { firstMs: gb28181.retry.first, longestMs: gb28181.retry.longest },
      onEnd: (cause) => this.#metrics.sessions.inc({ camera: camera.id, outcome: cause }),
      onMediaEvent: (event: MediaEvent) => this.#metrics.mediaEvents.inc({ camera: camera.id, event: event.type }),
    });
  }

  #sink(camera: SiteCamera, core: Core): UnitSink {
    return {
      append: (unit) => {
        this.#metrics.unitsReceived.inc({ camera: camera.id });
        this.#metrics.bytesReceived.inc({ camera: camera.id }, unit.data.length);
        this.#rates.add(camera.id, unit.data.length);
        core.log.append(unit);
        if (camera.gb28181 && unit.cameraId === camera.id) this.#keyFrames.picture(camera.id, unit.keyframe);
      },
      appendAudio: camera.audio ? (unit) => core.log.appendAudio(unit) : undefined,
      discontinuity: (cameraId, reason) => core.log.discontinuity(cameraId, reason),
      streamEnded: (cameraId) => {
        this.#keyFrames.streamEnded(cameraId);
        core.log.streamEnded(cameraId);
      },
    };
  }

  async #askKeyFrame(cameraId: string): Promise<void> {
    const gb28181 = this.#core?.site.cameras.find((camera) => camera.id === cameraId)?.gb28181;
    this.#metrics.keyFramesAsked.inc({ camera: cameraId });
    if (gb28181) await this.#gb?.services.control(gb28181.deviceId, gb28181.channelId, { kind: 'key-frame' });
  }

  #onState(camera: SiteCamera): (status: StreamStatus) => void {
    let before: StreamStatus['state'] = 'none';
    const transport = camera.gb28181?.transport ?? (camera.rtsp ? `rtsp-${camera.rtsp.transport}` : null);
    return (status) => {
      if (status.state === 'streaming' && before !== 'streaming') this.#feed.publish('stream-up', { cameraId: camera.id, codec: status.codec, transport });
      if (status.state !== 'streaming' && before === 'streaming') this.#feed.publish('stream-down', { cameraId: camera.id, reason: status.diagnosis });
      before = status.state;
      this.#problems.set(`camera/${camera.id}`, status.state === 'streaming' ? null : (status.diagnosis ?? null));
    };
  }

  async #startApi(core: Core): Promise<string> {
    const { config, clock, logger } = this.#options;
    const deviceFootage = this.#deviceFootage;
    if (!deviceFootage) throw new BerthwatchError('internal', 'SERVICE_ORDER', 'the API was started before signalling');
    const view = new ReadModel({
      database: core.database,
      site: () => core.site,
      board: core.board,
      streams: this.#streams,
      onlineSince: (deviceId) => this.#onlineSince.get(deviceId) ?? null,
      rates: this.#rates,
      isOnline: (deviceId) => this.#gb?.device(deviceId)?.online ?? false,
      links: this.#links,
      problems: this.#problems,
      startedAt: this.#startedAt,
      now: () => clock.now(),
      storage: () => core.keeper.storage(),
      archive: () => core.archive.status(),
      hostClock: () => core.keeper.hostClock.status(),
    });
    const footage = new FootageService({ config: config.playback, token: config.http.token, log: core.log, database: core.database, dataFolder: config.dataFolder, baseFolder: config.baseFolder, cameras: () => core.site.cameras, visit: (uid) => view.visit(uid), picture: (id) => core.picture(id), clock, logger });
    this.#footage = footage;
    await footage.start();
    const api = await createApi(
      { ...config.http, consoleFolder: join(program.root, 'dist', 'console'), version: program.version, logger },
      {
        feed: this.#feed,
        footage: footage.sources,
        problems: () => this.#problems.list(),
        status: () => view.status(),
        cameras: () => view.cameras(),
        visits: (filter) => view.visits(filter),
        visit: (uid) => view.visit(uid),
        picture: (id) => core.picture(id),
        latestFrame: (cameraId) => core.latestFrame(cameraId),
        metrics: async () => ({ contentType: this.#metrics.registry.contentType, text: await this.#metrics.registry.metrics() }),
        site: () => Promise.resolve(core.site),
        importSite: (site, options) => this.importSite(site, options),
        openVisitsWithout: (site) => core.openVisitsWithout(site),
        unusedChannels: () => unusedChannels(this.#gb?.devices() ?? [], core.site),
        storage: core.keeper.sources(),
        devices: this.#desk as DeviceDesk,
        deviceFootage,
        archive: core.archive.sources(),
      },
    );
    this.#api = api;
    try {
      return await api.listen({ host: config.http.host, port: config.http.port });
    } catch (cause) {
      throw new BerthwatchError('unavailable', 'HTTP_LISTEN', `cannot serve HTTP on ${config.http.host}:${config.http.port}: ${messageOf(cause)}; change http.port`, { cause });
    }
  }

  /** Replaces the site and starts anew what it concerns. */
  importSite(site: Site, options: { remove?: boolean } = {}): Promise<Awaited<ReturnType<Core['importSite']>>> {
    const work = this.#queue.then(async () => {
      const core = this.#core;
      if (!core) throw new BerthwatchError('unavailable', 'SERVICE_STOPPED', 'the service is not running');
      // A stream goes on where only a note or a berth changed.
      const before = new Map(core.site.cameras.map((camera) => [camera.id, intakeKey(camera)]));
      const result = await core.importSite(site, options);
      const now = new Map(site.cameras.map((camera) => [camera.id, intakeKey(camera)]));
      for (const [cameraId, stream] of [...this.#streams]) {
        if (before.get(cameraId) === now.get(cameraId)) continue;
        this.#streams.delete(cameraId);
        this.#rates.forget(cameraId);
        this.#problems.set(`camera/${cameraId}`, null);
        await stream.close();
        await this.#endSecondStream(cameraId);
      }
      this.#follow(core);
      return result;
    });
    this.#queue = work.catch(() => undefined);
    return work;
  }

  async #endSecondStream(cameraId: string): Promise<void> {
    const stream = this.#secondStreams.get(cameraId);
    if (!stream) return;
    this.#secondStreams.delete(cameraId);
    for (const kind of ['main', 'sub']) this.#problems.set(`camera/${cameraId}~${kind}`, null);
    await stream.close();
  }

  #repeat(ms: number, work: () => void): void {
    const slot = this.#cancelTimers.length;
    const again = (): void => {
      this.#cancelTimers[slot] = this.#options.clock.after(ms, () => {
        work();
        again();
      });
    };
    again();
  }

  /** Turns the states of the parts into problems and metrics. */
  #check(core: Core): void {
    core.check();
    this.#metrics.problems.set(this.#problems.list().length);
    for (const [what, value] of Object.entries(this.#calls?.shared ?? {})) if (what !== 'port') this.#metrics.sharedMedia.set({ what }, value as number);
    this.#metrics.strangerRequests.set(this.#gb?.stats.strangerRequests ?? 0);
    this.#metrics.devicesOnline.set(this.#gb?.devices().filter((device) => device.online).length ?? 0);
    for (const link of this.#links) {
      void link.counts().then(
        (counts) => this.#metrics.outboxPending.set({ platform: counts.platform }, counts.pending),
        () => undefined,
      );
    }
  }
}
