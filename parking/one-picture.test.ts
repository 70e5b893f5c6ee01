import { describe, expect, it } from 'vitest';
import type { Quad } from '../base/geometry.js';
import type { Observation, ObservedVehicle } from '../vision/observation.js';
import type { CameraSite } from './model/berth.js';
import { berthsOnPicture } from './one-picture.js';

/** Two berths side by side, each 100 x 50 pixels of a picture of 400 x 200. */
const berth = (id: string, x: number): CameraSite['berths'][number] => ({
  id, number: `10${id}`, roadSection: 'r', lotCode: 'L', kind: 'parallel', polygon: [[x + 100, 100], [x + 100, 150], [x, 150], [x, 100]],
  lengthM: 6, widthM: 2.5, drivingDirection: [1, 0], timeLimitMinutes: null, specialUse: null,
});
const site: CameraSite = { cameraId: 'c', width: 400, height: 200, berths: [berth('1', 50), berth('2', 150), berth('3', 250)] };

const vehicle = (x: number, over: Partial<ObservedVehicle> = {}): ObservedVehicle => ({
  box: { x, y: 80, width: 90, height: 68 }, score: 0.9, class: 'car', type: 'small', bodyColour: 'other', bodyColourConfidence: 0, view: null,
  footprint: [[x + 90, 104], [x + 90, 146], [x, 146], [x, 104]] as Quad, plate: null, trackId: 0, ...over,
});
const picture = (vehicles: ObservedVehicle[], over: Partial<Observation> = {}): Observation => ({
  cameraId: 'c', capturedAt: 0, width: 400, height: 200, basis: 'inferred', vehicles, obstructions: [], health: { black: false, frozen: false, blurred: false, moved: false, damaged: false }, ...over,
});

describe('berthsOnPicture', () => {
  it('tells who stands where', () => {
    const seen = picture([vehicle(0, { class: 'person', footprint: null }), vehicle(154)], { obstructions: [{ box: { x: 280, y: 90, width: 30, height: 50 }, score: 0.8, kind: 'two-wheeler' }] });
    expect(berthsOnPicture(seen, site)).toMatchObject([
      { number: '101', state: 'free', vehicle: null, share: 0 },
      { number: '102', state: 'occupied', vehicle: 1 },
      { number: '103', state: 'obstructed', vehicle: null },
    ]);
  });

  it('gives one vehicle one berth, and leaves out what is hardly seen', () => {
    const straddling = vehicle(110);
    const states = berthsOnPicture(picture([straddling, vehicle(252, { score: 0.1 })]), site).map((b) => b.state);
    expect(states.filter((s) => s === 'occupied')).toHaveLength(1);
    expect(states[2]).toBe('free');
  });

  it('believes the look at a berth where the detector sees nothing', () => {
    const look = { state: 'vehicle', confidence: 0.95 } as const;
    expect(berthsOnPicture(picture([vehicle(54)], { berths: [null, look, { state: 'empty', confidence: 0.9 }] }), site)).toMatchObject([
      { state: 'occupied', vehicle: 0, look: null },
      { state: 'occupied', vehicle: null, share: 0, look },
      { state: 'free', look: { state: 'empty' } },
    ]);
  });

  it('calls a berth obstructed that looks like neither empty nor a vehicle, and where a two-wheeler stands', () => {
    const look = { state: 'other', confidence: 0.95 } as const;
    const object = { box: { x: 50, y: 80, width: 100, height: 70 }, score: 0.95, kind: 'object' } as const;
    const twoWheeler = { box: { x: 280, y: 90, width: 30, height: 50 }, score: 0.8, kind: 'two-wheeler' } as const;
    expect(berthsOnPicture(picture([], { obstructions: [object, twoWheeler], berths: [look, null, null] }), site).map((b) => b.state)).toEqual(['obstructed', 'free', 'obstructed']);
  });

  it('scales polygons to the picture', () => {
    const half = (v: ObservedVehicle): ObservedVehicle => ({ ...v, box: { x: v.box.x / 2, y: v.box.y / 2, width: v.box.width / 2, height: v.box.height / 2 }, footprint: v.footprint && (v.footprint.map(([x, y]) => [x / 2, y / 2]) as unknown as Quad) });
    expect(berthsOnPicture(picture([half(vehicle(54))], { width: 200, height: 100 }), site).map((b) => b.state)).toEqual(['occupied', 'free', 'free']);
  });
});
