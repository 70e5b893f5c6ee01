import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { systemClock } from '../../../base/clock.js';
import type { Polygon } from '../../../base/geometry.js';
import { silentLogger } from '../../../base/logger.js';
import { program } from '../../../base/program-root.js';
import { sharedData } from '../../../base/test-tools.js';
import type { AccessUnit } from '../../../ingest/access-unit.js';
import { FileSource } from '../../../ingest/file/file-source.js';
import { BenchEyes, processorMs, type FrameCost } from '../../../vision/child/bench.js';
import type { Stage } from '../../../vision/child/protocol.js';
import type { BenchResult, BenchRow, Measured } from '../row.js';

/** What a network of this size takes on the machine for which the limits were set: the yardstick of the others. */
const YARDSTICK_MS = 13;

/** Limits on one core, ms, where YOLOX-nano takes `YARDSTICK_MS`. */
const LIMITS: readonly { stage: Stage; what: string; unit: string; ms: number }[] = [
  { stage: 'detect', what: 'vehicles', unit: 'region', ms: 15 },
  { stage: 'plates', what: 'plate search, both looks', unit: 'vehicle', ms: 4 },
  { stage: 'read', what: 'plate reading', unit: 'plate', ms: 2 },
  { stage: 'attributes', what: 'attributes', unit: 'vehicle', ms: 1.5 },
  { stage: 'berths', what: 'berth state', unit: 'berth', ms: 1.5 },
];
const FOUR_VEHICLES_MS = 45;

/** Each picture is seen so often at least: the least of one or two rounds still holds what other programs added. */
const ROUNDS = 6;

/** All that a vision child does for key frames, stage by stage, for those with four vehicles, and for those that the gate keeps from the models. */
export const inference: BenchRow = {
  name: 'inference',
  async run({ seconds, progress }) {
    const clips = await Promise.all(['day-parallel', 'dusk-angled'].map(scene));
    const yardstick = await Yardstick.open();
    const eyes = await BenchEyes.open(join(program.root, 'models', 'manifest.json'));
    const frames = clips.flatMap(({ keyframes, berths }) => keyframes.map((unit) => ({ unit, berths })));
    const costs: FrameCost[] = [];
    const gated: FrameCost[] = [];
    try {
      progress('inference on key frames, YOLOX-nano between them');
      for (const { keyframes, berths } of clips) await eyes.see(keyframes[0] as AccessUnit, berths);
      await yardstick.run(0);
      yardstick.forget();
      const end = performance.now() + 2 * seconds * 1000;
      for (let round = 0; round < ROUNDS || performance.now() < end; round++) {
        for (const [i, { unit, berths }] of frames.entries()) {
          const { cost, gate } = await eyes.see(unit, berths, null);
          costs[i] = cheaper(costs[i], cost);
          // The same picture again: nothing moved.
          const again = await eyes.see({ ...unit, capturedAt: unit.capturedAt + 1000 }, berths, gate);
          gated[i] = cheaper(gated[i], again.cost);
          await yardstick.run(i);
        }
      }
    } finally {
      await eyes.close();
      await yardstick.close();
    }
    return results(costs, gated.filter((cost) => cost.gated), yardstick);
  },
};

/** The least that each stage of a picture took in any round: what other programs on the machine add is no cost of ours. */
function cheaper(known: FrameCost | undefined, cost: FrameCost): FrameCost {
  if (!known) return cost;
  const stages = { ...cost.stages };
  for (const [stage, { count, ms }] of Object.entries(known.stages) as [Stage, { count: number; ms: number }][]) stages[stage] = { count, ms: Math.min(ms, stages[stage]?.ms ?? ms) };
  return { ...cost, stages, totalMs: Math.min(known.totalMs, cost.totalMs) };
}

