import { describe, expect, it } from 'vitest';
import type { Quad } from '../../base/geometry.js';
import type { CtcReading } from './ctc.js';
import { combineLooks, FRAMINGS, isUnsure, reframe, strength } from './second-look.js';

const look = (text: string, ...confidences: number[]): CtcReading => ({ text, confidences: [...text].map((_, i) => confidences[i] ?? confidences.at(-1) ?? 0.99) });

describe('second look', () => {
  it('reframes in the plane of the plate', () => {
    const flat: Quad = [[100, 50], [300, 50], [300, 110], [100, 110]];
    expect(reframe(flat, { width: 0.9, height: 0.5, drop: 0 })?.map((p) => p.map(Math.round))).toEqual([[110, 65], [290, 65], [290, 95], [110, 95]]);
    // A tilted frame sinks to the right by a share of the plate's height, around its middle.
    expect(reframe(flat, { width: 1, height: 1, drop: 0.2 })?.map((p) => p.map(Math.round))).toEqual([[100, 44], [300, 56], [300, 116], [100, 104]]);
    expect(reframe([[0, 0], [10, 0], [20, 0], [30, 0]], FRAMINGS[0]!)).toBeNull();
  });

  it('is taken at plates that are not sure, not at what is sure, hopeless or no plate', () => {
    expect(isUnsure(look('皖A84V80', 0.94), 'blue')).toBe(true);
    expect(isUnsure(look('皖A84V80', 0.95), 'blue')).toBe(false);
    expect(isUnsure(look('皖A84V80', 0.01), 'blue')).toBe(false);
    expect(isUnsure(look('皖A84V', 0.6), 'blue')).toBe(false);
    expect(isUnsure(look('皖A84V80', 0.6), 'green')).toBe(false);
  });

  it('believes the surest text that a plate can have', () => {
    expect(combineLooks([look('皖A84VB0', 0.6), look('皖A84V80', 0.97), look('皖A84V8', 0.999)], 'blue')).toMatchObject({ text: '皖A84V80' });
  });

  it('takes nothing from what all looks agree on, and the more from the rest the surer they contradict', () => {
    const { text, confidences } = combineLooks([look('皖A84VB0', 0.6), look('皖A84V80', 0.96)], 'blue');
    expect(text).toBe('皖A84V80');
    expect(confidences[5]).toBeCloseTo(0.96 / 1.56);
    expect(confidences.filter((c) => c === 0.96)).toHaveLength(6);
    expect(combineLooks([look('皖A84VB0', 0.03), look('皖A84V80', 0.96)], 'blue').confidences[5]).toBeGreaterThan(0.95);
  });

  it('doubts every character where lengths differ', () => {
    const { confidences } = combineLooks([look('鲁BD12345', 0.9), look('鲁BD123456', 0.99), look('鲁BD1234', 0.99)], 'green');
    expect(Math.max(...confidences)).toBe(0.9); // neither of the others is a plate of this colour
    const rival = combineLooks([look('京A1234警', 0.9), look('川X0001应急', 0.6)], 'white');
    expect(rival.text).toBe('京A1234警');
    expect(Math.max(...rival.confidences)).toBeCloseTo(0.6);
  });

  it('leaves the first look as it is where no look is a plate', () => {
    const first = look('84VB0', 0.6);
    expect(combineLooks([first, look('7XET皖12', 0.9)], 'blue')).toBe(first);
    expect(strength(first, 'blue')).toBe(0);
    expect(strength(look(''), 'blue')).toBe(0);
  });
});
