import { describe, expect, it } from 'vitest';
import { DEFAULT_PARAMETERS } from './parameters.js';
import { reduce } from './reduce.js';
import { initialState } from './state.js';
import { replay, story } from './testing/replay.js';
import { inBerth, LANE_Y, observe, parkingPath, START, streetSite, type Actor, type ObserveOptions } from './testing/street.js';

const site = streetSite();
const A: Actor = { id: 1, plate: { text: '鲁B12345', colour: 'blue' }, path: parkingPath(1, 20, 60) };

function run(actors: Actor[], to: number, options: ObserveOptions = {}, more: Partial<Parameters<typeof replay>[2]> = {}) {
  const result = replay(site, (t) => observe(actors, t, options), { to, ...more });
  return { ...result, story: story(result.events, START) };
}

const near = (actual: number, seconds: number, tolerance = 0.5): void => expect(Math.abs((actual - START) / 1000 - seconds), `${(actual - START) / 1000} s should be ${seconds} s`).toBeLessThanOrEqual(tolerance);

describe('reduce: enter and leave', () => {
  it.each([0, 1.5, 3])('tells one visit with back-dated times (noise %d px)', (noise) => {
    const { events } = run([A], 90, { noise });
    expect(events.map((e) => e.type)).toEqual(['entered', 'left']);
    const [enter, leave] = events;
    if (enter?.type !== 'entered' || leave?.type !== 'left') throw new Error('order');
    expect(enter.visit.berthId).toBe('b2');
    expect(enter.visit.plate).toMatchObject({ status: 'read', text: '鲁B12345', colour: 'blue' });
    expect(enter.visit.presentAtStart).toBe(false);
    near(enter.visit.enteredAt, 20, 0.9);
    near(leave.visit.leftAt ?? 0, 62, 1.5);
    expect(leave.visit.uid).toBe(enter.visit.uid);
    expect(leave.visit.uid).toMatch(/^3702000001A00220260301\d{9}$/);
  });

  it('names frames that exist: two panoramas for enter, three for leave, and the plate', () => {
    const { events, frames } = run([A], 90);
    const [enter, leave] = events;
    if (enter?.type !== 'entered' || leave?.type !== 'left') throw new Error('order');
    expect(enter.instants.map((i) => i.shows)).toEqual(['approaching', 'parked', 'plate']);
    expect(leave.instants.map((i) => i.shows)).toEqual(['parked', 'leaving', 'vacated', 'plate']);
    for (const i of [...enter.instants, ...leave.instants]) expect(frames).toContain(i.capturedAt);
    const at = (e: typeof leave | typeof enter, shows: string): number => e.instants.find((i) => i.shows === shows)?.capturedAt ?? NaN;
    expect(at(enter, 'approaching')).toBeLessThan(enter.visit.enteredAt);
    expect(at(enter, 'parked')).toBeGreaterThanOrEqual(enter.visit.enteredAt);
    expect(at(leave, 'parked')).toBeLessThan(at(leave, 'leaving'));
    expect(at(leave, 'leaving')).toBeLessThanOrEqual(at(leave, 'vacated'));
    expect(at(leave, 'vacated')).toBeGreaterThanOrEqual(leave.visit.leftAt ?? NaN);
  });

  const taken = { state: 'vehicle', confidence: 0.95 } as const;
  const overlooked = (_: Actor, t: number): boolean => t > 30 && t < 50;

  it('does not take a vehicle for gone that only the detector overlooks, where the berth itself looks taken', () => {
    expect(run([A], 90, { miss: overlooked }).story.length).toBeGreaterThan(2);
    const { events } = run([A], 90, { miss: overlooked, looks: () => [null, taken, null] });
    expect(events.map((e) => e.type)).toEqual(['entered', 'left']);
    near((events[1] as { visit: { leftAt: number } }).visit.leftAt, 62, 1.5);
  });

  it('keeps the place of a vehicle of which an outage lets only one look through, half hidden by a lorry', () => {
    const [x, y] = inBerth(1);
    const car: Actor = { ...A, readable: (t) => t < 55, path: parkingPath(1, 20, 90) };
    const aside: Actor = { ...car, path: [{ t: 0, x: x - 0.9, y }, { t: 600, x: x - 0.9, y }] };
    const look = (t: number) => {
      // Of what the lorry leaves open, box and footprint are measured as if that were all; afterwards tracking knows it no more.
      if (t !== 56) return observe([car], t, { trackId: () => (t < 60 ? 1 : 9) });
      const seen = observe([aside], t);
      return { ...seen, vehicles: seen.vehicles.map((v) => ({ ...v, box: { ...v.box, x: v.box.x + 0.62 * v.box.width, width: 0.38 * v.box.width } })) };
    };
    const { events } = replay(site, look, { to: 120, outages: [[41, 47.5], [49, 55.5], [57, 63.5]] });
    expect(events.map((e) => e.type)).toEqual(['entered', 'left']);
    near((events[1] as { visit: { leftAt: number } }).visit.leftAt, 92, 1.5);
  });

  it('believes that look for a while only, and then says that the vehicle left when it was last seen', () => {
    const { events } = run([A], 240, { miss: (_, t) => t > 58, looks: () => [null, taken, null] });
    expect(events.map((e) => e.type)).toEqual(['entered', 'left']);
    near((events[1] as { visit: { leftAt: number } }).visit.leftAt, 58, 1.5);
    expect((events[1]?.at ?? 0) - START).toBeGreaterThan(170_000);
  });

  const bare: Actor = { ...A, plate: null, view: 'rear' };
  const seenWide: Partial<Parameters<typeof replay>[2]> = { parameters: { ...DEFAULT_PARAMETERS, bareWidthPixels: 60 } };
  const plateOf = (actors: Actor[], more: typeof seenWide): unknown => run(actors, 90, {}, more).events.flatMap((e) => (e.type === 'entered' && e.visit.berthId === 'b2' ? [e.visit.plate.status] : []));

  it('says that a vehicle carries no plate where an end of it was seen well and often', () => {
    expect(plateOf([bare], seenWide)).toEqual(['none']);
  });

  it('says 未识别 where the plate may be out of sight', () => {
    expect(plateOf([{ ...bare, view: 'side' }], seenWide)).toEqual(['unread']);
    expect(plateOf([bare], { parameters: { ...DEFAULT_PARAMETERS, bareWidthPixels: 2000 } })).toEqual(['unread']);
    const unreadable: Actor = { ...A, view: 'rear', readable: (t) => t >= 14 && t <= 16, plate: { text: '', colour: 'blue' } };
    expect(plateOf([unreadable], seenWide)).toEqual(['unread']);
  });

  it('works on boxes without footprints', () => {
    const { events } = run([A], 90, { boxesOnly: true, noise: 1 });
    expect(events.map((e) => e.type)).toEqual(['entered', 'left']);
    expect(events[0]).toMatchObject({ visit: { berthId: 'b2' } });
  });

  it('opens no visit for who only passes, waits in the lane, or stops in a berth for a moment', () => {
    const passing: Actor = { id: 2, path: [{ t: 5, x: -8, y: LANE_Y }, { t: 15, x: 60, y: LANE_Y }] };
    const waiting: Actor = { id: 3, path: [{ t: 20, x: -8, y: LANE_Y }, { t: 24, x: 9, y: LANE_Y }, { t: 60, x: 9, y: LANE_Y }, { t: 64, x: 40, y: LANE_Y }] };
    const moment: Actor = { id: 4, path: parkingPath(2, 80, 83) };
    expect(run([passing, waiting, moment], 110, { noise: 1 }).story).toEqual([]);
  });

  it('takes one vehicle for one berth when it straddles two', () => {
    const straddler: Actor = { id: 1, path: [{ t: 0, x: 2, y: LANE_Y }, { t: 6, x: 6.2, y: -1.2 }, { t: 100, x: 6.2, y: -1.2 }] };
    const { events, state } = run([straddler], 60, { noise: 3 });
    expect(events.map((e) => e.type)).toEqual(['entered']);
    expect(state.berths.find((b) => b.occupant)?.occupant?.overlaps.map((o) => o.berthId)).toEqual(['b1', 'b2']);
  });

  it('lets a vehicle move on from one berth to the next', () => {
    const [x, y] = inBerth(0);
    const [x2] = inBerth(1);
    const mover: Actor = { id: 1, path: [{ t: 0, x: x - 9, y: LANE_Y }, { t: 8, x, y }, { t: 30, x, y }, { t: 36, x: x2, y }, { t: 90, x: x2, y }] };
    const { events } = run([mover], 80);
    expect(events.map((e) => [e.type, 'visit' in e ? e.visit.berthId : ''])).toEqual([['entered', 'b1'], ['left', 'b1'], ['entered', 'b2']]);
  });
});

