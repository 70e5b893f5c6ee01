/** Entry of a vision child process. Speaks `protocol.ts` over the fork's channel; ends when its parent is gone. */
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { Eyes } from './eyes.js';
import type { FromChild, StageTimes, ToChild, WireError } from './protocol.js';

let eyes: Eyes | null = null;
// Requests run one after the other: inference blocks the thread anyway.
let queue: Promise<void> = Promise.resolve();

function send(message: FromChild): void {
  if (process.connected) process.send?.(message);
}

function wireError(error: unknown): WireError {
  if (error instanceof BerthwatchError) return { kind: error.kind, code: error.code, message: error.message, detail: error.detail };
  return { kind: 'internal', code: 'VISION_CHILD', message: messageOf(error), detail: { stack: error instanceof Error ? error.stack : undefined } };
}

function logger(bindings: Record<string, unknown> = {}): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (facts: object, message: string) => send({ type: 'log', level, facts: { ...bindings, ...facts }, message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: (more) => logger({ ...bindings, ...more }) };
}

async function handle(message: ToChild): Promise<void> {
  switch (message.type) {
    case 'start':
      try {
        eyes = await Eyes.open(message.options, logger());
        send({ type: 'ready', models: eyes.models });
      } catch (error) {
        send({ type: 'start-failed', error: wireError(error) });
      }
      return;
    case 'examine':
    case 'still':
    case 'see': {
      const times: StageTimes = {};
      try {
        if (!eyes) throw new BerthwatchError('unavailable', 'VISION_NOT_STARTED', 'the vision child has no models yet');
        if (message.type === 'examine') send({ type: 'examined', id: message.id, examination: await eyes.examine(message.request, times), times });
        else if (message.type === 'see') send({ type: 'seen', id: message.id, sight: await eyes.look(message.request, times), times });
        else send({ type: 'still', id: message.id, still: await eyes.still(message.request, times), times });
      } catch (error) {
        send({ type: 'failed', id: message.id, error: wireError(error) });
      }
      return;
    }
    default:
      return;
  }
}

process.on('message', (message: ToChild) => {
  if (message.type === 'ping') return send({ type: 'pong', id: message.id, rssBytes: process.memoryUsage.rss() });
  if (message.type === 'stop') {
    void queue.then(async () => {
      await eyes?.close();
      process.exit(0);
    });
    return;
  }
  queue = queue.then(() => handle(message));
});
// The parent died: nobody wants the answer.
process.on('disconnect', () => process.exit(0));
// Ctrl-C in a terminal reaches the whole group; the parent decides when children end.
process.on('SIGINT', () => undefined);
