import { describe, expect, it } from 'vitest';
import { changeSuspected } from './change.js';
import { berthViews, lotCounts } from './counts.js';
import { replay } from './testing/replay.js';
import { inBerth, LANE_Y, observe, parkingPath, streetSite, type Actor } from './testing/street.js';

const site = streetSite();
const car: Actor = { id: 1, plate: { text: '鲁B12345', colour: 'blue' }, path: parkingPath(1, 20, 60) };
const parked: Actor = { id: 2, path: [{ t: 0, x: inBerth(3)[0], y: inBerth(3)[1] }, { t: 200, x: inBerth(3)[0], y: inBerth(3)[1] }] };
const upTo = (t: number, actors: Actor[], noise = 1.5) => replay(site, (s) => observe(actors, s, { noise }), { to: t }).state;

describe('changeSuspected', () => {
  it('sees who comes, parks and leaves, and nothing in between', () => {
    const asked = Array.from({ length: 45 }, (_, i) => i * 2).filter((t) => t > 0 && changeSuspected(upTo(t - 2, [car, parked]), observe([car, parked], t, { noise: 1.5 }), site));
    expect(asked).toContain(18);
    expect(asked).toContain(20);
    expect(asked).toContain(62);
    expect(asked.filter((t) => t > 22 && t < 61)).toEqual([]);
    expect(asked.filter((t) => t > 66)).toEqual([]);
  });

  it('does not care for traffic in the lane, for what a truck hides, or for gated frames', () => {
    const truck: Actor = { id: 9, class: 'truck', length: 8, width: 2.4, height: 3.5, path: [{ t: 30, x: -8, y: LANE_Y + 0.4 }, { t: 37, x: 60, y: LANE_Y + 0.4 }] };
    for (const t of [34, 36, 38]) expect(changeSuspected(upTo(t - 2, [parked, truck]), observe([parked, truck], t, { noise: 1.5 }), site), `${t} s`).toBe(false);
    expect(changeSuspected(upTo(18, [car]), { ...observe([car], 20), basis: 'gated' }, site)).toBe(false);
  });

  it('works without track numbers', () => {
    const observation = observe([parked], 30, { noise: 1.5, trackId: () => -1 });
    expect(changeSuspected(upTo(28, [parked]), observation, site)).toBe(false);
  });
});

describe('berthViews and lotCounts', () => {
  it('count what is confirmed', () => {
    const state = upTo(40, [car, parked]);
    expect(berthViews(state, site).map((v) => v.occupied)).toEqual([false, true, false, true]);
    expect(berthViews(state, site)[1]).toMatchObject({ number: 'A002', plate: { text: '鲁B12345' } });
    expect(lotCounts('3702000001', [{ state, site }])).toEqual({ totalBerths: 4, freeBerths: 2 });
    expect(lotCounts('elsewhere', [{ state, site }])).toEqual({ totalBerths: 0, freeBerths: 0 });
  });
});
