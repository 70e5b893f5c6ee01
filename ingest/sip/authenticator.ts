import type { Clock } from '../../base/clock.js';
import { digestAlgorithm, digestResponse, sameText, type DigestAlgorithm } from './digest.js';
import { parseAuthParams } from './header-values.js';
import type { SipRequest } from './message.js';
import { NonceStore } from './nonce-store.js';

export interface AuthenticatorOptions {
  realm: string;
  /** Offered in this order, one WWW-Authenticate each (RFC 8760 2.3). Old cameras read only the first, or want only MD5. */
  algorithms: readonly DigestAlgorithm[];
  /** Whether challenges offer qop="auth". Answers are verified with and without it: old cameras ignore the offer. */
  offerQop: boolean;
  nonceLifetimeMs: number;
  clock: Clock;
}

/**
 * - `absent`: no credentials; challenge
 * - `stale`: right or wrong, they rest on a nonce that is not (any more) ours; challenge with stale=true
 * - `wrong`: the digest over a good nonce of ours is wrong: wrong password
 * - `malformed`: the header cannot be read, or lacks a part
 */
export type AuthOutcome = { kind: 'ok'; username: string } | { kind: 'absent' | 'stale' } | { kind: 'wrong' | 'malformed'; reason: string };

/** Challenges and verifies by digest (RFC 3261 22, RFC 7616), with nonces of our own. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #nonces: NonceStore;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#nonces = new NonceStore({ clock: options.clock, lifetimeMs: options.nonceLifetimeMs });
  }

  /** The WWW-Authenticate fields for a peer at `host`. */
  challenge(host: string, stale: boolean): (readonly ['WWW-Authenticate', string])[] {
    const nonce = this.#nonces.issue(host);
    return this.#options.algorithms.map((algorithm) => [
      'WWW-Authenticate',
      `Digest realm="${this.#options.realm}",nonce="${nonce}",algorithm=${algorithm}` +
        `${this.#options.offerQop ? ',qop="auth"' : ''}${stale ? ',stale=true' : ''}`,
    ]);
  }

  /**
   * Verifies the request's Authorization against the password of `account`. The `uri` parameter is taken as written:
   * clients put other texts there than into the request line.
   * @param password null for an unknown account, which is as wrong as a wrong password
   */
  verify(request: SipRequest, account: string, password: string | null, host: string): AuthOutcome {
    const header = request.headers.get('authorization');
    if (header === undefined) return { kind: 'absent' };
    let params: Map<string, string>;
    try {
      const parsed = parseAuthParams(header);
      if (parsed.scheme !== 'digest') return { kind: 'malformed', reason: `the scheme ${parsed.scheme} is not Digest` };
      params = parsed.params;
    } catch {
      return { kind: 'malformed', reason: 'the Authorization header cannot be read' };
    }
    const text = (name: string): string => params.get(name) ?? '';
    const algorithm = digestAlgorithm(params.get('algorithm'));
    if (!algorithm || !this.#options.algorithms.includes(algorithm)) return { kind: 'malformed', reason: 'the digest algorithm was not offered' };
    const response = text('response').toLowerCase();
    if (response === '' || text('nonce') === '') return { kind: 'malformed', reason: 'nonce or response is missing' };
    const qop = params.get('qop')?.toLowerCase();
    if (qop !== undefined && qop !== '' && qop !== 'auth') return { kind: 'malformed', reason: 'the quality of protection was not offered' };
    const nc = text('nc');
    // Some devices repeat the qop of the challenge and answer in the older form all the same: such an answer is good once, as any of that form.
    const counted = qop === 'auth' && (nc !== '' || text('cnonce') !== '');
    // Eight digits by the RFC; some firmware writes the number alone. The digest is made over it as it stands.
    if (counted && !/^[0-9a-f]{1,8}$/i.test(nc)) return { kind: 'malformed', reason: 'nc is missing, or no number' };
    if (text('realm') !== this.#options.realm) return { kind: 'stale' };
    // Only a nonce that this very host was given tells anything about the peer: failures with others may be forged.
    if (this.#nonces.check(text('nonce'), host) !== 'ours') return { kind: 'stale' };
    const expected = digestResponse({
      algorithm,
      username: text('username'),
      realm: this.#options.realm,
      password: password ?? '',
      method: request.method,
      uri: text('uri'),
      nonce: text('nonce'),
      qop: counted ? { name: 'auth', cnonce: text('cnonce'), nc } : null,
    });
    if (!sameText(expected, response) || password === null) return { kind: 'wrong', reason: password === null ? 'the device is unknown' : 'the password is wrong' };
    if (!this.#nonces.use(account, text('nonce'), counted ? Number.parseInt(nc, 16) : null)) return { kind: 'stale' };
    return { kind: 'ok', username: text('username') };
  }
}
