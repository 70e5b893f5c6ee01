import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../base/clock.js';
import { program } from '../../../base/program-root.js';
import type { S3Options } from './s3-options.js';
import { S3ObjectStore } from './s3-object-store.js';

/** A real S3 server for tests. */
export interface TestS3 {
  endpoint: string;
  /** The server's own folder; null where the server is not ours. */
  folder: string | null;
  /** Options for a new, empty bucket (or another), over which `changes` are laid. */
  options(changes?: Partial<S3Options>): S3Options;
  /** Ends the server at once, as a power cut would; only of a server that is ours. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const USER = 'berthwatch-test';
const SECRET = 'berthwatch-secret';

function onPath(name: string): string | null {
  try {
    return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() || null;
  } catch {
    return null;
  }
}

/**
 * FOR TESTS: whether there is an S3 server to test against: the one at S3_ENDPOINT (with S3_ACCESS_KEY and S3_SECRET_KEY), a `minio` on the
 * PATH, or the one that `.ci/run` builds into `.cache/bin`. Where there is none, says so and lets the test skip; under CI that is a failure,
 * unless `.ci/run` found that it cannot be built there (S3_TESTS=skip).
 *
 * Use: `describe.skipIf(!haveS3())('…', …)`.
 */
export function haveS3(): boolean {
  if (process.env.S3_ENDPOINT || serverBinary() !== null) return true;
  if (process.env.CI === 'true' && process.env.S3_TESTS !== 'skip') throw new Error('there is no S3 server to test against; .ci/run must build one');
  process.stderr.write('skipping tests that need an S3 server: set S3_ENDPOINT, or put minio on the PATH, or build it (GOBIN=$PWD/.cache/bin go install github.com/minio/minio@latest)\n');
  return false;
}

function serverBinary(): string | null {
  const built = join(program.root, '.cache', 'bin', 'minio');
  return onPath('minio') ?? (existsSync(built) ? built : null);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a server in a temporary folder (or uses the one at S3_ENDPOINT); about two seconds. Call where `haveS3()`. */
export async function startTestS3(options: { certificates?: string } = {}): Promise<TestS3> {
  const external = process.env.S3_ENDPOINT;
  if (external && options.certificates === undefined) {
    const credentials = { accessKey: process.env.S3_ACCESS_KEY ?? '', secretKey: process.env.S3_SECRET_KEY ?? '' };
    const notOurs = (): Promise<void> => Promise.reject(new Error('the server at S3_ENDPOINT is not ours to stop'));
    return { endpoint: external, folder: null, options: (changes) => s3Options(external, { ...credentials, ...changes }), kill: notOurs, restart: notOurs, stop: () => Promise.resolve() };
  }
  const binary = serverBinary();
  if (binary === null) throw new Error('there is no S3 server to test against');
  const folder = await mkdtemp(join(tmpdir(), 'berthwatch-s3-'));
  const port = await freePort();
  const scheme = options.certificates === undefined ? 'http' : 'https';
  const endpoint = `${scheme}://127.0.0.1:${port}`;
  let child: ChildProcess | null = null;

  const end = async (): Promise<void> => {
    const ending = child;
    child = null;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    await new Promise((resolve) => ending.once('exit', resolve).kill('SIGKILL'));
  };
  const begin = async (): Promise<void> => {
    const started = spawn(binary, ['server', '--quiet', '--address', `127.0.0.1:${port}`, '--certs-dir', options.certificates ?? join(folder, 'certs'), join(folder, 'data')], {
      env: { PATH: process.env.PATH, HOME: folder, MINIO_ROOT_USER: USER, MINIO_ROOT_PASSWORD: SECRET, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off', GOMAXPROCS: '2' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    let said = '';
    started.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
    const deadline = Date.now() + 60_000;
    while (!(await healthy(port, scheme))) {
      if (started.exitCode !== null || Date.now() > deadline) throw new Error(`the S3 server did not start: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  // A test that dies must not leave a server behind.
  process.once('exit', () => child?.kill('SIGKILL'));
  await begin();
  return {
    endpoint,
    folder: join(folder, 'data'),
    options: (changes) => s3Options(endpoint, { accessKey: USER, secretKey: SECRET, ...changes }),
    kill: end,
    restart: begin,
    async stop() {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Its health page answers before it serves: then it says 503 to everything else, and 403 to a stranger once it is ready. */
function healthy(port: number, scheme: string): Promise<boolean> {
  return new Promise((resolve) => {
    // Whether a certificate is good is for the test to find out.
    const request = (scheme === 'https' ? https : http).get({ host: '127.0.0.1', port, path: '/', rejectUnauthorized: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 403);
    });
    request.once('error', () => resolve(false)).once('timeout', () => request.destroy());
  });
}

function s3Options(endpoint: string, changes: Partial<S3Options>): S3Options {
  return {
    endpoint,
    region: 'us-east-1',
    bucket: `berthwatch-${randomBytes(6).toString('hex')}`,
    accessKey: '',
    secretKey: '',
    prefix: '',
    pathStyle: true,
    ca: null,
    createBucket: true,
    timeoutMs: 20_000,
    attempts: 3,
    partBytes: 5 * 1024 * 1024,
    clock: systemClock,
    ...changes,
  };
}

/** A store with a bucket of its own. */
export async function testStore(server: TestS3, changes: Partial<S3Options> = {}): Promise<{ store: S3ObjectStore; options: S3Options }> {
  const options = server.options(changes);
  const store = new S3ObjectStore(options);
  await store.start();
  return { store, options };
}
