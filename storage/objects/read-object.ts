import { BerthwatchError } from '../../base/errors.js';
import type { ObjectStore } from './object-store.js';

/**
 * All bytes of an object at once, for the small ones.
 *
 * @throws BerthwatchError as `get`; bad-input where it is larger than `limit` bytes
 */
export async function readObject(store: ObjectStore, key: string, limit = 64 * 1024 * 1024): Promise<Uint8Array> {
  const { info, body } = await store.get(key);
  if (info.size > limit) throw new BerthwatchError('bad-input', 'OBJECT_TOO_LARGE', `object ${key} has ${info.size} bytes, more than the ${limit} that may be read at once`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
