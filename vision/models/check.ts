import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { InferenceSession } from 'onnxruntime-node';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { seededRandom } from '../../base/fuzz-target.js';
import { silentLogger } from '../../base/logger.js';
import { readCharset, readManifest, readModelFile, type ModelEntry } from './manifest.js';
import { halfInput } from './near-look.js';
import { nearInput } from './plate-finder.js';
import { ModelSession, type Output } from './session.js';
import { shapedInput } from './sized-run.js';
import { decodeYolox } from './yolox.js';

/** What `berthwatch models check` found out about one model. */
export interface ModelCheck {
  id: string;
  task: string;
  file: string;
  /** What is wrong, a sentence each, with what to do; empty: it can be used. */
  problems: string[];
  /** Processor time for one picture on one core, ms, the least of a few; null where it does not run. */
  ms: number | null;
}

/** A tensor of a network as its file declares it. */
export interface TensorShape {
  name: string;
  type: string;
  shape: (number | string)[];
}

/** What a bare ONNX file offers, and which families of the manifest it could be an instance of. */
export interface NetworkDescription {
  sha256: string;
  inputs: TensorShape[];
  outputs: TensorShape[];
  families: string[];
}

const RUNS = 5;
/** Sums of softmaxes in 32-bit and 16-bit arithmetic. */
const SUM_TOLERANCE = 0.02;

/**
 * Checks every model of a manifest by itself: file, hash, names, shapes, and what comes out for a grey and a noisy picture.
 * @throws BerthwatchError where the manifest itself cannot be read
 */
export async function checkManifest(manifestPath: string): Promise<ModelCheck[]> {
  const manifest = await readManifest(manifestPath);
  const checks: ModelCheck[] = [];
  for (const model of manifest.models) {
    const check: ModelCheck = { id: model.id, task: model.task, file: model.file, problems: [], ms: null };
    checks.push(check);
    try {
      const charset = model.task === 'plate-reader' ? (await readCharset(manifestPath, model)).length : 0;
      const session = await ModelSession.open(model, await readModelFile(manifestPath, model), { threads: 1, logger: silentLogger });
      try {
        check.ms = await tryOut(session, charset, check.problems);
      } finally {
        await session.close();
      }
    } catch (error) {
      check.problems.push(messageOf(error));
    }
  }
  return checks;
}

async function tryOut(session: ModelSession, charset: number, problems: string[]): Promise<number> {
  const random = seededRandom(1);
  const pictures = [(): number => 0.45, (): number => random()];
  for (const [i, value] of pictures.entries()) {
    const [output] = await session.run(1, ({ tensor }) => void tensor.forEach((_, k) => (tensor[k] = value())));
    const found = checkOutputs(session.entry, output as Map<string, Output>, charset);
    if (found.length > 0) {
      problems.push(...found.map((problem) => `on a ${i === 0 ? 'grey' : 'noisy'} picture: ${problem}`));
      break;
    }
  }
  await trySizes(session, problems);
  // Processor time: what other programs on the machine take is no cost of the network.
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const before = process.cpuUsage();
    await session.run(1, ({ tensor }) => void tensor.fill(0.45));
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return Math.min(...times);
}

/** Sizes that a network with a `sizeStep` is given beside its input's own. */
function otherSizes(entry: ModelEntry): { width: number; height: number }[] {
  if (!('sizeStep' in entry) || entry.sizeStep === undefined) return [];
  const { input, sizeStep } = entry;
  // Second looks at plates have half the size, and crops may be as narrow or as low as a step.
  if (entry.task === 'plates') return [nearInput(input, sizeStep), { width: sizeStep, height: input.height }, { width: input.width, height: sizeStep }];
  const shapes = [{ width: 960, height: 960 }, { width: 540, height: 960 }, { width: 1920, height: 540 }];
  const inputs = entry.nearFrom === undefined ? [input] : [input, halfInput(input)];
  return inputs.flatMap((whole) => shapes.map((shape) => shapedInput(shape, { x: 0, y: 0, ...shape }, whole, sizeStep)));
}

