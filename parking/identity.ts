import { beijingCompact } from '../base/beijing-time.js';
import type { Berth } from './model/berth.js';

/** Longest 流水号 a platform takes (T/QME 0013-2024 A.4.1.1.4). */
export const MAX_UID_LENGTH = 60;

/** FNV-1a, 32 bits: names what had to be cut off, nothing more. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (const char of text) {
    hash ^= char.codePointAt(0) as number;
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/**
 * The berth number in letters and digits. Anything else becomes its code point in hex, so that 东1 and 西1, or 1-12 and
 * 11-2, stay two berths; a camera's parked cars all share the millisecond of its first frame.
 */
export function berthCode(number: string): string {
  return [...number].map((c) => (/[0-9A-Za-z]/.test(c) ? c : (c.codePointAt(0) as number).toString(16).toUpperCase())).join('') || '0';
}

/**
 * 流水号 of a visit: lot code + berth number + `yyyyMMddHHmmssSSS` (Beijing time) of its entering. Visits of a berth never
 * overlap, so this is unique. A lot code and number too long for 60 characters are cut and carry a hash of themselves.
 */
export function visitUid(berth: Pick<Berth, 'lotCode' | 'number'>, enteredAt: number): string {
  const stamp = beijingCompact(enteredAt);
  const place = berth.lotCode + berthCode(berth.number);
  const room = MAX_UID_LENGTH - stamp.length;
  return (place.length <= room ? place : place.slice(0, room - 8) + fnv1a(place)) + stamp;
}
