import type { FuzzTarget } from '../../base/fuzz-target.js';
import { parseRtcp } from './rtcp.js';
import { parseRtp } from './rtp-packet.js';

export const target: FuzzTarget = {
  name: 'rtp',
  corpusDir: 'ingest/media/corpus/rtp',
  run(input) {
    const bytes = Buffer.from(input);
    const packet = parseRtp(bytes);
    if (typeof packet !== 'string' && packet.payload.length > bytes.length - 12) throw new Error('a payload longer than its packet');
    const { byes } = parseRtcp(bytes);
    if (byes.length * 4 > bytes.length) throw new Error('more BYE than bytes');
  },
};
