import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { BerthwatchError } from '../../base/errors.js';
import { program } from '../../base/program-root.js';
import { DemoChild } from './child.js';
import { readEvents } from './event-reader.js';
import { Narrator } from './narrator.js';
import { demoSite, readScenes, type Scene } from './scene.js';
import { steadyPort } from './steady-port.js';
import { Timeline } from './timeline.js';
import { expectedVisits, judge, type CityState, type Verdict } from './verdict.js';

export interface DemoOptions {
  /** Everything is written below. */
  folder: string;
  /** Port of the page; 0 takes any. */
  port: number;
  loop: boolean;
  write: (line: string) => void;
  colours: boolean;
}

const PASSWORD = 'demo-camera-password';
const SERVER_ID = '37020200002000000001';
/** After a visit's last event: its rest is confirmed, its pictures are made and delivered. */
const SETTLE_MS = 15_000;

const simulator = (name: string): string => join(program.root, 'dist', 'test', 'simulators', name, 'main.js');

/**
 * The main job on one machine: the service, two simulated cameras and a simulated city platform, each in a process of its own
 * as in a real street. The service is restarted when it dies; the cameras and the city do not notice more of it than theirs would.
 */
export class Demo {
  readonly #options: DemoOptions;
  readonly #scenes: Scene[];
  readonly #timelines = new Map<string, Timeline>();
  readonly #narrator: Narrator;
  readonly #abort = new AbortController();
  readonly #children: DemoChild[] = [];
  readonly #token = randomBytes(24).toString('base64url');
  #service: DemoChild | null = null;
  #stopping = false;
  #adminPort = 0;
  #url = '';
  #finishedClips = new Set<string>();
  #fatal: (error: Error) => void = () => undefined;
  /** Rejects when the demo cannot go on. */
  readonly failed = new Promise<never>((_resolve, reject) => (this.#fatal = reject));

  /** @throws BerthwatchError not-found where the scenes are missing */
  constructor(options: DemoOptions) {
    this.#options = options;
    this.#scenes = readScenes();
    for (const scene of this.#scenes) this.#timelines.set(scene.deviceId, new Timeline(scene.truth.fps));
    this.#narrator = new Narrator(this.#scenes, options.write, options.colours);
    this.failed.catch(() => undefined);
  }

  async start(): Promise<{ url: string }> {
    const { folder } = this.#options;
    mkdirSync(folder, { recursive: true });
    const sipPort = await steadyPort();
    const httpPort = this.#options.port === 0 ? await steadyPort() : this.#options.port;
    this.#url = `http://127.0.0.1:${httpPort}`;
    const cityPort = await this.#startCity();
    this.#writeConfig(sipPort, httpPort, cityPort);
    this.#narrator.say('启动数据库与服务 starting database and service');
    this.#startService();
    void readEvents(this.#url, this.#abort.signal, (item) => this.#narrator.tell(item));
    await this.#untilUp();
    await this.#importSite();
    this.#narrator.say(`页面 page  ${this.#url}`, '\x1b[1m');
    this.#startCameras(sipPort);
    return { url: this.#url };
  }

  /** True when every clip was shown to its end (only where clips do not loop). */
  get over(): boolean {
    return this.#finishedClips.size === this.#scenes.length;
  }

  /** The running service's process; tests end it. */
  get servicePid(): number | undefined {
    return this.#service?.pid;
  }

  get url(): string {
    return this.#url;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.#adminPort}/admin`;
  }

  /** Compares what the city holds now with what the street showed until `SETTLE_MS` ago. */
  async verdict(): Promise<Verdict & { city: CityState }> {
    const city = await this.city();
    const now = Date.now();
    const expected = this.#scenes.flatMap((scene) => expectedVisits(scene, this.#timelines.get(scene.deviceId) as Timeline, now, SETTLE_MS, this.#options.loop));
    return { ...judge(expected, city), city };
  }

  async city(): Promise<CityState> {
    const get = async (path: string): Promise<unknown> => (await fetch(`${this.adminUrl}/${path}`)).json();
    return { records: await get('records'), photos: await get('photos'), refused: await get('refused') } as CityState;
  }

  async close(): Promise<void> {
    this.#stopping = true;
    this.#abort.abort();
    await this.#service?.stop();
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  async #startCity(): Promise<number> {
    const keys = join(this.#options.folder, 'keys');
    const maker = new DemoChild('keys', simulator('qingdao'), ['--generate-keys', keys], () => undefined);
    const { code, errors } = await maker.ended;
    if (code !== 0) throw new BerthwatchError('internal', 'DEMO_KEYS', `the simulated city could not make its keys: ${errors}`);
    const file = join(this.#options.folder, 'city.json');
    writeFileSync(
      file,
      JSON.stringify({
        users: [{ accessId: 'berthwatch-demo', publicKeyFile: join(keys, 'user-public.pem') }],
        privateKeyFile: join(keys, 'platform-private.pem'),
        parkingCodes: this.#scenes.map((scene) => scene.lotCode),
        uidRule: 'documented',
      }),
    );
    return new Promise((resolve, reject) => {
      const city = new DemoChild('city', simulator('qingdao'), ['--config', file], (line) => {
        if (line.event === 'listening') {
          this.#adminPort = Number(line.adminPort);
          resolve(Number(line.port));
        }
      });
      this.#children.push(city);
      void city.ended.then(({ errors: why }) => {
        reject(new BerthwatchError('internal', 'DEMO_CITY', `the simulated city platform ended: ${why}`));
        if (!this.#stopping) this.#fatal(new BerthwatchError('internal', 'DEMO_CITY', `the simulated city platform ended: ${why}`));
      });
    });
  }

  #writeConfig(sipPort: number, httpPort: number, cityPort: number): void {
    const { folder } = this.#options;
    // It holds the token.
    writeFileSync(
      join(folder, 'berthwatch.yaml'),
      stringify({
        dataFolder: './data',
        http: { port: httpPort, token: this.#token },
        gb28181: { serverId: SERVER_ID, domain: SERVER_ID.slice(0, 10), port: sipPort, keepalive: { interval: '5s', missed: 3 }, retry: { first: '500ms', longest: '5s' }, silenceTimeout: '5s' },
        // The demo asks nothing of the network.
        time: { ntp: [] },
        platforms: [
          {
            kind: 'qingdao',
            id: 'qingdao',
            baseUrl: `http://127.0.0.1:${cityPort}`,
            accessId: 'berthwatch-demo',
            platformPublicKeyFile: './keys/platform-public.pem',
            userPrivateKeyFile: './keys/user-private.pem',
          },
        ],
      }),
      { mode: 0o600 },
    );
  }

  async #importSite(): Promise<void> {
    const answer = await fetch(`${this.#url}/api/site`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
      body: JSON.stringify(demoSite(this.#scenes, PASSWORD)),
    });
    if (!answer.ok) throw new BerthwatchError('internal', 'DEMO_SITE', `the site could not be imported: ${await answer.text()}`);
  }

  #startService(): void {
    const { folder } = this.#options;
    const service = new DemoChild('service', join(program.root, 'dist', 'service', 'cli', 'main.js'), ['serve', '--config', join(folder, 'berthwatch.yaml')], () => undefined);
    this.#service = service;
    void service.ended.then(({ code, signal, errors }) => {
      if (this.#stopping) return;
      if (code !== null && signal === null && code !== 70) {
        this.#fatal(new BerthwatchError('internal', 'DEMO_SERVICE', `the service ended with code ${code}: ${errors}`));
        return;
      }
      this.#narrator.say(`服务中断，正在重启 the service died (${signal ?? code}), starting it again`, '\x1b[31m');
      this.#startService();
    });
  }

  async #untilUp(): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      const up = await Promise.race([fetch(`${this.#url}/healthz`).then((response) => response.ok, () => false), this.failed]);
      if (up) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new BerthwatchError('unavailable', 'DEMO_SERVICE', `the service did not answer at ${this.#url} within a minute`);
  }

  #startCameras(sipPort: number): void {
    const file = join(this.#options.folder, 'cameras.json');
    writeFileSync(
      file,
      JSON.stringify({
        cameras: this.#scenes.map((scene) => ({
          server: { id: SERVER_ID, domain: SERVER_ID.slice(0, 10), port: sipPort },
          device: { id: scene.deviceId, password: PASSWORD },
          channels: [{ id: scene.deviceId, clip: scene.clipFile }],
          registration: { keepaliveMs: 5_000, backoffMinMs: 300, backoffMaxMs: 2_000 },
          playback: { loop: this.#options.loop, timeline: 'held', atEnd: 'still', rewindGops: 0 },
        })),
      }),
    );
    const cameras = new DemoChild('cameras', simulator('camera'), ['--config', file], (line) => this.#cameraSays(line));
    this.#children.push(cameras);
    void cameras.ended.then(({ errors }) => {
      if (!this.#stopping) this.#fatal(new BerthwatchError('internal', 'DEMO_CAMERAS', `the simulated cameras ended: ${errors}`));
    });
  }

  #cameraSays(line: Record<string, unknown>): void {
    const channel = String(line.channel);
    if (line.event === 'position' || line.event === 'streaming') this.#timelines.get(channel)?.add({ at: Number(line.at), position: Number(line.position) });
    if (line.event === 'clip-finished') this.#finishedClips.add(channel);
  }
}
