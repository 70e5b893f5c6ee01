import { boxPolygon, centroid, contains, insideShare } from '../../base/geometry.js';
import type { PlateReading } from '../observation.js';
import { VOTE_DEFAULTS } from '../plate/vote.js';
import { averaged, isMotor, suppress, type Detection } from './nms.js';
import { strengthOf } from './second-look.js';

/** Narrower vehicles show no plate that could be read surely. */
const LEAST_PX = 150;
/** Of one picture; each costs a search for its plate. */
const MOST = 2;
/** What lies inside a found vehicle with more of itself is that vehicle or a part of it. What holds one may be the whole of which a part was found. */
const SAME_SHARE = 0.5;

/**
 * Large motor vehicles that the network is not sure of, in places of their own, best first: cars that fill the picture before a low video pile, hidden or
 * dark ones. Their plates may prove them.
 */
export function doubtfulOf(unsure: readonly Detection[], found: readonly Detection[], nms: number): Detection[] {
  const large = unsure.filter((d) => isMotor(d) && d.box.width >= LEAST_PX);
  const apart = suppress(large, nms).filter((d) => found.every((f) => !isMotor(f) || insideShare(d.box, f.box) <= SAME_SHARE));
  return averaged(apart.slice(0, MOST), large);
}

/** Whether a plate is read so surely that a vehicle must be there, and is not that of a vehicle which was found. */
export function provesVehicle(plate: PlateReading, found: readonly Detection[]): boolean {
  if (strengthOf(plate) < VOTE_DEFAULTS.acceptSingle) return false;
  const middle = centroid(plate.corners);
  return !found.some((d) => isMotor(d) && contains(boxPolygon(d.box), middle));
}
