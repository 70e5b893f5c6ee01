import type { FastifyRequest } from 'fastify';
import { BerthwatchError } from '../../base/errors.js';

/** Does work for a request; the signal aborts when whoever asked has gone: a player that seeks hangs up on the pieces it does not want any more. */
export async function whileWanted<T>(request: FastifyRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const gone = (): void => abort.abort(new BerthwatchError('unavailable', 'API_NOBODY_WAITS', 'nobody waits for this answer any more'));
  const { socket } = request.raw;
  socket.once('close', gone);
  try {
    return await work(abort.signal);
  } finally {
    socket.off('close', gone);
  }
}
