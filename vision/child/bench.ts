import { cpus } from 'node:os';
import type { Polygon } from '../../base/geometry.js';
import { silentLogger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { decodeUnits } from '../decode/gop-decoder.js';
import { Eyes } from './eyes.js';
import type { StageTimes } from './protocol.js';

/** What a measurement gives. CPU time is what counts on a busy machine. */
export interface Measured {
  /** Pictures decoded or inferred. */
  cases: number;
  wallMs: number;
  cpuMs: number;
}

/** FOR BENCHMARKS: decodes the keyframes of `units`, each with a fresh decoder as in the product, `rounds` times. */
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

/** FOR BENCHMARKS: everything a child does for the keyframes of `units` (decode included), with the time of each stage. */
export async function measureInference(
  manifestPath: string,
  units: readonly AccessUnit[],
  berths: readonly Polygon[],
  rounds: number,
): Promise<Measured & { stages: StageTimes; vehicles: number; cores: number }> {
  const eyes = await Eyes.open({ manifestPath, threads: 1 }, silentLogger);
  try {
    const keyframes = units.filter((unit) => unit.keyframe);
    const warmUp = keyframes.slice(0, 1);
    if (warmUp[0]) await eyes.examine({ cameraId: 'bench', units: warmUp, frames: [0], regions: berths }, {});
    const stages: StageTimes = {};
    let vehicles = 0;
    const result = await measured(async () => {
      let cases = 0;
      for (let i = 0; i < rounds; i++) {
        for (const unit of keyframes) {
          const { frames } = await eyes.examine({ cameraId: 'bench', units: [unit], frames: [0], regions: berths }, stages);
          vehicles += frames[0]?.observation.vehicles.length ?? 0;
          cases += frames.length;
        }
      }
      return cases;
    });
    return { ...result, stages, vehicles, cores: cpus().length };
  } finally {
    await eyes.close();
  }
}

async function measured(run: () => Promise<number>): Promise<Measured> {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  const cases = await run();
  const used = process.cpuUsage(cpu);
  return { cases, wallMs: performance.now() - wall, cpuMs: (used.user + used.system) / 1000 };
}