function results(costs: readonly FrameCost[], gated: readonly FrameCost[], yardstick: Yardstick): BenchResult[] {
  const reference = yardstick.reference();
  const limit = (ms: number): string => `at most ${ms} ms where YOLOX-nano takes ${YARDSTICK_MS}: a ratio of ${(ms / YARDSTICK_MS).toFixed(2)}`;
  const stages = LIMITS.map(({ stage, what, unit, ms }): BenchResult => {
    const all = costs.flatMap((cost) => cost.stages[stage] ?? []);
    return { what, unit, measured: measuredOf(all.reduce((n, s) => n + s.count, 0), all.reduce((sum, s) => sum + s.ms, 0)), reference, notes: [limit(ms)] };
  });
  const four = costs.filter((cost) => cost.vehicles === 4);
  const perFrame = (of: readonly FrameCost[]): string =>
    (['decode', 'look', ...LIMITS.map(({ stage }) => stage)] as Stage[]).map((stage) => `${stage} ${(of.reduce((sum, cost) => sum + (cost.stages[stage]?.ms ?? 0), 0) / of.length).toFixed(1)}`).join(', ');
  const whole = (of: readonly FrameCost[]): Measured => measuredOf(of.length, of.reduce((sum, cost) => sum + cost.totalMs, 0));
  return [
    ...stages,
    ...(four.length > 0 ? [{ what: 'all of it, four vehicles, decode included', unit: 'key frame', measured: whole(four), reference, notes: [limit(FOUR_VEHICLES_MS), `ms in each stage: ${perFrame(four)}`] }] : []),
    {
      what: 'all of it, as the clips are', unit: 'key frame', measured: whole(costs), reference,
      notes: [`demo clips day-parallel and dusk-angled (1080p, H.264 and H.265), ${(costs.reduce((sum, cost) => sum + cost.vehicles, 0) / costs.length).toFixed(1)} vehicles a frame; ms in each stage: ${perFrame(costs)}`],
    },
    { what: 'gated: decoded and looked at only', unit: 'key frame', measured: whole(gated), reference, notes: ['what a key frame costs in which nothing moved; the reference of all these rows is the network alone, between the key frames, on one thread; everywhere the least of all rounds'] },
  ];
}

/** Stages are known by their processor time alone. */
const measuredOf = (cases: number, cpuMs: number): Measured => ({ cases, cpuMs, wallMs: cpuMs });

interface Scene {
  keyframes: AccessUnit[];
  berths: Polygon[];
}

async function scene(name: string): Promise<Scene> {
  const file = join(program.root, 'test', 'fixtures', 'scenes', `${name}.mp4`);
  const truth = JSON.parse(readFileSync(file.replace('.mp4', '.truth.json'), 'utf8')) as { berths: { polygon: Polygon }[] };
  const keyframes: AccessUnit[] = [];
  const source = new FileSource({ file, cameraId: 'bench', startAt: 1_767_225_600_000, speed: null, clock: systemClock, logger: silentLogger });
  for await (const unit of source.units(new AbortController().signal)) if (unit.keyframe) keyframes.push(unit);
  return { keyframes, berths: truth.berths.map((berth) => berth.polygon) };
}

/** YOLOX-nano at 416×416 on one thread, where its weights are at hand. */
class Yardstick {
  readonly #session: InferenceSession | null;
  readonly #input = new Float32Array(3 * 416 * 416).fill(114);
  #runs: number[] = [];

  private constructor(session: InferenceSession | null) {
    this.#session = session;
  }

  static async open(): Promise<Yardstick> {
    const file = sharedData('teachers/yolox_nano.onnx');
    if (file === null) return new Yardstick(null);
    return new Yardstick(await InferenceSession.create(file, { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', logSeverityLevel: 3 }));
  }

  /** Beside the `i`-th picture; of several rounds the least counts, as of our own stages. */
  async run(i: number): Promise<void> {
    if (!this.#session) return;
    const begin = processorMs();
    const outputs = await this.#session.run({ [this.#session.inputNames[0] as string]: new Tensor('float32', this.#input, [1, 3, 416, 416]) });
    this.#runs[i] = Math.min(processorMs() - begin, this.#runs[i] ?? Infinity);
    for (const output of Object.values(outputs)) output.dispose();
  }

  forget(): void {
    this.#runs = [];
  }

  reference(): BenchResult['reference'] {
    return this.#session ? { what: 'YOLOX-nano 416×416 alone, 1 thread', measured: measuredOf(this.#runs.length, this.#runs.reduce((sum, ms) => sum + ms, 0)) } : { missing: 'teachers/yolox_nano.onnx is not there' };
  }

  async close(): Promise<void> {
    await this.#session?.release();
  }
}
