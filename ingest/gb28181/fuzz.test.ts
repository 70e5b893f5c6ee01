import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mutations } from '../../base/fuzz-target.js';
import { target as manscdp } from './manscdp.fuzz.js';
import { target as mansrtsp } from './mansrtsp.fuzz.js';
import { target as sdp } from './sdp.fuzz.js';
import { target as snapshotUpload } from './snapshot-upload.fuzz.js';

const CASES = 3000;

it.each([manscdp, mansrtsp, sdp, snapshotUpload])(`${CASES} damaged inputs do no harm to $name`, ({ corpusDir, run }) => {
  const folder = new URL(`../../${corpusDir}/`, import.meta.url);
  const corpus = readdirSync(folder).map((name) => Uint8Array.from(readFileSync(new URL(name, folder))));
  expect(corpus.length).toBeGreaterThan(5);
  for (const seed of corpus) run(seed);
  const inputs = mutations(corpus, 28_181);
  for (let i = 0; i < CASES; i++) {
    const input = inputs.next().value;
    try {
      run(input);
    } catch (error) {
      throw new Error(`case ${i} (${Buffer.from(input).toString('base64').slice(0, 4000)})`, { cause: error });
    }
  }
});
