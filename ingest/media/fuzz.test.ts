import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutations } from '../../base/fuzz-target.js';
import { program } from '../../base/program-root.js';
import { target as audio } from './audio-reader.fuzz.js';
import { target as parameterSets } from './parameter-sets.fuzz.js';
import { target as pipeline } from './pipeline.fuzz.js';
import { target as programStream } from './ps-demuxer.fuzz.js';
import { target as rfc4571 } from './rfc4571.fuzz.js';
import { target as rtp } from './rtp-packet.fuzz.js';

const CASES = { rtp: 5000, rfc4571: 3000, 'program-stream': 3000, 'parameter-sets': 3000, 'media-pipeline': 1500, audio: 5000 };

describe.each([rtp, rfc4571, programStream, parameterSets, pipeline, audio])('fuzz $name', (target) => {
  const folder = join(program.root, target.corpusDir);
  const corpus = readdirSync(folder).map((file) => new Uint8Array(readFileSync(join(folder, file))));

  it('keeps its promises for the corpus as it is', () => {
    expect(corpus.length).toBeGreaterThan(0);
    for (const input of corpus) target.run(input);
  });

  it('keeps its promises for mutations', () => {
    const inputs = mutations(corpus, 20_281);
    for (let i = 0; i < CASES[target.name as keyof typeof CASES]; i++) {
      const { value } = inputs.next();
      try {
        target.run(value);
      } catch (error) {
        throw new Error(`case ${i}: ${Buffer.from(value).toString('base64').slice(0, 4000)}`, { cause: error });
      }
    }
  });
});
