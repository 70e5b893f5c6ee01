import { describe, expect, it } from 'vitest';
import type { BallotEntry } from '../state.js';
import { addReading, bestPlateFrame, MAX_READINGS, mergeReadings } from './ballot.js';
import { clearlyBetter, plateDistance, readingsOfResting, votePlate } from './vote.js';

function reading(t: number, text: string, confidence = 0.9, width = 100): BallotEntry {
  const colour = [...text].length === 8 ? 'green' : 'blue';
  return { t, text, colour, colourConfidence: 0.95, rows: 1, confidences: [...text].map(() => confidence), score: 0.95, corners: [0, 0, width, 0, width, 30, 0, 30], box: [0, 0, 300, 200] };
}

describe('ballot', () => {
  it('keeps the best and the newest, in bounds', () => {
    const ballot: BallotEntry[] = [];
    for (let t = 0; t < 100; t++) addReading(ballot, reading(t, '鲁B12345', t === 7 ? 0.99 : 0.8));
    expect(ballot).toHaveLength(MAX_READINGS);
    expect(ballot.map((e) => e.t)).toContain(7);
    expect(ballot.slice(-3).map((e) => e.t)).toEqual([97, 98, 99]);
    expect(addReading(ballot, reading(99, '鲁B12345'))).toBe(false);
    mergeReadings(ballot, [reading(50, '鲁B12345', 0.999), reading(51, '鲁B12345', 0.1)]);
    expect(ballot).toHaveLength(MAX_READINGS);
    expect(ballot.map((e) => e.t)).toContain(50);
    expect(ballot.map((e) => e.t)).not.toContain(51);
    expect([...ballot].sort((a, b) => a.t - b.t)).toEqual(ballot);
  });

  it('shows the plate on the widest sure frame that says the text, inside the asked time if there is one', () => {
    const ballot = [reading(1, '鲁B12345', 0.9, 80), reading(2, '鲁B12345', 0.9, 140), reading(3, '鲁B12346', 0.99, 200), reading(9, '鲁B12345', 0.9, 150)];
    expect(bestPlateFrame(ballot, '鲁B12345')?.t).toBe(9);
    expect(bestPlateFrame(ballot, '鲁B12345', { from: 0, to: 9 })?.t).toBe(2);
    expect(bestPlateFrame(ballot, '鲁B12345', { from: 20, to: 30 })).toBeNull();
    expect(bestPlateFrame([], null)).toBeNull();
  });
});

describe('plate of a visit', () => {
  it('is read where readings agree, unread where they do not', () => {
    expect(votePlate([reading(1, '鲁B12345'), reading(2, '鲁B12345'), reading(3, '鲁B12346', 0.5)])).toMatchObject({ status: 'read', text: '鲁B12345', colour: 'blue' });
    expect(votePlate([reading(1, '鲁B12345'), reading(2, '鲁B12346')])).toEqual({ status: 'unread' });
    expect(votePlate([])).toEqual({ status: 'unread' });
  });

  it('changes only for what is clearly better where the two differ', () => {
    const old = [reading(1, '鲁B12345'), reading(2, '鲁B12345')];
    const better = [...old, ...[3, 4, 5, 6].map((t) => reading(t, '鲁B12346'))];
    expect(clearlyBetter([...old, reading(3, '鲁B12346'), reading(4, '鲁B12346')], '鲁B12346', '鲁B12345', 2)).toBe(false);
    expect(clearlyBetter(better, '鲁B12346', '鲁B12345', 2)).toBe(true);
    expect(clearlyBetter([...old, ...[3, 4, 5, 6].map((t) => reading(t, '鲁BD12345'))], '鲁BD12345', '鲁B12345', 2)).toBe(true);
  });

  it('leaves out what another car on the same track carried', () => {
    const mixed = [reading(1, '京A99999'), reading(2, '京A99999'), reading(3, '鲁B12345'), reading(10, '鲁B12345'), reading(11, '鲁B12345')];
    expect(readingsOfResting(mixed, 10).map((e) => e.t)).toEqual([3, 10, 11]);
    expect(readingsOfResting(mixed, 50)).toEqual(mixed);
    expect(plateDistance('鲁B12345', '鲁B12345')).toBe(0);
    expect(plateDistance('鲁B12345', '鲁BD12345')).toBe(8);
  });
});
