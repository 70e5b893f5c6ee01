import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isLoopback } from '../config/config.js';
import { ticketOf } from '../playback/tickets.js';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Bearer token of a request; pictures and event streams, which cannot set headers in a browser, may carry it in the query. */
function presented(request: FastifyRequest): string | null {
  const header = request.headers.authorization;
  if (header?.startsWith('Bearer ')) return header.slice(7);
  const query = request.query as Record<string, unknown>;
  return request.method === 'GET' && typeof query?.access_token === 'string' ? query.access_token : null;
}

/**
 * Who may call what. Reads are open while the server is bound to loopback, and then only under a loopback name, so that a web
 * page elsewhere cannot reach us by pointing its own name at 127.0.0.1. Everything else needs the token; without a configured
 * token nothing can be written. Addresses under `/api/play/` carry a ticket of their own (playback/tickets.ts).
 */
export function guard(app: FastifyInstance, options: { host: string; token: string | null; ticket?: (ticket: string) => boolean }): void {
  const open = isLoopback(options.host);
  app.addHook('onRequest', async (request, reply) => {
    if (!request.url.startsWith('/api/') && request.url !== '/metrics') return;
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const ticket = ticketOf(request.url);
    // Addresses with a ticket are only there to be read, by who was given one.
    if (ticket !== null && reads && options.ticket?.(ticket)) return;
    const given = presented(request);
    if (given !== null && options.token !== null && timingSafeEqual(digest(given), digest(options.token))) return;
    if (reads && open && given === null && isLoopback(request.hostname.replace(/^\[|\]$/g, ''))) return;
    const why = options.token === null ? 'no token is configured (http.token or BERTHWATCH_TOKEN), so nothing can be changed over HTTP' : 'send "Authorization: Bearer <token>"';
    await reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'HTTP_UNAUTHORISED', message: why });
  });
}
