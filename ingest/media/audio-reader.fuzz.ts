import type { FuzzTarget } from '../../base/fuzz-target.js';
import { parseAudioSpecificConfig } from './adts.js';
import { AudioReader } from './audio-reader.js';

const DECLARED = [null, 'g711a', 'g711u', 'aac', 'g729'] as const;
/** A packet, an ADTS frame, and the piece that makes it too long. */
const BOUND = 64 * 1024 + 8191 + 4096;

/** Pieces of audio packets of any length; the first byte chooses what the map said and how they are cut. */
export const target: FuzzTarget = {
  name: 'audio',
  corpusDir: 'ingest/media/corpus/audio',
  run(input) {
    const choice = input[0] ?? 0;
    const declared = DECLARED[choice % DECLARED.length] as string | null;
    const bytes = Buffer.from(input.subarray(1));
    const step = 1 + ((choice * 13) % 611);
    let out = 0;
    const reader = new AudioReader({
      frame({ codec, data, duration, sampleRate, channels, config }) {
        out += data.length;
        if (!(duration > 0 && duration < 90_000 * 10) || sampleRate < 7350 || channels < 1 || channels > 8) throw new Error('a frame without sense');
        if (data.length === 0) throw new Error('an empty frame');
        if (codec === 'aac' && (config === null || parseAudioSpecificConfig(config)?.sampleRate !== sampleRate)) throw new Error('a configuration that does not tell the rate');
      },
      codec: () => undefined,
      damaged: (count) => void (out += count),
    });
    for (let at = 0, i = 0; at < bytes.length; at += step, i++) {
      if (i % 31 === 30) reader.loss();
      reader.push(bytes.subarray(at, at + step), i % 3 === 0, i % 3 === 2 || i % 7 === 0, i % 2 === 0 ? at : null, declared);
      if (reader.buffered > BOUND) throw new Error(`${reader.buffered} bytes kept`);
    }
    if (out + reader.buffered > bytes.length) throw new Error('more bytes out than in');
  },
};
