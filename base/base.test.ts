import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beijingCompact, beijingDateTime, beijingIso, beijingMidnight, parseBeijing } from './beijing-time.js';
import { sleep } from './clock.js';
import { mutations, seededRandom } from './fuzz-target.js';
import { applyHomography, area, boxIou, boxPolygon, clipConvex, contains, homographyFrom, invertHomography, overlapArea, type Point, type Quad } from './geometry.js';
import { ManualClock } from './manual-clock.js';
import { parseDuration, parseSize } from './units.js';

describe('units', () => {
  it('reads durations and sizes, alone and joined', () => {
    expect(parseDuration('30d')).toBe(30 * 86_400_000);
    expect(parseDuration('1h30m')).toBe(5_400_000);
    expect(parseDuration('1.5s')).toBe(1_500);
    expect(parseDuration('250ms')).toBe(250);
    expect(parseSize('50M')).toBe(50 * 1024 ** 2);
    expect(parseSize('0B')).toBe(0);
  });

  it('refuses anything else and says how to write it', () => {
    for (const text of ['', '30', 'd', '-1s', '1 s', '1x', '1s!', '9'.repeat(30) + 'd']) expect(() => parseDuration(text), text).toThrow(/write it like/);
  });
});

describe('Beijing time', () => {
  const t = Date.UTC(2026, 11, 31, 16, 0, 0, 7);

  it('formats without the zone of the host', () => {
    expect(beijingDateTime(t)).toBe('2027-01-01 00:00:00');
    expect(beijingIso(t)).toBe('2027-01-01T00:00:00.007');
    expect(beijingCompact(t)).toBe('20270101000000007');
    expect(beijingMidnight(t + 5)).toBe(Date.UTC(2026, 11, 31, 16));
  });

  it('reads what it writes and refuses dates that do not exist', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (ms) => parseBeijing(beijingIso(ms)) === ms));
    for (const text of ['2026-02-30 00:00:00', '2026-01-01 24:00:00', '2026-13-01 00:00:00', 'now']) expect(parseBeijing(text), text).toBeNull();
  });
});

describe('geometry', () => {
  const square: Quad = [
    [0, 0],
    [10, 0],
    [10, 10],
    [0, 10],
  ];

  it('measures and clips convex polygons whatever their orientation', () => {
    expect(area(square)).toBe(100);
    const shifted = square.map(([x, y]) => [x + 5, y + 5] as Point);
    expect(overlapArea(square, shifted)).toBeCloseTo(25);
    expect(overlapArea([...square].reverse(), shifted)).toBeCloseTo(25);
    expect(clipConvex(square, square.map(([x, y]) => [x + 20, y] as Point))).toHaveLength(0);
    expect(contains(square, [5, 5])).toBe(true);
    expect(contains(square, [15, 5])).toBe(false);
    expect(boxIou({ x: 0, y: 0, width: 10, height: 10 }, { x: 5, y: 0, width: 10, height: 10 })).toBeCloseTo(1 / 3);
    expect(boxPolygon({ x: 0, y: 0, width: 10, height: 10 })).toEqual(square);
  });

  it('finds the homography of four points and its inverse', () => {
    const to: Quad = [
      [100, 50],
      [300, 60],
      [400, 220],
      [40, 200],
    ];
    const h = homographyFrom(square, to);
    if (!h) throw new Error('no homography');
    const back = invertHomography(h);
    square.forEach((p, i) => {
      const q = applyHomography(h, p);
      expect(q[0]).toBeCloseTo((to[i] as Point)[0], 6);
      expect(q[1]).toBeCloseTo((to[i] as Point)[1], 6);
      expect(applyHomography(back, q)[0]).toBeCloseTo(p[0], 6);
    });
    expect(homographyFrom(square, [[0, 0], [1, 1], [2, 2], [3, 3]])).toBeNull();
  });
});

describe('ManualClock', () => {
  it('fires timers in order and lets the wall clock jump alone', async () => {
    const clock = new ManualClock(1_000);
    const fired: string[] = [];
    clock.after(20, () => fired.push('b'));
    clock.after(10, () => {
      fired.push('a');
      clock.after(5, () => fired.push('nested'));
    });
    const cancel = clock.after(15, () => fired.push('never'));
    cancel();
    clock.advance(30);
    expect(fired).toEqual(['a', 'nested', 'b']);
    clock.setWall(5);
    expect([clock.now(), clock.monotonic()]).toEqual([5, 30]);
    const abort = new AbortController();
    const waiting = sleep(clock, 1_000, abort.signal);
    abort.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
  });
});

describe('mutations', () => {
  it('repeats from its seed and stays bounded', () => {
    const take = (seed: number): string[] => {
      const stream = mutations([new Uint8Array([1, 2, 3, 4])], seed);
      return Array.from({ length: 200 }, () => Buffer.from(stream.next().value).toString('hex'));
    };
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
    expect(seededRandom(1)()).toBeLessThan(1);
  });
});
