import { boxIou, type Box, type Quad } from '../../base/geometry.js';
import type { VehicleClass } from '../observation.js';

export interface Detection {
  box: Box;
  score: number;
  class: VehicleClass;
  footprint: Quad | null;
}

/** Ground vehicles suppress each other: the network may call one lorry both car and truck. */
export const GROUP: Readonly<Record<VehicleClass, number>> = { car: 0, bus: 0, truck: 0, motorcycle: 1, person: 2 };

/** Cars, buses and lorries. */
export const isMotor = (d: { class: VehicleClass }): boolean => GROUP[d.class] === GROUP.car;

/** Best first; ties are broken by position so that the result does not depend on the order of the input. */
export function byScore(a: Detection, b: Detection): number {
  return b.score - a.score || a.box.x - b.box.x || a.box.y - b.box.y || a.box.width - b.box.width || a.box.height - b.box.height;
}

/** Greedy non-maximum suppression over boxes, per group of classes. Keeps at most `limit`. */
export function suppress(detections: readonly Detection[], iou: number, limit = 100): Detection[] {
  const kept: Detection[] = [];
  for (const candidate of [...detections].sort(byScore)) {
    if (kept.length >= limit) break;
    if (kept.every((k) => GROUP[k.class] !== GROUP[candidate.class] || boxIou(k.box, candidate.box) <= iou)) kept.push(candidate);
  }
  return kept;
}

/** Candidates that overlap a kept one at least this much speak of the same vehicle. */
const SAME_VEHICLE_IOU = 0.6;

const axis = (q: Quad): readonly [number, number] => [q[0][0] + q[1][0] - q[2][0] - q[3][0], q[0][1] + q[1][1] - q[2][1] - q[3][1]];

/**
 * Box voting (Gidaris and Komodakis, 2015): the place of each kept detection is the mean of all candidates that speak of the same
 * vehicle, by their scores: many cells that each err a little are surer together, and a parked car trembles less. Score and
 * class stay those of the best; a footprint that faces the other way counts turned round.
 */
export function averaged(kept: readonly Detection[], candidates: readonly Detection[]): Detection[] {
  return kept.map((best) => {
    const peers = candidates.filter((c) => GROUP[c.class] === GROUP[best.class] && boxIou(c.box, best.box) >= SAME_VEHICLE_IOU);
    const mean = (value: (d: Detection) => number, of: readonly Detection[]): number => of.reduce((sum, d) => sum + d.score * value(d), 0) / of.reduce((sum, d) => sum + d.score, 0);
    const box = { x: mean((d) => d.box.x, peers), y: mean((d) => d.box.y, peers), width: mean((d) => d.box.width, peers), height: mean((d) => d.box.height, peers) };
    return { ...best, box, footprint: best.footprint && meanFootprint(best.footprint, peers, mean) };
  });
}

function meanFootprint(best: Quad, peers: readonly Detection[], mean: (value: (d: Detection) => number, of: readonly Detection[]) => number): Quad {
  const [ax, ay] = axis(best);
  const facing = peers.flatMap((d): Detection[] => {
    if (!d.footprint) return [];
    const [bx, by] = axis(d.footprint);
    const [fl, fr, rr, rl] = d.footprint;
    return [ax * bx + ay * by >= 0 ? d : { ...d, footprint: [rr, rl, fl, fr] }];
  });
  const corner = (i: number): readonly [number, number] => [mean((d) => (d.footprint as Quad)[i]?.[0] ?? 0, facing), mean((d) => (d.footprint as Quad)[i]?.[1] ?? 0, facing)];
  return [corner(0), corner(1), corner(2), corner(3)];
}
