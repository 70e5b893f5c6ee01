import { boundingBox, type Box, type Quad } from '../../base/geometry.js';
import type { Picture } from '../decode/picture.js';
import type { PlatesModel } from './manifest.js';
import type { ModelSession } from './session.js';
import { fillFromBox, type InputMapping } from './tensor.js';
import { part, quadAt } from './vehicle-detector.js';

export interface FoundPlate {
  corners: Quad;
  score: number;
}

/** The box with a margin on every side, clipped to the picture by the cut itself. */
export function withMargin(box: Box, margin: number): Box {
  return { x: box.x - box.width * margin, y: box.y - box.height * margin, width: box.width * (1 + 2 * margin), height: box.height * (1 + 2 * margin) };
}

/** The best plate in each vehicle's full-resolution crop; null where none reaches the threshold. */
export async function findPlates(session: ModelSession<PlatesModel>, picture: Picture, vehicles: readonly Box[]): Promise<(FoundPlate | null)[]> {
  const { entry } = session;
  const mappings: InputMapping[] = [];
  const outputs = await session.run(vehicles.length, (tensor, slot, i) => {
    mappings[i] = fillFromBox(tensor, slot, picture, withMargin(vehicles[i] as Box, entry.cropMargin), entry.input);
  });
  return outputs.map((output, i) => {
    const scores = part(entry, output, entry.outputs.scores).data;
    const corners = part(entry, output, entry.outputs.corners).data;
    let best = -1;
    for (let a = 0; a < scores.length; a++) {
      const score = scores[a] as number;
      if (score >= entry.thresholds.score && (best < 0 || score > (scores[best] as number))) best = a;
    }
    if (best < 0) return null;
    const quad = quadAt(corners, best, mappings[i] as InputMapping);
    return quad && plausible(quad) ? { corners: quad, score: Math.min(1, scores[best] as number) } : null;
  });
}

/** Corners must run clockwise in the picture around a plate-like, convex patch of a few pixels at least. */
export function plausible(quad: Quad): boolean {
  const { width, height } = boundingBox(quad);
  if (width < 12 || height < 4) return false;
  for (let i = 0; i < 4; i++) {
    const [a, b, c] = [quad[i], quad[(i + 1) % 4], quad[(i + 2) % 4]] as [Quad[0], Quad[0], Quad[0]];
    if ((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) <= 0) return false;
  }
  return true;
}

/**
 * Boxes of neighbouring cars overlap, so one plate may be found in two crops. It goes to the vehicle in which it sits where
 * plates sit: near the middle of the width, in the lower part. Others get null. Pure.
 */
export function assignPlates(vehicles: readonly Box[], plates: readonly (FoundPlate | null)[]): (FoundPlate | null)[] {
  const misfit = (i: number): number => {
    const box = vehicles[i] as Box;
    const p = centre((plates[i] as FoundPlate).corners);
    return Math.abs((p.x - box.x) / box.width - 0.5) + Math.abs((p.y - box.y) / box.height - 0.7);
  };
  return plates.map((plate, i) => {
    if (!plate) return null;
    const c = centre(plate.corners);
    const taken = plates.some((other, j) => {
      if (j === i || !other) return false;
      const o = centre(other.corners);
      const box = boundingBox(plate.corners);
      const same = Math.abs(o.x - c.x) < box.width / 2 && Math.abs(o.y - c.y) < box.height / 2;
      const difference = misfit(j) - misfit(i);
      return same && (difference < 0 || (difference === 0 && j < i));
    });
    return taken ? null : plate;
  });
}

function centre(quad: Quad): { x: number; y: number } {
  return { x: (quad[0][0] + quad[1][0] + quad[2][0] + quad[3][0]) / 4, y: (quad[0][1] + quad[1][1] + quad[2][1] + quad[3][1]) / 4 };
}
