import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { mutations, type FuzzTarget } from '../../base/fuzz-target.js';
import { program } from '../../base/program-root.js';

const ROOMS = ['ingest', 'storage', 'vision', 'evidence', 'platform', 'service'];

/** One parser may keep this much more memory after its cases than before them (caches of the engine). */
export const GROWTH_LIMIT_BYTES = 64 * 1024 * 1024;

/** Files below a folder whose names end so; none where there is no such folder. */
function files(folder: string, ending: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : files(path, ending);
    return path.endsWith(ending) ? [path] : [];
  });
}

/** Every parser of outside bytes: the `*.fuzz` modules of all rooms, as sources or as built. */
export async function fuzzTargets(from: 'sources' | 'built'): Promise<FuzzTarget[]> {
  const found: FuzzTarget[] = [];
  const [root, ending] = from === 'built' ? [join(program.root, 'dist'), '.fuzz.js'] : [program.root, '.fuzz.ts'];
  for (const room of ROOMS) {
    for (const file of files(join(root, room), ending)) {
      const module = (await import(pathToFileURL(file).href)) as { target?: FuzzTarget; targets?: FuzzTarget[] };
      found.push(...(module.target ? [module.target] : []), ...(module.targets ?? []));
    }
  }
  return found;
}

export interface FuzzResult {
  cases: number;
  seconds: number;
  slowestMs: number;
  /** Bytes of memory more than before. */
  grown: number;
  /** The first case that broke a promise. */
  find: { index: number; input: Uint8Array; error: unknown } | null;
}

/** Feeds `cases` mutations of a target's committed corpus; ends at the first find. @throws Error where there is no corpus */
export function fuzz(target: FuzzTarget, cases: number, seed: number): FuzzResult {
  const corpus = files(join(program.root, target.corpusDir), '').map((file) => new Uint8Array(readFileSync(file)));
  if (corpus.length === 0) throw new Error(`${target.name}: no corpus in ${target.corpusDir}`);
  const stream = mutations(corpus, seed);
  const before = settledHeap();
  const began = performance.now();
  const result: FuzzResult = { cases: 0, seconds: 0, slowestMs: 0, grown: 0, find: null };
  for (; result.cases < cases && result.find === null; result.cases++) {
    const input = stream.next().value;
    const start = performance.now();
    try {
      target.run(input);
    } catch (error) {
      result.find = { index: result.cases, input, error };
    }
    result.slowestMs = Math.max(result.slowestMs, performance.now() - start);
  }
  result.grown = settledHeap() - before;
  result.seconds = (performance.now() - began) / 1000;
  return result;
}

/** Bytes in use after a collection, where Node was started with `--expose-gc`. */
function settledHeap(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
