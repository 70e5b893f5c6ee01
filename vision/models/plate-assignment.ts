import { boundingBox, centroid, type Box, type Quad } from '../../base/geometry.js';

/** A plate that was found in one vehicle's crop. */
export interface FoundPlate {
  corners: Quad;
  score: number;
}

/** Where plates sit: the middle of the width, in the lower part. */
const USUAL: readonly [x: number, y: number] = [0.5, 0.7];
const MISFIT_WEIGHT = 0.5;
/** What it costs to claim a plate at a place that a nearer vehicle's body covers, and where in its box that body surely is. */
const COVERED_COST = 0.5;
const BODY_TOP = 0.35;
/** A worse claim than this is not taken over from somebody else. */
const LEAST_CLAIM = 0.45;

interface Claim {
  vehicle: number;
  plate: number;
  found: FoundPlate;
  weight: number;
}

/**
 * Which of the plates found in its crop is each vehicle's own. Boxes of neighbouring cars overlap, so a crop may show two
 * plates, and one plate may be found in two crops. One plate belongs to one vehicle: best fits first (sure, at a place where
 * plates sit, not where a nearer vehicle covers this one), then whoever went without gets a plate whose holder has another. Pure.
 *
 * @param found for each vehicle the plates of its crop, in picture pixels
 * @returns for each vehicle its plate, or null
 */
export function assignPlates(vehicles: readonly Box[], found: readonly (readonly FoundPlate[])[]): (FoundPlate | null)[] {
  const claims = weigh(vehicles, found);
  const holder = new Map<number, Claim>();
  const held = new Map<number, Claim>();
  const give = (claim: Claim): void => {
    holder.set(claim.plate, claim);
    held.set(claim.vehicle, claim);
  };
  for (const claim of [...claims].sort((a, b) => b.weight - a.weight || a.vehicle - b.vehicle || a.plate - b.plate)) {
    if (!holder.has(claim.plate) && !held.has(claim.vehicle)) give(claim);
  }
  const reach = (vehicle: number, seen: Set<number>): boolean =>
    claims.some((claim) => {
      if (claim.vehicle !== vehicle || claim.weight < LEAST_CLAIM || seen.has(claim.plate)) return false;
      seen.add(claim.plate);
      const former = holder.get(claim.plate);
      if (former && !reach(former.vehicle, seen)) return false;
      give(claim);
      return true;
    });
  vehicles.forEach((_, vehicle) => held.has(vehicle) || reach(vehicle, new Set()));
  return vehicles.map((_, vehicle) => held.get(vehicle)?.found ?? null);
}

function weigh(vehicles: readonly Box[], found: readonly (readonly FoundPlate[])[]): Claim[] {
  const plates: { centre: readonly [number, number]; box: Box }[] = [];
  const claims: Claim[] = [];
  found.forEach((candidates, vehicle) => {
    for (const candidate of candidates) {
      const centre = centroid(candidate.corners);
      const box = boundingBox(candidate.corners);
      let plate = plates.findIndex((known) => Math.abs(known.centre[0] - centre[0]) < box.width / 2 && Math.abs(known.centre[1] - centre[1]) < box.height / 2);
      if (plate < 0) plate = plates.push({ centre, box }) - 1;
      const weight = candidate.score - MISFIT_WEIGHT * misfit(vehicles[vehicle] as Box, centre) - (covered(vehicles, vehicle, centre) ? COVERED_COST : 0);
      const known = claims.find((claim) => claim.vehicle === vehicle && claim.plate === plate);
      if (!known) claims.push({ vehicle, plate, found: candidate, weight });
    }
  });
  return claims;
}

const within = (box: Box, [x, y]: readonly [number, number]): readonly [number, number] => [(x - box.x) / box.width, (y - box.y) / box.height];

function misfit(box: Box, centre: readonly [number, number]): number {
  const [x, y] = within(box, centre);
  return Math.abs(x - USUAL[0]) + Math.abs(y - USUAL[1]);
}

/** Whether a vehicle that stands nearer (lower in the picture) has its body at this place. */
function covered(vehicles: readonly Box[], own: number, centre: readonly [number, number]): boolean {
  const { y, height } = vehicles[own] as Box;
  return vehicles.some((other, i) => {
    if (i === own || other.y + other.height <= y + height * 1.05) return false;
    const [rx, ry] = within(other, centre);
    return rx >= 0 && rx <= 1 && ry >= BODY_TOP && ry <= 1;
  });
}
