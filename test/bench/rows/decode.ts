import { measureGopDecode, measureKeyframeDecode } from '../../../vision/child/bench.js';
import { measureFfmpeg } from '../ffmpeg.js';
import type { BenchRow, Measured } from '../row.js';

/** Repeats a measurement of one round until the time is over. */
async function rounds(seconds: number, round: () => Promise<Measured>): Promise<Measured> {
  const total = { cases: 0, wallMs: 0, cpuMs: 0 };
  do {
    const one = await round();
    total.cases += one.cases;
    total.wallMs += one.wallMs;
    total.cpuMs += one.cpuMs;
  } while (total.wallMs < seconds * 1000);
  return total;
}

/** Key frames alone, each with a fresh decoder as in the product. */
export const keyframeDecode: BenchRow = {
  name: 'keyframes',
  async run({ inputs, seconds, progress }) {
    const units = await inputs.units();
    const keyframes = units.filter((unit) => unit.keyframe).length;
    const file = inputs.unitsFile(units.length);
    progress('decode of key frames');
    await measureKeyframeDecode(units, 1);
    const measured = await rounds(seconds, () => measureKeyframeDecode(units, 1));
    progress('reference: ffmpeg -skip_frame nokey');
    const loops = Math.max(0, Math.ceil(measured.cases / keyframes) - 1);
    const reference = await measureFfmpeg(['-threads', '1', '-skip_frame', 'nokey', '-stream_loop', String(loops), '-i', file, '-an', '-fps_mode', 'passthrough', '-f', 'null', '-'], keyframes * (loops + 1));
    return [{ what: 'key frame decode', unit: 'key frame', measured, reference: { what: 'ffmpeg -threads 1 -skip_frame nokey, same file', measured: reference }, notes: [inputs.pictures().what] }];
  },
};

/** Whole GOPs, as where something changed. */
export const gopDecode: BenchRow = {
  name: 'gops',
  async run({ inputs, seconds, progress }) {
    const units = await inputs.units();
    const file = inputs.unitsFile(units.length);
    progress('decode of whole GOPs');
    const measured = await rounds(seconds, () => measureGopDecode(units, 1));
    progress('reference: ffmpeg');
    const loops = Math.max(0, Math.ceil(measured.cases / units.length) - 1);
    const reference = await measureFfmpeg(['-threads', '1', '-stream_loop', String(loops), '-i', file, '-an', '-fps_mode', 'passthrough', '-f', 'null', '-'], units.length * (loops + 1));
    return [{ what: 'GOP decode', unit: 'picture', measured, reference: { what: 'ffmpeg -threads 1, same file', measured: reference }, notes: [inputs.pictures().what] }];
  },
};
