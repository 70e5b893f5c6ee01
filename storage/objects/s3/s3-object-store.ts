import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { BerthwatchError } from '../../../base/errors.js';
import { checkKey } from '../object-key.js';
import type { ByteRange, ListOptions, ObjectBody, ObjectContent, ObjectInfo, ObjectPage, ObjectStore, PendingUpload, PutOptions } from '../object-store.js';
import { mayRetry, S3Failure } from './s3-failure.js';
import { LEAST_PART, type S3Options } from './s3-options.js';
import { S3Requests, type S3Request } from './s3-requests.js';
import { putObject } from './s3-put.js';
import { bareEtag, readDeleteErrors, readEnabled, readObjectList, readRetention, readUploadList } from './s3-xml.js';

const MAX_PAGE = 1000;
const LONGEST_PRESIGNED_MS = 7 * 86_400_000;
/** How long a bucket that was there is taken to be there still, where an answer cannot tell a missing object from a missing bucket. */
const BUCKET_SEEN_MS = 10_000;

/** An object as HEAD tells it. */
export interface S3Head {
  info: ObjectInfo;
  etag: string;
  /** Null where the bucket keeps no versions. */
  version: string | null;
}

/**
 * Objects in a bucket of any S3 server. Only what every one of them has is relied on: GET with ranges, HEAD, PUT with
 * Content-MD5, DELETE, ListObjectsV2 and multipart uploads; conditional writes, locks and versions are used where they are.
 *
 * The SHA-256 stands with the object as its metadata (`x-amz-meta-sha256`); objects without it are not ours.
 */
export class S3ObjectStore implements ObjectStore {
  readonly #options: S3Options;
  readonly #requests: S3Requests;
  #bucketSeen = -Infinity;
  #locks: Promise<boolean> | null = null;

  /** @throws BerthwatchError bad-input where options cannot be used */
  constructor(options: S3Options) {
    if (options.partBytes < LEAST_PART) throw new BerthwatchError('bad-input', 'OBJECT_STORE_OPTIONS', `objects.s3.partSize is ${options.partBytes} bytes: S3 takes no parts below ${LEAST_PART}`);
    if (options.prefix !== '') checkKey(options.prefix);
    this.#options = options;
    this.#requests = new S3Requests(options);
  }

  get place(): string {
    return this.#requests.where;
  }

