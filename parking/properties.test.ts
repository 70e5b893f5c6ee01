import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Quad } from '../base/geometry.js';
import type { Observation, ObservedVehicle } from '../vision/observation.js';
import type { ParkingEvent } from './model/visit.js';
import { reduce } from './reduce.js';
import { initialState } from './state.js';
import { replay, story } from './testing/replay.js';
import { hashNoise, HEIGHT, LANE_Y, observe, parkingPath, START, streetSite, WIDTH, type Actor } from './testing/street.js';

const BERTHS = 4;
const site = streetSite(BERTHS);

/** Visits of a berth follow one another; every leave and correction belongs to the open visit; ids are unique. */
function checkStory(events: readonly ParkingEvent[]): void {
  const open = new Map<string, string>();
  const lastLeft = new Map<string, number>();
  const ids = new Set<string>();
  for (const e of events) {
    if (e.type === 'camera-health') continue;
    const { berthId, uid, enteredAt, leftAt } = e.visit;
    if (e.type === 'entered') {
      expect(open.has(berthId)).toBe(false);
      expect(ids.has(uid)).toBe(false);
      expect(enteredAt).toBeGreaterThanOrEqual(lastLeft.get(berthId) ?? -Infinity);
      expect(leftAt).toBeNull();
      open.set(berthId, uid);
      ids.add(uid);
    } else {
      expect(open.get(berthId)).toBe(uid);
    }
    if (e.type === 'left') {
      expect(leftAt).not.toBeNull();
      expect(leftAt as number).toBeGreaterThan(enteredAt);
      open.delete(berthId);
      lastLeft.set(berthId, leftAt as number);
    }
    expect(enteredAt).toBeLessThanOrEqual(e.at);
    for (const i of e.instants) expect(i.capturedAt).toBeLessThanOrEqual(e.at);
  }
}

/** A busy street: cars that park one after the other in random berths, and traffic in the lane. */
const streets = fc
  .array(fc.record({ berth: fc.nat(BERTHS - 1), pause: fc.integer({ min: 14, max: 40 }), stay: fc.integer({ min: 12, max: 60 }), green: fc.boolean() }), { minLength: 1, maxLength: 5 })
  .chain((stays) => fc.record({ stays: fc.constant(stays), truckAt: fc.integer({ min: 0, max: 150 }), seed: fc.nat(1_000_000) }))
  .map(({ stays, truckAt, seed }) => {
    const free = Array.from({ length: BERTHS }, () => 5);
    const actors = stays.map((s, i): Actor => {
      const rest = (free[s.berth] as number) + s.pause;
      free[s.berth] = rest + s.stay + 8;
      const plate = s.green ? { text: `鲁BD1234${i}`, colour: 'green' as const } : { text: `鲁B1234${i}`, colour: 'blue' as const };
      return { id: i + 1, plate, path: parkingPath(s.berth, rest, rest + s.stay) };
    });
    const truck: Actor = { id: 90, class: 'truck', length: 8, width: 2.4, height: 3.4, path: [{ t: truckAt, x: -8, y: LANE_Y + 0.4 }, { t: truckAt + 7, x: 60, y: LANE_Y + 0.4 }] };
    return { actors: [...actors, truck], stays: actors.map((a, i) => ({ actor: a, berth: `b${(stays[i] as { berth: number }).berth + 1}` })), end: Math.max(...free) + 30, seed };
  });

