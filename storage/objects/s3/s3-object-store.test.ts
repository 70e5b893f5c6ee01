import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'minio';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { haveTool } from '../../../base/test-tools.js';
import { objectStoreConformance } from '../conformance.js';
import { readObject } from '../read-object.js';
import { S3ObjectStore } from './s3-object-store.js';
import { parseEndpoint } from './s3-requests.js';
import { haveS3, startTestS3, testStore, type TestS3 } from './testing.js';
import type { S3Options } from './s3-options.js';

const s3 = haveS3();
let server: TestS3;
beforeAll(async () => {
  if (s3) server = await startTestS3();
}, 90_000);
afterAll(() => server?.stop());

/** The server's own view, past our store. */
const raw = (options: S3Options): Client => {
  const url = new URL(options.endpoint);
  return new Client({ endPoint: url.hostname, port: Number(url.port), useSSL: false, accessKey: options.accessKey, secretKey: options.secretKey, region: options.region });
};
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const MB = 1024 * 1024;
const text = { contentType: 'text/plain' };

/** `size` bytes in pieces; breaks after `until` of them. */
async function* pieces(data: Buffer, until = Infinity): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += MB) {
    if (at >= until) throw new Error('the reader was ended');
    yield await Promise.resolve(data.subarray(at, at + MB));
  }
}

