import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { program } from '../../base/program-root.js';

/** How SIPp is to play one of the scenarios beside this file. */
export interface Play {
  /** Name of the XML file. */
  scenario: string;
  transport: 'UDP' | 'TCP';
  /** The platform's port. */
  to: number;
  /** Where SIPp may write. */
  folder: string;
  password?: string;
  calls?: number;
  /** Calls open at a time; all of them where not given. */
  atOnce?: number;
  /** Our side; a free port where not given. */
  host?: string;
  port?: number;
  serverHost?: string;
  /** The scenario for calls that come in while `scenario` runs. */
  incoming?: string;
  /** Texts of the scenario to replace (SIPp takes no variable for a status line). */
  edit?: Record<string, string>;
}

export interface Played {
  code: number;
  /** The end of what SIPp said, with its list of unexpected messages. */
  output: string;
}

const pathOf = (name: string): string => join(program.root, 'test', 'sipp', `${name}.xml`);
let runs = 0;

function edited(scenario: string, folder: string, edit: Record<string, string>): string {
  if (Object.keys(edit).length === 0) return pathOf(scenario);
  let xml = readFileSync(pathOf(scenario), 'utf8');
  for (const [from, to] of Object.entries(edit)) {
    if (!xml.includes(from)) throw new Error(`${scenario}.xml does not contain "${from}"`);
    xml = xml.replaceAll(from, to);
  }
  const path = join(folder, `${scenario}-${runs}.xml`);
  writeFileSync(path, xml);
  return path;
}

/** Ids of the devices that a run of so many calls plays. */
export const deviceId = (n: number): string => `3402000000132${String(n).padStart(7, '0')}`;

/** Runs one scenario for each device; resolves with SIPp's exit code (0: every message came as the scenario says) and output. */
export function play({ scenario, transport, to, folder, password = 'right', calls = 1, atOnce = calls, host = '127.0.0.1', port, serverHost = '127.0.0.1', incoming, edit = {} }: Play): Promise<Played> {
  const devices = join(folder, `${scenario}-${++runs}.csv`);
  const line = (id: string): string => `${id};[authentication username=${id} password=${password}]`;
  writeFileSync(devices, `SEQUENTIAL\n${Array.from({ length: calls }, (_, i) => line(deviceId(i))).join('\n')}\n`);
  const remote = serverHost.includes(':') ? `[${serverHost}]` : serverHost;
  const args = ['-sf', edited(scenario, folder, edit), '-inf', devices, '-m', String(calls), '-l', String(atOnce), '-r', atOnce < calls ? '10000' : '100', '-nostdin', '-timeout', '90s', '-timeout_error', '-recv_timeout', '20000', '-nd'];
  args.push('-i', host, '-t', transport === 'UDP' ? 'u1' : 't1', `${remote}:${to}`, '-trace_err', '-error_file', `${devices}.err`);
  if (port !== undefined) args.push('-p', String(port));
  if (incoming !== undefined) args.push('-oocsf', pathOf(incoming));
  return new Promise((resolve) => {
    execFile('sipp', args, { cwd: folder, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, output: `${scenario}: ${`${stdout}${stderr}`.slice(-4000)}` });
    });
  });
}

/** A port that is free for UDP and TCP now. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.bind(0, host, resolve));
    const { port } = socket.address();
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => server.once('error', () => resolve(false)).listen(port, host, () => resolve(true)));
    await new Promise<void>((resolve) => server.close(() => resolve()));
    if (free) return port;
  }
}
