import { InferenceSession, Tensor } from 'onnxruntime-node';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { InputRoom } from './input-room.js';
import type { ModelEntry } from './manifest.js';

export interface SessionOptions {
  /** Threads inside one operator and between operators; 1 keeps a child to one core. */
  threads: number;
  /** Ask ONNX Runtime for this accelerator first; the CPU always stands behind it. */
  accelerator?: 'cuda' | 'webgpu' | 'coreml' | 'dml' | undefined;
  logger: Logger;
}

/** Pictures in one run; more would only take more memory. */
const MOST_AT_ONCE = 16;

/** One output tensor. */
export interface Output {
  data: Float32Array;
  dims: readonly number[];
}

/**
 * One ONNX network. `run` blocks the JavaScript thread for the whole inference although it returns a promise (ONNX Runtime
 * does), so sessions live only in vision children.
 */
export class ModelSession<Entry extends ModelEntry = ModelEntry> {
  readonly entry: Entry;
  /** Where it runs. */
  readonly provider: string;
  /** Whether several pictures may go in at once. */
  readonly batched: boolean;
  readonly #session: InferenceSession;
  /** Only these are computed, whatever else the network offers. */
  readonly #outputs: readonly string[];
  /** The last run's room, free to be filled again. A run that begins before another ends gets its own. */
  #spare: InputRoom | null = null;

  private constructor(entry: Entry, session: InferenceSession, provider: string, batched: boolean) {
    this.entry = entry;
    this.#session = session;
    this.#outputs = outputNames(entry);
    this.provider = provider;
    this.batched = batched;
  }

  /**
   * Opens the network and checks its inputs and outputs against the manifest entry.
   * @throws BerthwatchError bad-input where the file is no network or not the one described
   */
  static async open<Entry extends ModelEntry>(entry: Entry, file: Uint8Array, options: SessionOptions): Promise<ModelSession<Entry>> {
    const { session, provider } = await openSession(entry, file, options);
    const problems: string[] = [];
    const input = session.inputMetadata.find((m) => m.name === entry.input.name);
    let batched = false;
    if (!input) problems.push(`it has no input "${entry.input.name}" (it has ${session.inputNames.join(', ')})`);
    else if (!input.isTensor || input.type !== 'float32') problems.push(`input "${input.name}" is not float32`);
    else {
      const [n, c, h, w] = input.shape;
      const open = (size: number | string | undefined): boolean => typeof size !== 'number' || size < 0;
      batched = open(n);
      const scalable = open(h) && open(w);
      const matches = (found: number | string | undefined, wanted: number): boolean => open(found) || found === wanted;
      if (input.shape.length !== 4 || !matches(c, 3) || !matches(h, entry.input.height) || !matches(w, entry.input.width)) {
        problems.push(`input "${input.name}" has shape [${input.shape.join(',')}], the manifest says [N,3,${entry.input.height},${entry.input.width}]`);
      }
      if ('sizeStep' in entry && entry.sizeStep !== undefined && !scalable) problems.push(`the manifest gives it a sizeStep, but input "${input.name}" has a fixed height or width: leave sizeStep out, or export it with both open`);
      if (!batched && n !== 1) problems.push(`input "${input.name}" wants exactly ${n} pictures at once; only 1 or any number can be served`);
    }
    for (const name of outputNames(entry)) {
      if (!session.outputNames.includes(name)) problems.push(`it has no output "${name}" (it has ${session.outputNames.join(', ')})`);
    }
    if (problems.length > 0) {
      await session.release();
      throw new BerthwatchError('bad-input', 'VISION_MODEL_SHAPE', `model "${entry.id}" (${entry.file}) does not fit its manifest entry: ${problems.join('; ')}`);
    }
    return new ModelSession(entry, session, provider, batched);
  }

  /**
   * Runs `count` pictures and gives each picture its part of every output: shapes without the batch dimension. `fill(room, slot,
   * picture)` writes all of a slot of its tensor; what stood there before is another run's.
   * @param size of the pictures; another than the manifest's only where its entry has a `sizeStep`
   */
  async run(count: number, fill: (room: InputRoom, slot: number, picture: number) => void, { width, height }: { width: number; height: number } = this.entry.input): Promise<Map<string, Output>[]> {
    const results: Map<string, Output>[] = [];
    const { name } = this.entry.input;
    const step = this.batched ? Math.min(count, MOST_AT_ONCE) : 1;
    for (let from = 0; from < count; from += step) {
      const n = Math.min(step, count - from);
      const room = this.#spare ?? new InputRoom();
      this.#spare = null;
      const tensor = room.open(n, { width, height });
      for (let slot = 0; slot < n; slot++) fill(room, slot, from + slot);
      const outputs = await this.#session.run({ [name]: new Tensor('float32', tensor, [n, 3, height, width]) }, this.#outputs);
      this.#spare = room;
      for (let slot = 0; slot < n; slot++) results.push(this.#slice(outputs, slot, n));
    }
    return results;
  }

  close(): Promise<void> {
    return this.#session.release();
  }

  #slice(outputs: InferenceSession.OnnxValueMapType, slot: number, n: number): Map<string, Output> {
    const parts = new Map<string, Output>();
    for (const name of this.#outputs) {
      const value = outputs[name] as Tensor;
      if (!(value.data instanceof Float32Array) || value.dims[0] !== n) {
        throw new BerthwatchError('bad-input', 'VISION_MODEL_SHAPE', `model "${this.entry.id}": output "${name}" is ${value.type} [${value.dims.join(',')}], wanted float32 with batch ${n}`);
      }
      const length = value.data.length / n;
      parts.set(name, { data: value.data.subarray(slot * length, (slot + 1) * length), dims: value.dims.slice(1) });
    }
    return parts;
  }
}

async function openSession(entry: ModelEntry, file: Uint8Array, options: SessionOptions): Promise<{ session: InferenceSession; provider: string }> {
  const base: InferenceSession.SessionOptions = {
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  };
  if (options.accelerator) {
    try {
      return { session: await InferenceSession.create(file, { ...base, executionProviders: [options.accelerator] }), provider: options.accelerator };
    } catch (error) {
      options.logger.warn({ model: entry.id, accelerator: options.accelerator, reason: messageOf(error) }, `${options.accelerator} cannot run model ${entry.id}: the CPU does it`);
    }
  }
  try {
    return { session: await InferenceSession.create(file, { ...base, executionProviders: ['cpu'] }), provider: 'cpu' };
  } catch (error) {
    throw new BerthwatchError('bad-input', 'VISION_MODEL_OPEN', `ONNX Runtime cannot open model "${entry.id}" (${entry.file}): ${messageOf(error)}`, { cause: error });
  }
}

/** Every output a manifest entry names. */
export function outputNames(entry: ModelEntry): string[] {
  const { outputs } = entry;
  if ('heads' in outputs) return outputs.heads.map((head) => head.output);
  return Object.values(outputs).filter((name): name is string => name !== undefined);
}
