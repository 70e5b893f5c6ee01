import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Point, Quad } from '../base/geometry.js';
import type { BodyColour, Observation, ObservedVehicle, PlateColour, VehicleClass, VehicleType } from '../vision/observation.js';
import type { Berth, BerthKind, CameraSite } from './model/berth.js';
import { replay, story } from './testing/replay.js';
import { hashNoise, START } from './testing/street.js';

/** The demo scenes' truth: what is in which frame, and which visits there were. */
interface Truth {
  clip: string;
  fps: number;
  width: number;
  height: number;
  frames: number;
  gopFrames: number;
  berths: { id: string; number: string; kind: BerthKind; polygon: Quad; lengthM: number; widthM: number }[];
  vehicles: { id: string | number; class: VehicleClass; type: VehicleType; colour: BodyColour; plate: { text: string; colour: PlateColour } | null }[];
  visits: { berth: string; vehicle: string | number; enteredFrame: number | null; leftFrame: number | null; plateReadableFrames?: [number, number][] }[];
}

interface TruthFrame {
  f: number;
  vehicles: { id: string | number; box: [number, number, number, number]; quad: Quad; plate: Quad | null; visible: number }[];
}

const folder = new URL('../test/fixtures/scenes/', import.meta.url);
const clips = existsSync(folder) ? readdirSync(folder).flatMap((name) => (name.endsWith('.truth.json') ? [name.slice(0, -11)] : [])) : [];
const complete = clips.filter((clip) => existsSync(new URL(`${clip}.frames.jsonl.gz`, folder)));
if (complete.length === 0) process.stderr.write('skipping the scenes\' truth: test/fixtures/scenes has no *.truth.json with its frames\n');

const json = (name: string): string => readFileSync(new URL(name, folder), 'utf8');

function load(clip: string): { truth: Truth; frames: TruthFrame[]; site: CameraSite } {
  const truth = JSON.parse(json(`${clip}.truth.json`)) as Truth;
  const lines = gunzipSync(readFileSync(new URL(`${clip}.frames.jsonl.gz`, folder))).toString('utf8').trim().split('\n');
  const berths = truth.berths.map(
    (b): Berth => ({
      id: String(b.id),
      number: b.number,
      roadSection: '香港中路',
      lotCode: '3702000001',
      kind: b.kind,
      polygon: b.polygon,
      lengthM: b.lengthM,
      widthM: b.widthM,
      drivingDirection: [1, 0],
      timeLimitMinutes: null,
      specialUse: null,
    }),
  );
  return { truth, frames: lines.map((l) => JSON.parse(l) as TruthFrame), site: { cameraId: clip, width: truth.width, height: truth.height, berths } };
}

interface Flaws {
  /** Pixels. */
  noise: number;
  /** Share of detections that are missed, in stretches of a second. */
  missed: number;
  /** Seen from this share of the vehicle on. */
  visible: number;
}

function observer(truth: Truth, frames: readonly TruthFrame[], flaws: Flaws): (t: number) => Observation {
  const known = new Map(truth.vehicles.map((v) => [v.id, v]));
  const number = new Map(truth.vehicles.map((v, i) => [v.id, i]));
  return (t) => {
    const f = Math.min(frames.length - 1, Math.round(t * truth.fps));
    const frame = frames[f] as TruthFrame;
    const vehicles: ObservedVehicle[] = [];
    for (const seen of frame.vehicles) {
      const vehicle = known.get(seen.id);
      const id = number.get(seen.id) ?? 0;
      if (!vehicle || seen.visible < flaws.visible || hashNoise(Math.floor(t), id, 5) < flaws.missed) continue;
      let k = 0;
      const jitter = (): number => (hashNoise(f, id, ++k) * 2 - 1) * flaws.noise;
      const shake = (quad: Quad): Quad => quad.map((p): Point => [p[0] + jitter(), p[1] + jitter()]) as unknown as Quad;
      const [x, y, width, height] = seen.box;
      const plateWidth = seen.plate ? Math.hypot(seen.plate[1][0] - seen.plate[0][0], seen.plate[1][1] - seen.plate[0][1]) : 0;
      vehicles.push({
        box: { x: x + jitter(), y: y + jitter(), width: width + jitter(), height: height + jitter() },
        score: 0.9,
        class: vehicle.class,
        type: vehicle.type,
        bodyColour: vehicle.colour,
        bodyColourConfidence: 0.8, view: null,
        footprint: shake(seen.quad),
        plate:
          vehicle.plate && seen.plate && plateWidth >= 45
            ? { text: vehicle.plate.text, colour: vehicle.plate.colour, colourConfidence: 0.9, rows: 1, corners: shake(seen.plate), characterConfidences: [...vehicle.plate.text].map(() => 0.9), score: 0.9 }
            : null,
        trackId: id,
      });
    }
    return {
      cameraId: truth.clip,
      capturedAt: START + Math.round((f * 1000) / truth.fps),
      width: truth.width,
      height: truth.height,
      basis: 'inferred',
      vehicles,
      obstructions: [],
      health: { black: false, frozen: false, blurred: false, moved: false, damaged: false },
    };
  };
}