async function trySizes(session: ModelSession, problems: string[]): Promise<void> {
  const { entry } = session;
  for (const { width, height } of otherSizes(entry)) {
    const what = `on a picture of ${width}x${height}, which its sizeStep promises to take`;
    try {
      const [output] = await session.run(1, ({ tensor }) => void tensor.fill(0.45), { width, height });
      problems.push(...checkOutputs({ ...entry, input: { ...entry.input, width, height } } as ModelEntry, output as Map<string, Output>, 0).map((problem) => `${what}: ${problem}`));
    } catch (error) {
      problems.push(`${what}: ${messageOf(error)}; leave sizeStep out, and it gets pictures of ${entry.input.width}x${entry.input.height} only`);
    }
  }
}

/** What is wrong with one picture's outputs (without the batch dimension), for the family of the entry. Pure. */
export function checkOutputs(entry: ModelEntry, output: ReadonlyMap<string, Output>, charset: number): string[] {
  const problems: string[] = [];
  const take = (name: string, wanted: readonly (number | string)[]): Output | null => {
    const found = output.get(name);
    if (!found) {
      problems.push(`there is no output "${name}"`);
      return null;
    }
    const fits = found.dims.length === wanted.length && wanted.every((n, i) => typeof n === 'string' || n === found.dims[i]);
    if (!fits) problems.push(`output "${name}" has shape [N,${found.dims.join(',')}], wanted [N,${wanted.join(',')}]`);
    const wrong = found.data.findIndex((v) => !Number.isFinite(v));
    if (wrong >= 0) problems.push(`output "${name}" holds ${found.data[wrong]} at ${wrong}`);
    return fits && wrong < 0 ? found : null;
  };
  const probabilities = (name: string, found: Output | null): void => {
    if (found && found.data.some((v) => v < -1e-4 || v > 1 + 1e-4)) problems.push(`output "${name}" leaves 0 to 1: put the sigmoid or softmax into the graph`);
  };
  const distribution = (name: string, found: Output | null): void => {
    probabilities(name, found);
    const columns = found?.dims.at(-1) ?? 0;
    if (!found || columns === 0) return;
    for (let from = 0; from < found.data.length; from += columns) {
      const sum = found.data.subarray(from, from + columns).reduce((a, b) => a + b, 0);
      if (Math.abs(sum - 1) > SUM_TOLERANCE) return void problems.push(`output "${name}" should be a softmax over its last axis, its row ${from / columns} sums to ${sum.toFixed(3)}`);
    }
  };
  const sameCount = (a: Output | null, b: Output | null, names: string): void => {
    if (a && b && a.dims[0] !== b.dims[0]) problems.push(`${names} have ${a.dims[0]} and ${b.dims[0]} candidates`);
  };
  const pixels = (name: string, found: Output | null): void => {
    if (found && found.data.length > 0 && found.data.every((v) => Math.abs(v) <= 2)) problems.push(`output "${name}" never leaves -2 to 2: coordinates must be pixels of the input, not fractions`);
  };
  switch (entry.task) {
    case 'vehicles': {
      if ('predictions' in entry.outputs) {
        const classes = (output.get(entry.outputs.predictions)?.dims.at(-1) ?? 0) - 5;
        if (classes > 0 && classes !== entry.classes.length) {
          problems.push(`the network tells ${classes} classes apart, the manifest names ${entry.classes.length}: name all in its order, null for those that are of no use`);
          break;
        }
        const found = take(entry.outputs.predictions, ['A', 5 + entry.classes.length]);
        if (!found) break;
        try {
          decodeYolox(found, entry.input, entry.strides, entry.classes.length);
        } catch (error) {
          problems.push(messageOf(error));
        }
        const columns = 5 + entry.classes.length;
        probabilities(entry.outputs.predictions, { dims: found.dims, data: found.data.filter((_, i) => i % columns >= 4) });
        break;
      }
      const boxes = take(entry.outputs.boxes, ['A', 4]);
      const scores = take(entry.outputs.scores, ['A', entry.classes.length]);
      probabilities(entry.outputs.scores, scores);
      pixels(entry.outputs.boxes, boxes);
      sameCount(boxes, scores, 'boxes and scores');
      if (boxes && boxes.data.some((v, i) => i % 4 >= 2 && v < (boxes.data[i - 2] as number) - 1)) problems.push(`output "${entry.outputs.boxes}" is not x0 y0 x1 y1: some boxes end before they begin`);
      if (entry.outputs.quads !== undefined) {
        const quads = take(entry.outputs.quads, ['A', 8]);
        pixels(entry.outputs.quads, quads);
        sameCount(boxes, quads, 'boxes and quads');
      }
      break;
    }
    case 'plates': {
      const scores = take(entry.outputs.scores, ['A']);
      const corners = take(entry.outputs.corners, ['A', 8]);
      probabilities(entry.outputs.scores, scores);
      pixels(entry.outputs.corners, corners);
      sameCount(scores, corners, 'scores and corners');
      break;
    }
    case 'plate-reader': {
      distribution(entry.outputs.probs, take(entry.outputs.probs, ['T', charset + 1]));
      if (entry.outputs.colour !== undefined) distribution(entry.outputs.colour, take(entry.outputs.colour, [entry.colours.length]));
      if (entry.outputs.rows !== undefined) distribution(entry.outputs.rows, take(entry.outputs.rows, [2]));
      if (entry.outputs.plate !== undefined) probabilities(entry.outputs.plate, take(entry.outputs.plate, [1]));
      break;
    }
    case 'attributes':
      for (const head of entry.outputs.heads) distribution(head.output, take(head.output, [head.labels.length]));
      break;
    case 'berths':
      distribution(entry.outputs.state, take(entry.outputs.state, [entry.labels.length]));
  }
  return problems;
}

