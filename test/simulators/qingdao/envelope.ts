/**
 * What is around every request (T/QME 0013-2024 A.2.1, A.2.3): `accessID`, `cipher`, `sign` in a form POST. The text says how
 * they are computed and not how the bytes are written. Taken here: both are standard base64 (padded), because the text writes
 * the one binary value whose encoding it does name (`file`) in base64; and the signature covers the `cipher` parameter as the
 * characters that are sent, because "用用户私钥对 cipher 进行签名" speaks of the parameter. `signatureCovers: 'bytes'` is the
 * other reading.
 */
import { constants, createPrivateKey, createPublicKey, privateDecrypt, verify, type KeyObject } from 'node:crypto';

/** RSA 1024: one block of cipher. */
const BLOCK = 128;

export interface User {
  accessId: string;
  /** PEM. */
  publicKey: string;
}

export interface EnvelopeOptions {
  users: readonly User[];
  /** PEM of the platform's private key. */
  privateKey: string;
  signatureCovers: 'text' | 'bytes';
}

export type Opened = { ok: true; accessId: string; text: string } | { ok: false; accessId: string | null; code: '400' | '500'; reason: string };

/** Checks who sent a request and makes its parameters readable. */
export class Envelope {
  private readonly users: Map<string, KeyObject>;
  private readonly key: KeyObject;

  constructor(private readonly options: EnvelopeOptions) {
    this.users = new Map(options.users.map((user) => [user.accessId, createPublicKey(user.publicKey)]));
    this.key = createPrivateKey(options.privateKey);
    if (this.key.asymmetricKeyDetails?.modulusLength !== BLOCK * 8) throw new Error('the platform key must be RSA of 1024 bits (blocks of 128 bytes)');
  }

  /** Signature first, then decryption, as A.2.3 orders them. */
  open(form: URLSearchParams): Opened {
    const accessId = form.get('accessID');
    const refuse = (code: '400' | '500', reason: string): Opened => ({ ok: false, accessId, code, reason });
    const cipher = form.get('cipher');
    const sign = form.get('sign');
    if (accessId === null || accessId === '') return refuse('400', 'accessID: missing');
    if (cipher === null || cipher === '') return refuse('400', 'cipher: missing');
    if (sign === null || sign === '') return refuse('400', 'sign: missing');
    const userKey = this.users.get(accessId);
    if (!userKey) return refuse('500', 'accessID: unknown');
    const cipherBytes = decodeBase64(cipher);
    if (!cipherBytes) return refuse('400', `cipher: not base64${cipher.includes(' ') ? " ('+' must be percent-encoded in a form)" : ''}`);
    const signBytes = decodeBase64(sign);
    if (!signBytes) return refuse('400', `sign: not base64${sign.includes(' ') ? " ('+' must be percent-encoded in a form)" : ''}`);
    const signed = this.options.signatureCovers === 'text' ? Buffer.from(cipher, 'utf8') : cipherBytes;
    if (!verify('RSA-SHA1', signed, userKey, signBytes)) return refuse('500', 'sign: does not verify (SHA1WithRSA over cipher)');
    if (cipherBytes.length === 0 || cipherBytes.length % BLOCK !== 0) return refuse('500', `cipher: ${cipherBytes.length} bytes are not whole blocks of ${BLOCK}`);
    const parts: Buffer[] = [];
    for (let at = 0; at < cipherBytes.length; at += BLOCK) {
      const text = this.decryptBlock(cipherBytes.subarray(at, at + BLOCK));
      if (!text) return refuse('500', `cipher: block ${at / BLOCK + 1} cannot be decrypted`);
      parts.push(text);
    }
    const bytes = Buffer.concat(parts);
    const text = bytes.toString('utf8');
    if (!Buffer.from(text, 'utf8').equals(bytes)) return refuse('500', 'cipher: the decrypted text is not UTF-8');
    return { ok: true, accessId, text };
  }

  private decryptBlock(block: Buffer): Buffer | null {
    try {
      return unpadPkcs1(privateDecrypt({ key: this.key, padding: constants.RSA_NO_PADDING }, block));
    } catch {
      // A number not below the modulus.
      return null;
    }
  }
}

/**
 * Takes PKCS#1 v1.5 type 2 padding off (RFC 8017 §7.2.2): 00 02, at least eight non-zero bytes, 00, text. Done here because
 * Node's own is switched off against timing oracles; a simulator on loopback has no such secret to keep.
 */
export function unpadPkcs1(padded: Buffer): Buffer | null {
  if (padded.length !== BLOCK || padded[0] !== 0 || padded[1] !== 2) return null;
  const end = padded.indexOf(0, 2);
  return end < 10 ? null : padded.subarray(end + 1);
}

/** Strict standard base64 with padding; null for anything else (line breaks, URL alphabet, blanks). */
export function decodeBase64(text: string): Buffer | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}
