import { BerthwatchError } from '../../base/errors.js';
import type { FuzzTarget } from '../../base/fuzz-target.js';
import { parseMansrtsp } from './mansrtsp.js';

/** Answers of devices to INFO. */
export const target: FuzzTarget = {
  name: 'mansrtsp',
  corpusDir: 'ingest/gb28181/corpus/mansrtsp',
  run(input) {
    let message;
    try {
      message = parseMansrtsp(input);
    } catch (error) {
      if (error instanceof BerthwatchError && error.kind === 'bad-input') return;
      throw error;
    }
    if ((message.status === null) === (message.method === null)) throw new Error('neither an answer nor a request, or both');
    if (message.status !== null && !(message.status >= 0 && message.status <= 999)) throw new Error(`status ${message.status}`);
    for (const number of [message.cseq, message.scale, message.positionS]) if (number !== null && !Number.isFinite(number)) throw new Error(`an impossible number came through: ${number}`);
    if (message.positionS !== null && message.positionS < 0) throw new Error('a position before the start');
    if (message.reason.length > 256) throw new Error('an unbounded reason');
  },
};
