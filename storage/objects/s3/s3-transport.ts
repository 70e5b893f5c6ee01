import http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import type { S3Options } from './s3-options.js';
import { S3Failure, S3Timeout } from './s3-failure.js';
import { readError } from './s3-xml.js';

/** An error's body is a few hundred bytes; more is not read. */
const MAX_ERROR = 64 * 1024;
/** Slower is broken: what a request carries must be gone within its timeout and this many bytes a second. */
const LEAST_RATE = 32 * 1024;

export interface S3Transport {
  /** As the client library wants it. */
  transport: Pick<typeof http, 'request'>;
  agent: http.Agent;
  close(): void;
}

/**
 * HTTP below the client library: connections that are kept, a timeout on silence, and answers that are no success turned into
 * `S3Failure`s with a bounded body, which the library itself would partly drop and partly read without bounds.
 */
export function s3Transport(options: Pick<S3Options, 'endpoint' | 'ca' | 'timeoutMs'>): S3Transport {
  const secure = options.endpoint.startsWith('https:');
  const agent = secure ? new https.Agent({ keepAlive: true, ...(options.ca === null ? {} : { ca: [...tls.rootCertificates, options.ca] }) }) : new http.Agent({ keepAlive: true });
  const request = (wanted: http.RequestOptions, onResponse: (response: http.IncomingMessage) => void): http.ClientRequest => {
    const made = (secure ? https : http).request({ ...wanted, agent });
    made.setTimeout(options.timeoutMs, () => made.destroy(new S3Timeout(options.timeoutMs)));
    const size = Number((wanted.headers as Record<string, string> | undefined)?.['content-length'] ?? 0);
    const limit = options.timeoutMs + Math.ceil((size / LEAST_RATE) * 1000);
    const deadline = setTimeout(() => made.destroy(new S3Timeout(limit)), limit);
    made.once('close', () => clearTimeout(deadline));
    made.on('response', (response: http.IncomingMessage) => {
      clearTimeout(deadline);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return onResponse(response);
      void failure(response, status).then((error) => made.emit('error', error));
    });
    return made;
  };
  return { transport: { request: request as typeof http.request }, agent, close: () => agent.destroy() };
}

async function failure(response: http.IncomingMessage, status: number): Promise<S3Failure> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_ERROR) break;
      chunks.push(chunk);
    }
  } catch {
    // The status says enough.
  }
  const said = readError(Buffer.concat(chunks).toString('utf8'));
  const header = (name: string): string | null => {
    const value = response.headers[name];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const serverTime = Date.parse(header('date') ?? '');
  const more = { serverTime: Number.isNaN(serverTime) ? null : serverTime, region: said?.region ?? header('x-amz-bucket-region') };
  return new S3Failure(status, said?.code ?? header('x-minio-error-code') ?? codeOf(status), said?.message ?? header('x-minio-error-desc')?.replace(/^"|"$/g, '') ?? '', more);
}

/** HEAD brings no body. */
function codeOf(status: number): string {
  const codes: Record<number, string> = { 301: 'MovedPermanently', 307: 'MovedPermanently', 403: 'AccessDenied', 404: 'NotFound', 409: 'ConditionalRequestConflict', 412: 'PreconditionFailed', 416: 'InvalidRange', 501: 'NotImplemented', 503: 'SlowDown' };
  return codes[status] ?? `Status${status}`;
}
