import { describe, expect, it } from 'vitest';
import { berthCode, MAX_UID_LENGTH, visitUid } from './identity.js';

const AT = Date.UTC(2024, 6, 1, 1, 10, 5, 7);

describe('visitUid', () => {
  it('is lot code, berth number and Beijing time to the millisecond', () => {
    expect(visitUid({ lotCode: '3702ASN1001', number: '012' }, AT)).toBe('3702ASN100101220240701091005007');
  });

  it('tells berths apart whatever their numbers are written with', () => {
    const numbers = ['1-12', '11-2', '112', '东1', '西1', 'A1', 'B1', ''];
    expect(new Set(numbers.map(berthCode)).size).toBe(numbers.length);
    for (const n of numbers) expect(berthCode(n)).toMatch(/^[0-9A-Za-z]+$/);
  });

  it('stays within 60 characters and keeps long lot codes apart', () => {
    const long = 'L'.repeat(45);
    const a = visitUid({ lotCode: long, number: '001' }, AT);
    const b = visitUid({ lotCode: long, number: '002' }, AT);
    expect(a).toHaveLength(MAX_UID_LENGTH);
    expect(a).not.toBe(b);
    expect(a.endsWith('20240701091005007')).toBe(true);
  });
});
