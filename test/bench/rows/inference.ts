import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { program } from '../../../base/program-root.js';
import { sharedData } from '../../../base/test-tools.js';
import type { AccessUnit } from '../../../ingest/access-unit.js';
import { measureInference } from '../../../vision/child/bench.js';
import type { StageTimes } from '../../../vision/child/protocol.js';
import { decodeUnits } from '../../../vision/decode/gop-decoder.js';
import { fillFromBox } from '../../../vision/models/tensor.js';
import { repeatFor, type BenchResult, type BenchRow, type Measured } from '../row.js';

/** YOLOX-nano takes BGR, 0 to 255, letterboxed to 416×416. */
const TEACHER_INPUT = { name: 'images', width: 416, height: 416, channels: 'bgr', layout: 'nchw', scale: 1, mean: [0, 0, 0], std: [1, 1, 1], resize: 'letterbox', padding: 114 } as const;

/** All that a vision child does for a key frame that passed the gate. */
export const inference: BenchRow = {
  name: 'inference',
  async run({ inputs, seconds, progress }) {
    const units = await inputs.units();
    const { berths, what } = inputs.pictures();
    const keyframes = units.filter((unit) => unit.keyframe);
    const manifest = join(program.root, 'models', 'manifest.json');
    progress('inference on key frames');
    const total = { cases: 0, wallMs: 0, cpuMs: 0, vehicles: 0, stages: {} as StageTimes };
    do {
      const one = await measureInference(manifest, keyframes, berths, 1);
      total.cases += one.cases;
      total.wallMs += one.wallMs;
      total.cpuMs += one.cpuMs;
      total.vehicles += one.vehicles;
      for (const [stage, { count, ms }] of Object.entries(one.stages) as [keyof StageTimes, { count: number; ms: number }][]) {
        const known = total.stages[stage] ?? { count: 0, ms: 0 };
        total.stages[stage] = { count: known.count + count, ms: known.ms + ms };
      }
    } while (total.wallMs < seconds * 1000);
    const stages = Object.entries(total.stages).map(([stage, { ms }]) => `${stage} ${(ms / total.cases).toFixed(1)} ms`);
    progress('reference: YOLOX-nano on the same key frames');
    return [
      {
        what: 'inference, all stages',
        unit: 'key frame',
        measured: total,
        reference: await teacher(keyframes, seconds),
        notes: [
          `${what}; ${berths.length} berths; wall time of stages per key frame: ${stages.join(', ')}; ${(total.vehicles / total.cases).toFixed(1)} vehicles seen a frame`,
          'both sides decode the key frame; the reference finds boxes only, on the whole picture shrunk to 416×416, without footprints, plates or attributes',
        ],
      },
    ];
  },
};

async function teacher(keyframes: readonly AccessUnit[], seconds: number): Promise<BenchResult['reference']> {
  const file = sharedData('teachers/yolox_nano.onnx');
  if (file === null) return { missing: 'teachers/yolox_nano.onnx is not there' };
  const session = await InferenceSession.create(file, { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', logSeverityLevel: 3 });
  const { width, height } = TEACHER_INPUT;
  const data = new Float32Array(3 * width * height);
  const input = session.inputNames[0] as string;
  const round = async (): Promise<number> => {
    for (const unit of keyframes) {
      await decodeUnits([unit], [0], ({ picture }) => {
        fillFromBox(data, 0, picture, { x: 0, y: 0, width: picture.width, height: picture.height }, { ...TEACHER_INPUT, mean: [...TEACHER_INPUT.mean], std: [...TEACHER_INPUT.std] });
      });
      const outputs = await session.run({ [input]: new Tensor('float32', data, [1, 3, height, width]) });
      for (const output of Object.values(outputs)) output.dispose();
    }
    return keyframes.length;
  };
  try {
    await round();
    const measured: Measured = await repeatFor(seconds, round);
    return { what: 'decode + YOLOX-nano 416×416, 1 thread', measured };
  } finally {
    await session.release();
  }
}
