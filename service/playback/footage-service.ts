import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beijingCompact } from '../../base/beijing-time.js';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { FootageLog } from '../../storage/footage/footage-log.js';
import { diskError } from '../../storage/disk-error.js';
import type { Database } from '../../storage/catalogue/database.js';
import type { FootageSources } from '../api/footage-routes.js';
import type { VisitView } from '../api/schemas.js';
import { inFolder } from '../config/config.js';
import type { PlaybackConfig } from './config.js';
import { EncoderPool } from './encoder-pool.js';
import { estimateClip, makeClip, type ClipParts } from './exports/clip.js';
import { ExportJobs, type ExportRequest, type Made } from './exports/export-jobs.js';
import { clipsOf, makeVisitZip, type VisitDossier } from './exports/visit-zip.js';
import { checkSpan, Playback } from './playback.js';
import { Tickets } from './tickets.js';
import { Transcoder } from './transcoder.js';
import { readVisitMarks } from './visit-marks.js';

export interface FootageServiceOptions {
  config: PlaybackConfig;
  token: string | null;
  log: FootageLog;
  database: Database;
  /** Folder of the service's data. */
  dataFolder: string;
  /** Folder that paths of the configuration start from. */
  baseFolder: string;
  /** Cameras of the site as it is now. */
  cameras: () => readonly { id: string; name: string }[];
  visit: (uid: string) => Promise<VisitView | null>;
  /** JPEG of an evidence picture. */
  picture: (id: string) => Promise<Uint8Array | null>;
  clock: Clock;
  logger: Logger;
}

/** Everything that shows recorded footage to people, put together. */
export class FootageService {
  readonly #options: FootageServiceOptions;
  readonly #viewers: EncoderPool;
  /** Watermarks have their own children, so that exports and viewers cannot keep each other waiting. */
  readonly #burners: EncoderPool;
  readonly #jobs: ExportJobs;
  readonly #folder: string;
  readonly sources: FootageSources;

  constructor(options: FootageServiceOptions) {
    this.#options = options;
    const { config, token, log, database, cameras, clock } = options;
    const { transcode, exports } = config;
    const logger = options.logger.child({ part: 'playback' });
    this.#viewers = new EncoderPool({ children: transcode.children, waiting: transcode.waiting, memoryLimitBytes: transcode.memoryLimit, clock, logger });
    const transcoder = new Transcoder({ pool: this.#viewers, maxHeight: transcode.maxHeight, maxBitrate: transcode.maxBitrate, cacheBytes: transcode.cache });
    // One for each job, and those of the two visits that may be exported at once.
    this.#burners = new EncoderPool({ children: exports.concurrent, waiting: exports.concurrent + 2, memoryLimitBytes: transcode.memoryLimit, clock, logger });
    this.#folder = exports.folder === null ? join(options.dataFolder, 'exports') : inFolder(options.baseFolder, exports.folder);
    this.#jobs = new ExportJobs({
      config: exports,
      folder: this.#folder,
      database,
      clock,
      logger,
      estimate: (request) => this.#estimate(request),
      make: (request, folder, signal, onProgress) => (request.kind === 'clip' ? this.#clip(request, folder, signal, onProgress) : this.#visit(request, folder, signal, onProgress)),
    });
    const tickets = new Tickets({ token, clock, lifetimeMs: config.links });
    this.sources = {
      playback: new Playback({ log, clock, transcoder }),
      tickets,
      exports: { jobs: this.#jobs, tickets, temporary: join(this.#folder, 'direct-'), makeVisit: (request, folder, signal) => this.#visit(request, folder, signal, () => undefined) },
      knowsCamera: (cameraId) => cameras().some((camera) => camera.id === cameraId) || log.cameras().includes(cameraId),
      visitMarks: (cameraId, from, to) => readVisitMarks(database, cameraId, from, to),
    };
  }

  /** Makes the folder of exports and goes on with those that were interrupted. A disk that does not work now keeps nobody from watching. */
  async start(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      for (const name of await readdir(this.#folder)) if (name.startsWith('direct-')) await rm(join(this.#folder, name), { recursive: true, force: true });
    } catch (error) {
      this.#options.logger.warn({ error: diskError(error, this.#folder).message }, 'exports cannot be made now');
    }
    await this.#jobs.start();
  }

  async close(): Promise<void> {
    await this.#jobs.close();
    await Promise.all([this.#viewers.close(), this.#burners.close()]);
  }

  #nameOf(cameraId: string): string {
    return this.#options.cameras().find((camera) => camera.id === cameraId)?.name ?? cameraId;
  }

  async #estimate(request: ExportRequest): Promise<number> {
    const { log, config, clock } = this.#options;
    const longest = config.exports.longest;
    if (request.kind === 'clip') {
      if (!this.sources.knowsCamera(request.cameraId)) throw new BerthwatchError('not-found', 'API_NOT_FOUND', `there is no camera ${request.cameraId}`);
      return estimateClip(log, { ...request, cameraName: '' }, longest);
    }
    const visit = await this.#dossier(request.uid);
    const clips = clipsOf(visit, request, clock.now());
    for (const clip of clips) checkSpan(clip.from, clip.to, longest);
    const sizes = await Promise.all(clips.map((clip) => estimateClip(log, { cameraId: visit.cameraId, cameraName: '', from: clip.from, to: clip.to, watermark: null }, longest).catch(() => 0)));
    return sizes.reduce((sum, bytes) => sum + bytes, 0) + visit.pictures.reduce((sum, picture) => sum + picture.bytes, 0);
  }

  #parts(signal: AbortSignal, onProgress: (share: number) => void): ClipParts {
    const { log, config, clock } = this.#options;
    return { log, pool: this.#burners, maxBitrate: Math.max(8_000_000, config.transcode.maxBitrate), longestMs: config.exports.longest, now: () => clock.now(), signal, onProgress };
  }

  async #clip(request: Extract<ExportRequest, { kind: 'clip' }>, folder: string, signal: AbortSignal, onProgress: (share: number) => void): Promise<Made> {
    const cameraName = this.#nameOf(request.cameraId);
    const file = `${request.cameraId.replace(/[^\p{L}\p{N}_-]/gu, '_')}-${beijingCompact(request.from).slice(0, 14)}-${beijingCompact(request.to).slice(0, 14)}.mp4`;
    const facts = await makeClip(join(folder, file), { ...request, cameraName }, this.#parts(signal, onProgress));
    return { file, bytes: facts.bytes, sha256: facts.sha256, facts };
  }

  async #visit(request: Extract<ExportRequest, { kind: 'visit' }>, folder: string, signal: AbortSignal, onProgress: (share: number) => void): Promise<Made> {
    const visit = await this.#dossier(request.uid);
    return makeVisitZip(folder, visit, request, { ...this.#parts(signal, onProgress), picture: this.#options.picture });
  }

  async #dossier(uid: string): Promise<VisitDossier> {
    const visit = await this.#options.visit(uid);
    if (!visit) throw new BerthwatchError('not-found', 'API_NOT_FOUND', `there is no visit ${uid}`);
    const { cameraId, berthNumber, enteredAt, leftAt, pictures, plate } = visit;
    const words = plate.status === 'read' ? plate.text : plate.status === 'none' ? '无车牌' : '未识别';
    return { uid, cameraId, cameraName: this.#nameOf(cameraId), berthNumber, plate: words, enteredAt, leftAt, record: visit, pictures };
  }
}
