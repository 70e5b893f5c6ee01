/**
 * `npm run load -- [--devices 1000] [--streams 100] [--keepalive 60s] [--for 180s] [--within 1s]`: a street full of cameras against the ingest of
 * the service. Progress on standard error, the table on standard output; exit code 1 where a device was falsely called offline.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { haveTool } from '../../base/test-tools.js';
import { runLoad } from './run.js';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '1000' },
    streams: { type: 'string', default: '100' },
    keepalive: { type: 'string', default: '60s' },
    within: { type: 'string', default: '1s' },
    for: { type: 'string', default: '180s' },
  },
});
const fail = (message: string): never => {
  console.error(message);
  process.exit(2);
};
const count = (name: 'devices' | 'streams'): number => (/^\d+$/.test(values[name]) ? Number(values[name]) : fail(`--${name} takes a whole number, not "${values[name]}"`));
const duration = (name: 'keepalive' | 'for' | 'within'): number => {
  const found = /^(\d+)(ms|s|m)$/.exec(values[name]);
  return found ? Number(found[1]) * { ms: 1, s: 1000, m: 60_000 }[found[2] as 'ms' | 's' | 'm'] : fail(`--${name} takes a duration like 90s, not "${values[name]}"`);
};
const [devices, streams] = [count('devices'), count('streams')];
if (streams > devices || devices > 10_000) fail('give at most 10000 devices, and no more streams than devices');
if (!haveTool('ffmpeg')) fail('ffmpeg makes the clip that the cameras send: install it');

const report = await runLoad({ devices, streams, keepaliveMs: duration('keepalive'), withinMs: duration('within'), forMs: duration('for'), programs: import.meta.dirname, progress: (text) => void process.stderr.write(`${text}\n`) });
const { steady, recovery } = report;
const ms = (value: number): string => `${value.toFixed(0)} ms`;
console.log(`${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}; devices and server share them`);
console.log('\nregistrations, device side (first REGISTER to 200, challenge included)');
console.table(
  Object.fromEntries(report.crowds.map((crowd) => [crowd.when, { devices: crowd.devices, within: ms(crowd.spreadMs), failed: crowd.failed, p50: ms(crowd.p50), p99: ms(crowd.p99), max: ms(crowd.max), 'server p50': `${crowd.serverP50.toFixed(2)} ms`, 'server p99': `${crowd.serverP99.toFixed(2)} ms`, 'the whole crowd': ms(crowd.wholeMs), 'CPU a device': `${crowd.cpuMsPerDevice.toFixed(2)} ms`, 'longest loop': ms(crowd.loopMaxMs), 'machine load': crowd.load.toFixed(1) }])),
);
console.log(`steady: ${steady.seconds.toFixed(0)} s, ${steady.rounds.toFixed(1)} keepalive rounds, machine load ${steady.load.toFixed(1)}`);
console.table({
  'falsely offline': steady.falselyOffline.length,
  'least online': steady.leastOnline,
  'least streaming': steady.leastStreaming,
  'keepalives taken': steady.keepalives,
  'keepalives refused': steady.device.keepalivesRefused,
  'keepalives lost': steady.device.keepalivesLost + steady.cameraKeepalivesMissed,
  retransmissions: steady.device.retransmissions,
  pictures: steady.pictures,
  'RTP packets lost': steady.lostPackets,
  'GOPs not written': steady.droppedGops,
  'server CPU': `${steady.cpuPercent.toFixed(0)} % of a core`,
  'server memory': `${steady.rssMiB.toFixed(0)} MiB`,
  'longest loop': ms(steady.loopMaxMs),
});
console.log(`after the kill: all online in ${(recovery.onlineMs / 1000).toFixed(1)} s, all streaming in ${(recovery.streamingMs / 1000).toFixed(1)} s`);
for (const line of steady.falselyOffline) console.log(`falsely offline: ${line}`);
process.exit(steady.falselyOffline.length > 0 ? 1 : 0);
