import { boxIou, type Box } from '../../base/geometry.js';
import type { Observation, ObservedVehicle, VehicleClass } from '../observation.js';

/*
 * Gives the same vehicle the same number over the frames of one camera: association by boxes where they are, and where
 * their motion says they should be. Plates help where both frames read one. Deterministic: ties fall by position and age.
 */

/** Boxes overlapping at least this much (IoU) may be the same vehicle. */
const MIN_IOU = 0.25;
/** Largest ratio of areas of one vehicle on two frames: a lorry passing before a car must not inherit its number. */
const MAX_AREA_RATIO = 2.2;
/**
 * At the picture's edge a box is only the visible part of a vehicle and grows or shrinks fast: within this time the smaller
 * box lying in the larger one is enough there.
 */
const EDGE_MS = 600;
const EDGE_PX = 3;
/** Seen this long at the edge, it stands there. */
const STAYS_AT_EDGE_MS = 5_000;
const MIN_COVER_AT_EDGE = 0.5;
const MAX_AREA_RATIO_AT_EDGE = 8;
/** A vehicle that left no overlap may have moved this many of its own diagonals a second (about 60 km/h for a car). */
const MAX_DIAGONALS_PER_SECOND = 4;
/** Association over distance is a guess; over longer gaps it is not made. */
const MAX_JUMP_MS = 1_500;
/** A vehicle that stood still is remembered this long without being seen, ms: detectors miss now and then … */
const KEEP_STANDING_MS = 8_000;
/** … this long while something else covers its place … */
const KEEP_HIDDEN_MS = 120_000;
/** … and a moving one this long. */
const KEEP_MOVING_MS = 3_000;
/** Share of its box under a nearer vehicle's (one whose foot is lower in the picture) that counts as covered. */
const COVERED = 0.5;
/** Slower than this (own diagonals a second) is standing. */
const STANDING = 0.05;
/** Weight of the newest speed in the running mean. */
const SPEED_GAIN = 0.6;
/** State stays small whatever the pictures show. */
const MAX_TRACKS = 128;

/** JSON-serialisable. */
export interface Track {
  id: number;
  class: VehicleClass;
  box: Box;
  /** Speed of the box's centre, picture pixels a second. */
  speed: readonly [x: number, y: number];
  /** Unix ms of the first and the newest sight. */
  firstSeen: number;
  lastSeen: number;
  /** Unix ms at which it was last seen, or its place was covered by another vehicle. */
  accountedFor: number;
  /** Last text read on it, '' where none was. */
  plate: string;
}

/** All the tracker remembers of one camera. JSON-serialisable, bounded. */
export interface TrackerState {
  version: 1;
  nextId: number;
  tracks: readonly Track[];
}

export function initialTrackerState(): TrackerState {
  return { version: 1, nextId: 1, tracks: [] };
}

/** Numbers the vehicles of one observation. Pure; observations of one camera must come in order of `capturedAt`. */
export function track(state: TrackerState, observation: Observation): { state: TrackerState; observation: Observation } {
  const at = observation.capturedAt;
  const alive = state.tracks.filter((known) => remembered(known, observation));
  const pairs: { vehicle: number; track: number; score: number }[] = [];
  for (const [v, vehicle] of observation.vehicles.entries()) {
    for (const [t, known] of alive.entries()) {
      const score = likeness(known, vehicle, observation);
      if (score > 0) pairs.push({ vehicle: v, track: t, score });
    }
  }
  pairs.sort((a, b) => b.score - a.score || a.track - b.track || a.vehicle - b.vehicle);
  const trackOf = new Map<number, number>();
  const used = new Set<number>();
  for (const pair of pairs) {
    if (trackOf.has(pair.vehicle) || used.has(pair.track)) continue;
    trackOf.set(pair.vehicle, pair.track);
    used.add(pair.track);
  }

  let nextId = state.nextId;
  const seen: Track[] = [];
  const vehicles = observation.vehicles.map((vehicle, v) => {
    const index = trackOf.get(v);
    const updated = index === undefined ? newTrack(nextId++, vehicle, at) : follow(alive[index] as Track, vehicle, at);
    seen.push(updated);
    return { ...vehicle, trackId: updated.id };
  });
  const unseen = alive
    .filter((_, t) => !used.has(t))
    .map((known) => (observation.vehicles.some((v) => v.box.y + v.box.height > known.box.y + known.box.height && coverOf(known.box, v.box) >= COVERED) ? { ...known, accountedFor: at } : known));
  // Newest sights first, so that the bound drops the oldest.
  const tracks = [...seen, ...unseen].sort((a, b) => b.lastSeen - a.lastSeen || a.id - b.id).slice(0, MAX_TRACKS);
  return { state: { version: 1, nextId, tracks }, observation: { ...observation, vehicles } };
}

