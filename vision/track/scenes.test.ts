import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Observation, VehicleClass } from '../observation.js';
import { initialTrackerState, track } from './tracker.js';

interface TruthVehicle {
  id: string;
  box: [number, number, number, number];
  visible: number;
}

const folder = new URL('../../test/fixtures/scenes/', import.meta.url);

/** The rendered scenes' truth as a perfect detector would report it. */
function frames(name: string): { f: number; vehicles: TruthVehicle[] }[] {
  const text = gunzipSync(readFileSync(new URL(`${name}.frames.jsonl.gz`, folder))).toString('utf8');
  return text.trim().split('\n').map((line) => JSON.parse(line) as { f: number; vehicles: TruthVehicle[] });
}

function classes(name: string): Map<string, VehicleClass> {
  const truth = JSON.parse(readFileSync(new URL(`${name}.truth.json`, folder), 'utf8')) as { vehicles: { id: string; class: VehicleClass }[] };
  return new Map(truth.vehicles.map((v) => [v.id, v.class]));
}

function observe(t: number, vehicles: TruthVehicle[], kinds: ReadonlyMap<string, VehicleClass>): Observation {
  return {
    cameraId: 'c', capturedAt: t, width: 1920, height: 1080, basis: 'inferred', obstructions: [],
    health: { black: false, blurred: false, frozen: false, moved: false, damaged: false },
    vehicles: vehicles.map((v) => ({
      box: { x: v.box[0], y: v.box[1], width: v.box[2], height: v.box[3] }, score: 0.9, class: kinds.get(v.id) ?? 'car', type: 'small', bodyColour: 'other', bodyColourConfidence: 0, view: null, footprint: null, plate: null, trackId: 0,
    })),
  };
}

describe.skipIf(!existsSync(new URL('day-parallel.truth.json', folder)))('tracking of the rendered scenes', () => {
  it.each(['day-parallel', 'dusk-angled'])('keeps one number for each vehicle of %s at five pictures a second', (name) => {
    const kinds = classes(name);
    const numbers = new Map<string, Set<number>>();
    const owners = new Map<number, Set<string>>();
    let state = initialTrackerState();
    for (const { f, vehicles } of frames(name)) {
      if (f % 5 !== 0) continue;
      // A detector loses what is hidden or hardly in the picture.
      const seen = vehicles.filter((v) => v.visible > 0.35 && v.box[2] > 30 && v.box[3] > 20);
      const next = track(state, observe(f * 40, seen, kinds));
      state = next.state;
      for (const [i, v] of seen.entries()) {
        const id = next.observation.vehicles[i]!.trackId;
        numbers.set(v.id, (numbers.get(v.id) ?? new Set()).add(id));
        owners.set(id, (owners.get(id) ?? new Set()).add(v.id));
      }
    }
    expect(numbers.size).toBeGreaterThan(3);
    expect([...numbers].filter(([, ids]) => ids.size > 1).map(([id, ids]) => `${id}: ${[...ids].join(',')}`)).toEqual([]);
    expect([...owners].filter(([, ids]) => ids.size > 1).map(([id, ids]) => `${id}: ${[...ids].join(',')}`)).toEqual([]);
  });
});
