import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../../base/clock.js';
import { BerthwatchError } from '../../../base/errors.js';
import type { ObjectBody, ObjectInfo, PutOptions } from '../object-store.js';
import { partsOf } from './part-buffer.js';
import { S3Failure } from './s3-failure.js';
import { MOST_PARTS } from './s3-options.js';
import type { S3Head } from './s3-object-store.js';
import type { S3Requests } from './s3-requests.js';
import { bareEtag, readCompleted, readCopied, readPartList, readUploadId } from './s3-xml.js';

export interface PutContext {
  requests: S3Requests;
  clock: Clock;
  partBytes: number;
  bucket: string;
  /** With the prefix. */
  fullKey: string;
  head(): Promise<S3Head | null>;
  /** SHA-256 of the stored bytes. */
  readBack(): Promise<string | null>;
}

/** What was sent, and the ETag that a server gives it which keeps MD5s. */
interface Sent {
  sha256: string;
  expectedEtag: string;
  etag: string;
  storedAt: number | null;
}

/**
 * Puts an object and confirms it.
 *
 * One part: PUT with Content-MD5, which the server checks. More: a multipart upload, each part with its Content-MD5. In both
 * cases the ETag that comes back is compared with the MD5 that we computed (of several parts: the MD5 of their MD5s); where
 * a server makes its ETags otherwise (encryption with own keys), the object is read back and its SHA-256 compared.
 */
