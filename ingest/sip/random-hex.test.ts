import { expect, it } from 'vitest';
import { randomHex } from './random-hex.js';

it('gives as many digits as asked for, and never the same twice over many refills of its pool', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 5000; i++) {
    const bytes = [8, 12, 16][i % 3] as number;
    const text = randomHex(bytes);
    expect(text).toMatch(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
    seen.add(text);
  }
  expect(seen.size).toBe(5000);
});
