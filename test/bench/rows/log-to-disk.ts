import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { FileSource } from '../../../ingest/file/file-source.js';
import type { AccessUnit } from '../../../ingest/access-unit.js';
import { startTestPostgres } from '../../../storage/catalogue/testing.js';
import { nodeDisk, type Disk, type DiskFile } from '../../../storage/footage/disk.js';
import { FootageLog } from '../../../storage/footage/footage-log.js';
import { measureFfmpeg } from '../ffmpeg.js';
import type { BenchContext, BenchResult, BenchRow, Measured } from '../row.js';

const CAMERAS = 100;
const SECONDS = 60;
const FRAME_MS = 40;
/** Streams of the reference: one ffmpeg with more inputs does not keep their pace on two cores. */
const REFERENCE_STREAMS = 20;
const REFERENCE_SECONDS = 20;
const MOST_CATCH_UP_MS = 2_000;

/** The footage log alone, at the size that is promised: a hundred cameras of 4 Mb/s for a minute, whatever `--seconds` says, each GOP flushed. */
export const logToDisk: BenchRow = {
  name: 'footage',
  async run(context) {
    const clip = context.inputs.stream();
    const units = await read(clip.file);
    context.progress(`footage: ${CAMERAS} cameras for ${SECONDS} s`);
    const { measured, notes } = await record(units);
    context.progress(`footage: reference, ${REFERENCE_STREAMS} streams segmented by ffmpeg`);
    const reference = await segmentByFfmpeg(context, clip.file);
    const result: BenchResult = {
      what: `log ${CAMERAS} cameras of 4 Mb/s to disk`,
      unit: 'camera-second',
      measured,
      reference: { what: `ffmpeg -c copy -f segment, ${REFERENCE_STREAMS} streams, no flush, no hash`, measured: reference },
      notes: [...notes, `${((measured.cpuMs / measured.wallMs) * 100).toFixed(0)} % of a core for all; the reference reads files at the streams’ pace and leaves writing to the kernel (${clip.what})`],
    };
    return [result];
  },
};

async function read(file: string): Promise<AccessUnit[]> {
  const units: AccessUnit[] = [];
  const source = new FileSource({ file, cameraId: 'bench', startAt: 0, speed: null, clock: systemClock, logger: silentLogger });
  for await (const unit of source.units(new AbortController().signal)) units.push(unit);
  return units;
}

/** The disk, with a note of how long each flush took. */
function timed(flushes: number[]): Disk {
  return {
    ...nodeDisk,
    async create(path): Promise<DiskFile> {
      const file = await nodeDisk.create(path);
      return {
        write: (bytes, position) => file.write(bytes, position),
        flush: async () => {
          const began = performance.now();
          await file.flush();
          flushes.push(performance.now() - began);
        },
        named: () => file.named(),
        truncate: (size) => file.truncate(size),
        close: () => file.close(),
      };
    },
  };
}

