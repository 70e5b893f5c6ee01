import type { Box } from '../../base/geometry.js';
import type { Observation, ObservedVehicle } from '../../vision/observation.js';
import type { VisitPlate } from '../model/visit.js';
import type { ParkingParameters } from '../parameters.js';
import type { Track } from '../state.js';

/** A plate is somewhere on the lower part of the end that shows. */
const LOWER_PART = 0.45;
/** More of that part than this behind a nearer vehicle may hide the plate. */
const COVERED = 0.05;

/**
 * Whether a plate would have to show on this look if the vehicle carried one: an end of it faces the camera, near enough for a
 * plate to be found, and nobody stands before it.
 */
export function plateShouldShow(vehicle: ObservedVehicle, observation: Observation, p: ParkingParameters): boolean {
  if (vehicle.view !== 'front' && vehicle.view !== 'rear') return false;
  const { x, y, width, height } = vehicle.box;
  if (width < p.bareWidthPixels || x <= 1 || x + width >= observation.width - 1 || y + height >= observation.height - 1) return false;
  const lower: Box = { x, y: y + height * (1 - LOWER_PART), width, height: height * LOWER_PART };
  return observation.vehicles.every((other) => other === vehicle || other.box.y + other.box.height <= y + height || shared(lower, other.box) <= COVERED * lower.width * lower.height);
}

function shared(a: Box, b: Box): number {
  const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return w > 0 && h > 0 ? w * h : 0;
}

/**
 * A plate that was not read: `none` (无车牌) where an end of the vehicle was seen often and no look at all found a plate on it,
 * else `unread` (未识别), for it may carry one (T/QME 0013-2024 A.4.1.1.4 tells the two apart).
 */
export function withoutReading(track: Pick<Track, 'bareLooks' | 'plated'>, p: ParkingParameters): VisitPlate {
  return !track.plated && track.bareLooks >= p.bareLooks ? { status: 'none' } : { status: 'unread' };
}
