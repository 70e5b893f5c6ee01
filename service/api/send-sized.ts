import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SizedBody } from '../playback/sized-body.js';

/**
 * One range of a `Range` header (RFC 9110, clause 14.2), both ends included.
 *
 * @returns null: no range, or one that we may ignore (another unit, several ranges) · 'unsatisfiable': answer 416
 */
export function parseRange(header: string | undefined, size: number): { from: number; to: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (!match) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  if (first === '') return Number(last) === 0 || size === 0 ? 'unsatisfiable' : { from: Math.max(0, size - Number(last)), to: size - 1 };
  const from = Number(first);
  if (last !== '' && Number(last) < from) return null;
  if (from >= size) return 'unsatisfiable';
  return { from, to: last === '' ? size - 1 : Math.min(size - 1, Number(last)) };
}

/** Answers with a body, or the range of it that was asked for. What cannot be read fails before anything is sent, where it is at the beginning. */
export async function sendSized(request: FastifyRequest, reply: FastifyReply, body: SizedBody, headers: Record<string, string> = {}): Promise<FastifyReply> {
  void reply.headers({ 'accept-ranges': 'bytes', etag: body.etag, 'cache-control': 'private, max-age=3600', ...headers });
  if (request.headers['if-none-match'] === body.etag) return reply.code(304).send();
  // A range of something that has changed meanwhile would be put together with parts of the old one.
  const stale = request.headers['if-range'] !== undefined && request.headers['if-range'] !== body.etag;
  const range = stale ? null : parseRange(request.headers.range, body.size);
  if (range === 'unsatisfiable') return reply.code(416).header('content-range', `bytes */${body.size}`).send({ error: 'HTTP_RANGE', message: `there are only ${body.size} bytes` });
  const from = range?.from ?? 0;
  const to = (range?.to ?? body.size - 1) + 1;
  void reply.type(body.contentType).header('content-length', to - from);
  if (range) void reply.code(206).header('content-range', `bytes ${from}-${to - 1}/${body.size}`);
  // An empty stream, because Fastify takes back the length of anything else that is empty.
  if (request.method === 'HEAD') return reply.send(Readable.from([]));
  const source = body.read(from, to)[Symbol.asyncIterator]();
  const first = await source.next();
  return reply.send(Readable.from(continued(first, source), { objectMode: false, highWaterMark: 1 }));
}

async function* continued(first: IteratorResult<Uint8Array>, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; !next.done; next = await rest.next()) if (next.value.length > 0) yield next.value;
  } finally {
    await rest.return?.();
  }
}
