import { expect, it } from 'vitest';
import { ManualClock } from '../../base/manual-clock.js';
import { Pace } from './pace.js';

it('begins the first piece of work at once, and the others a pause apart, in order', () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, 20);
  const begun: string[] = [];
  const take = (name: string, said = name): void => pace.take(name, () => void begun.push(said));
  take('a');
  expect(begun).toEqual(['a']);
  for (const name of ['b', 'c', 'd', 'e']) take(name);
  clock.advance(19);
  expect(begun).toEqual(['a']);
  clock.advance(1);
  expect(begun).toEqual(['a', 'b']);
  pace.drop('c');
  take('d', 'd anew');
  clock.advance(1_000);
  expect(begun).toEqual(['a', 'b', 'd anew', 'e']);
  // After a quiet time the next is the first again.
  take('f');
  expect(begun.at(-1)).toBe('f');
  // Shortly behind it is not.
  take('g');
  expect(begun.at(-1)).toBe('f');
  pace.close();
  clock.advance(1_000);
  expect([begun.at(-1), pace.waiting]).toEqual(['f', 0]);
});
