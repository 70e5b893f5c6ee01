import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { program } from '../../../base/program-root.js';
import { haveTool } from '../../../base/test-tools.js';
import { GbServer } from '../../../ingest/gb28181/server.js';
import { deviceId, freePort, play } from '../../sipp/sipp.js';
import type { BenchContext, BenchRow, Measured } from '../row.js';

/** Devices that register in one round, and how many at a time. */
const DEVICES = 2_000;
const AT_ONCE = 50;
/** Clock ticks a second in /proc (sysconf _SC_CLK_TCK, which is 100 on every Linux that Node runs on). */
const TICKS = 100;

/**
 * Registrations: REGISTER, challenge, digest, 200. SIPp plays the devices against our server, then against SIPp's own server, which
 * challenges and verifies one known password and keeps nothing.
 */
export const registrations: BenchRow = {
  name: 'registrations',
  async run(context) {
    if (!haveTool('sipp')) return [];
    const folder = mkdtempSync(join(tmpdir(), 'berthwatch-registrations-'));
    try {
      const { measured, failed } = await ours(context, folder);
      context.progress('reference: SIPp registers with SIPp');
      const reference = await sipps(folder);
      return [
        {
          what: `registrations, ${AT_ONCE} at a time`,
          unit: 'registration',
          measured,
          reference: { what: 'SIPp as the server: challenges, verifies, forgets', measured: reference },
          notes: [`${((measured.cases / measured.wallMs) * 1000).toFixed(0)} a second by the clock beside SIPp on the same machine, first round left out; ${failed} rounds of SIPp with a fault`],
        },
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function ours(context: BenchContext, folder: string): Promise<{ measured: Measured; failed: number }> {
  const server = new GbServer({
    serverId: '34020000002000000001',
    domain: '3402000000',
    host: '127.0.0.1',
    port: 0,
    devicePassword: () => 'right',
    keepalive: { intervalMs: 60_000, missed: 3 },
    clock: systemClock,
    logger: silentLogger,
    dateHeader: true,
  });
  await server.start();
  let failed = 0;
  const round = async (): Promise<number> => {
    const { code } = await play({ scenario: 'register', transport: 'UDP', to: server.address.udpPort, folder, calls: DEVICES, atOnce: AT_ONCE });
    if (code !== 0) failed++;
    return DEVICES;
  };
  try {
    context.progress(`registrations: ${DEVICES} devices a round`);
    await round();
    failed = 0;
    const begun = performance.now();
    const cpu = process.cpuUsage();
    let cases = 0;
    do cases += await round();
    while (performance.now() - begun < context.seconds * 1000);
    const used = process.cpuUsage(cpu);
    const known = server.devices().length;
    if (known !== DEVICES) throw new Error(`${known} of ${DEVICES} devices are registered (the last is ${deviceId(DEVICES - 1)})`);
    return { measured: { cases, wallMs: performance.now() - begun, cpuMs: (used.user + used.system) / 1000 }, failed };
  } finally {
    await server.close();
  }
}

async function sipps(folder: string): Promise<Measured> {
  const port = await freePort();
  const scenario = join(program.root, 'test', 'sipp', 'registrar.xml');
  const child = spawn('sipp', ['-sf', scenario, '-i', '127.0.0.1', '-p', String(port), '-t', 'u1', '-nostdin', '-m', String(DEVICES * 2)], { cwd: folder, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    await listening(port);
    const round = async (): Promise<void> => {
      const { code, output } = await play({ scenario: 'register', transport: 'UDP', to: port, folder, calls: DEVICES, atOnce: AT_ONCE });
      if (code !== 0) throw new Error(`SIPp could not register with SIPp: ${output}`);
    };
    await round();
    const before = cpuOf(child.pid ?? 0);
    const begun = performance.now();
    // Its last call ends it: read what it took before that.
    const done = round();
    let last = before;
    const watch = setInterval(() => (last = cpuOf(child.pid ?? 0) ?? last), 20);
    await done;
    const wallMs = performance.now() - begun;
    clearInterval(watch);
    return { cases: DEVICES, wallMs, cpuMs: (last ?? 0) - (before ?? 0) };
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** CPU milliseconds of a process so far; null where it is gone. */
function cpuOf(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
  } catch {
    return null;
  }
}

/** Resolves when something is bound to the UDP port. */
async function listening(port: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    const table = await new Promise<string>((resolve) => execFile('cat', ['/proc/net/udp'], (_error, stdout) => resolve(stdout)));
    if (table.includes(`:${hex} 00000000:0000`)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
