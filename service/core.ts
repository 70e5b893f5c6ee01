import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { BerthwatchError, messageOf } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { program } from '../base/program-root.js';
import { makeEvidence, type EvidenceResult } from '../evidence/make.js';
import type { VisitEvent } from '../evidence/plan.js';
import { parkingFee, type Tariff } from '../parking/fee.js';
import { plateWords } from '../parking/model/plate-words.js';
import type { Visit } from '../parking/model/visit.js';
import type { Platform } from '../platform/message.js';
import { Database } from '../storage/catalogue/database.js';
import { EmbeddedPostgres } from '../storage/catalogue/embedded-postgres.js';
import { migrate } from '../storage/catalogue/migrate.js';
import { FootageLog } from '../storage/footage/footage-log.js';
import { FootageKeeper } from './footage/footage-keeper.js';
import type { LogPosition } from '../storage/footage/segment.js';
import type { ObjectStore } from '../storage/objects/object-store.js';
import { VisionPool } from '../vision/child/pool.js';
import { ArchiveKeeper } from './archive/archive-keeper.js';
import { Objects } from './archive/open-objects.js';
import { CameraAnalyser, type AnalysedStep } from './analysis/camera-analyser.js';
import { analysedAt } from './config/analysis-windows.js';
import { inFolder, type Config } from './config/config.js';
import { cameraSite, type Site, type SiteCamera } from './config/site.js';
import { EvidenceWorker } from './evidence-worker.js';
import { BerthBoard } from './live/berth-board.js';
import type { Feed } from './live/feed.js';
import type { ProblemBoard } from './live/problems.js';
import type { Metrics } from './metrics.js';
import { AnalysisStore } from './records/analysis-store.js';
import { SiteStore, type OpenVisit, type Retired, type SiteImport } from './records/site-store.js';
import { readCounts } from './records/visit-reader.js';

export interface CoreOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  feed: Feed;
  problems: ProblemBoard;
  metrics: Metrics;
  platforms: readonly Platform[];
  /** The outbox may hold something new. */
  onRecords: () => void;
  /** Told after each analysed GOP. */
  onStep?: (cameraId: string, step: AnalysedStep) => void;
}

const LOG_RETRY_MS = 2_000;

/**
 * What turns footage into records, without the network on either side: catalogue, footage log, objects, vision, analysis and
 * evidence. `serve` puts cameras before it and platforms behind it; `replay` feeds it from a file.
 */
export class Core {
  readonly #options: CoreOptions;
  readonly #analysers = new Map<string, { abort: AbortController; done: Promise<void> }>();
  readonly board: BerthBoard;
  #postgres: EmbeddedPostgres | null = null;
  #database: Database | null = null;
  #log: FootageLog | null = null;
  #objects: Objects | null = null;
  #archive: ArchiveKeeper | null = null;
  #vision: VisionPool | null = null;
  #evidence: EvidenceWorker | null = null;
  #site: Site = { lots: [], cameras: [] };
  #retired: Retired = { cameras: new Map(), berths: new Map() };
  #keeper: FootageKeeper | null = null;
  #cancelRetry: () => void = () => undefined;

  constructor(options: CoreOptions) {
    this.#options = options;
    this.board = new BerthBoard(options.feed);
  }

  async start(): Promise<void> {
    const { config, clock, logger } = this.#options;
    this.#database = await this.#openDatabase();
    await migrate(this.#database, { clock, logger });
    this.#site = await this.#sites.read();
    this.#retired = await this.#sites.retired();
    this.#objects = new Objects(config, clock);
    this.#archive = new ArchiveKeeper({ ...this.#options, database: this.#database, objects: this.#objects });
    this.#log = new FootageLog({ folder: join(config.dataFolder, 'footage'), database: this.#database, clock, logger, segmentMs: config.footage.segment, archive: this.#archive.footage });
    await this.#startLog(this.#log);
    await this.#archive.start(this.#log);
    this.#keeper = new FootageKeeper({ config, database: this.#database, log: this.#log, site: () => this.#site, freeArchived: (bytes) => this.archive.free(this.log, bytes), clock, logger, problems: this.#options.problems, metrics: this.#options.metrics });
    this.#vision = new VisionPool({
      manifestPath: config.vision.manifest === null ? join(program.root, 'models', 'manifest.json') : inFolder(config.baseFolder, config.vision.manifest),
      children: config.vision.children,
      threads: config.vision.threads,
      memoryLimitBytes: config.vision.memoryLimit,
      logger,
      clock,
    });
    this.#vision.start();
    this.#evidence = this.#evidenceWorker();
    this.#evidence.start();
    for (const camera of this.#site.cameras) this.#analyse(camera);
  }

