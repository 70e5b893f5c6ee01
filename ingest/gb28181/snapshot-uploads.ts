import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { uriHost } from '../sip/header-values.js';
import { jpegSize } from './jpeg-size.js';
import { boundaryOf, fileNameOf, filePart } from './multipart.js';
import { readSnapshotName } from './snapshot-name.js';

export interface SnapshotUploadsOptions {
  /** Address that cameras can reach; "::" serves IPv4 and IPv6. */
  host: string;
  /** 0 takes a free one. */
  port: number;
  clock: Clock;
  logger: Logger;
  /** Largest picture taken, bytes. */
  maxBytes?: number;
  /** Sessions open at a time. */
  maxSessions?: number;
}

/** A picture that a camera took and sent. */
export interface Snapshot {
  jpeg: Uint8Array;
  width: number;
  height: number;
  /** By the camera's clock, from the name of the file; null where the name does not say. */
  takenAt: number | null;
}

/** One upload that is waited for. */
export interface UploadTicket {
  /** 64 characters that nobody can guess (the standard wants 32 to 128 of letters, digits and "-"). */
  sessionId: string;
  /** Path of the upload; the caller knows under which host the device sees us. */
  path: string;
  picture: Promise<Snapshot>;
  /** Ends it: `why` is what those who wait are told. Harmless when the picture is there. */
  cancel(why: string): void;
}

interface Open {
  channelId: string;
  resolve(snapshot: Snapshot): void;
  reject(error: Error): void;
  receiving: boolean;
  done: boolean;
}

const PREFIX = '/snapshots/';

/**
 * Where cameras of the 2022 edition upload pictures (9.14), on a listener of its own: it can be let through to the cameras' network
 * without the API. It takes a JPEG, raw or in a form, by POST or PUT, only under an open session, and once.
 */
export class SnapshotUploads {
  readonly #options: Required<SnapshotUploadsOptions>;
  readonly #open = new Map<string, Open>();
  #server: Server | null = null;

  constructor(options: SnapshotUploadsOptions) {
    this.#options = { maxBytes: 8 * 1024 * 1024, maxSessions: 32, ...options };
  }

  /** @returns the port. @throws BerthwatchError unavailable */
  async start(): Promise<number> {
    const { host, port, logger } = this.#options;
    const server = createServer({ requestTimeout: 20_000, headersTimeout: 5000, keepAliveTimeout: 2000, maxHeaderSize: 8192 }, (request, response) => {
      this.#receive(request, response).catch((error: unknown) => {
        logger.debug({ error: messageOf(error) }, 'an upload broke off');
        response.destroy();
      });
    });
    server.maxConnections = 256;
    try {
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve));
    } catch (cause) {
      throw new BerthwatchError('unavailable', 'GB_SNAPSHOT_BIND', `snapshots cannot be received on TCP ${host}:${port}: ${messageOf(cause)}; free the port or change gb28181.snapshot.port`, { cause });
    }
    server.on('error', (error) => logger.warn({ error: messageOf(error) }, 'the snapshot listener has an error'));
    this.#server = server;
    return this.port;
  }

  async close(): Promise<void> {
    for (const sessionId of [...this.#open.keys()]) this.#end(sessionId, new BerthwatchError('unavailable', 'GB_SNAPSHOT', 'the service is stopping'));
    const server = this.#server;
    this.#server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** The bound port; 0 before the start. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Opens an upload for one channel. @throws BerthwatchError unavailable where too many are open or the listener is not */
  open(channelId: string): UploadTicket {
    if (!this.#server) throw new BerthwatchError('unavailable', 'GB_SNAPSHOT', 'snapshots are not received: the listener is closed');
    if (this.#open.size >= this.#options.maxSessions) throw new BerthwatchError('unavailable', 'GB_SNAPSHOT', `${this.#options.maxSessions} snapshots are under way: try again in a moment`);
    const sessionId = randomBytes(32).toString('hex');
    const picture = new Promise<Snapshot>((resolve, reject) => this.#open.set(sessionId, { channelId, resolve, reject, receiving: false, done: false }));
    picture.catch(() => undefined);
    return { sessionId, path: PREFIX + sessionId, picture, cancel: (why) => this.#end(sessionId, new BerthwatchError('unavailable', 'GB_SNAPSHOT', why)) };
  }

  /** `http://host:port` + path. */
  url(ticket: UploadTicket, host: string): string {
    return `http://${uriHost(host)}:${this.port}${ticket.path}`;
  }

  #end(sessionId: string, error: Error): void {
    const open = this.#open.get(sessionId);
    this.#open.delete(sessionId);
    open?.reject(error);
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, why: string): void => {
      this.#options.logger.debug({ remote: request.socket.remoteAddress, status, why }, 'an upload is refused');
      // What is still on its way is not read: the connection ends with the answer.
      response.writeHead(status, { connection: 'close', 'content-type': 'text/plain' }).end(`${why}\n`);
      request.resume();
      this.#options.clock.after(1000, () => request.destroy());
    };
    const [sessionId = '', ...tail] = (request.url ?? '').split('?')[0]?.slice(PREFIX.length).split('/') ?? [];
    const open = request.url?.startsWith(PREFIX) ? this.#open.get(sessionId) : undefined;
    if (!open) return refuse(404, 'no such upload');
    if (request.method !== 'POST' && request.method !== 'PUT') return refuse(405, 'POST or PUT');
    if (open.done) return accept(request, response);
    if (open.receiving) return refuse(409, 'this upload is under way');
    if (Number(request.headers['content-length'] ?? 0) > this.#options.maxBytes) return refuse(413, 'too large');
    open.receiving = true;
    try {
      const body = await readBody(request, this.#options.maxBytes);
      if (body === null) return refuse(413, 'too large');
      const problem = this.#take(open, request, body, tail.join('/'));
      if (problem !== null) return refuse(415, problem);
      response.writeHead(200, { 'content-length': 0 }).end();
    } finally {
      open.receiving = false;
    }
  }

  /** @returns what is wrong with it, or null */
  #take(open: Open, request: IncomingMessage, body: Buffer, pathTail: string): string | null {
    const boundary = boundaryOf(request.headers['content-type']);
    const part = boundary === null ? { name: fileNameOf(request.headers['content-disposition']), bytes: body } : filePart(body, boundary, (bytes) => jpegSize(bytes) !== null);
    const size = part ? jpegSize(part.bytes) : null;
    if (!part || !size) return 'not a JPEG';
    const name = readSnapshotName(part.name ?? pathTail) ?? readSnapshotName(pathTail);
    if (name && name.channelId !== open.channelId) return `the name of the picture tells of ${name.channelId}, but ${open.channelId} was asked`;
    open.done = true;
    open.resolve({ jpeg: Uint8Array.from(part.bytes), ...size, takenAt: name?.takenAt ?? null });
    return null;
  }
}

function accept(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(200, { 'content-length': 0 }).end();
}

/** Null where it is longer than `max`. */
async function readBody(request: IncomingMessage, max: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > max) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
