import { BerthwatchError } from './errors.js';

const DURATION_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_BYTES: Record<string, number> = { B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

function parseUnits(text: string, units: Record<string, number>, what: string, example: string): number {
  const pattern = new RegExp(`(\\d+(?:\\.\\d+)?)(${Object.keys(units).join('|')})`, 'y');
  let total = 0;
  let at = 0;
  const compact = text.trim();
  while (at < compact.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(compact);
    if (!match) at = Infinity;
    else {
      total += Number(match[1]) * (units[match[2] as string] as number);
      at = pattern.lastIndex;
    }
  }
  if (compact === '' || at === Infinity || !Number.isSafeInteger(Math.round(total))) {
    throw new BerthwatchError('bad-input', 'BASE_UNIT', `"${text}" is not a ${what}; write it like ${example}`);
  }
  return Math.round(total);
}

/** "30d", "1h30m", "250ms" → milliseconds. @throws BerthwatchError bad-input */
export function parseDuration(text: string): number {
  return parseUnits(text, DURATION_MS, 'duration', '"30d", "90s" or "1h30m"');
}

/** "50M", "4G", "512K" (powers of 1024) → bytes. @throws BerthwatchError bad-input */
export function parseSize(text: string): number {
  return parseUnits(text, SIZE_BYTES, 'size', '"512K", "50M" or "4G"');
}
