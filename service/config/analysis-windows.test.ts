import { describe, expect, it } from 'vitest';
import { parseBeijing } from '../../base/beijing-time.js';
import { analysedAt, AnalysisSchema } from './analysis-windows.js';

const at = (text: string): number => parseBeijing(text) as number;
const windows = (...list: object[]): ReturnType<typeof analysedAt> => analysedAt(AnalysisSchema.parse({ windows: list }).windows);

describe('analysedAt', () => {
  it('is always where there are no windows', () => {
    expect(analysedAt([])(at('2026-01-01 03:00:00'))).toBe(true);
  });

  it('opens at `from` and closes at `to`, Beijing time, on each day unless days are named', () => {
    const is = windows({ from: '07:30', to: '21:30' });
    for (const day of ['2026-01-05', '2026-01-10', '2026-01-11']) {
      expect([`${day} 07:29:59`, `${day} 07:30:00`, `${day} 21:29:59`, `${day} 21:30:00`].map((text) => is(at(text))), day).toEqual([false, true, true, false]);
    }
    expect(is(at('2026-01-05 07:30:00') - 1)).toBe(false);
    expect(is(at('2026-01-05 21:30:00') - 1)).toBe(true);
  });

  it('counts a window over midnight to the day on which it begins', () => {
    // 9 January 2026 is a Friday.
    const is = windows({ days: ['fri'], from: '22:00', to: '06:00' });
    expect(is(at('2026-01-09 05:00:00'))).toBe(false);
    expect(is(at('2026-01-09 22:00:00'))).toBe(true);
    expect(is(at('2026-01-10 05:59:59'))).toBe(true);
    expect(is(at('2026-01-10 06:00:00'))).toBe(false);
    expect(is(at('2026-01-10 22:00:00'))).toBe(false);
  });

  it('runs from Sunday into Monday', () => {
    const is = windows({ days: ['sun'], from: '23:00', to: '01:00' });
    expect(is(at('2026-01-11 23:30:00'))).toBe(true);
    expect(is(at('2026-01-12 00:30:00'))).toBe(true);
    expect(is(at('2026-01-13 00:30:00'))).toBe(false);
  });

  it.each(['00:00', '24:00'])('ends at midnight where `to` is %s', (to) => {
    const is = windows({ days: ['mon'], from: '20:00', to });
    expect(is(at('2026-01-05 23:59:59'))).toBe(true);
    expect(is(at('2026-01-06 00:00:00'))).toBe(false);
  });

  it('joins windows, takes whole days, and knows times before 1970', () => {
    const is = windows({ days: ['mon'], from: '00:00', to: '24:00' }, { days: ['tue'], from: '00:00', to: '00:01' });
    expect(is(at('2026-01-05 00:00:00'))).toBe(true);
    expect(is(at('2026-01-05 23:59:59'))).toBe(true);
    expect(is(at('2026-01-06 00:00:30'))).toBe(true);
    expect(is(at('2026-01-06 00:01:00'))).toBe(false);
    expect(windows({ days: ['wed'], from: '10:00', to: '11:00' })(Date.UTC(1969, 11, 31, 2, 30))).toBe(true);
  });

  it.each([
    [{ from: '7.30', to: '21:30' }, /time of day/],
    [{ from: '07:30', to: '25:00' }, /time of day/],
    [{ from: '24:00', to: '06:00' }, /before 24:00/],
    [{ from: '08:00', to: '08:00' }, /whole day/],
    [{ days: ['mon', 'mon'], from: '08:00', to: '09:00' }, /twice/],
    [{ days: [], from: '08:00', to: '09:00' }, /./],
    [{ days: ['holiday'], from: '08:00', to: '09:00' }, /./],
  ])('refuses %j', (window, message) => {
    expect(() => AnalysisSchema.parse({ windows: [window] })).toThrow(message);
  });
});
