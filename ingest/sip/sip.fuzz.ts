import { BerthwatchError } from '../../base/errors.js';
import type { FuzzTarget } from '../../base/fuzz-target.js';
import { makeResponse } from './build.js';
import { parseMessage, serializeMessage } from './codec.js';
import { listValues, parseAuthParams } from './header-values.js';
import { StreamFramer } from './stream-framer.js';
import { refusalOf } from './uas-checks.js';
import { faultOf } from './validate.js';

const SOURCE = { host: '192.0.2.1', port: 5060 };

function tolerate(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    if (!(error instanceof BerthwatchError) || error.kind !== 'bad-input') throw error;
  }
}

/** One datagram through all that is done with it before anybody looks at its meaning. */
function datagram(input: Uint8Array): void {
  const { message, fault } = parseMessage(input);
  if (message.kind === 'request') {
    // Every refusal and answer must itself be a message that can be read, on one line a field.
    const answer = serializeMessage(makeResponse(message, { status: fault?.status ?? 200 }, 'tag', SOURCE));
    const again = parseMessage(answer);
    if (again.message.kind !== 'response' || again.fault) throw new Error(`our own answer cannot be read: ${again.fault?.reason ?? 'not a response'}`);
    if (!fault && !faultOf(message)) refusalOf(message, ['REGISTER']);
  }
  for (const value of listValues(message.headers, 'authorization')) tolerate(() => void parseAuthParams(value));
  const written = serializeMessage(message);
  if (fault) return;
  const reread = parseMessage(written);
  if (reread.message.headers.get('call-id') !== message.headers.get('call-id')) throw new Error('a message changes by being written');
}

/** The same bytes as a stream, cut into pieces of `step`; the framer may hold no more than came. */
function stream(input: Uint8Array, step: number): void {
  const framer = new StreamFramer();
  tolerate(() => {
    for (let at = 0; at < input.length; at += step) {
      framer.push(input.subarray(at, at + step));
      if (framer.buffered > input.length) throw new Error('the framer holds more than came');
    }
  });
}

export const target: FuzzTarget = {
  name: 'sip',
  corpusDir: 'ingest/sip/corpus',
  run(input) {
    tolerate(() => datagram(input));
    stream(input, 61);
    stream(input, 4096);
  },
};
