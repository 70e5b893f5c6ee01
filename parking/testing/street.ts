import type { Box, Point, Quad } from '../../base/geometry.js';
import type { BodyColour, Observation, ObservedVehicle, PictureHealth, PlateColour, VehicleClass, VehicleView } from '../../vision/observation.js';
import type { Berth, CameraSite } from '../model/berth.js';

/**
 * A made-up street for tests: a pinhole camera on a mast, a row of parallel berths, and vehicles on scripted paths. It
 * gives the observations that a perfect detector would, and then as much noise as a test asks for.
 *
 * Ground: X along the driving direction (the camera looks that way), Y to the left, Z up, metres.
 */
export const WIDTH = 1920;
export const HEIGHT = 1080;
export const START = 1_772_326_800_000;

const CAMERA = { x: -12, y: 5, z: 8, pitch: (17 * Math.PI) / 180, focal: 1500 };

/** Picture pixel of a ground point, at height `z`. */
export function project(x: number, y: number, z = 0): Point {
  const dx = x - CAMERA.x;
  const dy = y - CAMERA.y;
  const dz = z - CAMERA.z;
  const depth = dx * Math.cos(CAMERA.pitch) - dz * Math.sin(CAMERA.pitch);
  const down = -dx * Math.sin(CAMERA.pitch) - dz * Math.cos(CAMERA.pitch);
  return [WIDTH / 2 - (CAMERA.focal * dy) / depth, HEIGHT / 2 + (CAMERA.focal * down) / depth];
}

const BERTH_LENGTH = 6;
const BERTH_WIDTH = 2.4;

/** Berth `i` lies along X from 6i to 6i+6 and across Y from -2.4 (kerb) to 0. */
export function streetSite(berths = 4): CameraSite {
  return {
    cameraId: 'cam',
    width: WIDTH,
    height: HEIGHT,
    berths: Array.from({ length: berths }, (_, i): Berth => {
      const x0 = i * BERTH_LENGTH;
      const x1 = x0 + BERTH_LENGTH;
      return {
        id: `b${i + 1}`,
        number: `A${String(i + 1).padStart(3, '0')}`,
        roadSection: '香港中路',
        lotCode: '3702000001',
        kind: 'parallel',
        polygon: [project(x1, 0), project(x1, -BERTH_WIDTH), project(x0, -BERTH_WIDTH), project(x0, 0)],
        lengthM: BERTH_LENGTH,
        widthM: BERTH_WIDTH,
        drivingDirection: [0, -1],
        timeLimitMinutes: null,
        specialUse: null,
      };
    }),
  };
}

/** Centre of a parked car in berth `i` (from 0). */
export const inBerth = (i: number): Point => [i * BERTH_LENGTH + 3, -1.2];
/** The lane beside the berths. */
export const LANE_Y = 2;

export interface Waypoint {
  /** Seconds from START. */
  t: number;
  x: number;
  y: number;
}

export interface Actor {
  id: number;
  plate?: { text: string; colour: PlateColour } | null;
  /** Seconds in which the plate can be read; default always. */
  readable?: (t: number) => boolean;
  colour?: BodyColour;
  class?: VehicleClass;
  view?: VehicleView;
  length?: number;
  width?: number;
  height?: number;
  path: Waypoint[];
}

/** Position at `t` seconds, eased between waypoints (starts and stops softly); null outside the path's time. */
export function positionAt(actor: Actor, t: number): Point | null {
  const { path } = actor;
  const first = path[0];
  const last = path[path.length - 1];
  if (!first || !last || t < first.t || t > last.t) return null;
  for (let i = 1; i < path.length; i++) {
    const a = path[i - 1] as Waypoint;
    const b = path[i] as Waypoint;
    if (t > b.t) continue;
    const f = b.t === a.t ? 1 : (t - a.t) / (b.t - a.t);
    const eased = f < 0.5 ? 2 * f * f : 1 - 2 * (1 - f) * (1 - f);
    return [a.x + (b.x - a.x) * eased, a.y + (b.y - a.y) * eased];
  }
  return [last.x, last.y];
}

/** Comes along the lane, parks in berth `i` so that it rests at `rest` seconds, leaves at `leave` (or stays to `end`). */
export function parkingPath(i: number, rest: number, leave: number | null, end = 600): Waypoint[] {
  const [x, y] = inBerth(i);
  const way: Waypoint[] = [
    { t: rest - 8, x: x - 14, y: LANE_Y },
    { t: rest - 4, x: x - 5, y: LANE_Y },
    { t: rest, x, y },
  ];
  if (leave === null) return [...way, { t: end, x, y }];
  return [...way, { t: leave, x, y }, { t: leave + 4, x: x + 6, y: LANE_Y }, { t: leave + 8, x: x + 30, y: LANE_Y }];
}

