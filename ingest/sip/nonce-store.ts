import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { sameText } from './digest.js';
import { randomHex } from './random-hex.js';

export interface NonceStoreOptions {
  clock: Clock;
  /** How long a nonce may be used after it was issued, ms. */
  lifetimeMs: number;
  /** Used nonces remembered per account; the oldest are then refused outright. */
  perAccount?: number;
  /** Accounts remembered. */
  maxAccounts?: number;
}

/** `ours`: issued here, to this host, still young. `stale`: issued here, but old. `foreign`: not ours, or issued to another host. */
export type NonceState = 'ours' | 'stale' | 'foreign';

interface Account {
  /** Nonces issued up to this moment (monotonic ms) are refused. */
  floor: number;
  used: Map<string, { issuedAt: number; nc: number }>;
}

/**
 * Nonces of ours, each good for one host, one lifetime, and rising counts (RFC 7616 3.3, 3.4 and 5.4).
 *
 * A nonce carries its own time of issue and a seal (HMAC with a key of this process) over time and host, so that issuing one
 * costs no memory: a flood of challenges can neither fill a table nor push out an honest device's nonce. Remembered is
 * only what was *used*, which takes the password. After a restart all nonces are foreign and devices are challenged anew.
 */
export class NonceStore {
  readonly #key = createSecretKey(randomBytes(32));
  readonly #options: Required<NonceStoreOptions>;
  readonly #accounts = new Map<string, Account>();

  constructor(options: NonceStoreOptions) {
    this.#options = { perAccount: 16, maxAccounts: 100_000, ...options };
  }

  get rememberedAccounts(): number {
    return this.#accounts.size;
  }

  issue(host: string): string {
    const stamp = Math.floor(this.#options.clock.monotonic()).toString(16).padStart(12, '0');
    const body = stamp + randomHex(8);
    return body + this.#seal(body, host);
  }

  check(nonce: string, host: string): NonceState {
    const body = nonce.slice(0, 28);
    if (nonce.length !== 60 || !sameText(nonce.slice(28), this.#seal(body, host))) return 'foreign';
    return this.#options.clock.monotonic() - this.#issuedAt(nonce) > this.#options.lifetimeMs ? 'stale' : 'ours';
  }

  /**
   * Spends one use of a nonce that `check` called ours and whose digest was right.
   * @param nc the count of the request, or null without quality of protection: then the nonce is good for one request
   * @returns false for a replay
   */
  use(account: string, nonce: string, nc: number | null): boolean {
    const issuedAt = this.#issuedAt(nonce);
    const entry = this.#accounts.get(account) ?? this.#open(account);
    if (issuedAt <= entry.floor) return false;
    const count = nc ?? Number.MAX_SAFE_INTEGER;
    const known = entry.used.get(nonce);
    if (known && count <= known.nc) return false;
    entry.used.delete(nonce);
    entry.used.set(nonce, { issuedAt, nc: count });
    this.#trim(entry);
    return true;
  }

  #open(account: string): Account {
    if (this.#accounts.size >= this.#options.maxAccounts) {
      // Whoever is forgotten could be replayed: only accounts without a living nonce may go.
      for (const [name, entry] of this.#accounts) {
        this.#trim(entry);
        if (entry.used.size === 0) this.#accounts.delete(name);
        if (this.#accounts.size < this.#options.maxAccounts) break;
      }
    }
    const entry: Account = { floor: -1, used: new Map() };
    if (this.#accounts.size < this.#options.maxAccounts) this.#accounts.set(account, entry);
    else entry.floor = Number.MAX_SAFE_INTEGER;
    return entry;
  }

  /** Forgets dead nonces, and over the limit the oldest, with everything issued before it. */
  #trim(entry: Account): void {
    const dead = this.#options.clock.monotonic() - this.#options.lifetimeMs;
    for (const [nonce, { issuedAt }] of entry.used) {
      if (issuedAt < dead) entry.used.delete(nonce);
    }
    while (entry.used.size > this.#options.perAccount) {
      let oldest: [string, number] | null = null;
      for (const [nonce, { issuedAt }] of entry.used) if (!oldest || issuedAt < oldest[1]) oldest = [nonce, issuedAt];
      if (!oldest) return;
      entry.used.delete(oldest[0]);
      entry.floor = Math.max(entry.floor, oldest[1]);
    }
  }

  #issuedAt(nonce: string): number {
    return Number.parseInt(nonce.slice(0, 12), 16);
  }

  #seal(body: string, host: string): string {
    return createHmac('sha256', this.#key).update(`${body}|${host}`, 'latin1').digest('hex').slice(0, 32);
  }
}
