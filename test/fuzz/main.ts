/**
 * `npm run fuzz -- [--cases N] [--seed S] [--only name]`: mutates the committed corpora and feeds every parser of outside bytes.
 * A find is written to `fuzz-finds/` with what reproduces it; the memory of the process is watched for growth.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { program } from '../../base/program-root.js';
import { fuzz, fuzzTargets, GROWTH_LIMIT_BYTES } from './targets.js';

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' }, only: { type: 'string' } },
});
const cases = Number(values.cases);
const seed = Number(values.seed);
if (!Number.isInteger(cases) || cases < 1 || !Number.isInteger(seed)) {
  console.error('--cases and --seed take whole numbers');
  process.exit(2);
}

const all = await fuzzTargets('built');
const chosen = all.filter((target) => values.only === undefined || target.name === values.only);
if (chosen.length === 0) {
  console.error(all.length === 0 ? 'no fuzz target found; run npm run build first' : `there is no target "${values.only ?? ''}"; there are ${all.map((target) => target.name).join(', ')}`);
  process.exit(2);
}
const each = Math.ceil(cases / chosen.length);
console.log(`${cases} cases over ${chosen.length} targets, seed ${seed}`);
let failed = false;
for (const target of chosen) {
  try {
    const { seconds, slowestMs, grown, find, cases: done } = fuzz(target, each, seed);
    console.log(`${target.name.padEnd(24)} ${done} cases  ${(done / seconds).toFixed(0).padStart(7)} /s  slowest ${slowestMs.toFixed(1)} ms  memory ${(grown / 1024 / 1024).toFixed(1).padStart(6)} MB`);
    if (find) {
      failed = true;
      mkdirSync(join(program.root, 'fuzz-finds'), { recursive: true });
      const file = join(program.root, 'fuzz-finds', `${target.name.replaceAll('/', '-')}-${seed}-${find.index}`);
      writeFileSync(file, find.input);
      console.error(`${target.name}: case ${find.index} of seed ${seed} broke a promise: ${find.error instanceof Error ? find.error.stack : String(find.error)}\n  input kept in ${file}`);
    }
    if (grown > GROWTH_LIMIT_BYTES) {
      failed = true;
      console.error(`${target.name}: memory grew by ${grown} bytes`);
    }
  } catch (error) {
    failed = true;
    console.error(error instanceof Error ? error.message : String(error));
  }
}
process.exit(failed ? 1 : 0);
