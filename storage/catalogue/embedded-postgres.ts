import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { DatabaseAddress } from './database-address.js';
import { FolderLock } from './folder-lock.js';
import { findPostgresBinaries, findServerUser, type PostgresBinaries, type ServerUser } from './postgres-binaries.js';
import { processCommand, processExists, processStart } from './process-identity.js';

const USER = 'berthwatch';
const DATABASE = 'berthwatch';
const HOST = '127.0.0.1';
const CHECK_MS = 1_000;

export interface EmbeddedPostgresOptions {
  /** Everything of the server lies here: `data/`, `log/`, `password` (0600), `port`, `owner.json`. Created where missing. */
  folder: string;
  /** TCP port on loopback; 0 (default): the port used last time where it is free, else any free one. */
  port?: number;
  logger: Logger;
  clock: Clock;
  /** false only for tests: the server does not flush, so that a power cut may destroy it. */
  durable?: boolean;
  /** How long a start may take, crash recovery included. */
  startTimeoutMs?: number;
}

export interface EmbeddedPostgresStatus {
  state: 'stopped' | 'running' | 'restarting';
  /** Why it is not running; null where it is or should not. */
  reason: string | null;
  pid: number | null;
}

/**
 * The PostgreSQL that comes with npm, as a child of its own session, so that a Ctrl-C meant for us does not reach it first.
 *
 * It outlives a SIGKILL of its owner; the next owner takes it over, after ending whatever sessions the dead one left, so
 * that none of their commits can come later. A server that died is started again.
 */
