import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutations } from '../../base/fuzz-target.js';
import { program } from '../../base/program-root.js';
import { target } from './fmp4.fuzz.js';
import { SegmentScanner } from './segment-scanner.js';

const folder = join(program.root, target.corpusDir);
const corpus = readdirSync(folder).map((file) => new Uint8Array(readFileSync(join(folder, file))));

describe('fuzz fmp4', () => {
  it('keeps its promises for the corpus as it is, part of which is sound', () => {
    let sound = 0;
    for (const input of corpus) {
      target.run(input);
      const scanner = new SegmentScanner();
      scanner.push(input);
      if (scanner.end().gops.length > 0) sound++;
    }
    expect(sound).toBeGreaterThanOrEqual(3);
  });

  it('keeps its promises for mutations', () => {
    const inputs = mutations(corpus, 3);
    for (let i = 0; i < 4_000; i++) {
      const { value } = inputs.next();
      try {
        target.run(value);
      } catch (error) {
        throw new Error(`case ${i}: ${Buffer.from(value).toString('base64').slice(0, 4_000)}`, { cause: error });
      }
    }
  });
});
