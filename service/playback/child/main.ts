/** Entry of an encoding child. Speaks protocol.ts over the fork's channel, one request after the other; ends when its parent is gone. */
import { BerthwatchError, messageOf } from '../../../base/errors.js';
import { encodeUnits } from './encode.js';
import type { FromChild, ToChild } from './protocol.js';

let queue: Promise<void> = Promise.resolve();

function send(message: FromChild): void {
  if (process.connected) process.send?.(message);
}

async function encode(message: Extract<ToChild, { type: 'encode' }>): Promise<void> {
  try {
    send({ type: 'encoded', id: message.id, units: await encodeUnits(message.request) });
  } catch (error) {
    const known = error instanceof BerthwatchError;
    send({ type: 'failed', id: message.id, error: { kind: known ? error.kind : 'internal', code: known ? error.code : 'PLAYBACK_CHILD', message: messageOf(error) } });
  }
}

process.on('message', (message: ToChild) => {
  if (message.type === 'stop') void queue.then(() => process.exit(0));
  else queue = queue.then(() => encode(message));
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C in a terminal reaches the whole group; the parent decides when children end.
process.on('SIGINT', () => undefined);
