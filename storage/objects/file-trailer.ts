import { z } from 'zod';
import { BerthwatchError } from '../../base/errors.js';

/**
 * What a file store knows about an object stands behind the object's bytes, in the same file, so that one rename brings
 * both: JSON, its length in 4 bytes (big endian), and a magic word. Viewers of JPEG and players of MP4 pass over it.
 */
const MAGIC = Buffer.from('bwobject');
export const TRAILER_END = MAGIC.length + 4;
export const MAX_TRAILER = 2048;

const schema = z.strictObject({
  size: z.int().min(0),
  contentType: z.string().min(1).max(200),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  storedAt: z.int(),
});

export type Trailer = z.infer<typeof schema>;

export function writeTrailer(trailer: Trailer): Buffer {
  const json = Buffer.from(JSON.stringify(trailer));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([json, length, MAGIC]);
}

/**
 * Reads the trailer from the last bytes of a file.
 *
 * @param tail the last `MAX_TRAILER` bytes, or all of a smaller file
 * @throws BerthwatchError bad-input (`OBJECT_DAMAGED`)
 */
export function readTrailer(tail: Buffer, fileSize: number): Trailer {
  const wrong = (): BerthwatchError => new BerthwatchError('bad-input', 'OBJECT_DAMAGED', 'the file does not end as an object does');
  if (tail.length < TRAILER_END || !tail.subarray(tail.length - MAGIC.length).equals(MAGIC)) throw wrong();
  const length = tail.readUInt32BE(tail.length - TRAILER_END);
  if (length > tail.length - TRAILER_END) throw wrong();
  let value: unknown;
  try {
    value = JSON.parse(tail.toString('utf8', tail.length - TRAILER_END - length, tail.length - TRAILER_END));
  } catch {
    throw wrong();
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success || parsed.data.size !== fileSize - TRAILER_END - length) throw wrong();
  return parsed.data;
}