  /** A disk that does not work now must not keep the page from saying so: the log is started again until it works. */
  async #startLog(log: FootageLog): Promise<void> {
    const { logger, clock } = this.#options;
    try {
      await log.start();
    } catch (error) {
      if (!(error instanceof BerthwatchError && error.retryable)) throw error;
      this.#cancelRetry = clock.after(LOG_RETRY_MS, () => {
        this.#startLog(log).catch((later: unknown) => logger.error({ error: messageOf(later) }, 'the footage log cannot be started'));
      });
    }
  }

  async close(): Promise<void> {
    this.#cancelRetry();
    await Promise.all([...this.#analysers.keys()].map((cameraId) => this.#stopAnalysis(cameraId)));
    await this.#keeper?.close();
    await this.#evidence?.close();
    await this.#vision?.close();
    await this.#archive?.close();
    await this.#log?.close();
    this.#objects?.close();
    await this.#database?.close();
    await this.#postgres?.stop();
  }

  get site(): Site {
    return this.#site;
  }

  get database(): Database {
    return this.#require(this.#database);
  }

  get log(): FootageLog {
    return this.#require(this.#log);
  }

  get keeper(): FootageKeeper {
    return this.#require(this.#keeper);
  }

  get objects(): ObjectStore {
    return this.#require(this.#objects).store;
  }

  get archive(): ArchiveKeeper {
    return this.#require(this.#archive);
  }

  get vision(): VisionPool {
    return this.#require(this.#vision);
  }

  /** Open visits that stand in berths which `site` lacks. */
  openVisitsWithout(site: Site): Promise<OpenVisit[]> {
    return this.#sites.openVisitsWithout(site);
  }

  /**
   * Replaces the site; the analysis of changed cameras goes on from where it stands.
   * @throws BerthwatchError conflict when vehicles stand in berths that would go, and `remove` does not say that they may
   */
  async importSite(site: Site, options: { remove?: boolean } = {}): Promise<SiteImport> {
    const before = new Map(this.#site.cameras.map((camera) => [camera.id, JSON.stringify(camera)]));
    const changed = site.cameras.filter((camera) => before.get(camera.id) !== JSON.stringify(camera));
    const gone = this.#site.cameras.filter((camera) => !site.cameras.some((c) => c.id === camera.id));
    await Promise.all([...changed, ...gone].map((camera) => this.#stopAnalysis(camera.id)));
    try {
      const result = await this.#sites.import(site, { remove: options.remove ?? false, now: this.#options.clock.now(), platforms: this.#options.platforms });
      this.#site = site;
      this.#retired = await this.#sites.retired();
      if (result.endedVisits.length > 0) {
        this.#evidence?.poke();
        this.#options.onRecords();
      }
      return result;
    } finally {
      for (const camera of this.#site.cameras) if (!this.#analysers.has(camera.id)) this.#analyse(camera);
    }
  }

  /** Whether everything that is durable in a camera's log has been analysed. */
  async isCaughtUp(cameraId: string): Promise<boolean> {
    const newest = (await this.log.gopBefore(cameraId, { segment: Number.MAX_SAFE_INTEGER, gop: 0 }))?.position;
    if (!newest) return true;
    const { rows } = await this.database.query<LogPosition>('SELECT segment, gop FROM analysis WHERE camera_id = $1', [cameraId]);
    const at = rows[0];
    return at !== undefined && (at.segment > newest.segment || (at.segment === newest.segment && at.gop >= newest.gop));
  }

  /** Evidence jobs that wait. */
  async pendingEvidence(): Promise<number> {
    return (await readCounts(this.database)).pendingEvidence;
  }

  async readObject(key: string): Promise<Uint8Array> {
    return this.#require(this.#objects).read(key);
  }

  /** JPEG of an evidence picture, or null where there is none. */
  async picture(pictureId: string): Promise<Uint8Array | null> {
    const { rows } = await this.database.query<{ object_key: string }>('SELECT object_key FROM evidence WHERE picture_id = $1', [pictureId]);
    return rows[0] ? this.readObject(rows[0].object_key) : null;
  }

  /** JPEG of the newest key frame in a camera's log. */
  async latestFrame(cameraId: string): Promise<Uint8Array | null> {
    if (!this.#site.cameras.some((camera) => camera.id === cameraId)) return null;
    const gop = await this.log.gopAt(cameraId, this.board.analysedTo(cameraId) ?? this.#options.clock.now());
    if (!gop) return null;
    const still = await this.vision.still({ cameraId, units: [await gop.readKeyframe()], frame: 0, format: 'jpeg', quality: 70 });
    return still.data;
  }

  /** JPEG of the newest key frame that is on disk, whether or not it has been analysed. */
  async newestFrame(cameraId: string): Promise<{ jpeg: Uint8Array; capturedAt: number } | null> {
    const gop = await this.log.gopBefore(cameraId, { segment: Number.MAX_SAFE_INTEGER, gop: 0 });
    if (!gop) return null;
    const still = await this.vision.still({ cameraId, units: [await gop.readKeyframe()], frame: 0, format: 'jpeg', quality: 85 });
    return { jpeg: still.data, capturedAt: still.capturedAt };
  }

  /** States of the parts, for the problem board. */
  check(): void {
    const { problems, metrics, clock } = this.#options;
    this.keeper.report();
    this.archive.report();
    const footage = this.log.status();
    problems.set('footage', footage.state === 'ok' ? null : `footage cannot be written: ${footage.reason ?? 'unknown reason'} (${footage.droppedGops} GOPs lost so far)`);
    const children = this.vision.status().children;
    const down = children.filter((child) => child.lastFailure !== null && child.condition !== 'idle' && child.condition !== 'busy');
    problems.set('vision', down.length === 0 ? null : `${down.length} of ${children.length} vision children do not run: ${down[0]?.lastFailure ?? ''}`);
    const database = this.database.status();
    problems.set('database', database.state === 'ok' ? null : `the database cannot be used: ${database.reason ?? 'unknown reason'}`);
    for (const [camera, { audioUnits, droppedAudio }] of this.log.stats().cameras) {
      metrics.soundKept.set({ camera }, audioUnits);
      metrics.soundDropped.set({ camera }, droppedAudio);
    }
    for (const camera of this.#site.cameras) {
      const analysedTo = this.board.analysedTo(camera.id);
      if (analysedTo !== null) metrics.analysisLag.set({ camera: camera.id }, (clock.now() - analysedTo) / 1000);
    }
  }

  /** The frame of the log that was captured at `at`, decoded. @throws BerthwatchError not-found where the log has no such frame */
  async frameAt(cameraId: string, at: number): Promise<{ width: number; height: number; capturedAt: number; rgb: Uint8Array }> {
    const gop = await this.log.gopAt(cameraId, at);
    const units = (await gop?.read()) ?? [];
    const frame = units.findIndex((unit) => unit.capturedAt === at);
    if (frame < 0) throw new BerthwatchError('not-found', 'FOOTAGE_FRAME', `the footage of camera ${cameraId} has no frame captured at ${new Date(at).toISOString()}`);
    const still = await this.vision.still({ cameraId, units: units.slice(0, frame + 1), frame, format: 'rgb' });
    return { width: still.width, height: still.height, capturedAt: still.capturedAt, rgb: still.data };
  }

  #require<T>(part: T | null): T {
    if (part === null) throw new BerthwatchError('unavailable', 'SERVICE_STARTING', 'the service is still starting; try again in a moment');
    return part;
  }

  get #sites(): SiteStore {
    return new SiteStore(this.database);
  }

  async #openDatabase(): Promise<Database> {
    const { config, clock, logger } = this.#options;
    let address: ConstructorParameters<typeof Database>[0]['address'];
    if (config.database.url === null) {
      this.#postgres = new EmbeddedPostgres({ folder: join(config.dataFolder, 'postgres'), logger, clock });
      await this.#postgres.start();
      address = this.#postgres.address;
    } else {
      address = config.database.url;
    }
    const database = new Database({ address, clock, logger });
    await database.start();
    return database;
  }

  #analyse(camera: SiteCamera): void {
    const { clock, logger, config, problems, metrics } = this.#options;
    const abort = new AbortController();
    const site = cameraSite(camera);
    const analyser = new CameraAnalyser({
      site,
      isAnalysed: analysedAt(camera.analysis.windows),
      log: this.log,
      vision: this.vision,
      store: new AnalysisStore(this.database, {
        platforms: this.#options.platforms,
        lotOfBerth: (berthId) => this.#lotOfBerth(berthId),
        totalBerths: (lotCode) => this.#site.cameras.filter((c) => c.lot === lotCode).reduce((sum, c) => sum + c.berths.length, 0),
        feeFen: (visit) => this.#fee(visit),
      }),
      clock,
      logger: logger.child({ part: 'analysis' }),
      detailFps: config.vision.detailFps,
      onStep: (step) => this.#onStep(camera, step),
      onPass: (gop) => {
        metrics.gopsPassed.inc({ camera: camera.id });
        this.board.passed(camera.id, gop.startedAt);
      },
      onTrouble: (message) => problems.set(`analysis/${camera.id}`, message),
    });
    this.#analysers.set(camera.id, { abort, done: analyser.run(abort.signal) });
  }

  async #stopAnalysis(cameraId: string): Promise<void> {
    const running = this.#analysers.get(cameraId);
    if (!running) return;
    running.abort.abort(new Error('the analysis is stopping'));
    await running.done;
    this.#analysers.delete(cameraId);
  }

  #onStep(camera: SiteCamera, step: AnalysedStep): void {
    const { metrics, feed, onRecords, onStep } = this.#options;
    metrics.gopsAnalysed.inc({ camera: camera.id });
    metrics.detailFrames.inc({ camera: camera.id }, step.detailFrames);
    this.board.update(cameraSite(camera), step.state, step.keyframe.capturedAt);
    for (const event of step.events) {
      metrics.events.inc({ type: event.type });
      if (!('visit' in event)) {
        this.#options.problems.set(`picture/${event.cameraId}/${event.condition}`, event.active ? `the picture of camera ${event.cameraId} is ${event.condition}` : null);
        continue;
      }
      const { visit } = event;
      const type = event.type === 'entered' ? 'visit-opened' : event.type === 'left' ? 'visit-closed' : 'visit-corrected';
      feed.publish(type, { cameraId: camera.id, berthId: visit.berthId, plate: plateWords(visit.plate), uid: visit.uid });
    }
    if (step.events.length > 0) {
      this.#evidence?.poke();
      onRecords();
    }
    onStep?.(camera.id, step);
  }

  #evidenceWorker(): EvidenceWorker {
    const { clock, logger, platforms, feed, metrics, problems, onRecords } = this.#options;
    return new EvidenceWorker({
      database: this.database,
      make: (event) => this.#makeEvidence(event),
      lotOfBerth: (berthId) => this.#lotOfBerth(berthId),
      platforms,
      clock,
      logger: logger.child({ part: 'evidence' }),
      onMade: (event, pictures, seconds) => {
        metrics.evidenceSeconds.observe(seconds);
        for (const picture of pictures) metrics.evidencePictures.inc({ kind: picture.kind });
        feed.publish('evidence-made', { uid: event.visit.uid, berthId: event.visit.berthId, pictures: pictures.length });
        onRecords();
      },
      onTrouble: (message) => problems.set('evidence', message),
    });
  }

  #makeEvidence(event: VisitEvent): Promise<EvidenceResult> {
    const { store: objects } = this.#require(this.#objects);
    const { cameraId, berthId } = event.visit;
    const known = this.#site.cameras.find((c) => c.id === cameraId) ?? this.#retired.cameras.get(cameraId);
    if (!known) throw new BerthwatchError('not-found', 'SITE_CAMERA', `camera ${cameraId} was never in the site`);
    const gone = known.berths.some((berth) => berth.id === berthId) ? null : (this.#retired.berths.get(berthId)?.berth ?? null);
    const camera = gone ? { ...known, berths: [...known.berths, gone] } : known;
    return makeEvidence(
      { event },
      {
        camera: { site: cameraSite(camera), deviceNumber: camera.deviceNumber, shootingDirection: camera.direction },
        frameAt: (cameraId, at) => this.frameAt(cameraId, at),
        objectStore: { put: (key, bytes, contentType) => objects.put(key, bytes, { contentType }) },
      },
    );
  }

  #lotOfBerth(berthId: string): string {
    const lot = this.#site.cameras.find((c) => c.berths.some((berth) => berth.id === berthId))?.lot ?? this.#retired.berths.get(berthId)?.lotCode;
    if (lot === undefined) throw new BerthwatchError('not-found', 'SITE_BERTH', `berth ${berthId} was never in the site`);
    return lot;
  }

  #fee(visit: Visit): number {
    const tariff = this.#site.lots.find((lot) => lot.code === this.#lotOfBerth(visit.berthId))?.tariff ?? null;
    const rule: Tariff = tariff === null ? { kind: 'free' } : { kind: 'per-unit', freeMinutes: tariff.freeMinutes, unitMinutes: tariff.unitMinutes, feePerUnit: tariff.unitFen, dayCap: tariff.dayCapFen };
    return parkingFee(rule, visit.enteredAt, visit.leftAt ?? visit.enteredAt);
  }
}
