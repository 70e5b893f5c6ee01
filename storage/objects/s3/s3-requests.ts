import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Client } from 'minio';
import { sleep } from '../../../base/clock.js';
import { BerthwatchError } from '../../../base/errors.js';
import { mayRetry, s3Error } from './s3-failure.js';
import type { S3Options } from './s3-options.js';
import { s3Transport, type S3Transport } from './s3-transport.js';

export interface S3Request {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Key in the bucket, prefix included; null: the bucket itself. */
  key: string | null;
  /** Names and values; an empty value gives the bare name. */
  query?: Readonly<Record<string, string>>;
  headers?: Readonly<Record<string, string>>;
  body?: Buffer;
  /** For messages. */
  what: string;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** A page of 1000 keys of 512 letters is well below. */
const MAX_ANSWER = 8 * 1024 * 1024;

/** Signed requests to one bucket: sent again within bounds where that may help, their failures made errors of ours. */
export class S3Requests {
  readonly #options: S3Options;
  readonly #client: Client;
  readonly #connections: S3Transport;
  readonly #secure: boolean;

  /** @throws BerthwatchError bad-input where the endpoint is none */
  constructor(options: S3Options) {
    this.#options = options;
    const url = parseEndpoint(options.endpoint);
    this.#secure = url.protocol === 'https:';
    this.#connections = s3Transport(options);
    try {
      this.#client = new Client({
        endPoint: url.hostname.replace(/^\[|\]$/g, ''),
        ...(url.port === '' ? {} : { port: Number(url.port) }),
        useSSL: this.#secure,
        accessKey: options.accessKey,
        secretKey: options.secretKey,
        region: options.region,
        pathStyle: options.pathStyle,
        transport: this.#connections.transport,
        transportAgent: this.#connections.agent,
        retryOptions: { disableRetry: true },
      });
    } catch (cause) {
      throw new BerthwatchError('bad-input', 'OBJECT_STORE_OPTIONS', `the S3 endpoint ${options.endpoint} cannot be used: ${String((cause as Error).message)}`, { cause });
    }
  }

  /** For messages; no secrets. */
  get where(): string {
    const { bucket, endpoint, prefix } = this.#options;
    return `bucket ${bucket}${prefix === '' ? '' : `/${prefix}`} at ${endpoint}`;
  }

  /** The client library, for what it does whole (addresses signed beforehand, locks). */
  get client(): Client {
    return this.#client;
  }

  close(): void {
    this.#connections.close();
  }

  /** Sends a request whose answer is small. @throws BerthwatchError */
  send(request: S3Request): Promise<{ headers: IncomingHttpHeaders; text: string; serverTime: number | null }> {
    return this.#retrying(request.what, async () => {
      const response = await this.#once(request);
      const text = await readText(response);
      return { headers: response.headers, text };
    }).then((answer) => ({ ...answer, serverTime: Date.parse(answer.headers.date ?? '') || null }));
  }

  /** Sends a request whose answer is to be read as it comes. Whoever calls reads it or destroys it. @throws BerthwatchError */
  open(request: S3Request): Promise<IncomingMessage> {
    return this.#retrying(request.what, () => this.#once(request));
  }

  /** Runs what the client library does whole, its failures made ours. */
  call<T>(what: string, work: (client: Client) => Promise<T>): Promise<T> {
    return this.#retrying(what, () => work(this.#client));
  }

  /** What a failure of a request is to us. */
  error(error: unknown, what: string): BerthwatchError {
    return s3Error(error, this.where, what, this.#options.clock.now());
  }

  /** Pauses before the try `attempt` (from 1 on), with jitter so that many do not come at once. */
  pause(attempt: number): Promise<void> {
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
    return sleep(this.#options.clock, longest / 2 + (Math.random() * longest) / 2);
  }

  async #retrying<T>(what: string, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (cause) {
        const error = this.error(cause, what);
        if (!mayRetry(error) || attempt >= this.#options.attempts) throw error;
      }
      await this.pause(attempt);
    }
  }

  #once(request: S3Request): Promise<IncomingMessage> {
    const { method, key, query = {}, headers = {}, body } = request;
    const payload = body ?? Buffer.alloc(0);
    const pairs = Object.entries(query).map(([name, value]) => (value === '' ? name : `${name}=${encode(value)}`));
    return this.#client.makeRequestStreamAsync(
      {
        method,
        bucketName: this.#options.bucket,
        ...(key === null ? {} : { objectName: key }),
        query: pairs.join('&'),
        headers: { ...headers, ...(method === 'PUT' || method === 'POST' ? { 'content-length': String(payload.length) } : {}) },
      },
      payload.length === 0 ? '' : payload,
      // Over TLS the library signs without the body's checksum: there Content-MD5 and TLS stand for it.
      this.#secure ? '' : createHash('sha256').update(payload).digest('hex'),
      [200, 204, 206],
      this.#options.region,
    );
  }
}

/** As AWS signs it: everything but unreserved characters. */
const encode = (value: string): string => encodeURIComponent(value).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** @throws BerthwatchError bad-input */
export function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') {
    throw new BerthwatchError('bad-input', 'OBJECT_STORE_OPTIONS', `the S3 endpoint "${endpoint.replace(/\/\/[^/]*@/, '//…@')}" must be like https://s3.example.com or http://192.0.2.7:9000: no path (the bucket is S3_BUCKET), no user`);
  }
  return url;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER) {
      response.destroy();
      throw new BerthwatchError('unavailable', 'OBJECT_STORE_ANSWER', `the server’s answer has more than ${MAX_ANSWER} bytes: is this an S3 server?`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
