import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/fuzz-target.js';
import { CaptureClock, type Placement } from './capture-clock.js';

const WALL = 1_767_225_600_000;
const FRAME = 3600;

describe('CaptureClock', () => {
  it('is the first arrival plus stream time', () => {
    const clock = new CaptureClock();
    for (let i = 0; i < 100; i++) {
      expect(clock.place(900_000 + i * FRAME, WALL + i * 40)).toEqual({ pts: 900_000 + i * FRAME, capturedAt: WALL + i * 40, shift: 0, discontinuity: null });
    }
  });

  it.each([200e-6, -200e-6])('stays within 40 ms of the truth over 48 hours with a drift of %d and jitter', (drift) => {
    const clock = new CaptureClock();
    const random = seededRandom(1);
    let worst = 0;
    let last = 0;
    // Ten pictures a second are enough to see 48 hours: 1.7 million placements.
    for (let i = 0; i < 48 * 3600 * 10; i++) {
      const truth = WALL + i * 100;
      const ticks = Math.round(i * 9000 * (1 + drift));
      const { capturedAt, discontinuity } = clock.place(ticks, truth + random() * 30 + (random() < 0.001 ? 300 : 0));
      // Not `expect`: it would take a minute.
      if (discontinuity || capturedAt <= last) throw new Error('cut, or time fell');
      last = capturedAt;
      worst = Math.max(worst, Math.abs(capturedAt - truth));
    }
    expect(worst).toBeLessThan(40);
  });

  it('never corrects faster than 500 ppm', () => {
    const clock = new CaptureClock();
    clock.place(0, WALL);
    let before = WALL;
    for (let i = 1; i < 25 * 60; i++) {
      const { capturedAt } = clock.place(i * FRAME, WALL + 3000 + i * 40);
      expect(capturedAt - before).toBeLessThanOrEqual(41);
      before = capturedAt;
    }
    expect(before - (WALL + (25 * 60 - 1) * 40)).toBeLessThanOrEqual(31);
    expect(before - (WALL + (25 * 60 - 1) * 40)).toBeGreaterThan(20);
  });

  it.each([
    ['back to zero', 0, 100],
    ['ahead by an hour', 3600 * 90_000, 40],
    ['back by two seconds', -180_000, 40],
    ['ahead by two seconds', 180_000, 40],
  ])('a stream clock that is set %s cuts the time line at once', (_name, jump, pause) => {
    const clock = new CaptureClock();
    let ticks = 10_000_000;
    let now = WALL;
    let last: Placement | null = null;
    for (let i = 0; i < 50; i++) last = clock.place((ticks += FRAME), (now += 40));
    ticks = jump === 0 ? 0 : ticks + jump;
    const cut = clock.place(ticks, (now += pause));
    expect(cut.discontinuity).toMatchObject({ cause: 'stream' });
    expect(cut.capturedAt).toBe(now);
    expect(cut.pts - (last as Placement).pts).toBe(pause * 90);
    expect(clock.place(ticks + FRAME, now + 40)).toMatchObject({ capturedAt: now + 40, discontinuity: null });
  });

  it('a stream clock that is set back by less than a reordering could be is found out after a few pictures', () => {
    const clock = new CaptureClock();
    let cuts = 0;
    for (let i = 0; i < 200; i++) {
      const { capturedAt, discontinuity } = clock.place(1_000_000 + i * FRAME - (i >= 100 ? 63_000 : 0), WALL + i * 40);
      if (discontinuity) {
        cuts++;
        expect(i).toBeLessThanOrEqual(104);
      }
      if (i < 100 || i > 104) expect(Math.abs(capturedAt - (WALL + i * 40))).toBeLessThanOrEqual(1);
    }
    expect(cuts).toBe(1);
  });

  it('tells where sound stands, without moving', () => {
    const clock = new CaptureClock();
    expect(clock.locate(5)).toBeNull();
    expect(clock.ticksAt(WALL)).toBeNull();
    clock.place(900_000, WALL);
    expect(clock.locate(900_900)).toEqual({ pts: 900_900, capturedAt: WALL + 10 });
    expect(clock.ticksAt(WALL + 20)).toBe(901_800);
    expect(clock.place(903_600, WALL + 40)).toMatchObject({ pts: 903_600, capturedAt: WALL + 40 });
  });

  it('a gap that both clocks agree on is no cut', () => {
    const clock = new CaptureClock();
    clock.place(0, WALL);
    expect(clock.place(60 * 90_000, WALL + 60_000)).toEqual({ pts: 60 * 90_000, capturedAt: WALL + 60_000, shift: 0, discontinuity: null });
  });

  it('a network that stalls for eight seconds and catches up is no cut', () => {
    const clock = new CaptureClock();
    for (let i = 0; i < 1000; i++) {
      const sent = WALL + i * 40;
      const arrival = i >= 100 && i < 300 ? Math.max(sent, WALL + 12_000) : sent;
      const { discontinuity, capturedAt } = clock.place(i * FRAME, arrival);
      expect(discontinuity).toBeNull();
      expect(Math.abs(capturedAt - sent)).toBeLessThan(10);
    }
  });

  it.each([60_000, -3_600_000])('our wall clock set by %d ms: cut once, after it has lasted, and time never falls', (step) => {
    const clock = new CaptureClock();
    let cuts = 0;
    let last = 0;
    for (let i = 0; i < 25 * 120; i++) {
      const { capturedAt, discontinuity } = clock.place(i * FRAME, WALL + i * 40 + (i > 500 ? step : 0));
      if (discontinuity) {
        cuts++;
        expect(discontinuity.cause).toBe('wall');
        expect(i).toBeGreaterThan(500 + 240);
      }
      expect(capturedAt).toBeGreaterThan(last);
      last = capturedAt;
    }
    expect(cuts).toBe(1);
    const plain = WALL + (25 * 120 - 1) * 40;
    expect(Math.abs(last - (step > 0 ? plain + step : plain))).toBeLessThan(100);
  });

  it('keeps pictures that come in presentation order apart', () => {
    const clock = new CaptureClock();
    const placed = [0, 3, 1, 2, 6, 4, 5].map((n) => ({ n, ...clock.place(n * FRAME, WALL + n * 40) }));
    placed.forEach(({ n, pts, shift }) => expect(pts + shift).toBe(n * FRAME));
    for (let i = 1; i < placed.length; i++) {
      expect((placed[i] as Placement).pts).toBeGreaterThan((placed[i - 1] as Placement).pts);
      expect((placed[i] as Placement).capturedAt).toBeGreaterThan((placed[i - 1] as Placement).capturedAt);
    }
  });
});
