import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contains, type Polygon, type Quad } from '../../base/geometry.js';
import { obstructionsOf } from '../child/eyes.js';
import type { ObservedVehicle } from '../observation.js';
import { berthWindow, dimAround, uncovered } from './berths.js';
import type { ModelInput } from './manifest.js';

const berth: Polygon = [[100, 100], [200, 100], [200, 150], [100, 150]];
const picture = { width: 640, height: 360 };
const vehicle = (over: Partial<ObservedVehicle>): ObservedVehicle => ({
  box: { x: 90, y: 60, width: 110, height: 90 }, score: 0.9, class: 'car', type: 'small', bodyColour: 'other', bodyColourConfidence: 0, view: null, footprint: null, plate: null, trackId: 0, ...over,
});

describe('looks at berths', () => {
  it('cuts a square around the berth and what rises above it', () => {
    expect(berthWindow(berth, { side: 1.5, rise: 0.12 })).toEqual({ x: 75, y: 38, width: 150, height: 150 });
  });

  it('leaves berths to the detector on which it sees a vehicle', () => {
    expect(uncovered(berth, [], picture)).toBe(true);
    expect(uncovered(berth, [vehicle({})], picture)).toBe(false);
    const beside: Quad = [[210, 100], [300, 100], [300, 150], [210, 150]];
    expect(uncovered(berth, [vehicle({ footprint: beside })], picture)).toBe(true);
    expect(uncovered(berth, [vehicle({ class: 'person' })], picture)).toBe(true);
  });

  it('does not judge a berth that lies outside the picture', () => {
    expect(uncovered(berth.map(([x, y]) => [x - 150, y] as const), [], picture)).toBe(false);
    expect(uncovered([[5, 5], [5, 5], [5, 5], [5, 5]], [], picture)).toBe(false);
  });

  it('dims all but the berth', () => {
    const input: ModelInput = { name: 'images', width: 4, height: 4, channels: 'rgb', layout: 'nchw', scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], resize: 'letterbox', padding: 102 };
    const tensor = new Float32Array(2 * 3 * 16).fill(1);
    dimAround(tensor, 1, [[1, 1], [3, 1], [3, 3], [1, 3]], { input, dim: 0.5 });
    expect([...tensor.subarray(0, 48)].every((v) => v === 1)).toBe(true);
    const plane = [...tensor.subarray(48, 64)].map((v) => Math.round(v * 10) / 10);
    expect(plane).toEqual([0.7, 0.7, 0.7, 0.7, 0.7, 1, 1, 0.7, 0.7, 1, 1, 0.7, 0.7, 0.7, 0.7, 0.7]);
  });

  it('dims exactly the pixels whose middle lies outside, whatever the outline', () => {
    const input: ModelInput = { name: 'images', width: 24, height: 16, channels: 'rgb', layout: 'nchw', scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], resize: 'letterbox', padding: 114 };
    const coordinate = fc.double({ min: -30, max: 50, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(coordinate, coordinate), { minLength: 3, maxLength: 7 }), (outline) => {
        const tensor = new Float32Array(3 * 24 * 16).fill(1);
        dimAround(tensor, 0, outline, { input, dim: 1 });
        const wrong = [...tensor].findIndex((value, i) => (value === 1) !== contains(outline, [(i % 24) + 0.5, (Math.floor(i / 24) % 16) + 0.5]));
        expect(wrong).toBe(-1);
      }),
    );
  });

  it('tells of what stands in a berth and is no vehicle', () => {
    const scooter = vehicle({ class: 'motorcycle', box: { x: 140, y: 90, width: 20, height: 40 } });
    const other = { state: 'other', confidence: 0.9 } as const;
    expect(obstructionsOf([], [berth], [other])).toEqual([{ box: { x: 100, y: 100, width: 100, height: 50 }, score: 0.9, kind: 'object' }]);
    expect(obstructionsOf([scooter], [berth], [other]).map((o) => o.kind)).toEqual(['two-wheeler']);
    expect(obstructionsOf([], [berth], [{ state: 'empty', confidence: 1 }])).toEqual([]);
  });
});
