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
