import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { program } from '../../base/program-root.js';
import { hasProgram } from '../simulators/camera/testing/clips.js';
import { runLoad } from './run.js';

/** The short form of `npm run load`. Times depend on the machine and are printed, not judged. */
const programs = join(program.root, 'dist', 'test', 'load');
const built = existsSync(join(programs, 'server.js'));
if (!built) process.stderr.write('skipping the load test: the project is not built (npm run build:server)\n');

it.skipIf(!built || !hasProgram('ffmpeg'))('a hundred devices stay online while ten stream, and all come back at once after the server was killed', async () => {
  const { crowds, steady, recovery } = await runLoad({ devices: 100, streams: 10, keepaliveMs: 3_000, withinMs: 200, forMs: 11_000, programs, progress: (text) => void process.stderr.write(`load: ${text}\n`) });
  expect(crowds.map(({ devices, failed }) => ({ devices, failed }))).toEqual(crowds.map(() => ({ devices: 90, failed: 0 })));
  expect(crowds).toHaveLength(4);
  for (const { serverP99 } of crowds) expect(serverP99).toBeGreaterThan(0);
  expect(steady.rounds).toBeGreaterThan(3);
  expect(steady).toMatchObject({ falselyOffline: [], leastOnline: 100, leastStreaming: 10, droppedGops: 0 });
  expect(steady.keepalives).toBeGreaterThan(3 * 90);
  expect(steady.device).toMatchObject({ keepalivesRefused: 0, keepalivesLost: 0, registrationsFailed: 0 });
  expect(steady.pictures).toBeGreaterThan(10 * 50);
  expect(recovery.streamingMs).toBeGreaterThan(0);
});
