import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { MediaReceiver } from '../../../ingest/media/media-receiver.js';
import { startTestPostgres } from '../../../storage/catalogue/testing.js';
import { FootageLog } from '../../../storage/footage/footage-log.js';
import { measureFfmpeg } from '../ffmpeg.js';
import { programStream } from '../program-stream.js';
import type { BenchContext, BenchResult, BenchRow, Measured } from '../row.js';

const SETUPS = [
  { transport: 'udp', cameras: 1 },
  { transport: 'udp', cameras: 20 },
  { transport: 'tcp-passive', cameras: 1 },
  { transport: 'tcp-passive', cameras: 20 },
  { transport: 'tcp-passive', cameras: 20, sound: true },
] as const;

/** Until connections stand, caches are warm and the engine has compiled what runs. */
const WARM_UP_MS = 4_000;
const FIRST_SSRC = 200_000_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * What a camera costs before anybody looks at it: sockets, RTP, program stream, access units, footage log with a flush for
 * each GOP. Real sockets on loopback; the cameras are another process.
 */
export const receiveAndLog: BenchRow = {
  name: 'receive',
  async run(context) {
    const results: BenchResult[] = [];
    const clip = context.inputs.stream();
    for (const setup of SETUPS) {
      const sound = 'sound' in setup;
      context.progress(`receive and log: ${setup.cameras} × ${setup.transport}${sound ? ' with sound' : ''}`);
      const { measured, notes } = await measure(context, clip.file, setup.transport, setup.cameras, sound);
      context.progress('reference: ffmpeg at the camera’s pace');
      results.push({
        what: `receive + log, ${setup.transport}, ${setup.cameras} camera${setup.cameras > 1 ? 's' : ''}${sound ? ' with G.711' : ''}`,
        unit: 'camera-second',
        measured,
        reference: { what: 'ffmpeg -re, PS file to fMP4 file, one stream', measured: await remuxAtPace(context, clip.file) },
        notes: [`${((measured.cpuMs / measured.cases / 1000) * 100).toFixed(2)} % of a core per camera (${clip.what})`, ...notes],
      });
    }
    return results;
  },
};

async function measure(context: BenchContext, clip: string, transport: 'udp' | 'tcp-passive', cameras: number, sound: boolean): Promise<{ measured: Measured; notes: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'berthwatch-bench-'));
  const postgres = await startTestPostgres();
  const database = await postgres.freshDatabase();
  const log = new FootageLog({ folder: join(folder, 'footage'), database, clock: systemClock, logger: silentLogger });
  const receivers: MediaReceiver[] = [];
  let units = 0;
  let bytes = 0;
  try {
    await log.start();
    const streams: { port: number; ssrc: number }[] = [];
    for (let i = 0; i < cameras; i++) {
      const ssrc = FIRST_SSRC + i;
      const receiver = new MediaReceiver({
        host: '127.0.0.1',
        ports: 0,
        transport,
        cameraId: `camera-${i}`,
        expectedSsrc: ssrc,
        strictSsrc: true,
        clock: systemClock,
        logger: silentLogger,
        firstPacketTimeoutMs: 30_000,
        silenceTimeoutMs: 30_000,
        onUnit: (unit) => {
          units++;
          bytes += unit.data.length;
          log.append(unit);
        },
        onAudio: sound ? (unit) => log.appendAudio(unit) : undefined,
        onEvent: () => undefined,
      });
      receivers.push(receiver);
      const { port } = await receiver.start();
      receiver.agree({ ssrc, peerHost: '127.0.0.1' });
      streams.push({ port, ssrc });
    }
    const sender = fork(new URL('../sending.js', import.meta.url), [JSON.stringify({ clip, transport, streams, sound })], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
    try {
      await Promise.race([
        pause(WARM_UP_MS),
        new Promise((_resolve, reject) => sender.once('exit', (code) => reject(new Error(`the sending process ended with ${code}`)))),
      ]);
      const before = { units, bytes: logged(log) };
      const receivedBefore = bytes;
      const wall = performance.now();
      const cpu = process.cpuUsage();
      await pause(context.seconds * 1000);
      const used = process.cpuUsage(cpu);
      const wallMs = performance.now() - wall;
      const bytesReceived = bytes - receivedBefore;
      const stats = receivers.map((receiver) => receiver.stats());
      const rate = (logged(log) - before.bytes) / (wallMs / 1000) / cameras;
      const expected = cameras * (wallMs / 40);
      return {
        measured: { cases: (cameras * wallMs) / 1000, wallMs, cpuMs: (used.user + used.system) / 1000 },
        notes: [
          ...(logged(log) - before.bytes < bytesReceived * 0.9 ? ['THE DISK LAGGED BEHIND on this busy machine: a part of the writing is not in the figure'] : []),
          `${units - before.units} of about ${expected.toFixed(0)} pictures arrived, ${stats.reduce((sum, s) => sum + s.lostPackets, 0)} packets lost, ${log.status().droppedGops} GOPs dropped, ${((rate * 8) / 1e6).toFixed(2)} Mb/s a camera written`,
        ],
      };
    } finally {
      sender.removeAllListeners('exit');
      const ended = new Promise((resolve) => sender.once('exit', resolve));
      if (sender.connected) sender.disconnect();
      if (sender.exitCode === null) await ended;
    }
  } finally {
    await Promise.all(receivers.map((receiver) => receiver.close()));
    await log.close();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const logged = (log: FootageLog): number => [...log.stats().cameras.values()].reduce((sum, camera) => sum + camera.bytes, 0);

async function remuxAtPace(context: BenchContext, clip: string): Promise<Measured> {
  const seconds = Math.max(5, Math.min(10, Math.round(context.seconds)));
  const stream = programStream(context.inputs, clip, 1);
  const output = context.inputs.path(`remuxed-${process.pid}.mp4`);
  try {
    return await measureFfmpeg(['-re', '-f', 'mpeg', '-i', stream.file, '-t', String(seconds), '-c', 'copy', '-f', 'mp4', '-movflags', 'frag_keyframe+empty_moov', output], seconds);
  } finally {
    rmSync(output, { force: true });
  }
}
