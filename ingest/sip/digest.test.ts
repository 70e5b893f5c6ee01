import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import { Authenticator } from './authenticator.js';
import { digestAlgorithm, digestResponse, type DigestAlgorithm, type DigestInput } from './digest.js';
import { parseAuthParams } from './header-values.js';
import { NO_BODY, SipHeaders, type SipRequest } from './message.js';
import { NonceStore } from './nonce-store.js';

describe('the arithmetic', () => {
  const rfc2617: DigestInput = {
    algorithm: 'MD5',
    username: 'Mufasa',
    realm: 'testrealm@host.com',
    password: 'Circle Of Life',
    method: 'GET',
    uri: '/dir/index.html',
    nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
    qop: { name: 'auth', cnonce: '0a4f113b', nc: '00000001' },
  };
  const rfc7616: DigestInput = {
    algorithm: 'MD5',
    username: 'Mufasa',
    realm: 'http-auth@example.org',
    password: 'Circle of Life',
    method: 'GET',
    uri: '/dir/index.html',
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    qop: { name: 'auth', cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ', nc: '00000001' },
  };

  it('gives the responses printed in RFC 2617 3.5 and RFC 7616 3.9.1', () => {
    expect(digestResponse(rfc2617)).toBe('6629fae49393a05397450978507c4ef1');
    expect(digestResponse(rfc7616)).toBe('8ca523f5e9506fed4657c9700eebdbec');
    expect(digestResponse({ ...rfc7616, algorithm: 'SHA-256' })).toBe('753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1');
  });

  it('does without qop as RFC 2069 did, and with SM3 in place of MD5', () => {
    const h = (name: string, text: string): string => createHash(name).update(text).digest('hex');
    expect(h('sm3', 'abc')).toBe('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'); // GB/T 32905-2016 A.1
    for (const [algorithm, name] of [['MD5', 'md5'], ['SM3', 'sm3']] as const) {
      const ha1 = h(name, 'Mufasa:testrealm@host.com:Circle Of Life');
      const ha2 = h(name, 'GET:/dir/index.html');
      expect(digestResponse({ ...rfc2617, algorithm, qop: null })).toBe(h(name, `${ha1}:${rfc2617.nonce}:${ha2}`));
    }
  });

  it('knows algorithms in any letter case, and only its own', () => {
    expect([undefined, 'md5', 'Sha-256', 'sm3', 'MD5-sess', 'toString'].map(digestAlgorithm)).toEqual(['MD5', 'MD5', 'SHA-256', 'SM3', null, null]);
  });

  it('reads parameters by tokens: cnonce is not nonce, quotes may hold commas', () => {
    const { scheme, params } = parseAuthParams('Digest cnonce="c,1", username="a\\"b" ,nonce = "n" , qop=auth,nc=00000001, uri="sip:x@y;a=b",');
    expect(scheme).toBe('digest');
    expect(Object.fromEntries(params)).toEqual({ cnonce: 'c,1', username: 'a"b', nonce: 'n', qop: 'auth', nc: '00000001', uri: 'sip:x@y;a=b' });
  });
});

describe('nonces', () => {
  it('are ours for one host and one lifetime', () => {
    const clock = new ManualClock();
    const store = new NonceStore({ clock, lifetimeMs: 1000 });
    const nonce = store.issue('192.0.2.1');
    expect(store.check(nonce, '192.0.2.1')).toBe('ours');
    expect(store.check(nonce, '192.0.2.2')).toBe('foreign');
    const changed = nonce.slice(0, -1) + (nonce.endsWith('0') ? '1' : '0');
    expect(store.check(changed, '192.0.2.1')).toBe('foreign');
    // Moving the time of issue breaks the seal.
    expect(store.check(`ffffffffffff${nonce.slice(12)}`, '192.0.2.1')).toBe('foreign');
    expect(new NonceStore({ clock, lifetimeMs: 1000 }).check(nonce, '192.0.2.1')).toBe('foreign');
    clock.advance(1001);
    expect(store.check(nonce, '192.0.2.1')).toBe('stale');
  });

  it('count up with qop and serve once without', () => {
    const store = new NonceStore({ clock: new ManualClock(), lifetimeMs: 1000 });
    const a = store.issue('h');
    expect([1, 1, 3, 2, 4].map((nc) => store.use('cam', a, nc))).toEqual([true, false, true, false, true]);
    const b = store.issue('h');
    expect([store.use('cam', b, null), store.use('cam', b, null), store.use('cam', b, 9)]).toEqual([true, false, false]);
  });

  it('stay bounded, and what is forgotten is refused', () => {
    const clock = new ManualClock();
    const store = new NonceStore({ clock, lifetimeMs: 10_000, perAccount: 4, maxAccounts: 2 });
    const nonces = Array.from({ length: 6 }, () => {
      clock.advance(10);
      const nonce = store.issue('h');
      expect(store.use('cam', nonce, 1)).toBe(true);
      return nonce;
    });
    expect(store.use('cam', nonces[0] as string, 2)).toBe(false);
    expect(store.use('cam', nonces[5] as string, 2)).toBe(true);
    expect(store.use('second', store.issue('h'), 1)).toBe(true);
    // A third account would push out one whose nonces live: it has to wait, nobody can be replayed.
    expect(store.use('third', store.issue('h'), 1)).toBe(false);
    clock.advance(20_000);
    expect(store.use('third', store.issue('h'), 1)).toBe(true);
    expect(store.rememberedAccounts).toBeLessThanOrEqual(2);
  });
});

describe('the authenticator', () => {
  const realm = '3402000000';
  const request = (authorization?: string): SipRequest => {
    const headers = new SipHeaders();
    if (authorization !== undefined) headers.add('Authorization', authorization);
    return { kind: 'request', method: 'REGISTER', uri: 'sip:s@3402000000', headers, body: NO_BODY };
  };
  const make = (algorithms: DigestAlgorithm[] = ['MD5']): Authenticator =>
    new Authenticator({ realm, algorithms, offerQop: true, nonceLifetimeMs: 1000, clock: new ManualClock() });
  const nonceOf = (challenge: string): string => parseAuthParams(challenge).params.get('nonce') as string;

  it.each(['MD5', 'SHA-256', 'SM3'] as const)('challenges and verifies with %s', (algorithm) => {
    const auth = make(['SM3', 'SHA-256', 'MD5']);
    const challenges = auth.challenge('192.0.2.1', false);
    expect(challenges.map(([, value]) => /algorithm=([\w-]+)/.exec(value)?.[1])).toEqual(['SM3', 'SHA-256', 'MD5']);
    const nonce = nonceOf(challenges[0]?.[1] as string);
    const response = digestResponse({ algorithm, username: 'u', realm, password: 'p', method: 'REGISTER', uri: 'sip:other', nonce, qop: null });
    const header = `Digest username="u", realm="${realm}", nonce="${nonce}", uri="sip:other", response="${response.toUpperCase()}", algorithm=${algorithm}`;
    expect(auth.verify(request(header), 'cam', 'p', '192.0.2.1')).toEqual({ kind: 'ok', username: 'u' });
    expect(auth.verify(request(header), 'cam', 'p', '192.0.2.1')).toEqual({ kind: 'stale' });
  });

  it('tells the outcomes apart', () => {
    const auth = make();
    const nonce = nonceOf(auth.challenge('h', false)[0]?.[1] as string);
    const verify = (header: string | undefined, password: string | null = 'p', host = 'h'): string => auth.verify(request(header), 'cam', password, host).kind;
    const header = `Digest username="u", realm="${realm}", nonce="${nonce}", uri="x", response="00"`;
    expect(verify(undefined)).toBe('absent');
    expect(verify(header)).toBe('wrong');
    expect(verify(header, null)).toBe('wrong');
    expect(verify(header, 'p', 'elsewhere')).toBe('stale');
    expect(verify(header.replace(realm, 'other'))).toBe('stale');
    expect(verify('Basic dTpw')).toBe('malformed');
    expect(verify('Digest username="u')).toBe('malformed');
    expect(verify(`${header}, algorithm=SHA-256`)).toBe('malformed');
    expect(verify(`${header}, qop=auth-int`)).toBe('malformed');
    for (const nc of ['x', '-1', '000000001']) expect(verify(`${header}, qop=auth, nc=${nc}, cnonce="c"`), nc).toBe('malformed');
    expect(verify(`${header}, qop=auth, cnonce="c"`)).toBe('malformed');
    expect(verify(`${header}, qop=auth, nc=1`)).toBe('wrong');
    expect(verify(`${header}, qop=auth`)).toBe('wrong');
  });

  it('takes the older form under the name of the newer one, once', () => {
    const auth = make();
    const nonce = nonceOf(auth.challenge('h', false)[0]?.[1] as string);
    const response = digestResponse({ algorithm: 'MD5', username: 'u', realm, password: 'p', method: 'REGISTER', uri: 'x', nonce, qop: null });
    const header = `Digest username="u", realm="${realm}", nonce="${nonce}", uri="x", response="${response}", qop=auth`;
    expect([auth.verify(request(header), 'cam', 'p', 'h').kind, auth.verify(request(header), 'cam', 'p', 'h').kind]).toEqual(['ok', 'stale']);
  });

  it('refuses an empty password guess for an unknown device even if the digest fits', () => {
    const auth = make();
    const nonce = nonceOf(auth.challenge('h', false)[0]?.[1] as string);
    const response = digestResponse({ algorithm: 'MD5', username: 'u', realm, password: '', method: 'REGISTER', uri: 'x', nonce, qop: null });
    expect(auth.verify(request(`Digest username="u", realm="${realm}", nonce="${nonce}", uri="x", response="${response}"`), 'cam', null, 'h').kind).toBe('wrong');
  });
});
