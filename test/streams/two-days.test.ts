import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { haveTool } from '../../base/test-tools.js';
import { MediaPipeline } from '../../ingest/media/pipeline.js';
import { parseRtp } from '../../ingest/media/rtp-packet.js';
import { liveCamera, numberOf, Truth, WALL, type Life } from '../../ingest/media/test-life.js';
import { startTestPostgres, type TestPostgres } from '../../storage/catalogue/testing.js';
import { FootageLog } from '../../storage/footage/footage-log.js';

const run = promisify(execFile);
const HOUR = 3_600_000;

/**
 * Two days of one camera with a fast clock, as packets, in simulated time: RTP time wraps three times, PES time once, sequence numbers
 * many times; some packets are lost, some come late or twice; twelve times a day something happens to the camera.
 */
const LIFE: Life = {
  seed: 48, pictures: 48 * 3600, frameMs: 1000, driftPpm: 150, jitterMs: 30, lossPercent: 0.05, reorderPercent: 0.5, duplicatePercent: 0.5,
  incidents: ['restart', 'resolution', 'codec', 'ahead', 'back', 'silence', 'wrap'], inTurn: true, incidentEvery: 7193, sequence: 60_000, timestamp: 2 ** 32 - 90_000_000, pts: 2 ** 33 - 1_800_000_000,
};

describe('two days of a stream', () => {
  let postgres: TestPostgres;
  const folder = mkdtempSync(join(tmpdir(), 'berthwatch-days-'));
  beforeAll(async () => void (postgres = await startTestPostgres()));
  afterAll(async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('stay in order, playable and at their true times, and every gap is known', async () => {
    const log = new FootageLog({ folder, database: await postgres.freshDatabase(), clock: systemClock, logger: silentLogger, segmentMs: 300_000, queueGops: 2_000, idleMs: 3_600_000 });
    await log.start();
    const truth = new Truth();
    let cuts = 0;
    const pipeline = new MediaPipeline({
      cameraId: 'c',
      reorder: true,
      onUnit: (unit) => log.append(unit),
      onEvent: (event) => {
        if (event.type !== 'discontinuity') return;
        cuts++;
        log.discontinuity('c', 'the stream’s clock jumped');
      },
    });
    let count = 0;
    let now = 0;
    for (const { packet, at } of liveCamera(LIFE, truth)) {
      const parsed = parseRtp(packet);
      if (typeof parsed !== 'string') pipeline.push(parsed, (now = at));
      // The disk is given time, as it has in two real days.
      if (++count % 5_000 === 0) while ((log.stats().cameras.get('c')?.queuedGops ?? 0) > 100) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    pipeline.flush(now);
    await log.close();
    const end = (truth.sent.at(-1)?.takenAt as number) + HOUR;
    expect(end - WALL).toBeGreaterThan(48 * HOUR);
    expect(pipeline.stats).toMatchObject({ damages: 0 });
    expect(log.status().droppedGops).toBe(0);

    // Everything is read back and held against the truth.
    const seen = new Uint8Array(truth.sent.length);
    let before = -1;
    let worst = 0;
    let lastPts = -1;
    let units = 0;
    let previousEnd: number | null = null;
    const holes: { from: number; to: number }[] = [];
    for (const gop of await log.gopsBetween('c', 0, end)) {
      if (previousEnd !== null && gop.startedAt - previousEnd > 5_000) holes.push({ from: previousEnd, to: gop.startedAt });
      previousEnd = gop.endedAt;
      for (const unit of await gop.read()) {
        const number = numberOf(unit);
        const sent = truth.sent[number];
        if (!sent || number <= before || unit.pts <= lastPts) throw new Error(`picture ${number} after ${before}`);
        worst = Math.max(worst, Math.abs(unit.capturedAt - sent.takenAt));
        seen[number] = 1;
        before = number;
        lastPts = unit.pts;
        units++;
      }
    }
    expect(worst).toBeLessThanOrEqual(40);
    // A lost packet costs at most its GOP of 25 pictures, an incident the GOP it falls into.
    expect(truth.sent.length - units).toBeLessThanOrEqual(26 * (truth.hit.size + truth.incidents.length + 1));
    expect(units).toBeGreaterThan(truth.sent.length * 0.9);
    expect(cuts).toBeGreaterThanOrEqual(truth.incidents.filter(({ what }) => what === 'ahead' || what === 'back').length / 2);

    // Gaps are rows, exactly where there is nothing.
    const gaps = await log.gaps('c', 0, end);
    const known = gaps.filter((gap) => gap.to !== null).map(({ from, to }) => ({ from, to: to as number }));
    expect(known).toEqual(holes);
    const silences = truth.incidents.filter(({ what }) => what === 'silence');
    expect(silences.length).toBeGreaterThan(0);
    for (const { at } of silences) {
      const moment = truth.sent[at]?.takenAt as number;
      expect(holes.some((hole) => hole.from < moment - 5_000 && hole.to >= moment - 40), `silence before picture ${at}`).toBe(true);
    }

    // Others play what was kept: one segment in each eight hours, and those on both sides of the first incident of each kind.
    if (!haveTool('ffprobe') || !haveTool('ffmpeg')) return;
    const cameras = join(folder, 'cameras', 'c');
    const files = readdirSync(cameras).sort();
    const segments = await log.segments('c', 0, end);
    expect(files).toHaveLength(segments.length);
    expect(new Set(segments.map(({ codec, width }) => `${codec} ${width}`)).size).toBe(3);
    const near = new Set(truth.incidents.slice(0, LIFE.incidents.length).flatMap(({ at }) => segments.flatMap((segment, i) => (Math.abs(segment.startedAt - (truth.sent[at]?.takenAt as number)) < 30_000 ? [i - 1, i] : []))));
    for (let i = 0; i < segments.length; i += 96) near.add(i);
    expect(near.size).toBeGreaterThan(12);
    for (const i of near) {
      if (i < 0) continue;
      const path = join(cameras, files[i] as string);
      const probe = await run('ffprobe', ['-v', 'warning', '-count_packets', '-show_entries', 'stream=nb_read_packets,width,codec_name', '-of', 'json', path]);
      const [stream] = (JSON.parse(probe.stdout) as { streams: { nb_read_packets: string; width: number }[] }).streams;
      expect(`${probe.stderr}${Number(stream?.nb_read_packets)} ${stream?.width}`).toBe(`${segments[i]?.units} ${segments[i]?.width}`);
      const decoded = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', path, '-f', 'null', '-']);
      expect(decoded.stderr, path).toBe('');
    }
  });
});
