import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { steadyPort } from '../../service/demo/steady-port.js';
import { Database } from '../../storage/catalogue/database.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';
import { CLI } from '../system/support/cli.js';
import { blindModels, HEIGHT, SERVER_ID, until, WIDTH } from '../system/support/street.js';

/** Of the clips: 25 pictures a second, a key frame each second. */
export const GOP_MS = 1_000;
const PASSWORD = 'fault-camera-password';
const TOKEN = 'token-of-the-fault-tests';

export const cameraId = (i: number): string => `cam-${i + 1}`;
const deviceId = (i: number): string => `37020000001320${String(i + 1).padStart(6, '0')}`;

/** `berthwatch serve` as another process, on a folder that stays, and simulated cameras that find it again after each of its deaths. */
export class KillRig {
  readonly folder: string;
  readonly cameras: number;
  readonly #simulators: CameraSimulator[] = [];
  #service: ChildProcess | null = null;
  #ended: Promise<unknown> = Promise.resolve();
  #said = '';
  #url = '';
  #database: Database | null = null;

  constructor(folder: string, cameras: number) {
    this.folder = folder;
    this.cameras = cameras;
  }

  get dataFolder(): string {
    return join(this.folder, 'data');
  }

  /** Makes configuration and clip, or finds those of an earlier run. */
  async prepare(): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    if (existsSync(join(this.folder, 'berthwatch.yaml'))) return;
    const ports = 40_000 + 2 * Math.floor(Math.random() * 5_000);
    const config = {
      dataFolder: './data',
      log: { level: 'warn' },
      http: { port: 0, token: TOKEN },
      gb28181: {
        serverId: SERVER_ID,
        domain: SERVER_ID.slice(0, 10),
        port: await steadyPort(),
        defaultPassword: PASSWORD,
        keepalive: { interval: '5s', missed: 3 },
        mediaPorts: `${ports}-${ports + 8 * this.cameras + 199}`,
        retry: { first: '300ms', longest: '2s' },
      },
      footage: { segment: '8s', disk: { reserve: '64M', warnFree: '64M' } },
      time: { ntp: [] },
      vision: { manifest: blindModels(join(this.folder, 'models')) },
    };
    makeTestClip(this.folder, 'h264', { seconds: 4, gop: 25, size: `${WIDTH}x${HEIGHT}` });
    writeFileSync(join(this.folder, 'berthwatch.yaml'), stringify(config));
  }

  /** Starts the service; resolves when it serves. @returns how long that took, ms */
  async start(): Promise<number> {
    const began = performance.now();
    const child = spawn(process.execPath, [CLI, 'serve', '--config', 'berthwatch.yaml'], { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.#service = child;
    this.#said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.#said = (this.#said + text).slice(-8_000)));
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    const { url, sipPort } = await Promise.race([
      new Promise<{ url: string; sipPort: number }>((resolve) => child.on('message', (message: { type?: string; url: string; sipPort: number }) => message.type === 'running' && resolve(message))),
      this.#ended.then((code) => Promise.reject(new Error(`the service ended with ${String(code)}: ${this.#said}`))),
    ]);
    this.#url = url;
    if (this.#simulators.length === 0) await this.#populate(sipPort);
    return performance.now() - began;
  }

  /** Site and cameras, once the address is known. */
  async #populate(sipPort: number): Promise<void> {
    const answer = await fetch(`${this.#url}/api/site`, { method: 'PUT', headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }, body: JSON.stringify(this.#site()) });
    if (!answer.ok) throw new Error(`the site is refused: ${await answer.text()}`);
    const clip = join(this.folder, `h264-4-${WIDTH}x${HEIGHT}.mp4`);
    for (let i = 0; i < this.cameras; i++) {
      const simulator = new CameraSimulator({
        server: { id: SERVER_ID, domain: SERVER_ID.slice(0, 10), port: sipPort },
        device: { id: deviceId(i), password: PASSWORD },
        channels: [{ id: deviceId(i), clip }],
        registration: { keepaliveMs: 1_000, missedKeepalives: 2, backoffMinMs: 200, backoffMaxMs: 1_000 },
        playback: { timeline: 'held', loop: true },
      });
      this.#simulators.push(simulator);
      await simulator.start();
    }
  }

  /** capturedAt of the newest picture that the service has received of each camera that streams, as it tells itself. */
  async received(): Promise<Map<string, number>> {
    const seen = (await (await fetch(`${this.#url}/api/cameras`)).json()) as { id: string; stream: { state: string; lastUnitAt: number | null } }[];
    return new Map(seen.flatMap(({ id, stream }) => (stream.state === 'streaming' && stream.lastUnitAt !== null ? [[id, stream.lastUnitAt] as const] : [])));
  }

  /** Waits until every camera streams. @returns capturedAt of one of the first pictures of each */
  async recording(): Promise<Map<string, number>> {
    const first = new Map<string, number>();
    await until(
      'all cameras stream',
      async () => {
        for (const [camera, at] of await this.received()) if (!first.has(camera)) first.set(camera, at);
        return first.size >= this.cameras;
      },
      240_000,
      () => this.#said,
    );
    return first;
  }

  /** SIGKILL. @returns the moment, Unix ms */
  async kill(): Promise<number> {
    await this.#database?.close();
    this.#database = null;
    const at = Date.now();
    this.#service?.kill('SIGKILL');
    await this.#ended;
    this.#service = null;
    return at;
  }

  /** SIGTERM: everything is sealed. */
  async stop(): Promise<void> {
    await this.#database?.close();
    this.#database = null;
    this.#service?.kill('SIGTERM');
    await this.#ended;
    this.#service = null;
  }

  async close(): Promise<void> {
    await Promise.all(this.#simulators.map((simulator) => simulator.close()));
    await this.stop();
  }

  /** A second connection to the running service's own PostgreSQL. */
  get database(): Database {
    const folder = join(this.dataFolder, 'postgres');
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8').trim();
    this.#database ??= new Database({
      address: { host: '127.0.0.1', port: Number(read('port')), user: 'berthwatch', password: read('password'), database: 'berthwatch' },
      clock: systemClock,
      logger: silentLogger,
      connections: 1,
    });
    return this.#database;
  }

  #site(): object {
    // Only the first cameras are looked at: it is the footage that is tested, and the machine is small.
    const hour = (new Date(Date.now() + 8 * 3_600_000).getUTCHours() + 12) % 24;
    const never = { windows: [{ from: `${hour}:00`, to: `${hour}:01` }] };
    return {
      lots: [{ code: '370202FAULT1', name: 'Faults' }],
      cameras: Array.from({ length: this.cameras }, (_, i) => ({
        id: cameraId(i),
        name: `Camera ${i + 1}`,
        deviceNumber: `F-${i + 1}`,
        gb28181: { deviceId: deviceId(i), channelId: deviceId(i), transport: 'tcp-passive' },
        ...(i < 2 ? {} : { analysis: never }),
        lot: '370202FAULT1',
        roadSection: '测试路',
        direction: '由东向西',
        width: WIDTH,
        height: HEIGHT,
        berths: [{ id: `b-${i + 1}`, number: `${i + 1}`, kind: 'parallel', polygon: [[20, 120], [130, 120], [130, 320], [20, 320]], lengthM: 6, widthM: 2.5, drivingDirection: [0, -1] }],
      })),
    };
  }
}
