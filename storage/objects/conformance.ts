import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/fuzz-target.js';
import type { ObjectStore } from './object-store.js';
import { readObject } from './read-object.js';

export interface StoreUnderTest {
  /** Empty. */
  store: ObjectStore;
  /** Flips a bit in the stored bytes of an object, behind the store's back; absent where a test cannot. */
  damage?: (key: string) => Promise<void>;
  /** A server that does not list what lies below a key (MinIO: `a/b` where `a` is an object too); default: it does. */
  hidesBelowKeys?: boolean;
  /** Whether it has locks; default: not. */
  locks?: boolean;
  close: () => Promise<void>;
}

const bytes = (size: number, seed = 1): Buffer => {
  const random = seededRandom(seed);
  return Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)));
};
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

async function* chunked(data: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What holds for every `ObjectStore`; each adapter's tests call it once. */
export function objectStoreConformance(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`ObjectStore: ${name}`, () => {
    let under: StoreUnderTest;
    let store: ObjectStore;
    beforeAll(async () => {
      under = await make();
      store = under.store;
    });
    afterAll(() => under.close());

    it.each([0, 1, 1000, 300_000, 1_000_001])('gives back %i bytes with what was said about them', async (size) => {
      const data = bytes(size);
      const info = await store.put(`sizes/${size}`, data, { contentType: 'image/jpeg' });
      expect(info).toMatchObject({ key: `sizes/${size}`, size, contentType: 'image/jpeg', sha256: sha256(data) });
      expect(info.storedAt).toBeGreaterThan(0);
      expect(await store.head(`sizes/${size}`)).toEqual(info);
      const got = await store.get(`sizes/${size}`);
      expect(got.info).toEqual(info);
      expect((await collect(got.body)).equals(data)).toBe(true);
      expect(Buffer.from(await readObject(store, `sizes/${size}`)).equals(data)).toBe(true);
    });

    it('takes a stream whose size is told, and refuses one that has another', async () => {
      const data = bytes(500_000, 2);
      const info = await store.put('stream', { size: data.length, stream: chunked(data, 70_001) }, { contentType: 'video/mp4', sha256: sha256(data) });
      expect(info.sha256).toBe(sha256(data));
      for (const size of [data.length - 1, data.length + 1]) {
        await expect(store.put('stream-wrong', { size, stream: chunked(data, 70_001) }, { contentType: 'video/mp4' })).rejects.toMatchObject({ kind: 'bad-input' });
      }
      expect(await store.head('stream-wrong')).toBeNull();
    });

    it('keeps what was there where a put fails', async () => {
      await store.put('kept', bytes(10), { contentType: 'text/plain' });
      await expect(store.put('kept', bytes(20), { contentType: 'text/plain', sha256: sha256(bytes(21)) })).rejects.toMatchObject({ kind: 'bad-input' });
      const failure = new Error('the source broke');
      const broken = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes(5);
        throw failure;
      };
      await expect(store.put('kept', { size: 20, stream: broken() }, { contentType: 'text/plain' })).rejects.toThrow(/the source broke/);
      expect((await collect((await store.get('kept')).body)).equals(bytes(10))).toBe(true);
    });

    it('replaces, unless told that the key must be free', async () => {
      await store.put('twice', bytes(10), { contentType: 'text/plain' });
      await expect(store.put('twice', bytes(11), { contentType: 'text/plain', ifAbsent: true })).rejects.toMatchObject({ kind: 'conflict' });
      expect((await store.head('twice'))?.size).toBe(10);
      await store.put('twice', bytes(12), { contentType: 'application/json' });
      expect(await store.head('twice')).toMatchObject({ size: 12, contentType: 'application/json' });
      await store.put('once', bytes(3), { contentType: 'text/plain', ifAbsent: true });
      expect((await store.head('once'))?.size).toBe(3);
    });

    it('lets one of many writers win, with all of its bytes', async () => {
      await Promise.all(Array.from({ length: 8 }, (_, i) => store.put('contested', bytes(5_000 + i, i), { contentType: 'text/plain' })));
      const data = await readObject(store, 'contested');
      expect(Buffer.from(data).equals(bytes(data.length, data.length - 5_000))).toBe(true);
      const firsts = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => store.put('first-wins', bytes(10 + i), { contentType: 'text/plain', ifAbsent: true })));
      expect(firsts.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    });

    it('gives ranges as HTTP counts them', async () => {
      const data = bytes(700_000, 3);
      await store.put('ranged', data, { contentType: 'video/mp4' });
      for (const [from, to] of [[0, 0], [0, 99], [10, 10], [262_143, 262_145], [699_999, 699_999], [600_000, 10_000_000]] as const) {
        const { body, info } = await store.get('ranged', { from, to });
        expect(info.size).toBe(data.length);
        expect((await collect(body)).equals(data.subarray(from, to + 1))).toBe(true);
      }
      for (const range of [{ from: 700_000, to: 700_001 }, { from: 5, to: 4 }, { from: -1, to: 4 }]) await expect(store.get('ranged', range)).rejects.toMatchObject({ kind: 'bad-input' });
    });

    it('survives readers that leave early, or never begin', async () => {
      await store.put('left', bytes(600_000), { contentType: 'video/mp4' });
      await store.get('left');
      for await (const chunk of (await store.get('left')).body) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      expect((await store.head('left'))?.size).toBe(600_000);
    });

    it('says so where there is no such object', async () => {
      expect(await store.head('nothing/here')).toBeNull();
      await expect(store.get('nothing/here')).rejects.toMatchObject({ kind: 'not-found' });
      await store.delete('nothing/here');
    });

    it('deletes', async () => {
      await store.put('gone', bytes(10), { contentType: 'text/plain' });
      await store.delete('gone');
      expect(await store.head('gone')).toBeNull();
      await store.put('gone', bytes(11), { contentType: 'text/plain', ifAbsent: true });
    });

    it('lists by prefix, in the order of the bytes, page by page', async () => {
      const nested = under.hidesBelowKeys ? [] : ['l', 'l/a', 'l/b/c/d'];
      const keys = [...nested, 'l/a.b', 'l/a/1', 'l/a/2', 'l/a-b', 'l/a=b', 'l/aa', 'l/b/c/d/e', 'l/B', 'l0'];
      for (const key of [...keys].reverse()) await store.put(key, bytes(keys.indexOf(key)), { contentType: 'text/plain' });
      const sorted = [...keys].sort();
      const page = await store.list('l');
      const listed = page.objects.filter((object) => /^l(\/|0|$)/.test(object.key));
      expect(listed.map((object) => object.key)).toEqual(sorted);
      expect(listed.map((object) => object.size)).toEqual(sorted.map((key) => keys.indexOf(key)));
      expect(page.next).toBeNull();
      for (const prefix of ['l/', 'l/a', 'l/a/', 'l/b/c', 'nothing', 'l/a/1']) {
        expect((await store.list(prefix)).objects.map((object) => object.key)).toEqual(sorted.filter((key) => key.startsWith(prefix)));
      }
      for (const limit of [1, 2, 5]) {
        const seen: string[] = [];
        for (let after: string | null = ''; after !== null; ) {
          const part = await store.list('l/', { after, limit });
          expect(part.objects.length).toBeLessThanOrEqual(limit);
          seen.push(...part.objects.map((object) => object.key));
          after = part.next;
        }
        expect(seen).toEqual(sorted.filter((key) => key.startsWith('l/')));
      }
      expect((await store.list('l/', { after: 'l/a/1' })).objects.map((object) => object.key)).toEqual(sorted.filter((key) => key.startsWith('l/') && key > 'l/a/1'));
      await expect(store.list('', { limit: 0 })).rejects.toMatchObject({ kind: 'bad-input' });
    });

    it('refuses keys that could mean something else than a name', async () => {
      for (const key of ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', 'a\\b', 'a b', 'a\0b', 'ä', '~', 'x'.repeat(513), `${'y'.repeat(201)}/z`]) {
        await expect(store.put(key, bytes(1), { contentType: 'text/plain' })).rejects.toMatchObject({ kind: 'bad-input', code: 'OBJECT_KEY' });
        await expect(store.get(key)).rejects.toMatchObject({ kind: 'bad-input' });
        await expect(store.head(key)).rejects.toMatchObject({ kind: 'bad-input' });
        await expect(store.delete(key)).rejects.toMatchObject({ kind: 'bad-input' });
      }
      for (const contentType of ['', 'text/plain\r\nx: y', 'é']) await expect(store.put('typed', bytes(1), { contentType })).rejects.toMatchObject({ kind: 'bad-input' });
    });

    it('takes what is larger than a part, and gives any range of it', async () => {
      const size = 11_000_003;
      const data = Buffer.alloc(size);
      for (let at = 0; at < size; at += 4096) data.writeUInt32LE(at ^ 0x5bd1e995, Math.min(at, size - 4));
      const info = await store.put('large', { size, stream: chunked(data, 1_000_007) }, { contentType: 'video/mp4', sha256: sha256(data) });
      expect(info).toMatchObject({ size, sha256: sha256(data), contentType: 'video/mp4' });
      expect(sha256(await readObject(store, 'large'))).toBe(sha256(data));
      const { body } = await store.get('large', { from: 5_242_879, to: 5_242_881 });
      expect((await collect(body)).equals(data.subarray(5_242_879, 5_242_882))).toBe(true);
      await expect(store.put('large', { size, stream: chunked(data, 1_000_007) }, { contentType: 'video/mp4', sha256: sha256(data), ifAbsent: true })).rejects.toMatchObject({ kind: 'conflict' });
      await expect(store.put('large-wrong', { size, stream: chunked(data, 1_000_007) }, { contentType: 'video/mp4', sha256: '0'.repeat(64) })).rejects.toMatchObject({ kind: 'bad-input', code: 'OBJECT_CHECKSUM' });
      await expect(store.put('large-wrong', { size: size + 1, stream: chunked(data, 1_000_007) }, { contentType: 'video/mp4', sha256: sha256(data) })).rejects.toMatchObject({ kind: 'bad-input', code: 'OBJECT_SIZE' });
      expect(await store.head('large-wrong')).toBeNull();
      // Nobody must know the checksum beforehand.
      expect(await store.put('large-untold', { size, stream: chunked(data, 1_000_007) }, { contentType: 'video/mp4' })).toMatchObject({ size, sha256: sha256(data), contentType: 'video/mp4' });
      expect(sha256(await readObject(store, 'large-untold'))).toBe(sha256(data));
      await expect(store.put('large-untold', { size, stream: chunked(data, 1_000_007) }, { contentType: 'video/mp4', ifAbsent: true })).rejects.toMatchObject({ kind: 'conflict' });
      expect((await store.list('large')).objects.map((object) => object.key)).toEqual(['large', 'large-untold']);
      // What failed for good is given up, and holds no space.
      expect(await store.pendingUploads('large-wrong')).toEqual([]);
    });

    it('deletes many at once, those that are not there too', async () => {
      const keys = Array.from({ length: 25 }, (_, i) => `many/${i}`);
      for (const key of keys) await store.put(key, bytes(3), { contentType: 'text/plain' });
      await store.deleteMany([]);
      await store.deleteMany([...keys.slice(1), 'many/never-was']);
      expect((await store.list('many/')).objects.map((object) => object.key)).toEqual(['many/0']);
      await expect(store.deleteMany(['many/0', '../0'])).rejects.toMatchObject({ kind: 'bad-input' });
      expect(await store.head('many/0')).not.toBeNull();
    });

    it('gives an address to whoever has it, for a time, or says that it cannot', async () => {
      const data = bytes(2_000, 9);
      await store.put('given/picture.jpg', data, { contentType: 'image/jpeg' });
      const address = await store.presignedGet('given/picture.jpg', { expiresMs: 60_000, fileName: 'picture 1.jpg' }).catch((error: unknown) => {
        expect(error).toMatchObject({ kind: 'bad-input', code: 'OBJECT_UNSUPPORTED' });
        return null;
      });
      if (address === null) return;
      const answer = await fetch(address);
      expect(answer.headers.get('content-type')).toBe('image/jpeg');
      expect(answer.headers.get('content-disposition')).toContain('picture 1.jpg');
      expect(Buffer.from(await answer.arrayBuffer()).equals(data)).toBe(true);
      expect((await fetch(address.replace('picture.jpg', 'other.jpg'))).status).toBe(403);
      for (const expiresMs of [0, 8 * 86_400_000, NaN]) await expect(store.presignedGet('given/picture.jpg', { expiresMs })).rejects.toMatchObject({ kind: 'bad-input' });
    });

    it('locks what it can lock, and says where it cannot', async () => {
      await store.put('locked', bytes(10), { contentType: 'text/plain' });
      expect(await store.lockedUntil('locked')).toBeNull();
      const until = Math.ceil(Date.now() / 1000) * 1000 + 3_600_000;
      const locked = await store.lock('locked', until).then(() => true, (error: unknown) => {
        expect(error).toMatchObject({ kind: 'bad-input', code: 'OBJECT_UNSUPPORTED' });
        return false;
      });
      expect(locked).toBe(under.locks ?? false);
      if (!locked) return;
      expect(await store.lockedUntil('locked')).toBe(until);
      await expect(store.delete('locked')).rejects.toMatchObject({ kind: 'conflict', code: 'OBJECT_LOCKED' });
      expect((await store.head('locked'))?.size).toBe(10);
      await expect(store.lock('no-such', until)).rejects.toMatchObject({ kind: 'not-found' });
    });

    it('can be asked whether it works', async () => {
      await store.check();
      expect(store.place).toMatch(/^(folder|bucket) ./);
    });

    it('does not give damaged bytes for good ones', async (context) => {
      if (!under.damage) return context.skip('this store offers no way to damage an object');
      await store.put('damaged', bytes(400_000), { contentType: 'image/jpeg' });
      await under.damage('damaged');
      await expect(readObject(store, 'damaged')).rejects.toMatchObject({ kind: 'bad-input', code: 'OBJECT_DAMAGED' });
    });
  });
}
