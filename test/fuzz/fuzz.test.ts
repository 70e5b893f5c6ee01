import { describe, expect, it } from 'vitest';
import { fuzz, fuzzTargets } from './targets.js';

const CASES = 100_000;
const SEED = 20_260_101;

const targets = await fuzzTargets('sources');
const each = Math.ceil(CASES / targets.length);

/** 10^5 mutated inputs in all; any number with `npm run fuzz -- --cases N`, which also watches the memory. */
describe('parsers of outside bytes', () => {
  it('are all here', () => {
    expect(targets.map((target) => target.name).sort()).toEqual([...new Set(targets.map((target) => target.name))].sort());
    expect(targets.length).toBeGreaterThanOrEqual(8);
  });

  it.each(targets)('$name', (target) => {
    const { find, cases } = fuzz(target, each, SEED);
    if (find) throw new Error(`case ${find.index} of seed ${SEED} broke a promise; input in base64: ${Buffer.from(find.input).toString('base64').slice(0, 4_000)}`, { cause: find.error });
    expect(cases).toBe(each);
  });
});
