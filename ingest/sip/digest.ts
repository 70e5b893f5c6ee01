import { hash as hashOnce, timingSafeEqual } from 'node:crypto';

/**
 * Digest access authentication (RFC 7616, RFC 2617; RFC 3261 22.4): the arithmetic alone. SM3 is what GB 35114 and
 * GB/T 28181-2022 devices may use in MD5's place.
 */
export const DIGEST_ALGORITHMS = { MD5: 'md5', 'SHA-256': 'sha256', SM3: 'sm3' } as const;
export type DigestAlgorithm = keyof typeof DIGEST_ALGORITHMS;

/** The algorithm named in a header, in any letter case; a missing name means MD5. Null where it is none of ours. */
export function digestAlgorithm(name: string | undefined): DigestAlgorithm | null {
  const upper = (name ?? 'MD5').toUpperCase();
  return upper in DIGEST_ALGORITHMS ? (upper as DigestAlgorithm) : null;
}

export interface DigestInput {
  algorithm: DigestAlgorithm;
  username: string;
  realm: string;
  password: string;
  method: string;
  /** The `uri` parameter as the client wrote it. */
  uri: string;
  nonce: string;
  /** Null for the older form without quality of protection. */
  qop: { name: 'auth'; cnonce: string; nc: string } | null;
}

function hash(algorithm: DigestAlgorithm, text: string): string {
  // Header text is one code unit per byte; the password is the operator's and goes out as UTF-8.
  return hashOnce(DIGEST_ALGORITHMS[algorithm], Buffer.from(text, 'latin1'), 'hex');
}

/** The `response` value, lower-case hexadecimal. */
export function digestResponse(input: DigestInput): string {
  const { algorithm } = input;
  const password = Buffer.from(input.password, 'utf8').toString('latin1');
  const ha1 = hash(algorithm, `${input.username}:${input.realm}:${password}`);
  const ha2 = hash(algorithm, `${input.method}:${input.uri}`);
  if (!input.qop) return hash(algorithm, `${ha1}:${input.nonce}:${ha2}`);
  return hash(algorithm, `${ha1}:${input.nonce}:${input.qop.nc}:${input.qop.cnonce}:${input.qop.name}:${ha2}`);
}

/** Compares without telling by its duration where two texts differ. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a, 'latin1');
  const right = Buffer.from(b, 'latin1');
  return left.length === right.length && timingSafeEqual(left, right);
}
