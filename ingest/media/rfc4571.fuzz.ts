import type { FuzzTarget } from '../../base/fuzz-target.js';
import { Rfc4571Deframer } from './rfc4571.js';

/** One longest frame, its header, the header of the next for comparison, and the chunk just pushed. */
const BOUND = 65_535 + 64;

export const target: FuzzTarget = {
  name: 'rfc4571',
  corpusDir: 'ingest/media/corpus/rfc4571',
  run(input) {
    const bytes = Buffer.from(input);
    // The way the bytes are cut depends on them, so that a find stays a find.
    const step = 1 + ((bytes[bytes.length >> 1] ?? 0) * 37) + ((bytes.length * 7) % 97);
    let framed = 0;
    const deframer = new Rfc4571Deframer((frame) => {
      if (frame.length < 8) throw new Error('a frame too short for any header');
      framed += frame.length;
    }, (bytes[0] ?? 0) % 2 === 0 ? 200_001_234 : null);
    for (let at = 0; at < bytes.length; at += step) {
      deframer.push(bytes.subarray(at, at + step));
      if (deframer.buffered > BOUND + step) throw new Error(`${deframer.buffered} bytes kept`);
    }
    if (framed + deframer.stats.skippedBytes + deframer.buffered > bytes.length) throw new Error('more bytes out than in');
  },
};
