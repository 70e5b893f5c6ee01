import { contains } from '../base/geometry.js';
import type { BerthLook, Observation, ObservedVehicle } from '../vision/observation.js';
import { assignBerths, overlapOf, standing } from './ground/assign.js';
import { siteGround } from './ground/berth-ground.js';
import type { CameraSite } from './model/berth.js';
import { DEFAULT_PARAMETERS, type ParkingParameters } from './parameters.js';
import { parkingVehicles, sampleOf } from './tracks.js';

/** A berth on one picture, without any memory of what was there before. */
export interface PicturedBerth {
  berthId: string;
  number: string;
  /** `obstructed`: a two-wheeler or an object stands there. */
  state: 'occupied' | 'obstructed' | 'free';
  /** Index of the vehicle in the observation; null unless occupied, and where only the look at the berth itself says so. */
  vehicle: number | null;
  /** 0 to 1: how much it stands in the berth (`standing`); 0 unless occupied. */
  share: number;
  /** What the berth looks like by itself; null where the detector sees a vehicle, and where nobody looked or was sure. */
  look: BerthLook | null;
}

/**
 * Who stands in which berth on one picture: what the first look of a camera would say. A passing vehicle counts as standing,
 * since one picture does not show that it moves. Polygons of the site are scaled to the picture's size. Pure.
 * @throws BerthwatchError bad-input where a berth's polygon is no ground rectangle
 */
export function berthsOnPicture(picture: Observation, site: CameraSite, p: ParkingParameters = DEFAULT_PARAMETERS): PicturedBerth[] {
  const grounds = siteGround(site, picture.width, picture.height);
  const vehicles = parkingVehicles(picture, p);
  const claims = vehicles.map((vehicle, key) => {
    const sample = sampleOf(vehicle, picture);
    return { track: { key }, overlaps: grounds.map((ground) => overlapOf(ground, sample)) };
  });
  const assigned = assignBerths(claims, grounds.length, grounds.map(() => null), p);
  return grounds.map(({ berth }, b) => {
    const claim = assigned[b] ?? null;
    const look = picture.berths?.[b] ?? null;
    const common = { berthId: berth.id, number: berth.number, look };
    if (claim !== null) {
      const overlap = claims[claim]?.overlaps[b];
      return { ...common, state: 'occupied', vehicle: picture.vehicles.indexOf(vehicles[claim] as ObservedVehicle), share: overlap ? Math.round(standing(overlap, p) * 1000) / 1000 : 0 };
    }
    // Where the detector is blind, the berth's own look counts.
    if (look?.state === 'vehicle') return { ...common, state: 'occupied', vehicle: null, share: 0 };
    const scale = [picture.width / site.width, picture.height / site.height] as const;
    const polygon = berth.polygon.map(([x, y]) => [x * scale[0], y * scale[1]] as const);
    // An object has no box of its own but the berth's, whose lower edge need not touch a slanted berth: the look itself tells of it.
    const obstructed = look?.state === 'other' || picture.obstructions.some(({ kind, box }) => kind === 'two-wheeler' && contains(polygon, [box.x + box.width / 2, box.y + box.height]));
    return { ...common, state: obstructed ? 'obstructed' : 'free', vehicle: null, share: 0 };
  });
}