describe('reduce: what must not end a visit', () => {
  const stays: Actor = { id: 1, plate: { text: '鲁B12345', colour: 'blue' }, path: parkingPath(1, 20, null) };

  it('a passing truck that hides the car, even one that stands there for a minute', () => {
    const truck: Actor = { id: 9, class: 'truck', length: 9, width: 2.5, height: 3.6, path: [{ t: 36, x: -8, y: LANE_Y }, { t: 40, x: 8, y: LANE_Y }, { t: 100, x: 8, y: LANE_Y }, { t: 106, x: 50, y: LANE_Y }] };
    const { story: told, refined } = run([stays, truck], 140, { noise: 1 });
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^entered b2/);
    expect(refined).toBeLessThan(20);
  });

  it('the tracker giving the car\'s number to the truck', () => {
    const truck: Actor = { id: 9, class: 'truck', length: 9, width: 2.5, height: 3.6, path: [{ t: 40, x: -8, y: LANE_Y }, { t: 50, x: 40, y: LANE_Y }] };
    const trackId = (a: Actor, t: number): number => (a.id === 9 && t > 43 ? 1 : a.id === 1 && t > 43 ? 77 : a.id);
    expect(run([stays, truck], 90, { trackId }).story).toHaveLength(1);
  });

  it('missed detections for some seconds, again and again', () => {
    const miss = (_: Actor, t: number): boolean => t > 30 && Math.floor(t / 10) % 2 === 1;
    expect(run([stays], 200, { miss }).story).toHaveLength(1);
  });

  it('new track numbers after a restart', () => {
    const trackId = (a: Actor, t: number): number => (t < 40 ? a.id : a.id + 500);
    expect(run([stays], 90, { trackId }).story).toHaveLength(1);
  });

  it('pictures that are black, frozen, blurred or damaged; the camera\'s condition is told instead', () => {
    const health = (t: number) => ({ black: t >= 30 && t < 50, damaged: t >= 60 && t < 80 });
    const miss = (_: Actor, t: number): boolean => (t >= 30 && t < 50) || (t >= 60 && t < 80);
    const { story: told } = run([stays], 120, { health, miss });
    expect(told.map((l) => l.split(' ').slice(0, 3).join(' '))).toEqual(['entered b2 鲁B12345', 'health black on', 'health black off', 'health damaged on', 'health damaged off']);
  });
});

