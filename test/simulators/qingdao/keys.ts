import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface PemPair {
  /** SubjectPublicKeyInfo, PEM. */
  publicKey: string;
  /** PKCS#8, PEM. */
  privateKey: string;
}

/** Keys of both sides: the user encrypts with `platform.publicKey` and signs with `user.privateKey`. */
export interface QingdaoKeys {
  platform: PemPair;
  user: PemPair;
}

/**
 * Two RSA pairs of 1024 bits: blocks of 117 bytes of text and 128 bytes of cipher (T/QME 0013-2024 A.2.3) exist with this
 * length only, weak as it is today.
 */
export function generateKeys(): QingdaoKeys {
  const pair = (): PemPair =>
    generateKeyPairSync('rsa', {
      modulusLength: 1024,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
  return { platform: pair(), user: pair() };
}

/** Writes the four PEM files of `generateKeys()` into a folder; returns their paths. */
export function writeKeys(folder: string, keys: QingdaoKeys = generateKeys()): { platformPublic: string; platformPrivate: string; userPublic: string; userPrivate: string } {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, pem: string): string => {
    const path = join(folder, name);
    writeFileSync(path, pem, { mode: 0o600 });
    return path;
  };
  return {
    platformPublic: write('platform-public.pem', keys.platform.publicKey),
    platformPrivate: write('platform-private.pem', keys.platform.privateKey),
    userPublic: write('user-public.pem', keys.user.publicKey),
    userPrivate: write('user-private.pem', keys.user.privateKey),
  };
}
