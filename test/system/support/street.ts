import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { program } from '../../../base/program-root.js';
import { temporaryFolder } from '../../../service/cli/temporary-folder.js';
import { ConfigSchema, finishConfig, type Config } from '../../../service/config/config.js';
import type { MediaTransportKind } from '../../../ingest/media/media-transport.js';
import { SiteSchema, type Site } from '../../../service/config/site.js';
import { createLogger } from '../../../service/log.js';
import { BerthwatchService } from '../../../service/service.js';
import { Database } from '../../../storage/catalogue/database.js';
import { CameraSimulator } from '../../simulators/camera/camera.js';
import { makeTestClip } from '../../simulators/camera/testing/clips.js';
import { generateKeys, writeKeys } from '../../simulators/qingdao/keys.js';
import { QingdaoPlatform } from '../../simulators/qingdao/platform.js';

export const SERVER_ID = '37020000002000000001';
export const LOT = '370202TEST01';
const PASSWORD = 'street-camera-password';

/** Picture of the generated clips. */
export const WIDTH = 640;
export const HEIGHT = 360;

export interface StreetOptions {
  /** One camera each, named `cam-1`, `cam-2`, … */
  cameras: readonly { transport: MediaTransportKind; codec?: 'h264' | 'h265'; streams?: object; sound?: 'g711a' | 'g711u'; audio?: boolean }[];
  /** The host's clock, for tests that set it. */
  clock?: Clock;
  /** What the configuration says of the footage, beside short segments. */
  footage?: object;
}

export interface LogLine {
  level: string;
  msg: string;
  [fact: string]: unknown;
}

/** How a condition is waited for: often, and long enough for a machine that does other things too. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 60_000, told: () => string = () => ''): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}\n${told()}`);
    await pause(100);
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const random = (below: number): number => Math.floor(Math.random() * below);

/**
 * The program's detector with a threshold that nothing reaches: a test picture's coloured bars may look like a lorry to it, and what
 * happens in the street is told by the tests.
 */
export function blindModels(folder: string): string {
  const own = join(program.root, 'models');
  const manifest = JSON.parse(readFileSync(join(own, 'manifest.json'), 'utf8')) as { version: number; models: { task: string; file: string; thresholds: { score: number } }[] };
  const detector = manifest.models.find((model) => model.task === 'vehicles') as (typeof manifest.models)[number];
  detector.thresholds.score = 1;
  mkdirSync(folder);
  copyFileSync(join(own, detector.file), join(folder, detector.file));
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ version: manifest.version, models: [detector] }));
  return join(folder, 'manifest.json');
}

/**
 * A whole small system in the test's process: the service with its own PostgreSQL and vision child, simulated cameras that show
 * a moving test picture (no vehicles), and a simulated city platform that can be broken. Its clips need ffmpeg.
 */
export class Street {
  readonly folder: string;
  readonly config: Config;
  readonly cameras: CameraSimulator[] = [];
  readonly log: LogLine[] = [];
  readonly site: Site;
  readonly city: QingdaoPlatform;
  service: BerthwatchService;
  url = '';
  sipPort = 0;
  readonly #options: StreetOptions;
  #database: Database | null = null;
  #running = false;

  constructor(options: StreetOptions) {
    this.#options = options;
    this.folder = temporaryFolder('bw-street-');
    const keys = generateKeys();
    const files = writeKeys(join(this.folder, 'keys'), keys);
    this.city = new QingdaoPlatform({ users: [{ accessId: 'street', publicKey: keys.user.publicKey }], privateKey: keys.platform.privateKey, parkingCodes: [LOT], uidRule: 'documented' });
    const manifest = blindModels(join(this.folder, 'models'));
    const ports = 20_000 + 2 * random(5_000);
    this.config = finishConfig(
      ConfigSchema.parse({
        dataFolder: join(this.folder, 'data'),
        http: { port: 0 },
        gb28181: {
          serverId: SERVER_ID,
          domain: SERVER_ID.slice(0, 10),
          port: 0,
          defaultPassword: PASSWORD,
          keepalive: { interval: '5s', missed: 3 },
          mediaPorts: `${ports}-${ports + 199}`,
          silenceTimeout: '8s',
          retry: { first: '300ms', longest: '3s' },
        },
        footage: { segment: '4s', ...options.footage },
        time: { ntp: [] },
        vision: { manifest },
        platforms: [
          {
            kind: 'qingdao',
            id: 'qingdao',
            // Its port is known once it listens.
            baseUrl: 'http://127.0.0.1:1',
            accessId: 'street',
            platformPublicKeyFile: files.platformPublic,
            userPrivateKeyFile: files.userPrivate,
            timeout: '2s',
            heartbeat: '2s',
            retry: '1s',
          },
        ],
      }),
      this.folder,
      {},
    );
    this.site = this.#makeSite();
    this.service = this.#makeService();
  }