describe('reduce: start and outage', () => {
  it('marks a vehicle that stood there from the first frame', () => {
    const { events } = run([{ ...A, path: [{ t: -1, x: inBerth(1)[0], y: inBerth(1)[1] }, ...parkingPath(1, 20, 40).slice(3)] }], 70);
    expect(events.map((e) => e.type)).toEqual(['entered', 'left']);
    expect(events[0]).toMatchObject({ visit: { presentAtStart: true, enteredAt: START } });
  });

  it('ends a visit with what was known before, when the vehicle left in an outage', () => {
    const { events } = run([A], 160, {}, { outages: [[40, 100]] });
    expect(events.map((e) => e.type)).toEqual(['entered', 'left']);
    if (events[1]?.type !== 'left') throw new Error('left');
    near(events[1].visit.leftAt ?? 0, 38, 0);
    expect(events[1].instants.filter((i) => i.shows !== 'plate').map((i) => i.shows)).toEqual(['parked', 'parked', 'vacated']);
  });

  it.each([30, 300])('writes no second record for who still stands there after %d s', (length) => {
    const stays: Actor = { ...A, path: parkingPath(1, 20, null) };
    const trackId = (a: Actor, t: number): number => (t < 40 ? a.id : a.id + 7);
    expect(run([stays], 120 + length, { trackId, noise: 1 }, { outages: [[40, 40 + length]] }).story).toHaveLength(1);
  });

  it.each([
    ['another plate', { text: '鲁A88K66', colour: 'blue' as const }, 'white' as const, 0],
    ['another colour, plate not readable', null, 'red' as const, 0],
    ['another place in the berth, plate not readable', null, 'white' as const, 0.9],
  ])('tells leave and enter for another vehicle after an outage: %s', (_, plate, colour, shift) => {
    const before: Actor = { ...A, path: parkingPath(1, 20, 50) };
    const [x, y] = inBerth(1);
    const after: Actor = { id: 2, plate, colour, path: [{ t: 80, x: x + shift, y }, { t: 300, x: x + shift, y }] };
    const { events } = run([before, after], 220, {}, { outages: [[44, 100]] });
    expect(events.map((e) => e.type)).toEqual(['entered', 'left', 'entered']);
    if (events[1]?.type !== 'left' || events[2]?.type !== 'entered') throw new Error('order');
    near(events[1].visit.leftAt ?? 0, 42, 0);
    near(events[2].visit.enteredAt, 100, 0);
    expect(events[2].visit.plate.status).toBe(plate ? 'read' : 'unread');
  });

  it('keeps one visit for a car that is parked anew in its berth during an outage, known by its plate', () => {
    const [x, y] = inBerth(1);
    const moved: Actor = { ...A, path: [...parkingPath(1, 20, null).slice(0, 3), { t: 50, x, y }, { t: 55, x: x + 1, y }, { t: 300, x: x + 1, y }] };
    expect(run([moved], 200, {}, { outages: [[44, 100]] }).story).toHaveLength(1);
  });

  it('takes no observation twice', () => {
    const first = reduce(initialState('cam'), observe([A], 20), site);
    const again = reduce(first.state, observe([A], 20), site);
    expect(again).toEqual({ state: first.state, events: [] });
  });

  it('refuses an observation of another camera, and a berth that is no rectangle', () => {
    expect(() => reduce(initialState('other'), observe([A], 0), site)).toThrow(/different cameras/);
    const crooked = { ...site, berths: site.berths.map((b) => ({ ...b, polygon: [b.polygon[0], b.polygon[2], b.polygon[1], b.polygon[3]] as const })) };
    expect(() => reduce(initialState('cam'), observe([A], 0), crooked)).toThrow(/not a ground rectangle/);
  });
});

