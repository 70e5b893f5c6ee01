import { boundingBox, boxPolygon, centroid, contains, insideShare, type Box, type Point, type Quad } from '../../base/geometry.js';
import type { PlateReading } from '../observation.js';
import { VOTE_DEFAULTS } from '../plate/vote.js';
import { INSIDE, longest, type NearRegion } from './near-look.js';
import { isMotor, type Detection } from './nms.js';
import type { FoundPlate } from './plate-assignment.js';
import { strengthOf } from './second-look.js';

/** A car's front or tail around the middle of its plate, in widths of the plate (0.44 m): half its width, what is above, what is below. */
const AROUND_PLATE = { half: 2.05, above: 2.6, below: 0.75 };
/** How much of the body above the plate must be in the picture, in the same measure: captions stand at its edge. */
const LEAST_BODY = 1;

/** The regions in which no plate was read: a car may stand so near that the network sees only pieces of it, and its plate may show all the same. */
export function withoutPlate(regions: readonly NearRegion[], read: Iterable<PlateReading>): NearRegion[] {
  const middles: Point[] = [...read].map((plate) => centroid(plate.corners));
  return regions.filter(({ box }) => !middles.some((middle) => contains(boxPolygon(box), middle)));
}

/**
 * The car behind a plate that was found in a region by itself: as large as cars are around their plates. Null where that is not near enough to fill the
 * region, where the picture ends above the plate, and where a found vehicle holds it.
 * @param from how long a near vehicle is at least, pixels of the near look's input
 */
export function carOfPlate({ corners, score }: FoundPlate, { scale }: NearRegion, from: number, picture: { width: number; height: number }, found: readonly Detection[]): Detection | null {
  const middle = centroid(corners);
  if (found.some((d) => isMotor(d) && contains(boxPolygon(d.box), middle))) return null;
  if (middle[1] < LEAST_BODY * widthOf(corners)) return null;
  const box = around(corners, picture);
  return longest(box) * scale >= from ? { box, score, class: 'car', footprint: null } : null;
}

/**
 * Near vehicles' plates that did not read well, each with the frame in which it is worth another search: the boxes of near vehicles are often too large or
 * cut, and then their plates' corners are not exact.
 */
export function worthAnother(read: ReadonlyMap<Detection, PlateReading>, regions: readonly NearRegion[], from: number, picture: { width: number; height: number }): Map<Detection, Detection> {
  const frames = new Map<Detection, Detection>();
  for (const [vehicle, plate] of read) {
    const box = around(plate.corners, picture);
    const near = regions.some((region) => contains(boxPolygon(region.box), centroid(plate.corners)) && longest(box) * region.scale >= from);
    if (near && !tellsOfCar(plate)) frames.set({ ...vehicle, box }, vehicle);
  }
  return frames;
}

/** Whether another search found the same plate and read it better. */
export function isBetter(again: PlateReading, before: PlateReading): boolean {
  return contains(boxPolygon(boundingBox(before.corners)), centroid(again.corners)) && strengthOf(again) > strengthOf(before);
}

/**
 * Whether a text is written there that a plate of its colour can have, as sure as what counts as read: then a car must carry it. The caption of a road
 * camera (800 pictures with it) was a plate's text in 73, and never surer than 0.70.
 */
export function tellsOfCar(plate: PlateReading): boolean {
  return strengthOf(plate) >= VOTE_DEFAULTS.accept;
}

/** Without the pieces of a car that were taken for vehicles before its plate told of it. */
export function withoutPieces(found: readonly Detection[], car: Detection): Detection[] {
  return found.filter((d) => !isMotor(d) || insideShare(d.box, car.box) <= INSIDE);
}

function around(corners: Quad, picture: { width: number; height: number }): Box {
  const [x, y] = centroid(corners);
  const plate = widthOf(corners);
  const left = Math.max(0, x - AROUND_PLATE.half * plate);
  const top = Math.max(0, y - AROUND_PLATE.above * plate);
  const right = Math.min(picture.width, x + AROUND_PLATE.half * plate);
  const bottom = Math.min(picture.height, y + AROUND_PLATE.below * plate);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function widthOf([topLeft, topRight]: Quad): number {
  return Math.hypot(topRight[0] - topLeft[0], topRight[1] - topLeft[1]);
}
