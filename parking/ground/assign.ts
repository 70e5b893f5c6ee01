import { boxIou, type Box } from '../../base/geometry.js';
import type { ObservedVehicle } from '../../vision/observation.js';
import { boxOf, quadOf } from '../flat.js';
import type { ParkingParameters } from '../parameters.js';
import type { Sample, Track } from '../state.js';
import { groundOfBox, overlapWith, type BerthGround, type Overlap } from './berth-ground.js';

/** What assignment needs of a sighting; a vehicle without a track has a key that no berth holds. */
export interface Claim {
  track: { key: number };
  overlaps: readonly Overlap[];
}

/** A vehicle on the present frame, with its overlap with each berth (in the site's order). */
export interface Sighting {
  vehicle: ObservedVehicle;
  track: Track;
  sample: Sample;
  overlaps: Overlap[];
}

/** Overlap of a sighting with a berth's ground, by the footprint or, without one, by the lower part of the box. */
export function overlapOf(ground: BerthGround, sample: Pick<Sample, 'quad' | 'box'>): Overlap {
  return overlapWith(ground, sample.quad ? quadOf(sample.quad) : groundOfBox(boxOf(sample.box)));
}

/** How much a vehicle stands in a berth, 0 to 1: its own share in it, or the berth's share under a large vehicle. */
export function standing(overlap: Overlap, p: ParkingParameters): number {
  return Math.max(overlap.vehicleShare, overlap.berthShare >= p.coverShare ? overlap.berthShare : 0);
}

/**
 * One vehicle, one berth: each vehicle goes to the berth it stands in most, and each berth takes one vehicle. Who stands
 * in a berth already keeps it against a slightly better claim, so that a straddling car does not flicker.
 * @param holder track key of each berth's occupant, or null
 * @returns for each berth the index of its sighting, or null
 */
export function assignBerths(sightings: readonly Claim[], berths: number, holder: readonly (number | null)[], p: ParkingParameters): (number | null)[] {
  const pairs: { berth: number; sighting: number; value: number }[] = [];
  sightings.forEach((sighting, s) => {
    for (let b = 0; b < berths; b++) {
      const value = standing(sighting.overlaps[b] as Overlap, p);
      const holds = holder[b] === sighting.track.key;
      if (value >= (holds ? p.keepShare : p.standShare)) pairs.push({ berth: b, sighting: s, value: value + (holds ? 0.3 : 0) });
    }
  });
  pairs.sort((a, b) => b.value - a.value || a.berth - b.berth || a.sighting - b.sighting);
  const result: (number | null)[] = Array.from({ length: berths }, () => null);
  const used = new Set<number>();
  for (const { berth, sighting } of pairs) {
    if (result[berth] !== null || used.has(sighting)) continue;
    result[berth] = sighting;
    used.add(sighting);
  }
  return result;
}

/**
 * Whether nearer vehicles hide the place where a parked vehicle would be seen: they reach lower in the picture (the
 * camera looks down on a plane, so lower is nearer) and together cover enough of its box.
 */
export function hiddenBehind(parked: Box, others: readonly Box[], p: ParkingParameters): boolean {
  const bottom = parked.y + parked.height;
  let covered = 0;
  for (const other of others) {
    if (other.y + other.height < bottom - 0.1 * parked.height) continue;
    if (boxIou(parked, other) > 0.8) continue;
    const w = Math.min(parked.x + parked.width, other.x + other.width) - Math.max(parked.x, other.x);
    const h = Math.min(bottom, other.y + other.height) - Math.max(parked.y, other.y);
    if (w > 0 && h > 0) covered += w * h;
  }
  return covered >= p.hiddenShare * parked.width * parked.height;
}
