import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FREE_TARIFF, parkingFee, type Tariff } from './fee.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const qingdao: Tariff = { kind: 'per-unit', freeMinutes: 15, unitMinutes: 30, feePerUnit: 200, dayCap: 3_000 };

describe('parkingFee', () => {
  it.each([
    [0, 0],
    [15 * MINUTE, 0],
    [15 * MINUTE + 1, 200],
    [30 * MINUTE, 200],
    [30 * MINUTE + 1, 400],
    [7 * HOUR + 30 * MINUTE, 3_000],
    [20 * HOUR, 3_000],
    [24 * HOUR, 3_000],
    [24 * HOUR + 1, 3_200],
    [49 * HOUR, 6_400],
  ])('%d ms cost %d fen', (stay, fee) => expect(parkingFee(qingdao, 1_000, 1_000 + stay)).toBe(fee));

  it('is free without a tariff and refuses what makes no sense', () => {
    expect(parkingFee(FREE_TARIFF, 0, 99 * HOUR)).toBe(0);
    expect(() => parkingFee(qingdao, 10, 9)).toThrow(/before it begins/);
    expect(() => parkingFee({ ...qingdao, unitMinutes: 0 } as Tariff, 0, 1)).toThrow(/unitMinutes/);
    expect(() => parkingFee({ ...qingdao, feePerUnit: 1.5 } as Tariff, 0, 1)).toThrow(/whole/);
  });

  it('never costs less for longer', () => {
    fc.assert(
      fc.property(fc.nat(80 * HOUR), fc.nat(80 * HOUR), fc.option(fc.integer({ min: 200, max: 9_000 })), (a, b, dayCap) => {
        const tariff: Tariff = { ...(qingdao as Extract<Tariff, { kind: 'per-unit' }>), dayCap };
        expect(parkingFee(tariff, 0, Math.max(a, b))).toBeGreaterThanOrEqual(parkingFee(tariff, 0, Math.min(a, b)));
      }),
    );
  });
});
