import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import { mutations, seededRandom } from '../../base/fuzz-target.js';
import { silentLogger, type Logger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { decodeUnits } from '../decode/gop-decoder.js';
import { toRgb } from '../decode/picture.js';
import { scaleRegion } from '../decode/scale.js';
import { lookAt } from '../health/look.js';
import { clip, CLIP_START, tinyManifest } from '../fixtures/clips.js';
import type { Polygon } from '../../base/geometry.js';
import { residentBytes } from './supervised-child.js';
import { VisionPool, type VisionPoolOptions } from './pool.js';

const berth: Polygon = [[20, 50], [100, 50], [100, 100], [20, 100]];
let pools: VisionPool[] = [];

function makePool(over: Partial<VisionPoolOptions> = {}): VisionPool {
  const pool = new VisionPool({ manifestPath: tinyManifest, children: 1, threads: 1, memoryLimitBytes: 4 * 1024 ** 3, logger: silentLogger, clock: systemClock, ...over });
  pools.push(pool);
  pool.start();
  return pool;
}

afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
  pools = [];
});

describe('VisionPool with its real child', () => {
  // One child for all: starting it from sources costs seconds on a busy machine.
  let pool: VisionPool;
  beforeAll(() => {
    pool = makePool();
    pools = [];
    return pool.ready();
  });
  afterAll(() => pool.close());

  it('sees vehicles, plates and attributes, the same to the last bit each time', async () => {
    const before = pool.metrics();
    const request = { cameraId: 'camera-1', units: clip('red'), frames: [0, 3], regions: [berth] };
    const first = await pool.analyse(request);
    expect(first).toHaveLength(2);
    expect(first[0]).toMatchObject({ cameraId: 'camera-1', capturedAt: CLIP_START, width: 192, height: 128, basis: 'inferred' });
    expect(first[1]?.capturedAt).toBe(CLIP_START + 600);
    const vehicle = first[0]?.vehicles[0];
    expect(first[0]?.vehicles).toHaveLength(1);
    expect(vehicle).toMatchObject({ class: 'car', type: 'medium', bodyColour: 'red', trackId: 0 });
    expect(vehicle?.footprint).toHaveLength(4);
    expect(vehicle?.plate).toMatchObject({ text: '鲁B1123', colour: 'green', rows: 1 });
    expect(vehicle?.plate?.characterConfidences).toHaveLength(6);
    expect(await pool.analyse(request)).toEqual(first);
    // Another camera in between changes nothing.
    await pool.analyse({ cameraId: 'camera-2', units: clip('pattern-h265'), frames: [7], regions: [] });
    expect(await pool.analyse(request)).toEqual(first);
    expect(before).toMatchObject({ requests: 0, stages: {} });
    expect(pool.metrics()).toMatchObject({ requests: 4, failures: 0, frames: { inferred: 7, gated: 0, missing: 0 } });
    expect(pool.metrics().stages.decode?.count).toBe(7);
    expect(pool.metrics().stages.detect?.ms).toBeGreaterThan(0);
    expect(pool.status().children[0]).toMatchObject({ condition: 'idle', restarts: 0 });
    expect(pool.status().children[0]?.models.map((m) => m.task)).toEqual(['vehicles', 'plates', 'plate-reader', 'attributes']);
  });

  it('gives stills as RGB and JPEG', async () => {
    const units = clip('red');
    const rgb = await pool.still({ cameraId: 'camera-1', units, frame: 2, format: 'rgb' });
    expect(rgb).toMatchObject({ width: 192, height: 128, capturedAt: CLIP_START + 400, damaged: false });
    expect(rgb.data).toHaveLength(192 * 128 * 3);
    const jpeg = await pool.still({ cameraId: 'camera-1', units, frame: 2, format: 'jpeg', quality: 90 });
    expect([...jpeg.data.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
    const again = await pool.still({ cameraId: 'camera-1', units, frame: 2, format: 'jpeg', quality: 90 });
    expect(Buffer.compare(again.data, jpeg.data)).toBe(0);
  });

  it('looks at a key frame alone without its loop filters, and gives stills of it with them', async () => {
    const units = clip('pattern-h264');
    const seen = new Map<boolean, { checksum: number; rgb: Uint8Array }>();
    for (const fast of [true, false]) {
      await decodeUnits(units, [0], ({ picture }) => {
        const { width, height } = picture;
        const rgb = toRgb(scaleRegion(picture, { x: 0, y: 0, width, height }, width, height), picture.matrix, picture.fullRange);
        seen.set(fast, { checksum: lookAt(picture, [], true).checksum as number, rgb });
      }, { fast });
    }
    expect(seen.get(true)?.checksum).not.toBe(seen.get(false)?.checksum);
    const { frames } = await pool.examine({ cameraId: 'c', units, frames: [0], regions: [berth] });
    expect(frames[0]?.look.checksum).toBe(seen.get(true)?.checksum);
    const still = await pool.still({ cameraId: 'c', units, frame: 0, format: 'rgb' });
    expect(Buffer.compare(still.data, seen.get(false)?.rgb as Uint8Array)).toBe(0);
  });

  it('leaves out frames without a picture, and fails where none has one', async () => {
    const units = clip('pattern-h264').slice(3);
    const { frames, missing } = await pool.examine({ cameraId: 'c', units, frames: [4, 0], regions: [berth] });
    expect(frames.map((f) => f.index)).toEqual([4]);
    expect(missing).toEqual([0]);
    await expect(pool.analyse({ cameraId: 'c', units, frames: [0], regions: [berth] })).rejects.toMatchObject({ kind: 'bad-input', code: 'VISION_UNDECODABLE' });
    await expect(pool.still({ cameraId: 'c', units, frame: 0, format: 'rgb' })).rejects.toMatchObject({ kind: 'bad-input', code: 'VISION_UNDECODABLE' });
    await expect(pool.analyse({ cameraId: 'c', units, frames: [99], regions: [] })).rejects.toMatchObject({ kind: 'bad-input', code: 'VISION_FRAME_INDEX' });
    // The child lives on.
    expect(await pool.analyse({ cameraId: 'c', units, frames: [3], regions: [berth] })).toHaveLength(1);
    expect(pool.metrics().restarts).toBe(0);
  });

  it('does not infer again what has not changed', async () => {
    const before = pool.metrics();
    const red = clip('red')[0] as AccessUnit;
    const at = (ms: number, unit = red): AccessUnit => ({ ...unit, capturedAt: CLIP_START + ms });
    const first = await pool.examine({ cameraId: 'c', units: [at(0)], frames: [0], regions: [berth], gate: null });
    expect(first.frames[0]?.reason).toBe('first');
    const second = await pool.examine({ cameraId: 'c', units: [at(2000)], frames: [0], regions: [berth], gate: first.gate });
    expect(second.frames[0]).toMatchObject({ reason: null, observation: { basis: 'gated', capturedAt: CLIP_START + 2000 } });
    expect(second.frames[0]?.observation.vehicles).toEqual(first.frames[0]?.observation.vehicles);
    const stale = await pool.examine({ cameraId: 'c', units: [at(30_000)], frames: [0], regions: [berth], gate: second.gate });
    expect(stale.frames[0]?.reason).toBe('stale');
    const changed = await pool.examine({ cameraId: 'c', units: [at(32_000, clip('pattern-h264')[0])], frames: [0], regions: [berth], gate: stale.gate });
    expect(changed.frames[0]).toMatchObject({ reason: 'changed', observation: { basis: 'inferred' } });
    const { frames } = pool.metrics();
    expect({ inferred: frames.inferred - before.frames.inferred, gated: frames.gated - before.frames.gated }).toEqual({ inferred: 3, gated: 1 });
  });

  it('survives hostile pictures: every request is answered, memory stays bounded', async () => {
    const names = ['pattern-h264', 'pattern-h265', 'bframes-h264', 'main10-h265', 'red'] as const;
    const corpus = names.flatMap((name) => clip(name).map((unit) => ({ name, unit })));
    const random = seededRandom(20_260);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const streams = new Map(names.map((name) => [name, mutations(corpus.filter((c) => c.name === name).map((c) => c.unit.data), 7)]));
    let answered = 0;
    const rss = (): number => residentBytes(pool.status().children[0]?.pid ?? undefined) ?? 0;
    const before = rss();
    for (let i = 0; i < 250; i++) {
      const name = pick(names);
      const units = clip(name).slice(0, 4).map((unit, k) => (random() < 0.6 ? { ...unit, keyframe: k === 0 || random() < 0.3, data: streams.get(name)!.next().value } : unit));
      const result = await pool.examine({ cameraId: 'c', units, frames: units.map((_, k) => k), regions: [berth] }).catch((error: unknown) => error);
      if (!(result instanceof Error)) answered += 1;
      else expect(result).toBeInstanceOf(BerthwatchError);
    }
    expect(answered).toBeGreaterThan(200);
    expect(rss() - before).toBeLessThan(300 * 1024 ** 2);
    expect(pool.metrics().restarts).toBe(0);
    expect(await pool.analyse({ cameraId: 'c', units: clip('red'), frames: [0], regions: [berth] })).toHaveLength(1);
  });

  it('says why it cannot start, and refuses requests meanwhile', async () => {
    const broken = makePool({ manifestPath: '/nonexistent/manifest.json' });
    const waiting = broken.analyse({ cameraId: 'c', units: clip('red'), frames: [0], regions: [] }).catch((error: unknown) => error);
    await expect(broken.ready()).rejects.toMatchObject({ kind: 'not-found', message: expect.stringContaining('/nonexistent/manifest.json') as string });
    expect(await waiting).toMatchObject({ kind: 'unavailable', code: 'VISION_DOWN' });
  });
});

/** Children that misbehave on command: plain JavaScript put in the real child's place. */
describe('supervision', () => {
  let folder: string;
  let entry: VisionPoolOptions['entry'];
  const logged: string[] = [];
  const logger: Logger = { ...silentLogger, error: (facts, message) => void logged.push(`${message} ${JSON.stringify(facts)}`), child: () => logger };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'bw-vision-child-'));
    const file = path.join(folder, 'rogue.mjs');
    await writeFile(
      file,
      `import { existsSync, writeFileSync } from 'node:fs';
let hoard = [];
process.on('message', (m) => {
  if (m.type === 'start') { if (m.options.manifestPath !== 'silent') process.send({ type: 'ready', models: [] }); return; }
  if (m.type === 'ping') { if (!globalThis.deaf) process.send({ type: 'pong', id: m.id, rssBytes: process.memoryUsage.rss() }); return; }
  if (m.type === 'stop') { if (!globalThis.stubborn) process.exit(0); return; }
  const order = m.request.cameraId;
  const done = () => process.send({ type: 'examined', id: m.id, examination: { frames: [], missing: [], gate: null }, times: {} });
  if (order === 'segv') process.kill(process.pid, 'SIGSEGV');
  else if (order.startsWith('segv-once:')) { const mark = order.slice(10); if (existsSync(mark)) done(); else { writeFileSync(mark, ''); process.kill(process.pid, 'SIGSEGV'); } }
  else if (order === 'hang') { for (;;); }
  else if (order === 'deaf') { globalThis.deaf = true; done(); }
  else if (order === 'stubborn') { globalThis.stubborn = true; done(); }
  else if (order === 'hoard') { for (let i = 0; i < 40; i++) hoard.push(Buffer.alloc(8 << 20, 1)); done(); }
  else done();
});
process.on('disconnect', () => process.exit(0));
`,
    );
    entry = { file: pathToFileURL(file), execArgv: [] };
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const ask = (pool: VisionPool, order: string): Promise<unknown> => pool.examine({ cameraId: order, units: [], frames: [], regions: [] });
  const quick = { restartFirstMs: 20, restartMostMs: 200 };

  it('survives a crash in native code: the request is tried once more, then refused as retryable', async () => {
    const pool = makePool({ entry: entry!, logger, supervision: quick });
    await expect(ask(pool, 'segv')).rejects.toMatchObject({ kind: 'unavailable', code: 'VISION_CHILD_DIED', retryable: true });
    expect(pool.metrics().restarts).toBe(2);
    await expect(ask(pool, 'fine')).resolves.toBeDefined();
    expect(logged.some((line) => line.includes('SIGSEGV'))).toBe(true);
  });

  it('gives a request whose child died of something else to the next child', async () => {
    const pool = makePool({ entry: entry!, supervision: quick });
    await expect(ask(pool, `segv-once:${path.join(folder, 'mark')}`)).resolves.toBeDefined();
    expect(pool.metrics()).toMatchObject({ restarts: 1, failures: 0 });
  });

  it('lets other requests through while one child is down', async () => {
    const pool = makePool({ entry: entry!, children: 2, supervision: quick });
    const bad = ask(pool, 'segv').catch((error: unknown) => error);
    const good = await Promise.all(Array.from({ length: 10 }, () => ask(pool, 'fine')));
    expect(good).toHaveLength(10);
    expect(await bad).toMatchObject({ code: 'VISION_CHILD_DIED' });
  });

  it('kills a child that hangs in a request', async () => {
    const pool = makePool({ entry: entry!, supervision: { ...quick, requestDeadlineMs: 300 } });
    await pool.ready();
    await expect(ask(pool, 'hang')).rejects.toMatchObject({ code: 'VISION_CHILD_DIED', message: expect.stringContaining('300 ms') as string });
  });

  it('restarts a child over its memory limit', async () => {
    const pool = makePool({ entry: entry!, supervision: { ...quick, pingEveryMs: 40 }, memoryLimitBytes: 250 * 1024 ** 2 });
    await ask(pool, 'hoard').catch(() => undefined);
    await until(() => pool.metrics().restarts >= 1);
    expect(pool.status().children[0]?.lastFailure).toMatch(/over its limit of 250 MiB/);
    await expect(ask(pool, 'fine')).resolves.toBeDefined();
  });

  it('restarts a child that does not answer pings', async () => {
    const pool = makePool({ entry: entry!, supervision: { ...quick, pingEveryMs: 100 } });
    await ask(pool, 'deaf');
    await until(() => pool.metrics().restarts >= 1);
    expect(pool.status().children[0]?.lastFailure).toMatch(/ping/);
  });

  it('gives up on a child that never gets ready', async () => {
    const pool = makePool({ entry: entry!, manifestPath: 'silent', supervision: { ...quick, startDeadlineMs: 200 } });
    await expect(pool.ready()).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('stops a stubborn child by force, and refuses what comes after', async () => {
    const pool = makePool({ entry: entry!, supervision: { ...quick, stopDeadlineMs: 150 } });
    await ask(pool, 'stubborn');
    const { pid } = pool.status().children[0] as { pid: number };
    await pool.close();
    expect(() => process.kill(pid, 0)).toThrow();
    await expect(ask(pool, 'fine')).rejects.toMatchObject({ code: 'VISION_CLOSED' });
  });

  it('refuses more than may wait', async () => {
    const pool = makePool({ entry: entry!, maxWaiting: 3, supervision: quick });
    const asked = Array.from({ length: 12 }, () => ask(pool, 'fine').catch((error: unknown) => error));
    const refused = (await Promise.all(asked)).filter((r) => r instanceof Error);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ kind: 'unavailable', code: 'VISION_OVERLOAD' });
    expect(pool.metrics().refused).toBe(refused.length);
  });
});

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(condition()).toBe(true);
}
