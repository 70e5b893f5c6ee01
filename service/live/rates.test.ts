import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import { Rates } from './rates.js';

describe('Rates', () => {
  it('tells the rate of the last ten seconds, and none of a camera that is silent', () => {
    const clock = new ManualClock();
    const rates = new Rates(clock);
    expect(rates.bitsPerSecond('cam')).toBeNull();
    rates.add('cam', 500_000);
    expect(rates.bitsPerSecond('cam')).toBeNull();
    for (let i = 0; i < 30; i++) {
      clock.advance(1_000);
      rates.add('cam', 500_000);
    }
    expect(rates.bitsPerSecond('cam')).toBe(4_000_000);
    clock.advance(5_000);
    expect(rates.bitsPerSecond('cam')).toBeLessThan(4_000_000);
    clock.advance(6_000);
    expect(rates.bitsPerSecond('cam')).toBeNull();
    rates.add('cam', 1_000);
    clock.advance(1_000);
    expect(rates.bitsPerSecond('cam')).toBe(8_000);
    rates.forget('cam');
    expect(rates.bitsPerSecond('cam')).toBeNull();
  });
});
