import { describe, expect, it } from 'vitest';
import { seenFrom } from './hidden.js';
import { readScenes } from './scene.js';

describe('seenFrom', () => {
  const hiddenFrom = (from: number, to: number) => (frame: number): number => (frame >= from && frame < to ? 0.2 : 1);

  it('is the change itself while nothing hides the vehicle', () => {
    expect(seenFrom(100, 25, 1000, () => 1)).toBe(100);
    expect(seenFrom(100, 25, 1000, hiddenFrom(200, 300))).toBe(100);
  });

  it('is where the vehicle is seen again, for longer than a moment', () => {
    expect(seenFrom(100, 25, 1000, hiddenFrom(90, 160))).toBe(160);
    expect(seenFrom(100, 25, 1000, hiddenFrom(120, 160))).toBe(160);
    expect(seenFrom(100, 25, 1000, (f) => (f > 110 && f < 130) || (f > 134 && f < 150) ? 0 : 1)).toBe(150);
  });

  it('is the change itself where it is never seen again', () => {
    expect(seenFrom(100, 25, 1000, (f) => (f < 110 ? 1 : 0))).toBe(100);
  });
});

describe('the demo scenes', () => {
  it('hide one arrival behind a lorry, for less than three seconds', () => {
    const late = readScenes().flatMap(({ truth }) => truth.visits.flatMap((visit) => (visit.enteredFrame !== null && visit.enterSeenFrame !== null && visit.enterSeenFrame > visit.enteredFrame ? [(visit.enterSeenFrame - visit.enteredFrame) / truth.fps] : [])));
    expect(late).toHaveLength(1);
    expect(late[0]).toBeLessThan(3);
  });
});
