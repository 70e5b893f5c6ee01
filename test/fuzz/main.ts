/**
 * `npm run fuzz -- [--cases N] [--seed S] [--only name]`: mutates the committed corpora and feeds every parser of outside bytes.
 * A find is written to `fuzz-finds/` with what reproduces it; the memory of the process is watched for growth.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { mutations, type FuzzTarget } from '../../base/fuzz-target.js';
import { program } from '../../base/program-root.js';

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' }, only: { type: 'string' } },
});
const cases = Number(values.cases);
const seed = Number(values.seed);
if (!Number.isInteger(cases) || cases < 1 || !Number.isInteger(seed)) {
  console.error('--cases and --seed take whole numbers');
  process.exit(2);
}

/** One parser may keep this much more memory after its cases than before them (caches of the engine). */
const GROWTH_LIMIT_BYTES = 64 * 1024 * 1024;

function files(folder: string, ending: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : files(path, ending);
    return path.endsWith(ending) ? [path] : [];
  });
}

async function targets(): Promise<FuzzTarget[]> {
  const found: FuzzTarget[] = [];
  for (const room of ['ingest', 'storage', 'vision', 'platform', 'service']) {
    for (const file of files(join(program.root, 'dist', room), '.fuzz.js')) {
      const module = (await import(pathToFileURL(file).href)) as { target?: FuzzTarget; targets?: FuzzTarget[] };
      found.push(...(module.target ? [module.target] : []), ...(module.targets ?? []));
    }
  }
  return found.filter((target) => values.only === undefined || target.name === values.only);
}

function settledHeap(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

let failed = false;
const all = await targets();
if (all.length === 0) {
  console.error('no fuzz target found; run npm run build first');
  process.exit(2);
}
const each = Math.ceil(cases / all.length);
console.log(`${cases} cases over ${all.length} targets, seed ${seed}`);
for (const target of all) {
  const corpus = files(join(program.root, target.corpusDir), '').map((file) => new Uint8Array(readFileSync(file)));
  if (corpus.length === 0) {
    console.error(`${target.name}: no corpus in ${target.corpusDir}`);
    failed = true;
    continue;
  }
  const stream = mutations(corpus, seed);
  const before = settledHeap();
  const began = performance.now();
  let slowest = 0;
  for (let i = 0; i < each; i++) {
    const input = stream.next().value;
    const start = performance.now();
    try {
      target.run(input);
    } catch (error) {
      failed = true;
      mkdirSync(join(program.root, 'fuzz-finds'), { recursive: true });
      const file = join(program.root, 'fuzz-finds', `${target.name}-${seed}-${i}`);
      writeFileSync(file, input);
      console.error(`${target.name}: case ${i} of seed ${seed} broke a promise: ${error instanceof Error ? error.stack : String(error)}\n  input kept in ${file}`);
      break;
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  const grown = settledHeap() - before;
  const seconds = (performance.now() - began) / 1000;
  console.log(`${target.name.padEnd(24)} ${each} cases  ${(each / seconds).toFixed(0).padStart(7)} /s  slowest ${slowest.toFixed(1)} ms  memory ${(grown / 1024 / 1024).toFixed(1).padStart(6)} MB`);
  if (grown > GROWTH_LIMIT_BYTES) {
    failed = true;
    console.error(`${target.name}: memory grew by ${grown} bytes`);
  }
}
process.exit(failed ? 1 : 0);
