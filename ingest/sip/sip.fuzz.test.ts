import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mutations } from '../../base/fuzz-target.js';
import { target } from './sip.fuzz.js';

const CASES = 4000;

it(`${CASES} damaged messages do no harm`, () => {
  const folder = new URL('./corpus/', import.meta.url);
  const corpus = readdirSync(folder).filter((name) => name.endsWith('.sip')).map((name) => Uint8Array.from(readFileSync(new URL(name, folder))));
  expect(corpus.length).toBeGreaterThan(50);
  for (const seed of corpus) target.run(seed);
  const inputs = mutations(corpus, 20_261_121);
  for (let i = 0; i < CASES; i++) {
    const input = inputs.next().value;
    try {
      target.run(input);
    } catch (error) {
      throw new Error(`case ${i} (${Buffer.from(input).toString('base64').slice(0, 4000)})`, { cause: error });
    }
  }
});
