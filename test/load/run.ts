import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestPostgres } from '../../storage/catalogue/testing.js';
import type { LightDeviceStats } from '../simulators/camera/light-device.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';
import { SERVER_ID, type FleetOptions, type FromFleet, type FromServer, type ServerOptions, type ServerStatus, type ToFleet } from './protocol.js';

export interface LoadOptions {
  devices: number;
  /** So many of the devices are cameras and stream. */
  streams: number;
  keepaliveMs: number;
  /** Over what time a crowd that comes at once is spread, ms. */
  withinMs: number;
  /** How long the steady phase lasts, ms. */
  forMs: number;
  /** Folder of the compiled children. */
  programs: string;
  progress: (text: string) => void;
}

/** Times from a device's first REGISTER to its 200, challenge included, as the device measures them. */
export interface Crowd {
  when: string;
  spreadMs: number;
  devices: number;
  failed: number;
  p50: number;
  p99: number;
  max: number;
  /** The server's own part: from reading a REGISTER to sending its answer. */
  serverP50: number;
  serverP99: number;
  /** From the command to the last 200. */
  wholeMs: number;
  /** CPU time of the server for each device of the crowd (cameras too), all that it does meanwhile included. */
  cpuMsPerDevice: number;
  /** Longest standstill of the server's event loop meanwhile. */
  loopMaxMs: number;
  load: number;
}

export interface LoadReport {
  crowds: Crowd[];
  steady: {
    seconds: number;
    rounds: number;
    /** Devices that went offline although they were there. */
    falselyOffline: string[];
    leastOnline: number;
    leastStreaming: number;
    keepalives: number;
    device: LightDeviceStats;
    cameraKeepalivesMissed: number;
    pictures: number;
    lostPackets: number;
    droppedGops: number;
    cpuPercent: number;
    rssMiB: number;
    loopMaxMs: number;
    load: number;
  };
  /** From the kill to all devices online, and to all streams, again. */
  recovery: { onlineMs: number; streamingMs: number };
}

const LIMIT_MS = 120_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One process of the run, with the messages that came from it. */
class Child<In, Out extends { type: string }> {
  readonly #child: ChildProcess;
  #waiters: ((message: Out) => void)[] = [];
  #ended: string | null = null;

  constructor(program: string, options: object, out: number) {
    this.#child = fork(program, [JSON.stringify(options)], { stdio: ['ignore', out, 'inherit', 'ipc'], execArgv: [] });
    this.#child.on('message', (message) => this.#waiters.forEach((waiter) => waiter(message as Out)));
    this.#child.once('exit', (code, signal) => (this.#ended = `${program} ended with ${code ?? signal}`));
  }

  tell(message: In): void {
    this.#child.send(message as object);
  }

  on(listener: (message: Out) => void): void {
    this.#waiters.push(listener);
  }

