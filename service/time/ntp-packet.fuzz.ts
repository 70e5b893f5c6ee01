import { BerthwatchError } from '../../base/errors.js';
import type { FuzzTarget } from '../../base/fuzz-target.js';
import { readNtpReply } from './ntp-packet.js';

export const target: FuzzTarget = {
  name: 'ntp-packet',
  corpusDir: 'service/time/corpus/ntp',
  run(input) {
    try {
      // The seeds repeat this nonce, so that mutations get beyond its check.
      const reply = readNtpReply(input, Buffer.from('berthntp'));
      if (!(reply.sentAt >= reply.receivedAt) || reply.stratum < 1 || reply.stratum > 15 || !(reply.rootDistanceMs >= 0)) throw new Error(`an impossible answer was taken: ${JSON.stringify(reply)}`);
    } catch (error) {
      if (!(error instanceof BerthwatchError)) throw error;
    }
  },
};
