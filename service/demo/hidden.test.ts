import { describe, expect, it } from 'vitest';
import { openShare, seenFrom } from './hidden.js';
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

describe('openShare', () => {
  const parked = [100, 100, 200, 100] as const;

  it('is what who stands nearer to the camera leaves of the place', () => {
    expect(openShare(parked, [])).toBe(1);
    expect(openShare(parked, [[200, 150, 300, 300]])).toBe(0.75);
    expect(openShare(parked, [[0, 50, 500, 500], [200, 150, 300, 300]])).toBe(0);
  });

  it('is all of it where others stand behind', () => {
    expect(openShare(parked, [[100, 50, 200, 120]])).toBe(1);
  });
});

describe('the demo scenes', () => {
  it('hide a parked car and its berth behind a passing lorry, which counts where the pictures come again then', () => {
    const visit = readScenes()[0]?.truth.visits.find(({ berth, vehicle }) => berth === 'P3' && vehicle === 'v2');
    expect(visit?.vehicleClearFrom(750)).toBe(750);
    for (const clear of [visit?.vehicleClearFrom(850), visit?.berthClearFrom(850)]) {
      expect(clear).toBeGreaterThan(895);
      expect(clear).toBeLessThan(925);
    }
  });

  it('hide one arrival behind a lorry, for less than three seconds', () => {
    const late = readScenes().flatMap(({ truth }) => truth.visits.flatMap((visit) => (visit.enteredFrame !== null && visit.enterSeenFrame !== null && visit.enterSeenFrame > visit.enteredFrame ? [(visit.enterSeenFrame - visit.enteredFrame) / truth.fps] : [])));
    expect(late).toHaveLength(1);
    expect(late[0]).toBeLessThan(3);
  });
});