async function record(units: readonly AccessUnit[]): Promise<{ measured: Measured; notes: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'berthwatch-bench-footage-'));
  const postgres = await startTestPostgres();
  const flushes: number[] = [];
  try {
    const log = new FootageLog({ folder, database: await postgres.freshDatabase(), clock: systemClock, logger: silentLogger, disk: timed(flushes) });
    await log.start();
    const stop = new AbortController();
    const delays: number[] = [];
    const appended = new Map<string, number>();
    for (let i = 0; i < 5; i++) void durable(log, `camera-${i * 20}`, appended, delays, stop.signal);
    const io = processIo();
    const cpu = process.cpuUsage();
    const began = performance.now();
    const { behindMs, mostMemory } = await feed(log, units, appended);
    const used = process.cpuUsage(cpu);
    const wallMs = performance.now() - began;
    const written = processIo();
    const payload = [...log.stats().cameras.values()].reduce((sum, camera) => sum + camera.bytes, 0);
    const { droppedGops } = log.status();
    stop.abort();
    await log.close();
    const sorted = [...flushes].sort((a, b) => a - b);
    const late = [...delays].sort((a, b) => a - b);
    const at = (values: readonly number[], share: number): string => `${(values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0).toFixed(0)} ms`;
    return {
      measured: { cases: (CAMERAS * wallMs) / 1000, wallMs, cpuMs: (used.user + used.system) / 1000 },
      notes: [
        `${((payload * 8) / wallMs / 1000).toFixed(0)} Mb/s written, ${droppedGops} GOPs dropped, memory at most ${(mostMemory / 1e6).toFixed(0)} MB resident${behindMs > MOST_CATCH_UP_MS ? `; THE CAMERAS WERE ${(behindMs / 1000).toFixed(1)} s BEHIND on this busy machine` : ''}`,
        `${flushes.length} flushes: median ${at(sorted, 0.5)}, p99 ${at(sorted, 0.99)}, most ${at(sorted, 1)}; from the last picture of a GOP until it can be read: median ${at(late, 0.5)}, p99 ${at(late, 0.99)}`,
        written === null || io === null ? 'no /proc/self/io here: write amplification is not known' : `write amplification ${((written - io) / payload).toFixed(3)} (bytes sent to the disk by this process, by those of the segments)`,
      ],
    };
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Appends what is due, as so many cameras would send it, whose key frames are spread over the second. */
async function feed(log: FootageLog, units: readonly AccessUnit[], appended: Map<string, number>): Promise<{ behindMs: number; mostMemory: number }> {
  const began = performance.now();
  const startAt = Date.now();
  const pictures = (SECONDS * 1000) / FRAME_MS;
  let behindMs = 0;
  let mostMemory = 0;
  for (let picture = 0; picture < pictures; picture++) {
    const due = picture * FRAME_MS;
    const wait = due - (performance.now() - began);
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    behindMs = Math.max(behindMs, performance.now() - began - due);
    if (picture % 25 === 0) mostMemory = Math.max(mostMemory, process.memoryUsage.rss());
    for (let i = 0; i < CAMERAS; i++) {
      const at = picture - Math.floor((i * 25) / CAMERAS);
      const unit = units[((at % units.length) + units.length) % units.length];
      if (at < 0 || !unit) continue;
      const cameraId = `camera-${i}`;
      log.append({ ...unit, cameraId, pts: (at + 1) * FRAME_MS * 90, capturedAt: startAt + due });
      if (unit.keyframe) appended.set(`${cameraId}/${startAt + due}`, performance.now());
    }
  }
  return { behindMs, mostMemory };
}

/** How long after its last picture a GOP can be read: until the next key frame says that it is complete, and it is flushed. */
async function durable(log: FootageLog, cameraId: string, appended: ReadonlyMap<string, number>, delays: number[], signal: AbortSignal): Promise<void> {
  for await (const gop of log.follow(cameraId, null, signal)) {
    const complete = appended.get(`${cameraId}/${gop.endedAt + FRAME_MS}`);
    if (complete !== undefined) delays.push(performance.now() - complete);
  }
}

/** Bytes that this process made the kernel write; null where that is not told. */
function processIo(): number | null {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return null;
  }
}

async function segmentByFfmpeg(context: BenchContext, clip: string): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'berthwatch-bench-ffmpeg-'));
  try {
    const inputs = Array.from({ length: REFERENCE_STREAMS }, () => ['-re', '-stream_loop', '-1', '-i', clip]).flat();
    const outputs = Array.from({ length: REFERENCE_STREAMS }, (_, i) => [
      '-map', String(i), '-t', String(REFERENCE_SECONDS), '-c', 'copy', '-f', 'segment', '-segment_time', '60', '-segment_format_options', 'movflags=frag_keyframe+empty_moov', join(folder, `${i}-%03d.mp4`),
    ]).flat();
    return await measureFfmpeg([...inputs, ...outputs], REFERENCE_STREAMS * REFERENCE_SECONDS);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    context.progress('footage: done');
  }
}
