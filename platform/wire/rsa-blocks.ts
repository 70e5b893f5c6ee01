import { constants, createPrivateKey, createPublicKey, createSign, publicEncrypt, type KeyObject } from 'node:crypto';
import { BerthwatchError, messageOf } from '../../base/errors.js';

/**
 * RSA over messages longer than one block, as the Qingdao (T/QME 0013-2024 A.2.3) and Hangzhou protocols use it: the plain bytes
 * are cut into pieces of (modulus − 11) bytes, 117 for RSA-1024, each piece is padded by PKCS#1 v1.5 and encrypted, and
 * the cipher blocks are joined.
 */
export function encryptBlocks(plain: Uint8Array, platformPublicKey: KeyObject): Buffer {
  const modulusBytes = (platformPublicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const pieceBytes = modulusBytes - 11;
  const blocks: Buffer[] = [];
  for (let at = 0; at < plain.length; at += pieceBytes) {
    blocks.push(publicEncrypt({ key: platformPublicKey, padding: constants.RSA_PKCS1_PADDING }, plain.subarray(at, at + pieceBytes)));
  }
  return Buffer.concat(blocks);
}

/** SHA1WithRSA (RSASSA-PKCS1-v1_5) over `data`. */
export function signSha1WithRsa(data: Uint8Array, userPrivateKey: KeyObject): Buffer {
  return createSign('RSA-SHA1').update(data).sign(userPrivateKey);
}

/** Reads a PEM, or the bare base64 DER that platforms hand out by e-mail. @throws BerthwatchError bad-input naming `what` */
export function readPublicKey(text: string, what: string): KeyObject {
  return readKey(what, 'PUBLIC KEY', () => createPublicKey(asPem(text, 'PUBLIC KEY')));
}

/** Like `readPublicKey`, for the user's private key (PKCS#8). */
export function readPrivateKey(text: string, what: string): KeyObject {
  return readKey(what, 'PRIVATE KEY', () => createPrivateKey(asPem(text, 'PRIVATE KEY')));
}

function asPem(text: string, label: string): string {
  const trimmed = text.trim();
  if (trimmed.startsWith('-----BEGIN')) return trimmed;
  const body = trimmed.replace(/\s+/g, '').match(/.{1,64}/g)?.join('\n') ?? '';
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
}

function readKey(what: string, label: string, read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (cause) {
    throw new BerthwatchError('bad-input', 'PLATFORM_KEY', `${what} is not an RSA ${label} in PEM or base64 form: ${messageOf(cause)}`, { cause });
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < 512 || bits % 8 !== 0) {
    throw new BerthwatchError('bad-input', 'PLATFORM_KEY', `${what} must be an RSA key, it is ${key.asymmetricKeyType ?? 'of unknown type'}`);
  }
  return key;
}
