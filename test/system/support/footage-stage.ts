import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FastifyInstance } from 'fastify';
import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { program } from '../../../base/program-root.js';
import { FileSource } from '../../../ingest/file/file-source.js';
import type { ApiSources } from '../../../service/api/routes.js';
import type { VisitView } from '../../../service/api/schemas.js';
import { createApi } from '../../../service/api/server.js';
import { temporaryFolder } from '../../../service/cli/temporary-folder.js';
import { ConfigSchema, finishConfig, type Config } from '../../../service/config/config.js';
import { Feed } from '../../../service/live/feed.js';
import { FootageService } from '../../../service/playback/footage-service.js';
import type { Database } from '../../../storage/catalogue/database.js';
import { startTestPostgres, type TestPostgres } from '../../../storage/catalogue/testing.js';
import { FootageLog } from '../../../storage/footage/footage-log.js';

export const TOKEN = 'a-token-for-these-tests';

/** A footage log filled from clips, and the HTTP API on it: what shows recorded footage, without cameras and models. */
export class FootageStage {
  readonly folder = temporaryFolder('bw-footage-');
  readonly config: Config;
  url = '';
  /** What the API answers. */
  cameras: object[] = [];
  visits: VisitView[] = [];
  readonly pictures = new Map<string, Uint8Array>();
  #postgres: TestPostgres | null = null;
  #database: Database | null = null;
  #log: FootageLog | null = null;
  #footage: FootageService | null = null;
  #api: FastifyInstance | null = null;

  constructor(config: object = {}) {
    this.config = finishConfig(ConfigSchema.parse({ dataFolder: join(this.folder, 'data'), ...config }), this.folder, {});
  }

  get database(): Database {
    return this.#database as Database;
  }

  get log(): FootageLog {
    return this.#log as FootageLog;
  }

  async start(): Promise<void> {
    this.#postgres = await startTestPostgres();
    this.#database = await this.#postgres.freshDatabase();
    this.#log = new FootageLog({ folder: join(this.config.dataFolder, 'footage'), database: this.database, clock: systemClock, logger: silentLogger, segmentMs: 6_000, queueGops: 1_000 });
    await this.log.start();
  }

  /** Appends a clip as if the camera had sent it from `startAt` (Unix ms) on; it is readable when this resolves. */
  async append(cameraId: string, file: string, startAt: number, end: 'gap' | 'goes on' = 'gap', sound = false): Promise<void> {
    let last = 0;
    const source = new FileSource({ cameraId, file, startAt, speed: null, clock: systemClock, logger: silentLogger });
    for await (const unit of source.units(new AbortController().signal)) {
      this.log.append(unit);
      // A tone of G.711 beside the pictures, 100 ms a piece, as a camera of ten pictures a second sends it.
      if (sound) this.log.appendAudio({ cameraId, codec: 'g711a', sampleRate: 8_000, channels: 1, config: null, pts: unit.pts, capturedAt: unit.capturedAt, data: Buffer.from(Array.from({ length: 800 }, (_, i) => 0xd5 ^ (i % 32 < 16 ? 0x25 : 0xa5))) });
      last = unit.capturedAt;
    }
    if (end === 'gap') this.log.streamEnded(cameraId, 'the test took the camera away');
    for (const until = Date.now() + 60_000; end === 'gap' && Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 50))) {
      if ((await this.log.segments(cameraId, startAt, last)).some((segment) => segment.endedAt === last)) return;
    }
  }

  /** Begins to answer HTTP; `host` other than loopback makes the token needed for everything. */
  async serve(host = '127.0.0.1'): Promise<void> {
    const { http, playback } = this.config;
    this.#footage = new FootageService({ config: playback, token: TOKEN, log: this.log, database: this.database, dataFolder: this.config.dataFolder, baseFolder: this.folder, cameras: () => this.cameras as { id: string; name: string }[], visit: (uid) => Promise.resolve(this.visits.find((visit) => visit.uid === uid) ?? null), picture: (id) => Promise.resolve(this.pictures.get(id) ?? null), clock: systemClock, logger: silentLogger });
    await this.#footage.start();
    this.#api = await createApi(
      { ...http, host, token: TOKEN, consoleFolder: join(program.root, 'dist', 'console'), version: 'test', logger: silentLogger },
      rest({
        feed: new Feed(systemClock),
        footage: this.#footage.sources,
        problems: () => [],
        status: () => Promise.resolve({ startedAt: 0, now: Date.now(), problems: [], platforms: [], counts: { visits: 0, openVisits: 0, pictures: 0, pendingEvidence: 0 } } as unknown as Awaited<ReturnType<ApiSources['status']>>),
        cameras: () => Promise.resolve(this.cameras as Awaited<ReturnType<ApiSources['cameras']>>),
        visits: () => Promise.resolve(this.visits),
        visit: (uid: string) => Promise.resolve(this.visits.find((visit) => visit.uid === uid) ?? null),
      }),
    );
    await this.#api.listen({ host, port: 0 });
    this.url = `http://127.0.0.1:${(this.#api.server.address() as { port: number }).port}`;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { headers });
  }

  async close(): Promise<void> {
    await this.#api?.close();
    await this.#footage?.close();
    await this.#log?.close();
    await this.#postgres?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Sources of which the rest is never asked for by what these tests look at. */
function rest(sources: Partial<ApiSources>): ApiSources {
  return new Proxy(sources, { get: (target, key) => (key in target ? target[key as keyof ApiSources] : new Proxy({}, { get: () => ({}) })) }) as ApiSources;
}

/** Runs a program; what it says on standard error is a failure. The server under test runs in this process: nothing here may block it. */
export async function run(program: string, args: readonly string[], cwd?: string): Promise<Buffer> {
  const { stdout, stderr } = await promisify(execFile)(program, args, { encoding: 'buffer', maxBuffer: 256 << 20, timeout: 60_000, ...(cwd === undefined ? {} : { cwd }) });
  if (stderr.length > 0) throw new Error(`${program} says: ${stderr.toString()}`);
  return stdout;
}

/** Pictures of a file (or address) as small grey pictures, in the order in which they are shown. */
export async function greyPictures(input: string): Promise<Buffer[]> {
  const bytes = await run('ffmpeg', ['-v', 'error', '-i', input, '-map', '0:v', '-fps_mode', 'passthrough', '-vf', `scale=${GREY.width}:${GREY.height}:flags=area`, '-pix_fmt', 'gray', '-f', 'rawvideo', '-']);
  const size = GREY.width * GREY.height;
  return Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

export const GREY = { width: 64, height: 48 };

/** The picture that is most like one, and how far it is from it (mean difference of a pixel). */
export function nearest(picture: Uint8Array, among: readonly Uint8Array[]): { index: number; distance: number } {
  let best = { index: -1, distance: Infinity };
  for (const [index, other] of among.entries()) {
    let sum = 0;
    for (let i = 0; i < picture.length; i++) sum += Math.abs((picture[i] as number) - (other[i] as number));
    if (sum / picture.length < best.distance) best = { index, distance: sum / picture.length };
  }
  return best;
}