describe.skipIf(complete.length === 0)('the visits of the demo scenes, from their truth', () => {
  it.each(
    complete.flatMap((clip): [string, Flaws][] => [
      [clip, { noise: 0, missed: 0, visible: 0.3 }],
      [clip, { noise: 1.5, missed: 0, visible: 0.4 }],
      [clip, { noise: 3, missed: 0.1, visible: 0.5 }],
    ]),
  )('%s with %j', (clip, flaws) => {
    const { truth, frames, site } = load(clip);
    const look = observer({ ...truth, clip }, frames, flaws);
    const { events, refined } = replay(site, look, { to: (truth.frames - 1) / truth.fps, keyEvery: truth.gopFrames / truth.fps });
    const told = story(events, START).join('\n');
    const name = (t: (typeof truth.visits)[number]): string => truth.vehicles.find((v) => v.id === t.vehicle)?.plate?.text ?? '?';
    const expected = truth.visits.map((v) => `${v.berth} ${name(v)}`).sort();
    const entered = events.filter((e) => e.type === 'entered');
    const left = events.filter((e) => e.type === 'left');
    expect(entered.map((e) => e.visit.berthId).sort(), told).toEqual(truth.visits.map((v) => String(v.berth)).sort());
    const final = new Map(events.flatMap((e) => (e.type === 'camera-health' ? [] : [[e.visit.uid, e.visit] as const])));
    expect([...final.values()].map((v) => `${v.berthId} ${v.plate.status === 'read' ? v.plate.text : v.plate.status}`).sort(), told).toEqual(expected);
    expect(left, told).toHaveLength(truth.visits.filter((v) => v.leftFrame !== null).length);
    // A missed second at just the wrong moment, or jitter, may cost as much.
    const tolerance = 0.5 + (flaws.missed > 0 ? 1.5 : 0) + flaws.noise * 0.1;
    const off: string[] = [];
    for (const visit of final.values()) {
      const real = truth.visits.find((t) => String(t.berth) === visit.berthId && Math.abs((t.enteredFrame ?? 0) / truth.fps - (visit.enteredAt - START) / 1000) < 8);
      expect(real, told).toBeDefined();
      if (!real) continue;
      expect(visit.presentAtStart).toBe(real.enteredFrame === null);
      const pairs: [string, number | null, number | null][] = [
        ['entered', real.enteredFrame ?? 0, visit.enteredAt],
        ['left', real.leftFrame, visit.leftAt],
      ];
      for (const [what, frame, at] of pairs) {
        if (frame === null || at === null) continue;
        const error = (at - START) / 1000 - frame / truth.fps;
        if (Math.abs(error) > tolerance + (real.enteredFrame === null && what === 'entered' ? 1.5 : 0)) off.push(`${visit.berthId} ${what} ${error.toFixed(2)} s`);
      }
    }
    expect(off, told).toEqual([]);
    expect(refined).toBeLessThan(truth.frames / truth.gopFrames);
  });
});
