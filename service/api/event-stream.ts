import type { FastifyInstance } from 'fastify';
import type { Feed, FeedItem } from '../live/feed.js';

/** More would be people leaving pages open by the hundred, or an attack. */
const MOST_LISTENERS = 64;
/** A reader that does not read is cut off rather than buffered for. */
const MOST_UNSENT_BYTES = 1024 * 1024;
const PING_MS = 15_000;

/** `GET /api/events`: the feed as server-sent events. `Last-Event-ID` continues where a reader was cut off. */
export function addEventStream(app: FastifyInstance, feed: Feed): void {
  let listeners = 0;
  app.get('/api/events', { schema: { tags: ['live'], description: 'Server-sent events: what happens, as it happens. Each event is a JSON feed item.' } }, async (request, reply) => {
    if (listeners >= MOST_LISTENERS) return reply.code(503).send({ error: 'HTTP_LISTENERS', message: `${MOST_LISTENERS} pages listen already` });
    listeners++;
    reply.hijack();
    const out = reply.raw;
    out.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    const send = (item: FeedItem): void => {
      if (out.writableLength > MOST_UNSENT_BYTES) out.destroy();
      else out.write(`id: ${item.id}\ndata: ${JSON.stringify(item)}\n\n`);
    };
    const last = Number(request.headers['last-event-id'] ?? (request.query as { since?: string }).since ?? NaN);
    for (const item of feed.since(Number.isFinite(last) ? last : Number.MAX_SAFE_INTEGER)) send(item);
    const unsubscribe = feed.subscribe(send);
    const ping = setInterval(() => out.write(': ping\n\n'), PING_MS);
    out.write(': hello\n\n');
    out.on('close', () => {
      listeners--;
      clearInterval(ping);
      unsubscribe();
    });
    return reply;
  });
}
