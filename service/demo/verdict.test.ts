import { describe, expect, it } from 'vitest';
import { beijingCompact, beijingDateTime } from '../../base/beijing-time.js';
import type { Scene } from './scene.js';
import { Timeline, type Span } from './timeline.js';
import { expectedVisits, judge, type CityState, type ExpectedVisit } from './verdict.js';

const START = Date.UTC(2026, 0, 1, 4);
const moment = (ms: number): Span => ({ from: START + ms, to: START + ms });

describe('Timeline', () => {
  it('ties pictures to times, also where the scenario stood still and went back to a key picture', () => {
    const timeline = new Timeline(25);
    expect(timeline.seen(0, 50)).toBeNull();
    timeline.add({ at: START, position: 0 });
    timeline.add({ at: START + 4_000, position: 100 });
    // 30 s without a platform; the picture 100 is shown once more.
    timeline.add({ at: START + 34_000, position: 100 });
    timeline.add({ at: START + 36_000, position: 150 });
    expect(timeline.seen(25, 50)).toEqual(moment(1_000));
    expect(timeline.seen(125, 10)).toEqual(moment(35_000));
    // Near the outage: seen on either side of it.
    expect(timeline.seen(75, 50)).toEqual({ from: START + 3_000, to: START + 34_000 });
    expect(timeline.seen(100, 50)).toEqual({ from: START + 4_000, to: START + 34_000 });
    expect(timeline.seen(125, 50)).toEqual({ from: START + 4_000, to: START + 35_000 });
    expect(timeline.seen(151, 50)).toBeNull();
  });

  it('puts a change off while outages leave no time to confirm it', () => {
    const timeline = new Timeline(25);
    for (const [at, position] of [[0, 0], [2_000, 50], [10_000, 50], [12_000, 100], [20_000, 100], [32_000, 400], [40_000, 400], [41_000, 425]] as const) timeline.add({ at: START + at, position });
    expect(timeline.seen(25, 10)).toEqual(moment(1_000));
    // One second of the first run, two of the second are not enough; the third is.
    expect(timeline.seen(25, 10, 225)).toEqual({ from: START + 1_000, to: START + 20_000 });
    expect(timeline.seen(150, 10, 225)).toEqual(moment(22_000));
    expect(timeline.seen(390, 5, 225)).toEqual({ from: START + 31_600, to: START + 40_000 });
  });

  it('counts pictures that were shown after the last report of a run', () => {
    const timeline = new Timeline(25);
    timeline.add({ at: START, position: 0 });
    timeline.add({ at: START + 10_000, position: 20 });
    timeline.add({ at: START + 11_000, position: 45 });
    expect(timeline.seen(10, 0)).toEqual({ from: START + 400, to: START + 400 });
  });
});

describe('expectedVisits', () => {
  const scene = {
    lotCode: 'L1',
    truth: {
      fps: 25,
      frames: 1000,
      berths: [{ id: 'b1', number: '101' }, { id: 'b2', number: '102' }],
      vehicles: [{ id: 'v1', plate: { text: '鲁B12345', colour: 'blue' } }, { id: 'v2', plate: null }],
      visits: [
        { berth: 'b1', vehicle: 'v1', enteredFrame: 250, leftFrame: 750, enterSeenFrame: 250, leaveSeenFrame: 800, vehicleClearFrom: (frame: number) => (frame >= 300 && frame < 375 ? 375 : frame), berthClearFrom: (frame: number) => frame },
        { berth: 'b2', vehicle: 'v2', enteredFrame: null, leftFrame: null, enterSeenFrame: null, leaveSeenFrame: null, vehicleClearFrom: (frame: number) => frame, berthClearFrom: (frame: number) => frame },
      ],
    },
  } as unknown as Scene;

  it('expects what was shown long enough ago, each loop anew, and standing vehicles once', () => {
    const timeline = new Timeline(25);
    timeline.add({ at: START, position: 0 });
    timeline.add({ at: START + 60_000, position: 1500 });
    expect(expectedVisits(scene, timeline, START + 60_000, 5_000, true)).toEqual([
      { lotCode: 'L1', berthNumber: '101', plate: '鲁B12345', entered: moment(10_000), stood: false, left: { from: START + 30_000, to: START + 32_000 } },
      { lotCode: 'L1', berthNumber: '102', plate: '无车牌', entered: { from: START - 30_000, to: START + 30_000 }, stood: true, left: null },
      { lotCode: 'L1', berthNumber: '101', plate: '鲁B12345', entered: moment(50_000), stood: false, left: null },
    ]);
  });

  it('puts an enter off until the vehicle is seen where others hide it when the pictures come again', () => {
    const timeline = new Timeline(25);
    // In the second round, the enter at 1250 is not confirmed; the pictures come again at 1300, which is 300, with a lorry in front.
    for (const [at, position] of [[0, 0], [50_400, 1_260], [60_000, 1_300], [84_000, 1_900]] as const) timeline.add({ at: START + at, position });
    const enters = expectedVisits(scene, timeline, START + 84_000, 5_000, true).map(({ entered }) => entered);
    expect(enters).toEqual([moment(10_000), { from: START - 30_000, to: START + 30_000 }, { from: START + 50_000, to: START + 63_000 }]);
  });

  it('expects nothing of the last pictures that a clip without loops shows again and again', () => {
    const timeline = new Timeline(25);
    timeline.add({ at: START, position: 0 });
    timeline.add({ at: START + 60_000, position: 1500 });
    expect(expectedVisits(scene, timeline, START + 60_000, 5_000, false).map((visit) => visit.berthNumber)).toEqual(['101', '102']);
  });
});