  async next<K extends Out['type']>(type: K, timeoutMs = LIMIT_MS): Promise<Extract<Out, { type: K }>> {
    let found: Extract<Out, { type: K }> | null = null;
    const waiter = (message: Out): void => void (message.type === type ? (found ??= message as Extract<Out, { type: K }>) : undefined);
    this.#waiters.push(waiter);
    const end = performance.now() + timeoutMs;
    while (found === null) {
      if (this.#ended !== null) throw new Error(this.#ended);
      if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for "${type}"`);
      await pause(5);
    }
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    return found;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#ended !== null) return;
    this.#child.kill(signal);
    while (this.#ended === null) await pause(5);
  }
}

const percentile = (sorted: readonly number[], p: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * p) - 1)] ?? NaN;

/** A thousand devices, a hundred of which stream, against the ingest of the service; then the server is killed and all come back at once. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const { devices, streams, keepaliveMs, progress } = options;
  const folder = mkdtempSync(join(tmpdir(), 'berthwatch-load-'));
  const postgres = await startTestPostgres();
  const logFile = openSync(join(folder, 'server.log'), 'w');
  const children: { kill(signal: NodeJS.Signals): Promise<void> }[] = [];
  const latest: { status: ServerStatus | null } = { status: null };
  let seen: ServerStatus[] = [];
  try {
    const clip = makeTestClip(folder, 'h264', { seconds: 4, gop: 10, fps: 10, size: '352x288', quality: 32 });
    const database = await postgres.freshAddress();
    const startServer = async (port: number): Promise<{ server: Child<never, FromServer>; port: number }> => {
      const serverOptions: ServerOptions = { host: '127.0.0.1', port, keepaliveMs, database, footage: join(folder, 'footage'), devices, streams };
      const server = new Child<never, FromServer>(join(options.programs, 'server.js'), serverOptions, logFile);
      children.push(server);
      server.on((message) => {
        if (message.type !== 'status') return;
        latest.status = message;
        seen.push(message);
      });
      const listening = await server.next('listening');
      return { server, port: listening.port };
    };
    const status = (): ServerStatus | null => latest.status;
    const waitFor = async (what: string, condition: (now: ServerStatus) => boolean): Promise<void> => {
      const end = performance.now() + LIMIT_MS;
      for (;;) {
        const now = status();
        if (now && condition(now)) return;
        if (performance.now() > end) throw new Error(`waited ${LIMIT_MS / 1000} s in vain: ${what}; ${JSON.stringify(now)}`);
        await pause(50);
      }
    };

    const first = await startServer(0);
    const fleetOptions = (light: [number, number], cameras: [number, number]): FleetOptions => ({ server: { id: SERVER_ID, host: '127.0.0.1', port: first.port }, keepaliveMs, light, cameras, clip });
    const signalling = new Child<ToFleet, FromFleet>(join(options.programs, 'fleet.js'), fleetOptions([streams, devices], [0, 0]), 1);
    const streaming = new Child<ToFleet, FromFleet>(join(options.programs, 'fleet.js'), fleetOptions([0, 0], [0, streams]), 1);
    children.push(signalling, streaming);
    await Promise.all([signalling.next('open'), streaming.next('open')]);

    const crowd = async (when: string, spreadMs = options.withinMs): Promise<Crowd> => {
      const before = status()?.cpuMs ?? 0;
      seen = [];
      const begun = performance.now();
      const answered = signalling.next('registered');
      streaming.tell({ type: 'register', spreadMs });
      signalling.tell({ type: 'register', spreadMs });
      const { latencies, failed } = await answered;
      const wholeMs = performance.now() - begun;
      const sorted = latencies.sort((a, b) => a - b);
      await pause(600);
      const own = seen.flatMap((s) => s.registerMs).sort((a, b) => a - b);
      const result: Crowd = { when, spreadMs, devices: sorted.length, failed, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: sorted.at(-1) ?? NaN, serverP50: percentile(own, 0.5), serverP99: percentile(own, 0.99), wholeMs, cpuMsPerDevice: ((status()?.cpuMs ?? 0) - before) / devices, loopMaxMs: Math.max(...seen.map((s) => s.loopMaxMs)), load: loadavg()[0] ?? 0 };
      progress(`${when}: ${sorted.length} devices within ${spreadMs} ms, p50 ${result.p50.toFixed(0)} ms, p99 ${result.p99.toFixed(0)} ms, failed ${failed}`);
      return result;
    };

    const crowds = [await crowd('first registration')];
    await waitFor('all online and streaming', (now) => now.online === devices && now.streaming === streams);
    progress(`${devices} online, ${streams} streaming`);

    const from = status() as ServerStatus;
    seen = [];
    const begun = performance.now();
    for (let told = 0; performance.now() - begun < options.forMs; ) {
      await pause(Math.min(500, options.forMs));
      const now = status() as ServerStatus;
      const seconds = Math.floor((performance.now() - begun) / 1000);
      if (seconds >= told + 10) {
        told = seconds;
        progress(`${seconds} s: ${now.online} online, ${now.streaming} streaming, ${now.keepalives - from.keepalives} keepalives, ${now.offlineCount} went offline, ${now.lostPackets} packets lost, ${(now.rssBytes / 2 ** 20).toFixed(0)} MiB`);
      }
    }
    const steadyMs = performance.now() - begun;
    const to = status() as ServerStatus;
    const reports = [signalling.next('report'), streaming.next('report')] as const;
    signalling.tell({ type: 'report' });
    streaming.tell({ type: 'report' });
    const [light, cams] = await Promise.all(reports);
    const steady: LoadReport['steady'] = {
      seconds: steadyMs / 1000,
      rounds: steadyMs / keepaliveMs,
      falselyOffline: to.offline,
      leastOnline: Math.min(...seen.map((s) => s.online)),
      leastStreaming: Math.min(...seen.map((s) => s.streaming)),
      keepalives: to.keepalives - from.keepalives,
      device: light.stats,
      cameraKeepalivesMissed: cams.cameraKeepalivesMissed,
      pictures: to.units - from.units,
      lostPackets: to.lostPackets - from.lostPackets,
      droppedGops: to.droppedGops,
      cpuPercent: ((to.cpuMs - from.cpuMs) / steadyMs) * 100,
      rssMiB: Math.max(...seen.map((s) => s.rssBytes)) / 2 ** 20,
      loopMaxMs: Math.max(...seen.map((s) => s.loopMaxMs)),
      load: loadavg()[0] ?? 0,
    };

    progress('the server is killed and started again; all come back at once');
    const killed = performance.now();
    await first.server.kill('SIGKILL');
    latest.status = null;
    await startServer(first.port);
    crowds.push(await crowd('after the restart'));
    await waitFor('all online again', (now) => now.online === devices);
    const onlineMs = performance.now() - killed;
    await waitFor('all streaming again', (now) => now.streaming === streams);
    const recovery = { onlineMs, streamingMs: performance.now() - killed };
    progress(`all online ${(onlineMs / 1000).toFixed(1)} s after the kill, all streaming after ${(recovery.streamingMs / 1000).toFixed(1)} s`);
    crowds.push(await crowd('all again, while streaming'), await crowd('all again, in one instant', 0));
    return { crowds, steady, recovery };
  } finally {
    await Promise.all(children.map((child) => child.kill('SIGKILL')));
    closeSync(logFile);
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
