import { BerthwatchError } from '../../base/errors.js';

const MAX_KEY = 512;
const MAX_PART = 200;

/**
 * Checks a key: parts of `A–Z a–z 0–9 . _ = + @ -`, joined by `/`. That is what every bucket, URL and file system takes as
 * it is; `.`, `..` and empty parts, which some of them would resolve, are refused.
 *
 * @throws BerthwatchError bad-input
 */
export function checkKey(key: string): string {
  const fault =
    key.length === 0 ? 'is empty'
    : key.length > MAX_KEY ? `is longer than ${MAX_KEY}`
    : !/^[A-Za-z0-9._=+@/-]+$/.test(key) ? 'has other characters than A-Z a-z 0-9 . _ = + @ - /'
    : key.split('/').some((part) => part === '' || part === '.' || part === '..' || part.length > MAX_PART) ? `has a part that is empty, ".", ".." or longer than ${MAX_PART}`
    : null;
  if (fault !== null) throw new BerthwatchError('bad-input', 'OBJECT_KEY', `the object key ${JSON.stringify(key.slice(0, 80))} ${fault}`);
  return key;
}
