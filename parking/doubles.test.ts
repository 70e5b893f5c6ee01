import { describe, expect, it } from 'vitest';
import type { Quad } from '../base/geometry.js';
import type { ObservedVehicle } from '../vision/observation.js';
import { withoutDoubles } from './doubles.js';
import { replay } from './testing/replay.js';
import { LANE_Y, inBerth, observe, parkingPath, streetSite, type Actor } from './testing/street.js';

const site = streetSite();
const plate = { text: '鲁B12345', colour: 'blue' } as const;

/** The story of observations that a detector with a fault gives. */
function told(actors: Actor[], fault: (t: number, vehicles: readonly ObservedVehicle[]) => ObservedVehicle[], to: number): string[] {
  const { events } = replay(site, (t) => {
    const seen = observe(actors, t);
    return { ...seen, vehicles: fault(t, seen.vehicles) };
  }, { to });
  return events.map((e) => `${e.type} ${'visit' in e ? `${e.visit.berthId} ${e.visit.plate.status === 'read' ? e.visit.plate.text : '?'}` : ''}`);
}

const shift = (v: ObservedVehicle, dx: number, dy: number, over: Partial<ObservedVehicle>): ObservedVehicle => ({
  ...v,
  box: { ...v.box, x: v.box.x + dx, y: v.box.y + dy },
  footprint: v.footprint && (v.footprint.map(([x, y]) => [x + dx, y + dy]) as unknown as Quad),
  ...over,
});

describe('withoutDoubles', () => {
  const vehicle = (x: number, score: number, footprint: Quad | null = [[x, 0], [x + 10, 0], [x + 10, 10], [x, 10]]): ObservedVehicle => ({
    box: { x, y: 0, width: 10, height: 10 }, score, class: 'car', type: 'small', bodyColour: 'other', bodyColourConfidence: 0, view: null, footprint, plate: null, trackId: 0,
  });
  const ground = (v: ObservedVehicle): Quad | null => v.footprint;

  it('keeps the better seen of two on one ground, in the order given', () => {
    const [a, b, c] = [vehicle(0, 0.5), vehicle(3, 0.8), vehicle(12, 0.3)];
    expect(withoutDoubles([a, b, c], 0.5, ground)).toEqual([b, c]);
    expect(withoutDoubles([a, vehicle(6, 0.8)], 0.5, ground)).toHaveLength(2);
  });

  it('believes one whose plate was read', () => {
    const read: ObservedVehicle = { ...vehicle(0, 0.5), plate: { text: '鲁B12345', colour: 'blue', colourConfidence: 1, rows: 1, corners: [[0, 0], [1, 0], [1, 1], [0, 1]], characterConfidences: [1], score: 1 } };
    expect(withoutDoubles([vehicle(1, 0.6), read], 0.5, ground)).toEqual([read]);
  });

  it('leaves vehicles without footprints alone', () => {
    expect(withoutDoubles([vehicle(0, 0.5, null), vehicle(1, 0.8, null)], 0.5, ground)).toHaveLength(2);
  });
});

describe('one vehicle, one berth', () => {
  it('a second, looser sighting of a parked car opens no second visit', () => {
    const car: Actor = { id: 1, plate, path: parkingPath(1, 20, 60) };
    const ghost = (t: number, vehicles: readonly ObservedVehicle[]): ObservedVehicle[] => vehicles.flatMap((v) => (t > 10 ? [v, shift(v, 24, -6, { score: v.score * 0.7, plate: null, trackId: 99 })] : [v]));
    expect(told([car], ghost, 90)).toEqual(['entered b2 鲁B12345', 'left b2 鲁B12345']);
  });

  it('a plate that stands in one berth is not told in another at the same time', () => {
    const car: Actor = { id: 1, plate, path: parkingPath(1, 20, null) };
    const other: Actor = { id: 2, plate: null, path: parkingPath(2, 40, null) };
    // The detector gives the neighbour the first one's plate for a while.
    const borrow = (t: number, vehicles: readonly ObservedVehicle[]): ObservedVehicle[] => {
      const owner = vehicles.find((v) => v.plate);
      return vehicles.map((v) => (v !== owner && owner && t > 36 && t < 80 ? { ...v, plate: owner.plate } : v));
    };
    expect(told([car, other], borrow, 78)).toEqual(['entered b2 鲁B12345']);
  });

  it('a car whose track was lost and that stands in the next berth now has left the one before', () => {
    const [x, y] = inBerth(1);
    const [x2] = inBerth(2);
    const car: Actor = { id: 1, plate, path: [{ t: 0, x: x - 9, y: LANE_Y }, { t: 8, x, y }, { t: 30, x, y }, { t: 34, x: x2, y }, { t: 90, x: x2, y }] };
    const lost = (t: number, vehicles: readonly ObservedVehicle[]): ObservedVehicle[] => (t > 30 && t < 36 ? [] : vehicles.map((v) => ({ ...v, trackId: t < 33 ? 1 : 2 })));
    expect(told([car], lost, 60)).toEqual(['entered b2 鲁B12345', 'left b2 鲁B12345', 'entered b3 鲁B12345']);
  });
});