/** Describes an ONNX file that no manifest names yet. @throws BerthwatchError not-found, bad-input */
export async function describeNetwork(file: string): Promise<NetworkDescription> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new BerthwatchError('not-found', 'VISION_MODEL_MISSING', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  });
  const session = await InferenceSession.create(bytes, { executionProviders: ['cpu'], logSeverityLevel: 3 }).catch((cause: unknown) => {
    throw new BerthwatchError('bad-input', 'VISION_MODEL_OPEN', `${file} is no ONNX network, or only a part of one: ${messageOf(cause)}`, { cause });
  });
  try {
    const shape = (m: InferenceSession.ValueMetadata): TensorShape => (m.isTensor ? { name: m.name, type: m.type, shape: [...m.shape] } : { name: m.name, type: 'no tensor', shape: [] });
    const [inputs, outputs] = [session.inputMetadata.map(shape), session.outputMetadata.map(shape)];
    return { sha256: createHash('sha256').update(bytes).digest('hex'), inputs, outputs, families: fittingFamilies(outputs) };
  } finally {
    await session.release();
  }
}

/** Families whose outputs could be among these, by their ranks and last sizes; symbols may be anything. Pure. */
export function fittingFamilies(outputs: readonly TensorShape[]): string[] {
  const last = (t: TensorShape): number | null => {
    const n = t.shape.at(-1);
    return typeof n === 'number' && n > 0 ? n : null;
  };
  const has = (rank: number, size: ((n: number) => boolean) | null): boolean => outputs.some((t) => t.shape.length === rank && (last(t) === null || size === null || size(last(t) as number)));
  const families: string[] = [];
  if (has(3, (n) => n === 4) && has(3, (n) => n !== 4 && n !== 8)) families.push('anchor-free-quad');
  if (outputs.length === 1 && has(3, (n) => n > 5)) families.push('yolox');
  if (has(2, null) && has(3, (n) => n === 8)) families.push('corner-heatmap');
  if (has(3, (n) => n > 10)) families.push('ctc-reader');
  if (outputs.length > 0 && outputs.every((t) => t.shape.length === 2 && (last(t) ?? 2) >= 2)) families.push('classifier');
  return families;
}