export class EmbeddedPostgres {
  readonly #options: Required<EmbeddedPostgresOptions>;
  readonly #logger: Logger;
  readonly #dataFolder: string;
  readonly #lock: FolderLock;
  #binaries: PostgresBinaries | null = null;
  #user: ServerUser | null = null;
  #password = '';
  #port = 0;
  #pid: number | null = null;
  #child: ChildProcess | null = null;
  #state: EmbeddedPostgresStatus['state'] = 'stopped';
  #reason: string | null = null;
  #cancelCheck: (() => void) | null = null;
  #checking: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedPostgresOptions) {
    this.#options = { port: 0, durable: true, startTimeoutMs: 120_000, ...options, folder: resolve(options.folder) };
    this.#logger = options.logger.child({ part: 'embedded-postgres' });
    this.#dataFolder = join(this.#options.folder, 'data');
    this.#lock = new FolderLock(this.#options.folder);
  }

  /** Where to connect to; valid after `start()`, unchanged by restarts. */
  get address(): DatabaseAddress {
    return { host: HOST, port: this.#port, user: USER, password: this.#password, database: DATABASE };
  }

  status(): EmbeddedPostgresStatus {
    return { state: this.#state, reason: this.#reason, pid: this.#pid };
  }

  /**
   * Starts the server, or takes over one that runs on the folder already; resolves once it answers queries.
   *
   * @throws BerthwatchError conflict where another process of ours holds the folder; unavailable where it cannot run
   */
  async start(): Promise<DatabaseAddress> {
    if (this.#state !== 'stopped') return this.address;
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true });
    await this.#lock.take();
    try {
      this.#binaries = await findPostgresBinaries();
      this.#user = await findServerUser();
      // The server's user must be able to pass through our folder to its own.
      if (this.#user) await chmod(folder, 0o755);
      this.#password = await this.#readPassword();
      await this.#initialise();
      if (!(await this.#takeOver())) await this.#launchOnSomePort();
      await this.#ensureDatabase();
    } catch (error) {
      await this.#end();
      await this.#lock.release();
      throw error;
    }
    this.#state = 'running';
    this.#reason = null;
    this.#scheduleCheck();
    return this.address;
  }

  /** Stops the server in an orderly way and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#reason = null;
    this.#cancelCheck?.();
    await this.#checking;
    await this.#end();
    await this.#lock.release();
  }

  async #readPassword(): Promise<string> {
    const path = join(this.#options.folder, 'password');
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.trim() !== '') return text.trim();
    const password = randomBytes(24).toString('base64url');
    await writeFile(`${path}.new`, password, { mode: 0o600 });
    await rename(`${path}.new`, path);
    return password;
  }

  async #initialise(): Promise<void> {
    const exists = await stat(join(this.#dataFolder, 'PG_VERSION')).then(() => true, () => false);
    const logFolder = join(this.#options.folder, 'log');
    await mkdir(logFolder, { recursive: true, mode: 0o700 });
    if (this.#user) await chown(logFolder, this.#user.uid, this.#user.gid);
    if (exists) return;
    // Made aside and renamed: a folder named `data` is always a complete one.
    const making = join(this.#options.folder, 'data.new');
    const passwordFile = join(this.#options.folder, 'password.initdb');
    await rm(making, { recursive: true, force: true });
    await mkdir(making, { mode: 0o700 });
    await writeFile(passwordFile, this.#password, { mode: 0o600 });
    if (this.#user) {
      await chown(making, this.#user.uid, this.#user.gid);
      await chown(passwordFile, this.#user.uid, this.#user.gid);
    }
    try {
      await this.#run((this.#binaries as PostgresBinaries).initdb, [
        `--pgdata=${making}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--no-instructions',
        ...(this.#options.durable ? ['--data-checksums'] : ['--no-sync']),
      ]);
    } finally {
      await rm(passwordFile, { force: true });
    }
    await rename(making, this.#dataFolder);
  }

  async #run(program: string, args: string[]): Promise<void> {
    const child = spawn(program, args, { ...this.#user, cwd: '/', env: this.#environment(), stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-2_000)));
    const code = await new Promise<number | string>((done) => {
      child.once('error', (error) => done(error.message));
      child.once('close', (exit, signal) => done(exit ?? signal ?? 'unknown'));
    });
    if (code !== 0) {
      const hint = this.#user ? `; the user ${this.#user.uid} must be able to enter every folder above ${this.#options.folder} (chmod o+x) and to read ${program}` : '';
      throw new BerthwatchError('unavailable', 'CATALOGUE_INITDB', `${program} ended with ${code}: ${stderr.trim()}${hint}`);
    }
  }

  #environment(): NodeJS.ProcessEnv {
    // PG* variables of the surroundings (PGPORT, PGDATA) must not reach our server.
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));
    return { ...clean, LC_ALL: 'C' };
  }

  /** Joins a server that a killed process left running; false where there is none (a stale pid file is removed). */
  async #takeOver(): Promise<boolean> {
    const pidFile = join(this.#dataFolder, 'postmaster.pid');
    const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 0) return false;
    const command = processExists(pid) ? await processCommand(pid) : '';
    if (command !== null && !(command.includes('postgres') && command.includes(this.#dataFolder))) {
      // The id belongs to nobody, or in a container already to somebody else, which the server itself cannot tell.
      await rm(pidFile, { force: true });
      return false;
    }
    if (!processExists(pid)) return false;
    this.#pid = pid;
    this.#port = Number(lines[3]);
    const wanted = this.#options.port;
    if (wanted === 0 || wanted === this.#port) {
      try {
        await this.#waitUntilReady(pid, 10_000);
        await this.#endForeignSessions();
        this.#logger.info({ pid, port: this.#port }, 'took over the PostgreSQL server that was still running');
        return true;
      } catch (error) {
        this.#logger.warn({ pid, error: messageOf(error) }, 'the PostgreSQL server that is still running does not answer: stopping it');
      }
    }
    await this.#end();
    return false;
  }

  /** Ends the sessions of a dead owner and waits until they are gone: whatever they had begun is then undone or done. */
  async #endForeignSessions(): Promise<void> {
    await this.#withClient('postgres', async (client) => {
      for (let i = 0; i < 200; i++) {
        const { rowCount } = await client.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        );
        if (rowCount === 0) return;
        await sleep(this.#options.clock, 25);
      }
      throw new Error('sessions of the former owner do not end');
    });
  }

  async #launchOnSomePort(): Promise<void> {
    const portFile = join(this.#options.folder, 'port');
    const last = Number(await readFile(portFile, 'utf8').catch(() => '0'));
    const candidates = this.#options.port !== 0 ? [this.#options.port] : [last, 0, 0, 0].filter((port, i) => port > 0 || i > 0);
    for (const [i, candidate] of candidates.entries()) {
      const port = await freePort(candidate);
      if (port === null && i < candidates.length - 1) continue;
      if (port === null) {
        throw new BerthwatchError('unavailable', 'CATALOGUE_PORT', `port ${candidate} on ${HOST} is taken: free it, or set the embedded database's port to 0`);
      }
      this.#port = port;
      try {
        await this.#launch();
        await writeFile(portFile, String(port));
        return;
      } catch (error) {
        if (i === candidates.length - 1) throw error;
        // Mostly somebody took the port between our look and the server's bind.
        this.#logger.warn({ port, error: messageOf(error) }, 'PostgreSQL did not start: trying another port');
      }
    }
  }

  async #launch(): Promise<void> {
    const logPath = join(this.#options.folder, 'log', 'start.log');
    const log = await open(logPath, 'w', 0o600);
    const settings: Record<string, string> = {
      listen_addresses: HOST,
      port: String(this.#port),
      unix_socket_directories: '',
      password_encryption: 'scram-sha-256',
      max_connections: '60',
      wal_level: 'minimal',
      max_wal_senders: '0',
      max_wal_size: '512MB',
      log_min_messages: 'warning',
      timezone: 'UTC',
      log_timezone: 'UTC',
      ...(this.#options.durable
        ? // Seven files, one a weekday, each begun anew: the log cannot fill the disk.
          { logging_collector: 'on', log_directory: join(this.#options.folder, 'log'), log_filename: 'postgres-%a.log', log_rotation_age: '1d', log_rotation_size: '0', log_truncate_on_rotation: 'on' }
        : { fsync: 'off', full_page_writes: 'off', shared_buffers: '32MB', autovacuum: 'off' }),
    };
    const args = ['-D', this.#dataFolder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    const child = spawn((this.#binaries as PostgresBinaries).postgres, args, {
      ...this.#user,
      cwd: '/',
      env: this.#environment(),
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    let spawnError: Error | null = null;
    child.once('error', (error) => (spawnError = error));
    child.once('exit', () => {
      if (this.#child === child) this.#child = null;
    });
    await log.close();
    child.unref();
    this.#child = child;
    if (child.pid === undefined) {
      await sleep(this.#options.clock, 0);
      throw new BerthwatchError('unavailable', 'CATALOGUE_START', `PostgreSQL cannot be run: ${messageOf(spawnError ?? 'unknown')}`);
    }
    this.#pid = child.pid;
    try {
      await this.#waitUntilReady(child.pid, this.#options.startTimeoutMs);
    } catch (error) {
      await this.#end();
      const tail = (await readFile(logPath, 'utf8').catch(() => '')).trim().slice(-1_000);
      throw new BerthwatchError('unavailable', 'CATALOGUE_START', `PostgreSQL did not start in ${this.#dataFolder}: ${messageOf(error)}${tail ? `: ${tail}` : ''}`, { cause: error });
    }
  }

  #alive(pid: number): boolean {
    return this.#child?.pid === pid ? this.#child.exitCode === null && this.#child.signalCode === null : processExists(pid);
  }

  async #waitUntilReady(pid: number, timeoutMs: number): Promise<void> {
    const deadline = this.#options.clock.monotonic() + timeoutMs;
    for (;;) {
      try {
        await this.#withClient('postgres', async (client) => {
          const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
          if (rows[0]?.data_directory !== this.#dataFolder) throw new Error(`port ${this.#port} answers for ${rows[0]?.data_directory}`);
        });
        return;
      } catch (error) {
        if ((error as { code?: string }).code === '28P01') throw error;
        if (!this.#alive(pid)) throw new Error(`the server ended while starting (last: ${messageOf(error)})`);
        if (this.#options.clock.monotonic() > deadline) throw new Error(`no answer within ${timeoutMs} ms (last: ${messageOf(error)})`);
      }
      await sleep(this.#options.clock, 25);
    }
  }

  async #withClient<T>(database: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ ...this.address, database, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await use(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async #ensureDatabase(): Promise<void> {
    await this.#withClient('postgres', async (client) => {
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'`);
    });
  }

  #scheduleCheck(): void {
    this.#cancelCheck = this.#options.clock.after(CHECK_MS, () => {
      this.#checking = this.#check().finally(() => {
        if (this.#state !== 'stopped') this.#scheduleCheck();
      });
    });
  }

  async #check(): Promise<void> {
    if (this.#pid !== null && this.#alive(this.#pid)) return;
    this.#state = 'restarting';
    this.#reason ??= 'the PostgreSQL server ended unexpectedly';
    this.#logger.error({ pid: this.#pid }, 'the PostgreSQL server ended unexpectedly: starting it again');
    try {
      // The same port, so that whoever holds the address finds the server again.
      if (!(await this.#takeOver())) await this.#launch();
      if (this.#state === 'restarting') this.#state = 'running';
      this.#reason = null;
      this.#logger.info({ pid: this.#pid }, 'the PostgreSQL server runs again');
    } catch (error) {
      this.#pid = null;
      this.#reason = messageOf(error);
      this.#logger.error({ error: this.#reason }, 'the PostgreSQL server could not be started again');
    }
  }

  /** Fast shutdown (SIGINT); after 30 s immediate (SIGQUIT), which costs crash recovery at the next start and nothing else. */
  async #end(): Promise<void> {
    const pid = this.#pid;
    this.#pid = null;
    if (pid === null || !this.#alive(pid)) return;
    const start = await processStart(pid);
    const { clock } = this.#options;
    const began = clock.monotonic();
    let asked = '';
    while (this.#alive(pid) && (await processStart(pid)) === start) {
      const waited = clock.monotonic() - began;
      const signal = !this.#options.durable || waited > 30_000 ? 'SIGQUIT' : 'SIGINT';
      if (signal !== asked) {
        asked = signal;
        try {
          process.kill(pid, signal);
        } catch {
          return;
        }
      }
      if (waited > 60_000) throw new BerthwatchError('unavailable', 'CATALOGUE_STOP', `PostgreSQL (process ${pid}) does not stop`);
      await sleep(clock, 10);
    }
  }
}

/** `wanted` where it can be bound on loopback (0: any free port), else null. */
function freePort(wanted: number): Promise<number | null> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(null));
    probe.listen(wanted, HOST, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });
}
