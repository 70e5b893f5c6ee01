import type { FuzzTarget } from '../../base/fuzz-target.js';
import { PsDemuxer } from './ps-demuxer.js';

/** The longest header that may wait for its end: a stream map. */
const BOUND = 4096 + 64;

export const target: FuzzTarget = {
  name: 'program-stream',
  corpusDir: 'ingest/media/corpus/ps',
  run(input) {
    const bytes = Buffer.from(input);
    const step = 1 + ((bytes[bytes.length >> 1] ?? 0) * 11) + ((bytes.length * 7) % 97);
    let delivered = 0;
    const take = (data: Buffer, pts: number | null): void => {
      delivered += data.length;
      if (pts !== null && !(pts >= 0 && pts < 2 ** 33)) throw new Error(`a time stamp of ${pts}`);
    };
    const demuxer = new PsDemuxer({
      video: (data, _start, pts) => take(data, pts),
      audio: (data, _start, _end, pts) => take(data, pts),
      streamMap: () => undefined,
      damage: () => undefined,
    });
    for (let at = 0, i = 0; at < bytes.length; at += step, i++) {
      demuxer.push(bytes.subarray(at, at + step), (bytes[at] as number) === 0x5a && i % 3 === 0);
      if (demuxer.buffered > BOUND + step) throw new Error(`${demuxer.buffered} bytes kept`);
    }
    if (delivered + demuxer.buffered > bytes.length) throw new Error('more bytes out than in');
  },
};
