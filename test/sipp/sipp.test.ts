import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { haveTool } from '../../base/test-tools.js';
import { GbServer } from '../../ingest/gb28181/server.js';

/** SIPp, a SIP implementation that is not ours, plays cameras against the real server. */
const available = haveTool('sipp');

const folder = mkdtempSync(join(tmpdir(), 'berthwatch-sipp-'));
let server: GbServer;
afterEach(() => server.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(): Promise<void> {
  server = new GbServer({
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
}

/** Runs one scenario for each device; resolves with SIPp's exit code and output. */
function play(name: string, transport: 'UDP' | 'TCP', password: string, calls: number, port?: number): Promise<{ code: number; output: string }> {
  const scenario = fileURLToPath(new URL(`./${name}.xml`, import.meta.url));
  const devices = join(folder, `${name}-${transport}.csv`);
  const line = (id: string): string => `${id};[authentication username=${id} password=${password}]`;
  writeFileSync(devices, `SEQUENTIAL\n${Array.from({ length: calls }, (_, i) => line(`3402000000132${String(i).padStart(7, '0')}`)).join('\n')}\n`);
  const { udpPort, tcpPort } = server.address;
  const args = ['-sf', scenario, '-inf', devices, '-m', String(calls), '-l', String(calls), '-r', '100', '-nostdin', '-timeout', '60s', '-timeout_error', '-recv_timeout', '5000'];
  args.push('-i', '127.0.0.1', '-t', transport === 'UDP' ? 'u1' : 't1', `127.0.0.1:${transport === 'UDP' ? udpPort : tcpPort}`);
  if (port !== undefined) args.push('-p', String(port));
  return new Promise((resolve) => {
    execFile('sipp', args, { cwd: folder, timeout: 90_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, output: `${stdout}${stderr}`.slice(-4000) });
    });
  });
}

describe.skipIf(!available).each(['UDP', 'TCP'] as const)('SIPp over %s', (transport) => {
  it.each([
    ['register-keepalive-unregister', 'right', 20],
    ['wrong-password', 'wrong', 5],
    ['keepalive-unregistered', 'right', 5],
    ['reused-nonce', 'right', 5],
  ])('%s', async (name, password, calls) => {
    await start();
    // SIPp closes its connection when it is done, so what counts is who was online, not who is.
    const seen = new Set<string>();
    server.on('online', ({ device }) => seen.add(device.id));
    const { code, output } = await play(name, transport, password, calls);
    expect(code, output).toBe(0);
    expect(seen.size).toBe(password === 'wrong' || name === 'keepalive-unregistered' ? 0 : calls);
    if (name === 'wrong-password') expect(server.devices()).toEqual([]);
  });
});

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

describe.skipIf(!available)('SIPp as the camera that is asked for a stream', () => {
  const wish = { deviceId: '34020000001320000000', channelId: '34020000001310000001', transport: 'udp', mediaHost: '127.0.0.1', mediaPort: 30_002, ssrc: '0200001234', stream: 'main', timeoutMs: 20_000 } as const;

  // SIPp plays one scenario a process: one registers and ends, the next listens on the same port.
  async function camera(scenario: string): Promise<Promise<{ code: number; output: string }>[]> {
    await start();
    const port = await freePort();
    const registered = await play('register', 'UDP', 'right', 1, port);
    expect(registered.code, registered.output).toBe(0);
    return [play(scenario, 'UDP', 'right', 1, port)];
  }

  it('camera-stream', async () => {
    const [played] = await camera('camera-stream');
    const session = await server.invite(wish);
    expect(session).toMatchObject({ ssrc: '0200001234', remoteMedia: { host: '127.0.0.1', port: 15_060 } });
    await session.bye();
    const { code, output } = await (played as Promise<{ code: number; output: string }>);
    expect(code, output).toBe(0);
  });

  it('camera-busy', async () => {
    const [played] = await camera('camera-busy');
    await expect(server.invite(wish)).rejects.toThrow(/refused INVITE with 486/);
    const { code, output } = await (played as Promise<{ code: number; output: string }>);
    expect(code, output).toBe(0);
  });
});
