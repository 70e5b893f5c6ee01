import { randomFillSync } from 'node:crypto';

const pool = Buffer.allocUnsafeSlow(4096);
let used = pool.length;

/**
 * `bytes` random bytes as lower-case hexadecimal, from the system's generator. Taken from a pool: one call of the system for many
 * texts, because every answer needs a tag and a thousand devices may come at once. Bytes handed out are wiped.
 */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const text = pool.toString('hex', used, used + bytes);
  pool.fill(0, used, used + bytes);
  used += bytes;
  return text;
}
