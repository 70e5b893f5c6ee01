import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { ManualClock } from '../../base/manual-clock.js';
import { objectStoreConformance } from './conformance.js';
import { FileObjectStore } from './file-object-store.js';

objectStoreConformance('files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berthwatch-objects-'));
  const store = new FileObjectStore({ folder, clock: systemClock });
  await store.start();
  return {
    store,
    async damage(key) {
      const path = join(folder, 'objects', key);
      const bytes = await readFile(path);
      bytes[200_000]! ^= 4;
      await writeFile(path, bytes);
    },
    close: () => rm(folder, { recursive: true }),
  };
});

describe('FileObjectStore', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berthwatch-objects-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const open = async (): Promise<FileObjectStore> => {
    const store = new FileObjectStore({ folder: join(folder, 'store'), clock: new ManualClock(1_767_225_600_000) });
    await store.start();
    return store;
  };
  const text = { contentType: 'text/plain' };

  it('begins a file with the object’s bytes, so that a picture can be looked at where it lies', async () => {
    const store = await open();
    await store.put('visits/1/enter.jpg', Buffer.from('bytes of a picture'), { contentType: 'image/jpeg' });
    expect((await readFile(join(folder, 'store', 'objects', 'visits~', '1~', 'enter.jpg'))).toString('latin1').startsWith('bytes of a picture{"size":18')).toBe(true);
  });

  it('stays the same over a restart, and clears what a crash left half done', async () => {
    const store = await open();
    await store.put('a/b', Buffer.from('one'), text);
    await writeFile(join(folder, 'store', 'temporary', 'left-over'), 'half');
    const again = await open();
    expect(await again.head('a/b')).toMatchObject({ size: 3, storedAt: 1_767_225_600_000 });
    expect(await readdir(join(folder, 'store', 'temporary'))).toEqual([]);
  });

  it('leaves no temporary file behind, whatever happened', async () => {
    const store = await open();
    await store.put('a', Buffer.from('one'), text);
    await store.put('a', Buffer.from('two'), { ...text, ifAbsent: true }).catch(() => undefined);
    await store.put('a', Buffer.from('two'), { ...text, sha256: '0'.repeat(64) }).catch(() => undefined);
    expect(await readdir(join(folder, 'store', 'temporary'))).toEqual([]);
  });

  it('names the object whose file was cut or is none of its own', async () => {
    const store = await open();
    await store.put('a', Buffer.alloc(1000, 7), text);
    const path = join(folder, 'store', 'objects', 'a');
    await truncate(path, 900);
    for (const broken of [() => store.head('a'), () => store.get('a')]) await expect(broken()).rejects.toMatchObject({ kind: 'bad-input', code: 'OBJECT_DAMAGED', message: expect.stringContaining('object a') as string });
    await writeFile(path, '');
    await expect(store.head('a')).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  });

  it('is unavailable, and says why, where the folder is a file or is gone; works again when it is back', async () => {
    await writeFile(join(folder, 'store'), '');
    await expect(open()).rejects.toMatchObject({ kind: 'unavailable' });
    await rm(join(folder, 'store'));
    const store = await open();
    await rm(join(folder, 'store'), { recursive: true });
    await expect(store.put('a', Buffer.from('x'), text)).rejects.toMatchObject({ kind: 'unavailable' });
    await store.start();
    await store.put('a', Buffer.from('x'), text);
  });
});