  async start(): Promise<void> {
    await this.city.start();
    for (const platform of this.config.platforms) platform.baseUrl = this.city.baseUrl;
    await this.startService();
    await this.service.importSite(this.site);
    for (const [i, { codec = 'h264', sound = null }] of this.#options.cameras.entries()) {
      const camera = new CameraSimulator({
        server: { id: SERVER_ID, domain: SERVER_ID.slice(0, 10), port: this.sipPort },
        device: { id: deviceId(i), password: PASSWORD },
        channels: [{ id: deviceId(i), clip: makeTestClip(this.folder, codec, { seconds: 4, gop: 25, size: `${WIDTH}x${HEIGHT}` }), audio: sound }],
        registration: { keepaliveMs: 2_000, backoffMinMs: 200, backoffMaxMs: 1_000 },
        playback: { timeline: 'held', loop: true },
      });
      this.cameras.push(camera);
      await camera.start();
    }
  }

  /** Starts a service on the folder, anew after `stopService`. */
  async startService(): Promise<void> {
    this.service = this.#makeService();
    const { url, sipPort } = await this.service.start();
    this.#running = true;
    this.url = url;
    this.sipPort = sipPort;
  }

  async stopService(): Promise<void> {
    await this.#database?.close();
    this.#database = null;
    if (this.#running) await this.service.close();
    this.#running = false;
  }

  async close(): Promise<void> {
    await Promise.all(this.cameras.map((camera) => camera.close()));
    await this.stopService();
    await this.city.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A second connection to the service's own database. */
  get database(): Database {
    const folder = join(this.config.dataFolder, 'postgres');
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8').trim();
    this.#database ??= new Database({
      address: { host: '127.0.0.1', port: Number(read('port')), user: 'berthwatch', password: read('password'), database: 'berthwatch' },
      clock: systemClock,
      logger: silentLogger,
      connections: 2,
    });
    return this.#database;
  }

  /** Process of the service's own PostgreSQL. */
  get postgresPid(): number {
    return Number(readFileSync(join(this.config.dataFolder, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  async get<T>(path: string): Promise<T> {
    return (await (await fetch(`${this.url}${path}`)).json()) as T;
  }

  async problems(): Promise<string[]> {
    return (await this.get<{ problems: { part: string }[] }>('/healthz')).problems.map(({ part }) => part);
  }

  async pending(): Promise<number> {
    const status = await this.get<{ counts: { pendingEvidence: number }; platforms: { pending: number }[] }>('/api/status');
    return status.counts.pendingEvidence + status.platforms.reduce((sum, platform) => sum + platform.pending, 0);
  }

  /** Waits until every camera streams and has been analysed. */
  async streaming(): Promise<void> {
    await until(
      'all cameras stream and are analysed',
      async () => (await this.get<{ stream: { state: string }; analysedTo: number | null }[]>('/api/cameras')).every((camera, i) => i >= this.#options.cameras.length || (camera.stream.state === 'streaming' && camera.analysedTo !== null)),
      120_000,
      () => this.told(),
    );
  }

  /** `capturedAt` of the newest analysed key frame. */
  async analysedTo(cameraId: string): Promise<number> {
    return (await this.get<{ id: string; analysedTo: number | null }[]>('/api/cameras')).find((camera) => camera.id === cameraId)?.analysedTo ?? 0;
  }

  /** The end of the log, for a failed test. */
  told(): string {
    return this.log.slice(-60).map((line) => JSON.stringify(line)).join('\n');
  }

  /** Lines that say so. */
  said(pattern: RegExp): LogLine[] {
    return this.log.filter((line) => pattern.test(JSON.stringify(line)));
  }

  #makeService(): BerthwatchService {
    const logger = createLogger('info', { write: (text: string) => void this.log.push(JSON.parse(text) as LogLine) });
    return new BerthwatchService({ config: this.config, clock: this.#options.clock ?? systemClock, logger });
  }

  #makeSite(): Site {
    const berth = (camera: number, n: number) => ({
      id: `b-${camera}-${n}`,
      number: `${camera}0${n}`,
      kind: 'parallel',
      polygon: [[20 + n * 140, 120], [130 + n * 140, 120], [130 + n * 140, 320], [20 + n * 140, 320]],
      lengthM: 6,
      widthM: 2.5,
      drivingDirection: [0, -1],
    });
    const camera = (id: number, gb28181: object | null, streams: object = {}, audio = true) => ({
      id: `cam-${id}`,
      name: `Camera ${id}`,
      deviceNumber: `T-${id}`,
      gb28181,
      streams,
      audio,
      lot: LOT,
      roadSection: '测试路',
      direction: '由东向西',
      width: WIDTH,
      height: HEIGHT,
      berths: [0, 1, 2, 3].map((n) => berth(id, n)),
    });
    return SiteSchema.parse({
      lots: [{ code: LOT, name: 'Test', tariff: { freeMinutes: 0, unitMinutes: 30, unitFen: 200 } }],
      cameras: [
        ...this.#options.cameras.map(({ transport, streams, audio }, i) => camera(i + 1, { deviceId: deviceId(i), channelId: deviceId(i), transport }, streams, audio)),
        // Without a device: what tests tell themselves is told in its name.
        camera(9, null),
      ],
    });
  }
}

const deviceId = (i: number): string => `3702000000132000000${i + 1}`;