describe.skipIf(!s3)('S3ObjectStore', () => {
  afterEach(() => void vi.useRealTimers());

  for (const prefix of ['', 'site-1/berthwatch']) {
    objectStoreConformance(`S3, ${prefix === '' ? 'the whole bucket' : 'below a prefix'}`, async () => {
      const { store, options } = await testStore(server, { prefix });
      const full = (key: string): string => (prefix === '' ? key : `${prefix}/${key}`);
      return {
        store,
        hidesBelowKeys: true,
        async damage(key) {
          // The server guards its own disk; what it cannot notice is an object that somebody replaced.
          const client = raw(options);
          const { metaData } = await client.statObject(options.bucket, full(key));
          const bytes = await readAll(await client.getObject(options.bucket, full(key)));
          bytes[200_000]! ^= 4;
          await client.putObject(options.bucket, full(key), bytes, bytes.length, { 'x-amz-meta-sha256': String(metaData.sha256), 'content-type': 'image/jpeg' });
        },
        close: () => Promise.resolve(store.close()),
      };
    });
  }

  objectStoreConformance('S3, a bucket with locks and versions', async () => {
    const options = server.options();
    await raw(options).makeBucket(options.bucket, '', { ObjectLocking: true });
    const store = new S3ObjectStore(options);
    return { store, hidesBelowKeys: true, locks: true, close: () => Promise.resolve(store.close()) };
  });

  it('leaves no version behind of what it deletes', async () => {
    const options = server.options();
    await raw(options).makeBucket(options.bucket, '', { ObjectLocking: true });
    const store = new S3ObjectStore(options);
    await store.put('a', Buffer.from('one'), text);
    await store.deleteMany(['a', 'b']);
    const left: unknown[] = [];
    for await (const entry of raw(options).listObjects(options.bucket, '', true, { IncludeVersion: true })) left.push(entry);
    expect(left).toEqual([]);
  });

  it('goes on with a put that was interrupted, with the parts that are there', async () => {
    const { store, options } = await testStore(server);
    const data = Buffer.alloc(17 * MB, 'berthwatch');
    const put = { contentType: 'video/mp4', sha256: sha256(data) };
    let uploadId: string | null = null;
    const begun: string[] = [];
    const resume = (): { uploadId: string | null; begun: (id: string) => Promise<void> } => ({ uploadId, begun: (id) => (begun.push(id), (uploadId = id), Promise.resolve()) });
    // The end of the process is the end of its stream: nothing is given up, because it may go on.
    await expect(store.put('big', { size: data.length, stream: pieces(data, 11 * MB) }, { ...put, resume: resume() })).rejects.toThrow(/the reader was ended/);
    // An error of the source gives up: begin with one that is left over by a killed process.
    const client = raw(options);
    uploadId = await client.initiateNewMultipartUpload(options.bucket, 'big', { 'content-type': 'video/mp4', 'x-amz-meta-sha256': put.sha256 });
    const left = uploadId;
    await client.uploadPart({ bucketName: options.bucket, objectName: 'big', uploadID: uploadId, partNumber: 1, headers: {} }, data.subarray(0, 5 * MB));
    await client.uploadPart({ bucketName: options.bucket, objectName: 'big', uploadID: uploadId, partNumber: 2, headers: {} }, Buffer.alloc(5 * MB, 'other bytes'));
    expect((await store.pendingUploads('big')).map((upload) => upload.uploadId)).toEqual([left]);
    expect(await store.put('big', { size: data.length, stream: pieces(data) }, { ...put, resume: resume() })).toMatchObject({ size: data.length, sha256: put.sha256 });
    expect(begun).toHaveLength(1);
    expect(sha256(await readObject(store, 'big'))).toBe(put.sha256);
    // One that the server has given up meanwhile begins anew.
    expect(await store.put('big', { size: data.length, stream: pieces(data) }, { ...put, resume: resume() })).toMatchObject({ sha256: put.sha256 });
    expect(begun).toHaveLength(2);
    expect(await store.pendingUploads('big')).toEqual([]);
  });

  it('gives up uploads that nobody will finish', async () => {
    const { store, options } = await testStore(server, { prefix: 'p' });
    const uploadId = await raw(options).initiateNewMultipartUpload(options.bucket, 'p/stale', {});
    expect(await store.pendingUploads('stale')).toMatchObject([{ key: 'stale', uploadId }]);
    await store.abortUpload('stale', uploadId);
    await store.abortUpload('stale', uploadId);
    expect(await store.pendingUploads('stale')).toEqual([]);
  });

  it('tells objects that are not ours', async () => {
    const { store, options } = await testStore(server);
    await raw(options).putObject(options.bucket, 'foreign', Buffer.from('x'), 1);
    await expect(store.head('foreign')).rejects.toMatchObject({ kind: 'bad-input', message: expect.stringContaining('not put by berthwatch') as string });
    expect((await store.list('')).objects).toMatchObject([{ key: 'foreign', size: 1 }]);
    await store.delete('foreign');
    expect((await store.list('')).objects).toEqual([]);
  });

  it('says what is wrong: credentials, bucket, nothing there, unknown name, no TLS', async () => {
    const { store, options } = await testStore(server);
    await store.put('a', Buffer.from('x'), text);
    const other = (changes: Partial<S3Options>): S3ObjectStore => new S3ObjectStore({ ...options, createBucket: false, attempts: 1, ...changes });
    const calls = (broken: S3ObjectStore): (() => Promise<unknown>)[] => [() => broken.check(), () => broken.head('a'), () => broken.get('a'), () => broken.put('b', Buffer.from('x'), text), () => broken.delete('a'), () => broken.deleteMany(['a', 'b']), () => broken.list('')];
    for (const call of calls(other({ secretKey: 'wrong-secret' }))) await expect(call()).rejects.toMatchObject({ kind: 'unauthorised', code: 'OBJECT_STORE_CREDENTIALS', message: expect.stringMatching(/S3_ACCESS_KEY|let the access key/) as string });
    for (const call of calls(other({ accessKey: 'nobody-here' }))) await expect(call()).rejects.toMatchObject({ kind: 'unauthorised', code: 'OBJECT_STORE_CREDENTIALS' });
    for (const call of calls(other({ bucket: 'no-such-bucket-here' }))) await expect(call()).rejects.toMatchObject({ kind: 'unavailable', code: 'OBJECT_STORE_BUCKET', message: expect.stringContaining('S3_BUCKET') as string });
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    for (const call of calls(other({ endpoint: `http://127.0.0.1:${port}` }))) await expect(call()).rejects.toMatchObject({ kind: 'unavailable', code: 'OBJECT_STORE_AWAY', message: expect.stringContaining('nothing listens there') as string });
    await expect(other({ endpoint: 'http://no-such-host.invalid' }).check()).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('DNS') as string });
    await expect(other({ endpoint: options.endpoint.replace('http:', 'https:') }).check()).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('TLS') as string });
    expect((await store.head('a'))?.size).toBe(1);
  });

  it('says by how much the clocks differ', async () => {
    const { options } = await testStore(server);
    const store = new S3ObjectStore({ ...options, attempts: 1 });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    await expect(store.check()).rejects.toMatchObject({ kind: 'unavailable', code: 'OBJECT_STORE_CLOCK', message: expect.stringMatching(/NTP; ours is 3[56]\d\d s ahead/) as string });
    vi.useRealTimers();
    await store.check();
  });

  it('takes the bucket’s name before the host’s where that is wished', async () => {
    const { store, options } = await testStore(server);
    await store.put('a', Buffer.from('x'), text);
    const url = new URL(options.endpoint);
    // The name need not resolve to know where it would have gone.
    const virtual = new S3ObjectStore({ ...options, endpoint: `http://localhost:${url.port}`, pathStyle: false, attempts: 1, createBucket: false });
    const address = await virtual.presignedGet('a', { expiresMs: 60_000 });
    expect(address.startsWith(`http://${options.bucket}.localhost:${url.port}/a?`)).toBe(true);
  });

  it.skipIf(!haveTool('openssl'))('speaks TLS to a server with a certificate of its own authority', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berthwatch-tls-'));
    try {
      execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(folder, 'private.key'), '-out', join(folder, 'public.crt')], { stdio: 'ignore' });
      const secure = await startTestS3({ certificates: folder });
      try {
        const options = secure.options({ ca: await readFile(join(folder, 'public.crt'), 'utf8') });
        const { store } = await testStore(secure, options);
        await store.put('a/b', Buffer.alloc(6 * MB, 'tls'), { contentType: 'video/mp4', sha256: sha256(Buffer.alloc(6 * MB, 'tls')) });
        expect((await readObject(store, 'a/b')).length).toBe(6 * MB);
        await expect(new S3ObjectStore({ ...options, ca: null, attempts: 1, createBucket: false }).check()).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('S3_CA_FILE') as string });
        store.close();
      } finally {
        await secure.stop();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is unavailable while the server is away, and has everything when it is back', async () => {
    const own = await startTestS3();
    try {
      const { store, options } = await testStore(own, { attempts: 1 });
      await store.put('a', Buffer.alloc(1000, 1), text);
      await own.kill();
      await expect(store.get('a')).rejects.toMatchObject({ kind: 'unavailable', code: 'OBJECT_STORE_AWAY' });
      await own.restart();
      expect((await readObject(store, 'a')).length).toBe(1000);
      const again = new S3ObjectStore(options);
      await again.start();
      expect((await again.list('')).objects).toHaveLength(1);
    } finally {
      await own.stop();
    }
  });
});

describe('the S3 endpoint', () => {
  it.each(['', 's3.example.com', 'ftp://a', 'http://user:secret@a', 'https://a/path', 'https://a/?x=1'])('refuses %s and keeps secrets out of the message', (endpoint) => {
    expect(() => parseEndpoint(endpoint)).toThrow(/must be like https/);
    expect(() => parseEndpoint(endpoint)).not.toThrow(/secret/);
  });
});
