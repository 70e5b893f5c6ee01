import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { haveTool } from '../../base/test-tools.js';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { CameraSimulator } from '../simulators/camera/camera.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';
import { CLI } from './support/cli.js';
import { until } from './support/street.js';

const SERVER_ID = '37020000002000000001';
const DEVICE = '37020000001320000001';
const PASSWORD = 'serve-camera-password';
/** nobody */
const ORDINARY = { uid: 65_534, gid: 65_534 };
const root = process.getuid?.() === 0;
if (!root) process.stderr.write('skipping the test that starts the service as another user: this is not root\n');

interface Served {
  process: ChildProcess;
  url: string;
  sipPort: number;
  output: () => string;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** `berthwatch serve` as people run it: another process, a configuration file, signals. */
describe.skipIf(!haveTool('ffmpeg'))('berthwatch serve', () => {
  let folder: string;
  let camera: CameraSimulator | null = null;
  const running: ChildProcess[] = [];
  beforeEach(() => void (folder = temporaryFolder('bw-serve-')));
  afterEach(async () => {
    await camera?.close();
    camera = null;
    for (const child of running.splice(0)) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  function start(user: object, args: string[]): { child: ChildProcess; output: () => string; ended: Served['ended'] } {
    // Nothing of the tester's own may be needed: no home, no environment.
    const child = spawn(process.execPath, [CLI, ...args], { ...user, cwd: folder, env: { PATH: process.env.PATH, HOME: join(folder, 'home') }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    running.push(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (chunk: string) => (text = (text + chunk).slice(-20_000)));
    const ended: Served['ended'] = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
    return { child, output: () => text, ended };
  }

  async function serve(user: object): Promise<Served> {
    const { child, output, ended } = start(user, ['serve', '--config', 'berthwatch.yaml']);
    const up = await Promise.race([
      new Promise<{ url: string; sipPort: number }>((resolve) => child.on('message', (message: { type?: string; url: string; sipPort: number }) => message.type === 'running' && resolve(message))),
      ended.then(({ code }) => Promise.reject(new Error(`serve ended with ${code}: ${output()}`))),
    ]);
    return { process: child, ...up, output, ended };
  }

  function prepare(user: { uid?: number; gid?: number }): void {
    const ports = 26_000 + 2 * Math.floor(Math.random() * 1_000);
    writeFileSync(
      join(folder, 'berthwatch.yaml'),
      stringify({
        dataFolder: './data',
        http: { port: 0 },
        time: { ntp: [] },
        gb28181: { serverId: SERVER_ID, domain: SERVER_ID.slice(0, 10), port: 0, mediaPorts: `${ports}-${ports + 99}`, retry: { first: '300ms', longest: '2s' } },
      }),
    );
    writeFileSync(
      join(folder, 'site.yaml'),
      stringify({
        lots: [{ code: 'SERVE1', name: 'serve' }],
        cameras: [
          {
            id: 'cam-1',
            name: 'camera',
            deviceNumber: 'S-1',
            gb28181: { deviceId: DEVICE, channelId: DEVICE, password: PASSWORD, transport: 'tcp-passive' },
            lot: 'SERVE1',
            roadSection: '测试路',
            direction: '由东向西',
            width: 320,
            height: 240,
            berths: [{ id: 'b1', number: '1', kind: 'parallel', polygon: [[100, 60], [220, 60], [220, 200], [100, 200]], lengthM: 6, widthM: 2.5, drivingDirection: [0, -1] }],
          },
        ],
      }),
    );
    mkdirSync(join(folder, 'home'));
    if (user.uid !== undefined && user.gid !== undefined) for (const path of ['', 'home', 'berthwatch.yaml', 'site.yaml']) chownSync(join(folder, path), user.uid, user.gid);
  }

  const streams = (served: Served): Promise<void> =>
    until(
      'the camera streams and is analysed',
      async () => {
        const [seen] = (await (await fetch(`${served.url}/api/cameras`)).json()) as { stream: { state: string }; analysedTo: number | null }[];
        return seen?.stream.state === 'streaming' && seen.analysedTo !== null;
      },
      120_000,
      served.output,
    );

  async function lifetime(user: { uid?: number; gid?: number }, starts: number): Promise<void> {
    prepare(user);
    const importing = start(user, ['site', 'import', 'site.yaml', '--config', 'berthwatch.yaml']);
    expect(await importing.ended, importing.output()).toEqual({ code: 0, signal: null });
    expect(importing.output()).toContain('1 lots, 1 cameras, 1 berths imported');

    const clip = makeTestClip(folder, 'h264', { seconds: 4, gop: 25 });
    for (let time = 0; time < starts; time++) {
      const served = await serve(user);
      camera = new CameraSimulator({
        server: { id: SERVER_ID, domain: SERVER_ID.slice(0, 10), port: served.sipPort },
        device: { id: DEVICE, password: PASSWORD },
        channels: [{ id: DEVICE, clip }],
        registration: { backoffMinMs: 200, backoffMaxMs: 1_000 },
      });
      await camera.start();
      await streams(served);
      served.process.kill('SIGTERM');
      const ended = await served.ended;
      expect(ended, served.output()).toEqual({ code: 0, signal: null });
      expect(camera.log.events('bye').map((event) => event.by)).toEqual(['platform']);
      expect(served.output()).not.toMatch(/a bug ended the service|did not stop cleanly/);
      await camera.close();
      camera = null;
    }
  }

  it('says BYE and ends with 0 on SIGTERM, and goes on with the same data afterwards', () => lifetime({}, 2));

  it.skipIf(!root)('does all that as an ordinary user', () => lifetime(ORDINARY, 1));
});
