import type { Polygon } from '../../base/geometry.js';
import { silentLogger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { decodeUnits } from '../decode/gop-decoder.js';
import type { GateState } from '../gate/gate.js';
import { isMotor } from '../models/nms.js';
import { Eyes } from './eyes.js';
import type { StageTimes } from './protocol.js';

/** What a measurement gives. CPU time is what counts on a busy machine. */
export interface Measured {
  /** Pictures decoded or inferred. */
  cases: number;
  wallMs: number;
  cpuMs: number;
}

/** FOR BENCHMARKS: decodes the keyframes of `units`, each with a fresh decoder as in the product and with its loop filters, as for pictures that people see, `rounds` times. */
export async function measureKeyframeDecode(units: readonly AccessUnit[], rounds: number): Promise<Measured> {
  const keyframes = units.filter((unit) => unit.keyframe);
  return measured(async () => {
    let cases = 0;
    for (let i = 0; i < rounds; i++) {
      for (const unit of keyframes) await decodeUnits([unit], [0], () => void cases++);
    }
    return cases;
  });
}

/** FOR BENCHMARKS: decodes every picture of `units`, `rounds` times. */
export async function measureGopDecode(units: readonly AccessUnit[], rounds: number): Promise<Measured> {
  const all = units.map((_, i) => i);
  return measured(async () => {
    let cases = 0;
    for (let i = 0; i < rounds; i++) await decodeUnits(units, all, () => void cases++);
    return cases;
  });
}

/** What one key frame took, processor time in ms. */
export interface FrameCost {
  vehicles: number;
  gated: boolean;
  stages: StageTimes;
  totalMs: number;
}

/** A vision child's work in this process, one key frame at a time, timed by the processor time of all its threads. */
export class BenchEyes {
  readonly #eyes: Eyes;

  private constructor(eyes: Eyes) {
    this.#eyes = eyes;
  }

  static async open(manifestPath: string): Promise<BenchEyes> {
    return new BenchEyes(await Eyes.open({ manifestPath, threads: 1 }, silentLogger, processorMs));
  }

  /** Sees a key frame, decoding included; `gate` as in a request: with a memory in which nothing moved the models do not run. */
  async see(unit: AccessUnit, berths: readonly Polygon[], gate?: GateState | null): Promise<{ cost: FrameCost; gate: GateState | null }> {
    const stages: StageTimes = {};
    const begin = processorMs();
    const { frames, gate: after } = await this.#eyes.examine({ cameraId: 'bench', units: [unit], frames: [0], regions: berths, ...(gate === undefined ? {} : { gate }) }, stages);
    const totalMs = processorMs() - begin;
    const [frame] = frames;
    const motor = frame?.observation.vehicles.filter(isMotor).length ?? 0;
    return { cost: { vehicles: motor, gated: frame?.reason === null, stages, totalMs }, gate: after };
  }

  close(): Promise<void> {
    return this.#eyes.close();
  }
}

/** User and system time of this process so far. */
export function processorMs(): number {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1000;
}

async function measured(run: () => Promise<number>): Promise<Measured> {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  const cases = await run();
  const used = process.cpuUsage(cpu);
  return { cases, wallMs: performance.now() - wall, cpuMs: (used.user + used.system) / 1000 };
}