describe('reduce: plates', () => {
  it('says unread at first and corrects once when the plate becomes readable while parked', () => {
    const late: Actor = { ...A, readable: (t) => t > 40 };
    const { events, story: told } = run([late], 90);
    expect(events.map((e) => e.type)).toEqual(['entered', 'corrected', 'left']);
    expect(told[0]).toContain('unread');
    expect(told[2]).toContain('鲁B12345');
    const [, corrected] = events;
    if (corrected?.type !== 'corrected') throw new Error('corrected');
    expect(corrected.before).toEqual({ status: 'unread' });
    const plate = corrected.instants[0]?.capturedAt ?? 0;
    expect(plate).toBeGreaterThan(corrected.visit.enteredAt);
    expect(plate).toBeGreaterThan(START + 40_000);
  });

  it('reads it on the way out at the latest', () => {
    const late: Actor = { ...A, readable: (t) => t > 60.5 };
    expect(run([late], 90).events.map((e) => e.type)).toEqual(['entered', 'corrected', 'left']);
  });

  it('never gives the parked car the plate of a truck that took over its track', () => {
    const unread: Actor = { id: 1, path: parkingPath(1, 20, null) };
    const truck: Actor = { id: 9, plate: { text: '鲁BT1234', colour: 'yellow' }, class: 'truck', length: 9, width: 2.5, height: 3.6, path: [{ t: 40, x: -8, y: LANE_Y }, { t: 50, x: 40, y: LANE_Y }] };
    const trackId = (a: Actor, t: number): number => (a.id === 9 && t > 43 ? 1 : a.id === 1 && t > 43 ? 77 : a.id);
    for (const refineEvery of [0, 0.2]) {
      const { events } = run([unread, truck], 90, { trackId }, { refineEvery });
      expect(events.map((e) => ('visit' in e ? e.visit.plate.status : e.type))).toEqual(['unread']);
    }
  });

  it('believes what it reads at rest, not what another car on its track had on the way', () => {
    const look = (t: number) => {
      const o = observe([{ ...A, path: parkingPath(1, 20, null) }], t);
      return t < 17 ? { ...o, vehicles: o.vehicles.map((v) => ({ ...v, plate: v.plate && { ...v.plate, text: '京A99999' } })) } : o;
    };
    expect(replay(site, look, { to: 100 }).events.map((e) => ('visit' in e && e.visit.plate.status === 'read' ? `${e.type} ${e.visit.plate.text}` : e.type))).toEqual(['entered 鲁B12345']);
  });

  it('does not change a plate for a few bad readings', () => {
    const site4 = streetSite();
    const look = (t: number) => {
      const o = observe([{ ...A, path: parkingPath(1, 20, null) }], t);
      const wrong = Math.round(t) % 10 === 0 && t > 30;
      return wrong ? { ...o, vehicles: o.vehicles.map((v) => ({ ...v, plate: v.plate && { ...v.plate, text: '鲁B12346' } })) } : o;
    };
    expect(replay(site4, look, { to: 200 }).events.map((e) => e.type)).toEqual(['entered']);
  });

  it('writes unread rather than a text that no plate of its colour can have', () => {
    const odd: Actor = { ...A, plate: { text: '鲁B1234', colour: 'blue' } };
    const green: Actor = { ...A, id: 2, plate: { text: '鲁BD1234', colour: 'green' }, path: parkingPath(2, 40, 70) };
    expect(run([odd, green], 100).events.map((e) => ('visit' in e ? e.visit.plate.status : ''))).toEqual(['unread', 'unread', 'unread', 'unread']);
  });
});