const HEALTHY: PictureHealth = { black: false, frozen: false, blurred: false, moved: false, damaged: false };

/** A number in [0, 1) from any integers: noise that does not depend on the order of calls. */
export function hashNoise(...values: number[]): number {
  let h = 0x9e3779b9;
  for (const v of values) {
    h = Math.imul(h ^ (v | 0), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return (h >>> 0) / 4_294_967_296;
}

export interface ObserveOptions {
  /** Pixels of jitter (uniform, each corner and box edge). */
  noise?: number;
  /** True where the detector misses the vehicle. */
  miss?: (actor: Actor, t: number) => boolean;
  /** Track id of a vehicle; default the actor's. */
  trackId?: (actor: Actor, t: number) => number;
  health?: (t: number) => Partial<PictureHealth>;
  /** Without footprints, as some models are. */
  boxesOnly?: boolean;
  /** What the berths look like by themselves. */
  looks?: (t: number) => NonNullable<Observation['berths']>;
}

interface Seen {
  actor: Actor;
  box: Box;
  quad: Quad;
  centre: Point;
}

function seenAt(actor: Actor, t: number): Seen | null {
  const centre = positionAt(actor, t);
  if (!centre) return null;
  const l = (actor.length ?? 4.5) / 2;
  const w = (actor.width ?? 1.8) / 2;
  const [x, y] = centre;
  const corners = (z: number): Quad => [project(x + l, y + w, z), project(x + l, y - w, z), project(x - l, y - w, z), project(x - l, y + w, z)];
  const quad = corners(0);
  const all = [...quad, ...corners(actor.height ?? 1.5)];
  const clampX = (v: number): number => Math.min(WIDTH, Math.max(0, v));
  const clampY = (v: number): number => Math.min(HEIGHT, Math.max(0, v));
  const xs = all.map((p) => clampX(p[0]));
  const ys = all.map((p) => clampY(p[1]));
  const box = { x: Math.min(...xs), y: Math.min(...ys), width: Math.max(...xs) - Math.min(...xs), height: Math.max(...ys) - Math.min(...ys) };
  return box.width < 20 || box.height < 20 ? null : { actor, box, quad, centre };
}

/** What the camera sees `t` seconds after START. */
export function observe(actors: readonly Actor[], t: number, options: ObserveOptions = {}): Observation {
  const seen = actors.map((a) => seenAt(a, t)).filter((s): s is Seen => s !== null);
  const vehicles: ObservedVehicle[] = [];
  const ms = Math.round(t * 1000);
  for (const s of seen) {
    const covered = seen.some((o) => {
      if (o === s || o.centre[1] <= s.centre[1]) return false;
      const w = Math.min(s.box.x + s.box.width, o.box.x + o.box.width) - Math.max(s.box.x, o.box.x);
      const h = Math.min(s.box.y + s.box.height, o.box.y + o.box.height) - Math.max(s.box.y, o.box.y);
      const taller = (o.actor.height ?? 1.5) > 2.5;
      return taller && w > 0 && h > 0 && w * h > 0.5 * s.box.width * s.box.height;
    });
    if (covered || options.miss?.(s.actor, t)) continue;
    const n = options.noise ?? 0;
    let k = 0;
    const jitter = (): number => (hashNoise(ms, s.actor.id, ++k) * 2 - 1) * n;
    const { plate } = s.actor;
    const readable = plate && (s.actor.readable?.(t) ?? true);
    vehicles.push({
      box: { x: s.box.x + jitter(), y: s.box.y + jitter(), width: s.box.width + jitter(), height: s.box.height + jitter() },
      score: 0.9,
      class: s.actor.class ?? 'car',
      type: s.actor.class === 'truck' || s.actor.class === 'bus' ? 'large' : 'small',
      bodyColour: s.actor.colour ?? 'white',
      bodyColourConfidence: 0.9,
      view: s.actor.view ?? null,
      footprint: options.boxesOnly ? null : (s.quad.map((p) => [p[0] + jitter(), p[1] + jitter()]) as unknown as Quad),
      plate: readable
        ? {
            text: plate.text,
            colour: plate.colour,
            colourConfidence: 0.95,
            rows: 1,
            corners: [s.quad[3], s.quad[2], s.quad[2], s.quad[3]],
            characterConfidences: [...plate.text].map(() => 0.95),
            score: 0.95,
          }
        : null,
      trackId: options.trackId?.(s.actor, t) ?? s.actor.id,
    });
  }
  return {
    cameraId: 'cam',
    capturedAt: START + ms,
    width: WIDTH,
    height: HEIGHT,
    basis: 'inferred',
    vehicles,
    obstructions: [],
    ...(options.looks ? { berths: options.looks(t) } : {}),
    health: { ...HEALTHY, ...options.health?.(t) },
  };
}
