import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Observation, ObservedVehicle, VehicleClass } from '../observation.js';
import { initialTrackerState, track, type TrackerState } from './tracker.js';

interface Spec {
  x: number;
  y?: number;
  w?: number;
  h?: number;
  class?: VehicleClass;
  plate?: string;
}

function vehicle({ x, y = 100, w = 120, h = 70, class: kind = 'car', plate = '' }: Spec): ObservedVehicle {
  return {
    box: { x, y, width: w, height: h }, score: 0.9, class: kind, type: 'small', bodyColour: 'other', bodyColourConfidence: 0, view: null, footprint: null, trackId: 0,
    plate: plate === '' ? null : { text: plate, colour: 'blue', colourConfidence: 1, rows: 1, corners: [[0, 0], [1, 0], [1, 1], [0, 1]], characterConfidences: [], score: 1 },
  };
}

function observation(t: number, specs: Spec[]): Observation {
  return {
    cameraId: 'c', capturedAt: 1_000_000 + t, width: 1920, height: 1080, basis: 'inferred', vehicles: specs.map(vehicle), obstructions: [],
    health: { black: false, blurred: false, frozen: false, moved: false, damaged: false },
  };
}

/** Ids of each observation's vehicles, with the state going through JSON between them. */
function ids(script: [number, Spec[]][]): number[][] {
  let state = initialTrackerState();
  return script.map(([t, specs]) => {
    const next = track(JSON.parse(JSON.stringify(state)) as TrackerState, observation(t, specs));
    state = next.state;
    return next.observation.vehicles.map((v) => v.trackId);
  });
}

describe('tracker', () => {
  it('keeps the numbers of parked cars, in whatever order they are reported', () => {
    expect(ids([[0, [{ x: 0 }, { x: 200 }, { x: 400 }]], [2000, [{ x: 402 }, { x: 1 }, { x: 199 }]]])).toEqual([[1, 2, 3], [3, 1, 2]]);
  });

  it('follows a car that drives through at five pictures a second, past parked ones', () => {
    const script = Array.from({ length: 20 }, (_, i): [number, Spec[]] => [i * 200, [{ x: 300, y: 60 }, { x: i * 60, y: 180 }]]);
    const seen = ids(script);
    expect(new Set(seen.map((s) => s[0])).size).toBe(1);
    expect(new Set(seen.map((s) => s[1])).size).toBe(1);
  });

  it('follows by speed where boxes no longer overlap', () => {
    const seen = ids(Array.from({ length: 10 }, (_, i): [number, Spec[]] => [i * 200, [{ x: i * 150 }]]));
    expect(new Set(seen.flat()).size).toBe(1);
  });

  it('remembers a parked car behind a passing lorry, and does not give its number to the lorry', () => {
    const seen = ids([
      [0, [{ x: 300 }]], [1000, [{ x: 300 }]],
      [2000, [{ x: 200, y: 20, w: 420, h: 260, class: 'truck' }]],
      [10_000, [{ x: 210, y: 20, w: 420, h: 260, class: 'truck' }]],
      [18_000, [{ x: 210, y: 20, w: 420, h: 260, class: 'truck' }]],
      [24_000, [{ x: 301 }]],
    ]);
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[2]).not.toEqual(seen[0]);
    expect(seen[4]).toEqual(seen[2]);
    expect(seen[5]).toEqual(seen[0]);
  });

  it('bridges missed detections of some seconds', () => {
    const seen = ids([[0, [{ x: 300 }]], [1000, [{ x: 300 }]], [3000, []], [5000, []], [7000, [{ x: 302 }]]]);
    expect(seen[4]).toEqual(seen[1]);
  });

  it('gives a new number to a car that comes after another left', () => {
    const seen = ids([[0, [{ x: 300 }]], [1000, [{ x: 300 }]], [3000, []], [5000, []], [7000, []], [9000, []], [11_000, [{ x: 300 }]]]);
    expect(seen[6]).not.toEqual(seen[1]);
  });

  it('keeps a plate with its car when two cars are close', () => {
    const seen = ids([
      [0, [{ x: 100, plate: '鲁B11111' }, { x: 170, plate: '鲁B22222' }]],
      [400, [{ x: 135, plate: '鲁B11111' }, { x: 205, plate: '鲁B22222' }]],
      [800, [{ x: 170, plate: '鲁B11111' }, { x: 240, plate: '鲁B22222' }]],
    ]);
    expect(seen).toEqual([[1, 2], [1, 2], [1, 2]]);
  });

  it('does not take another car for the one before where their plates differ', () => {
    const seen = ids([[0, [{ x: 300, plate: '鲁B11111' }]], [1200, [{ x: 420, plate: '苏E98765' }]]]);
    expect(seen[1]).not.toEqual(seen[0]);
  });

  it('never takes a person or a two-wheeler for a car', () => {
    expect(ids([[0, [{ x: 0 }]], [200, [{ x: 0, class: 'person' }]], [400, [{ x: 0, class: 'truck' }]]])).toEqual([[1], [2], [1]]);
  });

  it('gives each vehicle of a frame its own number, in bounded memory, and the same for the same input', () => {
    const spec = fc.record({ x: fc.integer({ min: 0, max: 1800 }), y: fc.integer({ min: 0, max: 1000 }), w: fc.integer({ min: 20, max: 300 }), h: fc.integer({ min: 20, max: 200 }) });
    fc.assert(
      fc.property(fc.array(fc.array(spec, { maxLength: 40 }), { maxLength: 12 }), (frames) => {
        let state = initialTrackerState();
        for (const [i, specs] of frames.entries()) {
          const next = track(state, observation(i * 700, specs));
          expect(track(state, observation(i * 700, specs))).toEqual(next);
          const numbers = next.observation.vehicles.map((v) => v.trackId);
          expect(new Set(numbers).size).toBe(numbers.length);
          expect(next.state.tracks.length).toBeLessThanOrEqual(128);
          state = next.state;
        }
      }),
      { numRuns: 50 },
    );
  });
});
