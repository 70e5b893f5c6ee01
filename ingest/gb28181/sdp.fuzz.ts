import { BerthwatchError } from '../../base/errors.js';
import type { FuzzTarget } from '../../base/fuzz-target.js';
import { MEDIA_TRANSPORTS } from '../media/media-transport.js';
import { readAnswer } from './answer.js';
import { parseSdp } from './sdp.js';

/** Session descriptions in cameras' answers. */
export const target: FuzzTarget = {
  name: 'sdp',
  corpusDir: 'ingest/gb28181/corpus/sdp',
  run(input) {
    try {
      parseSdp(input);
    } catch (error) {
      if (!(error instanceof BerthwatchError) || error.kind !== 'bad-input') throw error;
    }
    for (const transport of MEDIA_TRANSPORTS) {
      const answer = readAnswer(input, { ssrc: '0200001234', transport }, '198.51.100.7');
      if ('problem' in answer) continue;
      if (!/^\d{10}$/.test(answer.ssrc)) throw new Error(`the agreed SSRC is "${answer.ssrc}"`);
      const { remoteMedia } = answer;
      if (remoteMedia && (remoteMedia.host === '' || !(remoteMedia.port >= 0 && remoteMedia.port <= 65_535))) throw new Error('an impossible media address came through');
    }
  },
};