describe('properties of the reducer', () => {
  it('tells exactly the visits of a street, in any split, with and without storing the state', () => {
    fc.assert(
      fc.property(streets, fc.double({ min: 0, max: 1, noNaN: true }), ({ actors, stays, end, seed }, cut) => {
        const look = (t: number): Observation => observe(actors, t, { noise: 1 + (seed % 3) });
        const whole = replay(site, look, { to: end });
        checkStory(whole.events);
        const told = whole.events.filter((e) => e.type === 'left').map((e) => `${e.visit.berthId} ${e.visit.plate.status === 'read' ? e.visit.plate.text : '?'}`);
        expect(told.sort()).toEqual(stays.map((s) => `${s.berth} ${s.actor.plate?.text ?? ''}`).sort());

        const stored = replay(site, look, { to: end, roundTrip: true });
        expect(stored.events).toEqual(whole.events);

        // Stop after some frame, keep only the JSON, and go on with the frames that follow.
        const at = Math.floor(cut * whole.frames.length);
        let state = initialState('cam');
        const events: ParkingEvent[] = [];
        whole.frames.forEach((frame, i) => {
          if (i === at) state = JSON.parse(JSON.stringify(state)) as typeof state;
          const result = reduce(state, look((frame - START) / 1000), site);
          state = result.state;
          events.push(...result.events);
        });
        expect(events).toEqual(whole.events);
        expect(state).toEqual(whole.state);
      }),
      { numRuns: 6, seed: 20_260_301 },
    );
  });

  it('does not change its story for dropouts of detections shorter than the inertia', () => {
    fc.assert(
      fc.property(streets, fc.integer({ min: 1, max: 5 }), ({ actors, stays, end, seed }, length) => {
        // Each vehicle is missed for `length` seconds out of every 20, at a phase of its own.
        const miss = (a: Actor, t: number): boolean => (t + 20 * hashNoise(seed, a.id)) % 20 < length && a.id !== 90;
        const { events } = replay(site, (t) => observe(actors, t, { noise: 1, miss }), { to: end });
        checkStory(events);
        const visits = events.filter((e) => e.type === 'left');
        expect(visits.map((e) => e.visit.berthId).sort()).toEqual(stays.map((s) => s.berth).sort());
        for (const { actor, berth } of stays) {
          const rest = START + (actor.path[2]?.t ?? NaN) * 1000;
          const left = START + (actor.path[3]?.t ?? NaN) * 1000;
          // Times may be off by what was missed at just that moment, and no more.
          const mine = visits.filter((e) => e.visit.berthId === berth && Math.abs(e.visit.enteredAt - rest) <= length * 1000 + 2_000);
          expect(mine, story(events, START).join('; ')).toHaveLength(1);
          expect(Math.abs((mine[0]?.visit.leftAt ?? 0) - left)).toBeLessThanOrEqual(length * 1000 + 4_000);
        }
      }),
      { numRuns: 8, seed: 7 },
    );
  });

  it('keeps its promises for any observations at all, in bounded state', () => {
    const wild = fc.oneof({ weight: 8, arbitrary: fc.double({ min: -400, max: 2300, noNaN: true }) }, { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, -0, 1e300) });
    const point = fc.tuple(wild, wild);
    const vehicle: fc.Arbitrary<ObservedVehicle> = fc.record({
      box: fc.record({ x: wild, y: wild, width: wild, height: wild }),
      score: fc.double({ min: 0, max: 1, noNaN: true }),
      class: fc.constantFrom('car', 'bus', 'truck', 'person', 'motorcycle'),
      type: fc.constantFrom('small', 'medium', 'large'),
      bodyColour: fc.constantFrom('white', 'red', 'blue'),
      bodyColourConfidence: fc.double({ min: 0, max: 1, noNaN: true }),
      view: fc.constant(null),
      footprint: fc.option(fc.tuple(point, point, point, point) as fc.Arbitrary<Quad>),
      plate: fc.option(
        fc.record({
          text: fc.constantFrom('鲁B12345', '鲁BD12345', '', '鲁', '鲁B1234567890123'),
          colour: fc.constantFrom('blue', 'green', 'yellow'),
          colourConfidence: fc.constantFrom(0, 0.9, NaN),
          rows: fc.constantFrom(1, 2),
          corners: fc.tuple(point, point, point, point) as fc.Arbitrary<Quad>,
          characterConfidences: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 9 }),
          score: fc.constantFrom(0, 0.9, NaN),
        }),
      ),
      trackId: fc.nat(5),
    });
    // Real cars among the noise, so that visits do begin and end.
    const actors = [1, 2, 3].map((i): Actor => ({ id: i, plate: { text: `鲁B1234${i}`, colour: 'blue' }, path: parkingPath(i, 10 + 3 * i, 45 + 9 * i) }));
    const frame = fc.record({
      step: fc.oneof({ weight: 12, arbitrary: fc.constantFrom(200, 1000, 2000) }, { weight: 1, arbitrary: fc.constantFrom(0, -500, 40_000) }),
      noise: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(vehicle, { maxLength: 4 }) }),
      basis: fc.constantFrom('inferred', 'inferred', 'inferred', 'gated'),
      flaw: fc.constantFrom('', '', '', '', '', '', 'black', 'damaged', 'moved', 'blurred'),
      real: fc.constantFrom(true, true, true, true, false),
    });
    let visits = 0;
    fc.assert(
      fc.property(fc.array(frame, { minLength: 20, maxLength: 60, size: 'max' }), (script) => {
        let state = initialState('cam');
        let t = 0;
        const events: ParkingEvent[] = [];
        for (const { step, noise, basis, flaw, real } of script) {
          t += step;
          const seen = observe(actors, t / 1000, { noise: 2 });
          const observation: Observation = {
            ...seen,
            basis: basis as Observation['basis'],
            vehicles: [...(real ? seen.vehicles : []), ...noise],
            health: { ...seen.health, ...(flaw ? { [flaw]: true } : {}) },
          };
          const before = JSON.stringify(state);
          const result = reduce(state, observation, site);
          expect(JSON.stringify(state)).toBe(before);
          state = result.state;
          events.push(...result.events);
          const json = JSON.stringify(state);
          expect(JSON.parse(json)).toEqual(state);
          expect(json.length).toBeLessThan(400_000);
        }
        checkStory(events);
        visits += events.filter((e) => e.type === 'entered').length;
      }),
      { numRuns: 20, seed: 99 },
    );
    expect(visits).toBeGreaterThan(5);
  });

  it('stays small on a crowded picture', () => {
    let state = initialState('cam');
    for (let i = 0; i < 100; i++) {
      const base = observe([], i * 2);
      const vehicles = Array.from({ length: 60 }, (_, k): ObservedVehicle => {
        const x = (k * 97 + i * (k % 7)) % (WIDTH - 200);
        const y = (k * 53) % (HEIGHT - 200);
        const box = { x, y, width: 150, height: 100 };
        const footprint: Quad = [[x, y + 60], [x + 150, y + 60], [x + 150, y + 100], [x, y + 100]];
        const plate = { text: `鲁B${10_000 + ((i * 31 + k) % 80_000)}`, colour: 'blue' as const, colourConfidence: 0.9, rows: 1 as const, corners: footprint, characterConfidences: [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, hashNoise(i, k)], score: 0.9 };
        return { box, score: 0.9, class: 'car', type: 'small', bodyColour: 'red', bodyColourConfidence: 0.8, view: null, footprint, plate, trackId: k };
      });
      state = reduce(state, { ...base, vehicles }, site).state;
    }
    expect(JSON.stringify(state).length).toBeLessThan(300_000);
  });
});