describe('judge', () => {
  const expected: ExpectedVisit[] = [{ lotCode: 'L1', berthNumber: '101', plate: '鲁B12345', entered: moment(10_000), stood: false, left: moment(30_000) }];

  function city(change: { plate?: string; enteredAt?: number; leftAt?: number | null; photos?: [number, number] } = {}): CityState {
    const enteredAt = change.enteredAt ?? START + 10_200;
    const leftAt = change.leftAt === undefined ? START + 30_000 : change.leftAt;
    const uid = `L1101${beijingCompact(enteredAt)}`;
    const fields = { uid, parkingCode: 'L1', plateNo: change.plate ?? '鲁B12345', arriveTime: beijingDateTime(enteredAt) };
    const [enter, leave] = change.photos ?? [3, 4];
    const photos = [...Array.from({ length: enter }, () => 1), ...Array.from({ length: leave }, () => 2)].map((type, i) => ({ uid, photoId: `${uid}-${i}`, fields: { type }, bytes: 1 }));
    return { records: [{ uid, enter: fields, current: fields, leave: leftAt === null ? null : { ...fields, endTime: beijingDateTime(leftAt) } }], photos, refused: [] };
  }

  it('is content with the truth', () => {
    expect(judge(expected, city())).toEqual({ expected: 1, right: 1, faults: [] });
  });

  it('accepts a time told on either side of an outage', () => {
    const hidden: ExpectedVisit[] = [{ ...(expected[0] as ExpectedVisit), entered: { from: START + 2_000, to: START + 12_000 } }];
    expect(judge(hidden, city({ enteredAt: START + 3_000 })).faults).toEqual([]);
    expect(judge(hidden, city({ enteredAt: START + 13_000 })).faults).toEqual([]);
    expect(judge(hidden, city({ enteredAt: START + 16_000 })).faults).toHaveLength(2);
  });

  it('names each thing that is wrong', () => {
    const fault = (state: CityState): string => judge(expected, state).faults.join('\n');
    expect(fault({ records: [], photos: [], refused: [] })).toMatch(/^missing: L1 berth 101/);
    expect(fault(city({ plate: '鲁B12346' }))).toMatch(/wrong plate/);
    expect(fault(city({ enteredAt: START + 17_000 }))).toMatch(/missing.*\n.*did not happen/);
    expect(fault(city({ leftAt: null }))).toMatch(/no leave record/);
    expect(fault(city({ leftAt: START + 40_000 }))).toMatch(/wrong leave time/);
    expect(fault(city({ photos: [2, 4] }))).toMatch(/2 of 3 enter pictures/);
    expect(fault(city({ photos: [3, 0] }))).toMatch(/0 of 4 leave pictures/);
    expect(fault({ ...city(), refused: [{ endpoint: 'uploadPhoto', code: '204', msg: 'no record' }] })).toMatch(/refused by the platform/);
    const twice = city();
    expect(fault({ ...twice, records: [...twice.records, ...city({ enteredAt: START + 20_000 }).records] })).toMatch(/did not happen/);
  });
});