  /** Makes the bucket where that is wished; a server that is away now is no error, because it may come. @throws BerthwatchError */
  async start(): Promise<void> {
    if (!this.#options.createBucket) return;
    const exists = await this.#requests.call('the bucket', (client) => client.bucketExists(this.#options.bucket));
    if (exists) return;
    const { region, bucket } = this.#options;
    try {
      await this.#requests.call('the bucket', (client) => client.makeBucket(bucket, region === 'us-east-1' ? '' : region));
    } catch (error) {
      const cause = (error as Error).cause;
      if (!(cause instanceof S3Failure && cause.code === 'BucketAlreadyOwnedByYou')) throw error;
    }
  }

  /** Lets idle connections go. */
  close(): void {
    this.#requests.close();
  }

  async check(): Promise<void> {
    await this.#requests.send({ method: 'GET', key: null, query: { 'list-type': '2', 'max-keys': '1', prefix: this.#key('') }, what: 'the bucket' });
    this.#bucketSeen = this.#options.clock.monotonic();
  }

  async put(key: string, body: ObjectBody, options: PutOptions): Promise<ObjectInfo> {
    checkKey(key);
    if (!/^[\x21-\x7e][\x20-\x7e]{0,199}$/.test(options.contentType)) throw new BerthwatchError('bad-input', 'OBJECT_TYPE', `object ${key}: ${JSON.stringify(options.contentType)} is no media type`);
    // Servers without conditional writes would replace it silently.
    if (options.ifAbsent && (await this.#head(key))) throw new BerthwatchError('conflict', 'OBJECT_EXISTS', `there is an object ${key} already`);
    return putObject({ requests: this.#requests, clock: this.#options.clock, partBytes: this.#options.partBytes, bucket: this.#options.bucket, fullKey: this.#key(key), head: () => this.#head(key), readBack: () => this.#hash(key) }, key, body, options);
  }

  async get(key: string, range?: ByteRange): Promise<ObjectContent> {
    const head = await this.#head(key);
    if (!head) throw notFound(key);
    const { info, etag } = head;
    if (range && !(Number.isSafeInteger(range.from) && range.from >= 0 && range.to >= range.from && range.from < info.size)) {
      throw new BerthwatchError('bad-input', 'OBJECT_RANGE', `object ${key} has ${info.size} bytes: there is no range ${range.from}-${range.to}`);
    }
    return { info, body: this.#body(info, etag, range ?? null) };
  }

  async head(key: string): Promise<ObjectInfo | null> {
    return (await this.#head(key))?.info ?? null;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ObjectPage> {
    const { after = '', limit = MAX_PAGE } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) throw new BerthwatchError('bad-input', 'OBJECT_LIMIT', `a page of ${limit} keys: give 1 to ${MAX_PAGE}`);
    const query = { 'list-type': '2', 'max-keys': String(limit), prefix: this.#key(prefix), ...(after === '' ? {} : { 'start-after': this.#key(after) }) };
    const { text } = await this.#requests.send({ method: 'GET', key: null, query, what: `the objects ${prefix}…` });
    const { objects, truncated } = this.#understood(`the objects ${prefix}…`, () => readObjectList(text));
    const skip = this.#key('').length;
    const ours = objects.map((object) => ({ ...object, key: object.key.slice(skip) }));
    return { objects: ours.filter((object) => isKey(object.key)), next: truncated ? (ours.at(-1)?.key ?? null) : null };
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    const versioned = await this.#keepsVersions();
    // Without its version a delete would only hide it, and its bytes would stay.
    const version = versioned ? ((await this.#headAny(key))?.version ?? null) : null;
    if (versioned && version === null) return;
    try {
      await this.#requests.send({ method: 'DELETE', key: this.#key(key), ...(version === null ? {} : { query: { versionId: version } }), what: `object ${key}` });
    } catch (error) {
      if (!(error instanceof BerthwatchError && error.code === 'OBJECT_NOT_FOUND')) throw error;
    }
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    keys.forEach(checkKey);
    const single = keys.length === 1 || (await this.#keepsVersions());
    let failed: BerthwatchError | null = null;
    const note = (error: unknown): void => {
      if (!(error instanceof BerthwatchError)) throw error;
      failed ??= error;
    };
    for (let at = 0; at < keys.length; at += MAX_PAGE) {
      const page = keys.slice(at, at + MAX_PAGE);
      if (single || !(await this.#deletePage(page).catch((error: unknown) => (note(error), true)))) for (const key of page) await this.delete(key).catch(note);
    }
    if (failed) throw failed as BerthwatchError;
  }

  async presignedGet(key: string, options: { expiresMs: number; fileName?: string }): Promise<string> {
    checkKey(key);
    const { expiresMs, fileName } = options;
    if (!(expiresMs >= 1000 && expiresMs <= LONGEST_PRESIGNED_MS)) throw new BerthwatchError('bad-input', 'OBJECT_EXPIRES', `an address of object ${key} for ${expiresMs} ms: give one second to seven days`);
    if (fileName !== undefined && !/^[\w.=+@ -]{1,200}$/.test(fileName)) throw new BerthwatchError('bad-input', 'OBJECT_FILE_NAME', `${JSON.stringify(fileName)} cannot be a file name in an address`);
    const more = fileName === undefined ? {} : { 'response-content-disposition': `attachment; filename="${fileName}"` };
    const { bucket, clock } = this.#options;
    return this.#requests.client.presignedUrl('GET', bucket, this.#key(key), Math.floor(expiresMs / 1000), more, new Date(clock.now()));
  }

  async pendingUploads(prefix: string): Promise<PendingUpload[]> {
    const uploads: PendingUpload[] = [];
    const skip = this.#key('').length;
    for (let marker: { key: string; uploadId: string } | null = { key: '', uploadId: '' }; marker !== null; ) {
      const from: Record<string, string> = marker.key === '' ? {} : { 'key-marker': marker.key, 'upload-id-marker': marker.uploadId };
      const { text } = await this.#requests.send({ method: 'GET', key: null, query: { uploads: '', prefix: this.#key(prefix), ...from }, what: 'the pending uploads' });
      const page = this.#understood('the pending uploads', () => readUploadList(text));
      uploads.push(...page.uploads.map((upload) => ({ ...upload, key: upload.key.slice(skip) })).filter((upload) => isKey(upload.key)));
      // A server that gives the same marker again would never end.
      marker = page.next && page.next.key !== '' && page.next.key > marker.key ? page.next : null;
    }
    return uploads;
  }

  async abortUpload(key: string, uploadId: string): Promise<void> {
    checkKey(key);
    try {
      await this.#requests.send({ method: 'DELETE', key: this.#key(key), query: { uploadId }, what: `the upload of object ${key}` });
    } catch (error) {
      if (!(error instanceof BerthwatchError && error.kind === 'not-found')) throw error;
    }
  }

  async lock(key: string, until: number): Promise<void> {
    checkKey(key);
    if (!(await this.#hasLocks())) throw new BerthwatchError('bad-input', 'OBJECT_UNSUPPORTED', `object ${key} cannot be locked: ${this.place} was made without object lock`);
    if (!(await this.#head(key))) throw notFound(key);
    const body = Buffer.from(`<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>GOVERNANCE</Mode><RetainUntilDate>${new Date(until).toISOString()}</RetainUntilDate></Retention>`);
    await this.#requests.send({ method: 'PUT', key: this.#key(key), query: { retention: '' }, headers: { 'content-type': 'application/xml', 'content-md5': createHash('md5').update(body).digest('base64') }, body, what: `the lock of object ${key}` });
  }

  async lockedUntil(key: string): Promise<number | null> {
    checkKey(key);
    if (!(await this.#hasLocks())) return null;
    const { text } = await this.#requests.send({ method: 'GET', key: this.#key(key), query: { retention: '' }, what: `the lock of object ${key}` }).catch((error: unknown) => {
      if (error instanceof BerthwatchError && error.cause instanceof S3Failure && error.cause.code === 'NoSuchObjectLockConfiguration') return { text: '' };
      throw error;
    });
    return text === '' ? null : this.#understood(`the lock of object ${key}`, () => readRetention(text));
  }

  #key(key: string): string {
    const { prefix } = this.#options;
    return prefix === '' ? key : `${prefix}/${key}`;
  }

  /** @throws BerthwatchError bad-input where the object is none of ours */
  async #head(key: string): Promise<S3Head | null> {
    const any = await this.#headAny(key);
    if (!any) return null;
    const { headers, etag, version } = any;
    const sha256 = headers['x-amz-meta-sha256'];
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw new BerthwatchError('bad-input', 'OBJECT_DAMAGED', `object ${key} (${this.place}) has no SHA-256 in its metadata: it was not put by berthwatch, or was copied without its metadata`);
    const info: ObjectInfo = { key, size: Number(headers['content-length']), contentType: headers['content-type'] ?? '', sha256, storedAt: Date.parse(headers['last-modified'] ?? '') || 0 };
    return { info, etag, version };
  }

  async #headAny(key: string): Promise<{ headers: IncomingHttpHeaders; etag: string; version: string | null } | null> {
    checkKey(key);
    try {
      const { headers } = await this.#requests.send({ method: 'HEAD', key: this.#key(key), what: `object ${key}` });
      this.#bucketSeen = this.#options.clock.monotonic();
      const version = headers['x-amz-version-id'];
      return { headers, etag: bareEtag(headers.etag ?? ''), version: typeof version === 'string' && version !== '' ? version : null };
    } catch (error) {
      if (!(error instanceof BerthwatchError && error.code === 'OBJECT_NOT_FOUND')) throw error;
      // HEAD has no body: a missing bucket looks like a missing object.
      if (this.#options.clock.monotonic() - this.#bucketSeen > BUCKET_SEEN_MS) await this.check();
      return null;
    }
  }

  /** Reads on where a connection breaks, as often as a request may be tried without a byte between. */
  async *#body(info: ObjectInfo, etag: string, range: ByteRange | null): AsyncGenerator<Uint8Array> {
    const end = Math.min(info.size, (range?.to ?? Infinity) + 1);
    const hash = range === null ? createHash('sha256') : null;
    let failures = 0;
    for (let at = range?.from ?? 0; at < end; ) {
      const response = await this.#open(info, etag, at, end);
      try {
        for await (const chunk of response as AsyncIterable<Buffer>) {
          const bytes = chunk.subarray(0, end - at);
          at += bytes.length;
          failures = 0;
          hash?.update(bytes);
          yield bytes;
        }
        if (at < end) throw new S3Failure(200, 'IncompleteBody', `the answer ended ${end - at} bytes early`, { serverTime: null, region: null });
      } catch (cause) {
        const error = cause instanceof S3Failure ? new BerthwatchError('unavailable', 'OBJECT_STORE_AWAY', `object ${info.key} (${this.place}): ${cause.message}`, { cause }) : this.#requests.error(cause, `object ${info.key}`);
        if (!mayRetry(error) || ++failures >= this.#options.attempts) throw error;
        await this.#requests.pause(failures);
      } finally {
        response.destroy();
      }
    }
    if (hash && hash.digest('hex') !== info.sha256) throw new BerthwatchError('bad-input', 'OBJECT_DAMAGED', `the bytes of object ${info.key} (${this.place}) are not those that were stored: SHA-256 differs from ${info.sha256}`);
  }

  async #open(info: ObjectInfo, etag: string, from: number, end: number): Promise<IncomingMessage> {
    const { key } = info;
    const whole = from === 0 && end === info.size;
    const request: S3Request = { method: 'GET', key: this.#key(key), headers: { 'if-match': `"${etag}"`, ...(whole ? {} : { range: `bytes=${from}-${end - 1}` }) }, what: `object ${key}` };
    let response: IncomingMessage;
    try {
      response = await this.#requests.open(request);
    } catch (error) {
      if (error instanceof BerthwatchError && error.cause instanceof S3Failure && error.cause.status === 412) throw new BerthwatchError('unavailable', 'OBJECT_REPLACED', `object ${key} was replaced before it was read: get it again`, { cause: error });
      throw error;
    }
    if (!whole && response.statusCode !== 206) {
      response.destroy();
      throw new BerthwatchError('unavailable', 'OBJECT_STORE_ANSWER', `object ${key} (${this.place}): the server takes no ranges`);
    }
    return response;
  }

  /** SHA-256 of what is stored, read back; null where nothing is. */
  async #hash(key: string): Promise<string | null> {
    const head = await this.#head(key);
    if (!head) return null;
    const hash = createHash('sha256');
    try {
      // As a range, so that the bytes are told and not judged.
      if (head.info.size > 0) for await (const chunk of this.#body(head.info, head.etag, { from: 0, to: head.info.size })) hash.update(chunk);
    } catch (error) {
      if (error instanceof BerthwatchError && error.kind === 'not-found') return null;
      throw error;
    }
    return hash.digest('hex');
  }

  /** False where the server has no call for it. */
  async #deletePage(keys: readonly string[]): Promise<boolean> {
    const xml = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${keys.map((key) => `<Object><Key>${this.#key(key)}</Key></Object>`).join('')}</Delete>`;
    const body = Buffer.from(xml);
    const what = `${keys.length} objects`;
    try {
      const { text } = await this.#requests.send({ method: 'POST', key: null, query: { delete: '' }, headers: { 'content-type': 'application/xml', 'content-md5': createHash('md5').update(body).digest('base64') }, body, what });
      const left = this.#understood(what, () => readDeleteErrors(text)).filter((error) => error.code !== 'NoSuchKey');
      const [first] = left;
      if (first) throw this.#requests.error(new S3Failure(200, first.code, first.message, { serverTime: null, region: null }), `object ${first.key} and ${left.length - 1} more`);
      return true;
    } catch (error) {
      const failure = error instanceof BerthwatchError ? error.cause : null;
      if (failure instanceof S3Failure && [405, 501].includes(failure.status)) return false;
      throw error;
    }
  }

  #hasLocks(): Promise<boolean> {
    return (this.#locks ??= this.#enabled('object-lock', 'ObjectLockConfiguration').catch((error: unknown) => {
      this.#locks = null;
      throw error;
    }));
  }

  #versions: Promise<boolean> | null = null;
  #keepsVersions(): Promise<boolean> {
    return (this.#versions ??= this.#enabled('versioning', 'VersioningConfiguration').catch((error: unknown) => {
      this.#versions = null;
      throw error;
    }));
  }

  /** Whether a feature of the bucket is on; servers and keys that cannot tell count as off. */
  async #enabled(query: string, root: 'VersioningConfiguration' | 'ObjectLockConfiguration'): Promise<boolean> {
    try {
      const { text } = await this.#requests.send({ method: 'GET', key: null, query: { [query]: '' }, what: 'the bucket' });
      return this.#understood('the bucket', () => readEnabled(text, root));
    } catch (error) {
      const failure = error instanceof BerthwatchError ? error.cause : null;
      if (failure instanceof S3Failure && failure.code !== 'NoSuchBucket' && [400, 403, 404, 405, 501].includes(failure.status) && (error as BerthwatchError).code !== 'OBJECT_STORE_CLOCK' && !CREDENTIAL_CODES.has(failure.code)) return false;
      throw error;
    }
  }

  #understood<T>(what: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw error instanceof BerthwatchError ? new BerthwatchError(error.kind, error.code, `${what} (${this.place}): ${error.message}`, { cause: error }) : error;
    }
  }
}

/** 403s that are about us, not about the feature. */
const CREDENTIAL_CODES = new Set(['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken', 'ExpiredToken']);

function notFound(key: string): BerthwatchError {
  return new BerthwatchError('not-found', 'OBJECT_NOT_FOUND', `there is no object ${key}`);
}

function isKey(key: string): boolean {
  try {
    checkKey(key);
    return true;
  } catch {
    return false;
  }
}