export async function putObject(context: PutContext, key: string, body: ObjectBody, options: PutOptions): Promise<ObjectInfo> {
  const size = body instanceof Uint8Array ? body.length : body.size;
  const stream = body instanceof Uint8Array ? once(body) : body.stream;
  const partBytes = Math.max(context.partBytes, Math.ceil(size / MOST_PARTS));
  const sent =
    size <= partBytes ? await putWhole(context, key, stream, size, options)
    : options.sha256 === undefined ? await putAside(context, key, stream, size, partBytes, options)
    : await putParts(context, key, stream, size, partBytes, { ...options, sha256: options.sha256 });
  return confirm(context, key, size, sent, options);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

const hex = (algorithm: 'md5' | 'sha256', bytes: Buffer): string => createHash(algorithm).update(bytes).digest('hex');

function checkSum(key: string, sha256: string, wanted: string | undefined): void {
  if (wanted !== undefined && wanted !== sha256) throw new BerthwatchError('bad-input', 'OBJECT_CHECKSUM', `object ${key}: the bytes have SHA-256 ${sha256}, not ${wanted}`);
}

function headersOf(options: Pick<PutOptions, 'contentType'>, sha256: string): Record<string, string> {
  return { 'content-type': options.contentType, 'x-amz-meta-sha256': sha256 };
}

async function putWhole(context: PutContext, key: string, stream: AsyncIterable<Uint8Array>, size: number, options: PutOptions): Promise<Sent> {
  let bytes: Buffer = Buffer.alloc(0);
  for await (const part of partsOf(stream, size, Math.max(size, 1), key)) bytes = part;
  const sha256 = hex('sha256', bytes);
  checkSum(key, sha256, options.sha256);
  const md5 = createHash('md5').update(bytes).digest();
  const headers = { ...headersOf(options, sha256), 'content-md5': md5.toString('base64') };
  const request = (more: Record<string, string>) => context.requests.send({ method: 'PUT', key: context.fullKey, headers: { ...headers, ...more }, body: bytes, what: `object ${key}` });
  const answer = await conditionally(options, request);
  return { sha256, expectedEtag: md5.toString('hex'), etag: bareEtag(answer.headers.etag ?? ''), storedAt: answer.serverTime };
}

/** A write that must not replace, where the server can do that; whoever calls has looked before for those that cannot. */
async function conditionally<T>(options: Pick<PutOptions, 'ifAbsent'>, send: (headers: Record<string, string>) => Promise<T>): Promise<T> {
  if (!options.ifAbsent) return send({});
  try {
    return await send({ 'if-none-match': '*' });
  } catch (error) {
    const failure = error instanceof BerthwatchError ? error.cause : null;
    if (failure instanceof S3Failure && failure.status === 501) return send({});
    throw error;
  }
}

/** The most that S3 copies in one go. */
const MOST_COPIED = 5 * 1024 ** 3;

/**
 * A large stream whose SHA-256 is known only at its end, when its metadata has long been sent: put beside its place first, then copied to
 * it by the server, with the metadata.
 */
async function putAside(context: PutContext, key: string, stream: AsyncIterable<Uint8Array>, size: number, partBytes: number, options: PutOptions): Promise<Sent> {
  if (size > MOST_COPIED) throw new BerthwatchError('bad-input', 'OBJECT_CHECKSUM', `object ${key} of ${size} bytes: above ${MOST_COPIED} bytes its SHA-256 must be told before`);
  const { requests, fullKey, bucket } = context;
  const aside = `${fullKey}.${randomBytes(6).toString('hex')}.part`;
  const { resume: _none, ...plain } = options;
  try {
    const { sha256 } = await putParts({ ...context, fullKey: aside }, key, stream, size, partBytes, { ...plain, ifAbsent: false, sha256: null });
    const source = `/${bucket}/${aside}`.split('/').map(encodeURIComponent).join('/');
    const headers = { ...headersOf(options, sha256), 'x-amz-copy-source': source, 'x-amz-metadata-directive': 'REPLACE' };
    const answer = await conditionally(options, (more) => requests.send({ method: 'PUT', key: fullKey, headers: { ...headers, ...more }, what: `object ${key}` }));
    const copied = readCopied(answer.text);
    if (!('etag' in copied)) throw requests.error(new S3Failure(500, copied.code, copied.message, { serverTime: null, region: copied.region }), `object ${key}`);
    // How servers make the ETag of a copy differs: it is read back.
    return { sha256, expectedEtag: 'read back', etag: copied.etag, storedAt: answer.serverTime };
  } finally {
    await requests.send({ method: 'DELETE', key: aside, what: `object ${key}` }).catch(() => undefined);
  }
}

async function putParts(context: PutContext, key: string, stream: AsyncIterable<Uint8Array>, size: number, partBytes: number, options: Omit<PutOptions, 'sha256'> & { sha256: string | null }): Promise<Sent> {
  const { requests, fullKey } = context;
  const { resume } = options;
  const what = `object ${key}`;
  const earlier = resume?.uploadId ? await listParts(context, key, resume.uploadId) : null;
  let uploadId = earlier === null ? null : (resume?.uploadId ?? null);
  try {
    if (uploadId === null) {
      const { text } = await requests.send({ method: 'POST', key: fullKey, query: { uploads: '' }, headers: options.sha256 === null ? { 'content-type': options.contentType } : headersOf(options, options.sha256), what });
      uploadId = readUploadId(text);
      await resume?.begun(uploadId);
    }
    const hash = createHash('sha256');
    const parts: { part: number; etag: string; md5: Buffer }[] = [];
    for await (const bytes of partsOf(stream, size, partBytes, key)) {
      hash.update(bytes);
      const md5 = createHash('md5').update(bytes).digest();
      const part = parts.length + 1;
      const there = earlier?.get(part);
      if (there && there.size === bytes.length && there.etag === md5.toString('hex')) {
        parts.push({ part, etag: there.etag, md5 });
        continue;
      }
      const { headers } = await requests.send({ method: 'PUT', key: fullKey, query: { partNumber: String(part), uploadId }, headers: { 'content-md5': md5.toString('base64') }, body: bytes, what: `part ${part} of ${what}` });
      parts.push({ part, etag: bareEtag(headers.etag ?? ''), md5 });
    }
    const sha256 = hash.digest('hex');
    checkSum(key, sha256, options.sha256 ?? undefined);
    const expectedEtag = `${hex('md5', Buffer.concat(parts.map((part) => part.md5)))}-${parts.length}`;
    const etag = await complete(context, key, uploadId, parts, expectedEtag, options);
    return { sha256, expectedEtag, etag, storedAt: null };
  } catch (error) {
    // What may go on later is left where it is; the caller has its id.
    const goesOn = resume !== undefined && error instanceof BerthwatchError && (error.kind === 'unavailable' || error.kind === 'unauthorised');
    if (uploadId !== null && !goesOn) await requests.send({ method: 'DELETE', key: fullKey, query: { uploadId }, what: `the upload of ${what}` }).catch(() => undefined);
    throw error;
  }
}

/** Null where the upload is gone. */
async function listParts(context: PutContext, key: string, uploadId: string): Promise<Map<number, { etag: string; size: number }> | null> {
  const found = new Map<number, { etag: string; size: number }>();
  for (let marker: number | null = 0; marker !== null; ) {
    let text: string;
    try {
      ({ text } = await context.requests.send({ method: 'GET', key: context.fullKey, query: { uploadId, ...(marker === 0 ? {} : { 'part-number-marker': String(marker) }) }, what: `the upload of object ${key}` }));
    } catch (error) {
      if (error instanceof BerthwatchError && error.kind === 'not-found') return null;
      throw error;
    }
    const page = readPartList(text);
    for (const part of page.parts) found.set(part.part, part);
    marker = page.next !== null && page.next > marker ? page.next : null;
  }
  return found;
}

async function complete(context: PutContext, key: string, uploadId: string, parts: readonly { part: number; etag: string }[], expectedEtag: string, options: Pick<PutOptions, 'ifAbsent'>): Promise<string> {
  const what = `object ${key}`;
  const xml = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.map(({ part, etag }) => `<Part><PartNumber>${part}</PartNumber><ETag>"${etag}"</ETag></Part>`).join('')}</CompleteMultipartUpload>`;
  const send = (more: Record<string, string>) => context.requests.send({ method: 'POST', key: context.fullKey, query: { uploadId }, headers: { 'content-type': 'application/xml', ...more }, body: Buffer.from(xml), what });
  try {
    const { text } = await conditionally(options, send);
    const result = readCompleted(text);
    if ('etag' in result) return result.etag;
    throw context.requests.error(new S3Failure(500, result.code, result.message, { serverTime: null, region: result.region }), what);
  } catch (error) {
    // An answer that was lost: the upload is gone because it came to its end.
    const head = error instanceof BerthwatchError && error.code === 'OBJECT_UPLOAD_GONE' ? await context.head() : null;
    if (head?.etag === expectedEtag) return head.etag;
    if (error instanceof BerthwatchError && error.code === 'OBJECT_UPLOAD_GONE') throw new BerthwatchError('unavailable', 'OBJECT_UPLOAD_GONE', `${what} (${context.requests.where}): the server gave the upload up before it was complete; it begins anew`, { cause: error });
    throw error;
  }
}

async function confirm(context: PutContext, key: string, size: number, sent: Sent, options: PutOptions): Promise<ObjectInfo> {
  const head = await context.head();
  const wrong = (what: string): BerthwatchError => new BerthwatchError('unavailable', 'OBJECT_UNCONFIRMED', `object ${key} (${context.requests.where}) was stored, but ${what}: it is put again`);
  if (!head) throw wrong('is not there');
  // Another writer came after us: what it put is its own to confirm.
  if (head.etag !== sent.etag) return { key, size, contentType: options.contentType, sha256: sent.sha256, storedAt: sent.storedAt ?? head.info.storedAt };
  if (head.info.size !== size || head.info.sha256 !== sent.sha256) throw wrong(`has ${head.info.size} bytes and SHA-256 ${head.info.sha256} instead of ${size} and ${sent.sha256}`);
  if (sent.etag !== sent.expectedEtag) {
    const stored = await context.readBack();
    if (stored !== sent.sha256) throw wrong(`reads back with SHA-256 ${stored ?? 'none'} instead of ${sent.sha256}`);
  }
  return head.info;
}
