import { createHash, randomBytes } from 'node:crypto';

/** What a 401 asked for (RFC 7616 §3.3). */
export interface Challenge {
  realm: string;
  nonce: string;
  algorithm: string | null;
  opaque: string | null;
  /** True when `auth` is offered in qop. */
  qopAuth: boolean;
}

/** Hash behind each algorithm token; cameras of 2016 know MD5 only, newer ones SHA-256 and SM3. */
const HASHES: Record<string, string> = { md5: 'md5', 'sha-256': 'sha256', sm3: 'sm3' };

/** Parses `Digest a="b", c=d` with quoted strings respected. */
export function parseAuthParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  const pattern = /([a-zA-Z-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,]+))/g;
  for (const found of text.replace(/^\s*Digest\s+/i, '').matchAll(pattern)) {
    parameters.set(found[1]!.toLowerCase(), found[2] !== undefined ? found[2].replace(/\\(.)/g, '$1') : found[3]!);
  }
  return parameters;
}

/** Null when it is no Digest challenge, or asks for an algorithm that this camera does not know. */
export function parseChallenge(value: string): Challenge | null {
  if (!/^\s*Digest\s/i.test(value)) return null;
  const parameters = parseAuthParameters(value);
  const nonce = parameters.get('nonce');
  if (nonce === undefined) return null;
  const algorithm = parameters.get('algorithm') ?? null;
  if (!(algorithm ?? 'MD5').toLowerCase().match(/^(md5|sha-256|sm3)$/)) return null;
  const qop = (parameters.get('qop') ?? '').split(',').map((token) => token.trim().toLowerCase());
  return { realm: parameters.get('realm') ?? '', nonce, algorithm, opaque: parameters.get('opaque') ?? null, qopAuth: qop.includes('auth') };
}

export interface Credentials {
  username: string;
  password: string;
}

/**
 * The Authorization value. With qop the nonce count is always 1 with a fresh cnonce, because each request is challenged anew.
 * `cnonce` and `nc` are given by tests and by misbehaving cameras only.
 */
export function authorization(challenge: Challenge, credentials: Credentials, method: string, uri: string, cnonce: string = randomBytes(8).toString('hex'), nc = '00000001'): string {
  const hashName = HASHES[(challenge.algorithm ?? 'MD5').toLowerCase()]!;
  const hash = (text: string): string => createHash(hashName).update(text, 'utf8').digest('hex');
  const ha1 = hash(`${credentials.username}:${challenge.realm}:${credentials.password}`);
  const ha2 = hash(`${method}:${uri}`);
  const response = challenge.qopAuth ? hash(`${ha1}:${challenge.nonce}:${nc}:${cnonce}:auth:${ha2}`) : hash(`${ha1}:${challenge.nonce}:${ha2}`);
  const parts = [`username="${credentials.username}"`, `realm="${challenge.realm}"`, `nonce="${challenge.nonce}"`, `uri="${uri}"`, `response="${response}"`];
  if (challenge.algorithm !== null) parts.push(`algorithm=${challenge.algorithm}`);
  if (challenge.qopAuth) parts.push('qop=auth', `nc=${nc}`, `cnonce="${cnonce}"`);
  if (challenge.opaque !== null) parts.push(`opaque="${challenge.opaque}"`);
  return `Digest ${parts.join(', ')}`;
}