/** 0: cannot be the same; up to about 3: surely the same. */
function likeness(known: Track, vehicle: ObservedVehicle, picture: Picture): number {
  if (group(known.class) !== group(vehicle.class)) return 0;
  const elapsed = Math.max(0, picture.capturedAt - known.lastSeen);
  const clipped = elapsed <= EDGE_MS && touchesEdge(known.box, picture) && touchesEdge(vehicle.box, picture);
  const ratio = (known.box.width * known.box.height) / (vehicle.box.width * vehicle.box.height);
  const most = clipped ? MAX_AREA_RATIO_AT_EDGE : MAX_AREA_RATIO;
  if (ratio > most || ratio < 1 / most) return 0;
  const text = vehicle.plate?.text ?? '';
  const samePlate = text.length >= 7 && text === known.plate;
  const otherPlate = text.length >= 7 && known.plate.length >= 7 && mismatches(text, known.plate) >= 3;
  let iou = Math.max(boxIou(known.box, vehicle.box), boxIou(predict(known, elapsed), vehicle.box));
  if (clipped && iou < MIN_IOU && Math.max(coverOf(known.box, vehicle.box), coverOf(vehicle.box, known.box)) >= MIN_COVER_AT_EDGE) iou = MIN_IOU;
  if (iou >= MIN_IOU) return Math.max(0.01, iou + (samePlate ? 1 : 0) - (otherPlate ? 0.6 : 0) + (known.class === vehicle.class ? 0.02 : 0));
  if (elapsed > MAX_JUMP_MS && !samePlate) return 0;
  if (otherPlate) return 0;
  const predicted = predict(known, elapsed);
  const distance = Math.hypot(middleX(predicted) - middleX(vehicle.box), middleY(predicted) - middleY(vehicle.box));
  const reach = diagonal(vehicle.box) * Math.min(2, 0.3 + (MAX_DIAGONALS_PER_SECOND * elapsed) / 1000);
  if (distance >= reach) return 0;
  // Far matches rank behind every overlap; a shared plate ranks them before.
  return (samePlate ? 1 : 0) + MIN_IOU * 0.9 * (1 - distance / reach);
}

function newTrack(id: number, vehicle: ObservedVehicle, at: number): Track {
  return { id, class: vehicle.class, box: vehicle.box, speed: [0, 0], firstSeen: at, lastSeen: at, accountedFor: at, plate: vehicle.plate?.text ?? '' };
}

function follow(known: Track, vehicle: ObservedVehicle, at: number): Track {
  const seconds = (at - known.lastSeen) / 1000;
  let speed = known.speed;
  if (seconds > 0) {
    const vx = (middleX(vehicle.box) - middleX(known.box)) / seconds;
    const vy = (middleY(vehicle.box) - middleY(known.box)) / seconds;
    speed = [known.speed[0] * (1 - SPEED_GAIN) + vx * SPEED_GAIN, known.speed[1] * (1 - SPEED_GAIN) + vy * SPEED_GAIN];
  }
  return { ...known, class: vehicle.class, box: vehicle.box, speed, lastSeen: Math.max(known.lastSeen, at), accountedFor: at, plate: vehicle.plate?.text || known.plate };
}

/** Where the box should be after `elapsed` ms; motion is believed for a second and a half, no longer. */
function predict(known: Track, elapsed: number): Box {
  const seconds = Math.min(elapsed, MAX_JUMP_MS) / 1000;
  return { ...known.box, x: known.box.x + known.speed[0] * seconds, y: known.box.y + known.speed[1] * seconds };
}

/** Whether an unseen vehicle may still be there. What was at the picture's edge only a moment has left over it. */
function remembered(known: Track, picture: Picture): boolean {
  const unseen = picture.capturedAt - known.lastSeen;
  const passing = touchesEdge(known.box, picture) && known.lastSeen - known.firstSeen < STAYS_AT_EDGE_MS;
  const standing = Math.hypot(known.speed[0], known.speed[1]) < STANDING * diagonal(known.box);
  if (passing || !standing) return unseen <= KEEP_MOVING_MS;
  return unseen <= KEEP_HIDDEN_MS && picture.capturedAt - known.accountedFor <= KEEP_STANDING_MS;
}

type Picture = Pick<Observation, 'capturedAt' | 'width' | 'height'>;

function touchesEdge(box: Box, picture: Picture): boolean {
  return box.x < EDGE_PX || box.y < EDGE_PX || box.x + box.width > picture.width - EDGE_PX || box.y + box.height > picture.height - EDGE_PX;
}

/** Share of `box` that lies in `other`. */
function coverOf(box: Box, other: Box): number {
  const w = Math.min(box.x + box.width, other.x + other.width) - Math.max(box.x, other.x);
  const h = Math.min(box.y + box.height, other.y + other.height) - Math.max(box.y, other.y);
  return w <= 0 || h <= 0 ? 0 : (w * h) / (box.width * box.height);
}

/** A detector may call one vehicle car now and truck then, but never a person. */
function group(vehicleClass: VehicleClass): number {
  return vehicleClass === 'person' ? 2 : vehicleClass === 'motorcycle' ? 1 : 0;
}

function mismatches(a: string, b: string): number {
  if (a.length !== b.length) return Math.abs(a.length - b.length) + 2;
  let count = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++;
  return count;
}

const middleX = (box: Box): number => box.x + box.width / 2;
const middleY = (box: Box): number => box.y + box.height / 2;
const diagonal = (box: Box): number => Math.hypot(box.width, box.height);
