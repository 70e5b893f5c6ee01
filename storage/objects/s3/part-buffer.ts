import { BerthwatchError } from '../../../base/errors.js';

/**
 * Cuts a stream into parts of `partBytes` (the last may be smaller, or the only one empty), each whole in memory, so that its
 * checksum is known before it is sent and it can be sent again.
 *
 * @throws BerthwatchError bad-input (`OBJECT_SIZE`) where the stream has not `size` bytes
 */
export async function* partsOf(stream: AsyncIterable<Uint8Array>, size: number, partBytes: number, name: string): AsyncGenerator<Buffer, void, undefined> {
  let seen = 0;
  let part = Buffer.allocUnsafe(Math.min(partBytes, size));
  let filled = 0;
  for await (const chunk of stream) {
    seen += chunk.length;
    if (seen > size) throw new BerthwatchError('bad-input', 'OBJECT_SIZE', `object ${name}: more than the ${size} bytes that were announced`);
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, part.length - filled);
      part.set(chunk.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < part.length || seen - (chunk.length - at) === size) continue;
      yield part;
      part = Buffer.allocUnsafe(Math.min(partBytes, size - (seen - (chunk.length - at))));
      filled = 0;
    }
  }
  if (seen !== size) throw new BerthwatchError('bad-input', 'OBJECT_SIZE', `object ${name}: ${seen} bytes came, ${size} were announced`);
  yield part;
}
