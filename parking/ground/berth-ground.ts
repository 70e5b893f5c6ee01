import { BerthwatchError } from '../../base/errors.js';
import { applyHomography, area, centroid, homographyFrom, overlapArea, type Box, type Homography, type Point, type Quad } from '../../base/geometry.js';
import type { Berth, CameraSite } from '../model/berth.js';

/**
 * A berth as a plane of its own: the homography of its ground rectangle gives metres across (x, from the left) and
 * backward (y, from the front edge). It holds for what stands in or near the berth on the same road plane.
 */
export interface BerthGround {
  berth: Berth;
  /** Ground rectangle in pixels of the observation. */
  polygon: Quad;
  toMetres: Homography;
  /** Metres that one picture pixel spans at the berth's centre, in the worse direction. */
  metresPerPixel: number;
  /** Value of the homography's divisor at the centre; its sign tells the road from the sky. */
  divisor: number;
}

function divisorAt(h: Homography, p: Point): number {
  return h[6] * p[0] + h[7] * p[1] + h[8];
}

/**
 * @param scaleX, scaleY observation pixels per site pixel
 * @throws BerthwatchError bad-input where the polygon is no ground rectangle (crossing, flat or not finite)
 */
export function berthGround(berth: Berth, scaleX = 1, scaleY = 1): BerthGround {
  const polygon = berth.polygon.map(([x, y]) => [x * scaleX, y * scaleY] as const) as unknown as Quad;
  const { widthM: w, lengthM: l } = berth;
  const toMetres = homographyFrom(polygon, [
    [0, 0],
    [w, 0],
    [w, l],
    [0, l],
  ]);
  const centre = centroid(polygon);
  const divisor = toMetres ? divisorAt(toMetres, centre) : 0;
  const sameSide = toMetres !== null && polygon.every((p) => divisorAt(toMetres, p) * divisor > 0);
  if (!toMetres || !sameSide || !(w > 0) || !(l > 0) || !(area(polygon) >= 16) || !toMetres.every(Number.isFinite)) {
    throw new BerthwatchError(
      'bad-input',
      'PARKING_BERTH_POLYGON',
      `berth ${berth.number} (${berth.id}): the polygon is not a ground rectangle of ${l} m by ${w} m; give its corners front-left, front-right, rear-right, rear-left in picture pixels`,
      { detail: { berthId: berth.id, polygon: berth.polygon } },
    );
  }
  const at = applyHomography(toMetres, centre);
  const step = (dx: number, dy: number): number => {
    const q = applyHomography(toMetres, [centre[0] + dx, centre[1] + dy]);
    return Math.hypot(q[0] - at[0], q[1] - at[1]);
  };
  return { berth, polygon, toMetres, metresPerPixel: Math.max(step(1, 0), step(0, 1)), divisor };
}

/** Grounds of all berths of a camera for pictures of the given size. */
export function siteGround(site: CameraSite, width: number, height: number): BerthGround[] {
  return site.berths.map((berth) => berthGround(berth, width / site.width, height / site.height));
}

/** The quad in the berth's metres; null where a corner lies so far off that the plane says nothing (towards the horizon). */
export function toGround(ground: BerthGround, quad: Quad): Quad | null {
  for (const p of quad) if (!(divisorAt(ground.toMetres, p) / ground.divisor > 0.2)) return null;
  return quad.map((p) => applyHomography(ground.toMetres, p)) as unknown as Quad;
}

/** How a vehicle's ground and a berth's ground meet. */
export interface Overlap {
  /** Part of the vehicle's footprint that lies in the berth. */
  vehicleShare: number;
  /** Part of the berth that the footprint covers. */
  berthShare: number;
}

const NO_OVERLAP: Overlap = { vehicleShare: 0, berthShare: 0 };

export function overlapWith(ground: BerthGround, quad: Quad): Overlap {
  // Cheap and exact: what does not meet in the picture does not meet on the ground.
  if (overlapArea(quad, ground.polygon) <= 0) return NO_OVERLAP;
  const metres = toGround(ground, quad);
  if (!metres) return NO_OVERLAP;
  const own = area(metres);
  if (!(own > 0)) return NO_OVERLAP;
  const { widthM: w, lengthM: l } = ground.berth;
  const shared = overlapArea(metres, [
    [0, 0],
    [w, 0],
    [w, l],
    [0, l],
  ]);
  return { vehicleShare: shared / own, berthShare: shared / (w * l) };
}

/** Ground of a vehicle without a footprint: from a mast the wheels stand in the lower half of its box, a little inside. */
export function groundOfBox(box: Box): Quad {
  const left = box.x + 0.06 * box.width;
  const right = box.x + 0.94 * box.width;
  const top = box.y + 0.45 * box.height;
  const bottom = box.y + 0.98 * box.height;
  return [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ];
}
