import { centroid, type Point } from '../../base/geometry.js';
import { boxOf, quadOf } from '../flat.js';
import type { ParkingParameters } from '../parameters.js';
import type { Sample } from '../state.js';
import { groundOfBox, toGround, type BerthGround } from './berth-ground.js';

/** A vehicle's stand, seen from its trail. */
export interface Rest {
  /** First frame of the stand. */
  since: Sample;
  /** Sightings in the stand, and how many of them the models looked at. */
  looks: number;
  inferredLooks: number;
  /** Where in the trail it begins. */
  index: number;
}

interface Place {
  /** Measured from a footprint or guessed from the box: the two lie apart and are never compared. */
  measured: boolean;
  at: Point;
}

const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[mid] as number) : ((sorted[mid - 1] as number) + (sorted[mid] as number)) / 2;
};

/** Metres between two places that can be compared; else nothing is known, and it is far. */
const metresBetween = (a: Place | null | undefined, b: Place | null | undefined): number => (a && b && a.measured === b.measured ? Math.hypot(a.at[0] - b.at[0], a.at[1] - b.at[1]) : Infinity);

function placeOf(ground: BerthGround, sample: Sample): Place | null {
  const quad = toGround(ground, sample.quad ? quadOf(sample.quad) : groundOfBox(boxOf(sample.box)));
  return quad && { measured: sample.quad !== null, at: centroid(quad) };
}

/** Farthest that a resting vehicle's measured place wanders at this berth, metres. */
export function restRadius(ground: BerthGround, p: ParkingParameters): number {
  return Math.max(p.restRadius, p.restRadiusPixels * ground.metresPerPixel);
}

/** Metres between two sightings on the berth's ground; null where they cannot be compared. */
export function displacement(ground: BerthGround, a: Sample, b: Sample): number | null {
  const same = (a.quad === null) === (b.quad === null);
  const pa = placeOf(ground, same ? a : { ...a, quad: null });
  const pb = placeOf(ground, same ? b : { ...b, quad: null });
  return pa && pb ? Math.hypot(pa.at[0] - pb.at[0], pa.at[1] - pb.at[1]) : null;
}

/**
 * The stand that the trail ends in, or null where the vehicle moves. The resting place is the median of the latest
 * sightings; how far they scatter says from what distance on a sighting was still motion. Going back, the stand begins
 * after the last sighting outside, where stray ones for `restGapSeconds` do not count.
 */
export function restAtEnd(ground: BerthGround, samples: readonly Sample[], p: ParkingParameters): Rest | null {
  const last = samples[samples.length - 1];
  if (!last || samples.length < 2) return null;
  const places = samples.map((s) => placeOf(ground, s));
  const window: number[] = [];
  for (let i = samples.length - 1; i >= 0 && (last.t - (samples[i] as Sample).t <= p.enterSeconds * 1000 || window.length < 2); i--) window.push(i);

  // Footprints and guesses from boxes lie apart: the stand is judged by what the latest sightings are, the others say nothing.
  const latest = samples.slice(-3).filter((s) => s.quad !== null).length;
  const measured = 2 * latest >= Math.min(3, samples.length);
  const at = window.map((i) => places[i]).filter((q): q is Place => q != null && q.measured === measured).map((q) => q.at);
  if (at.length === 0) return null;
  const radius = restRadius(ground, p);
  const middle: Point = [median(at.map((q) => q[0])), median(at.map((q) => q[1]))];
  const distance = (q: Point): number => Math.hypot(q[0] - middle[0], q[1] - middle[1]);
  // Depth is measured worse than width, so the scatter is nearly one-dimensional: 4.5 medians are about three standard deviations.
  const limit = Math.min(radius, Math.max(p.restFloor, 4.5 * median(at.map(distance))));
  // Of few sightings two may agree by chance, and a third that wandered would pass for motion: there speed decides.
  const few = at.length < p.restScatterLooks;
  /** True at rest, false away, null where nothing can be said. */
  const resting = (i: number, bound: number): boolean | null => {
    const place = places[i];
    return !place || place.measured !== measured ? null : distance(place.at) <= bound;
  };

  // The latest sighting must be at the place, with the whole radius allowed.
  if (resting(samples.length - 1, radius) === false) return null;
  let first = samples.length - 1;
  let looks = 0;
  let inferredLooks = 0;
  for (let i = samples.length - 1; i >= 0; i--) {
    const sample = samples[i] as Sample;
    const crept = few && resting(i, radius) === true && metresBetween(places[i], places[first]) * 1000 <= p.restCreep * ((samples[first] as Sample).t - sample.t);
    const within = crept || resting(i, limit);
    if (within === true) {
      first = i;
      looks += 1;
      if (sample.inferred) inferredLooks += 1;
    } else if (within === false && (samples[first] as Sample).t - sample.t > p.restGapSeconds * 1000) break;
  }
  return looks < 2 ? null : { since: samples[first] as Sample, looks, inferredLooks, index: first };
}
