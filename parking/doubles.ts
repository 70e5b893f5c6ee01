import { area, overlapArea, type Quad } from '../base/geometry.js';
import type { ObservedVehicle } from '../vision/observation.js';

/** What a plate that was read adds to a detector's score: who shows a plate is there. */
const PLATE_BONUS = 0.2;

/**
 * No two vehicles stand on the same ground. Where footprints share more than `share` of the smaller one, a detector has seen
 * one vehicle twice (or a third one between two): the better seen stays. Vehicles without a footprint are left alone, for
 * boxes of neighbours overlap in a row seen along its length. The order of the rest is kept. Pure.
 *
 * @param groundOf the vehicle's footprint, null where there is none to be believed
 */
export function withoutDoubles(vehicles: readonly ObservedVehicle[], share: number, groundOf: (vehicle: ObservedVehicle) => Quad | null): ObservedVehicle[] {
  const rank = (v: ObservedVehicle): number => v.score + (v.plate && v.plate.text !== '' ? PLATE_BONUS : 0);
  const order = vehicles.map((vehicle, i) => ({ vehicle, i })).sort((a, b) => rank(b.vehicle) - rank(a.vehicle) || a.i - b.i);
  const grounds: Quad[] = [];
  const doubles = new Set<number>();
  for (const { vehicle, i } of order) {
    const ground = groundOf(vehicle);
    if (!ground) continue;
    if (grounds.some((other) => overlapArea(ground, other) > share * Math.min(area(ground), area(other)))) doubles.add(i);
    else grounds.push(ground);
  }
  return vehicles.filter((_, i) => !doubles.has(i));
}
