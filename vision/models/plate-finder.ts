import { boundingBox, boxIou, type Box, type Quad } from '../../base/geometry.js';
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

/** Width in input pixels that a plate should have in the second look, and below which a second look pays. */
const CLOSE_UP_PLATE_PX = 90;
/** Where the first look saw the plate no smaller than this share of the second, it is kept. */
const CLOSE_ENOUGH = 0.75;

/**
 * The best plate in each vehicle's full-resolution crop; null where none reaches the threshold. Plates that were small in the
 * network's input are looked at again in a closer crop around them, which makes their corners exact.
 */
export async function findPlates(session: ModelSession<PlatesModel>, picture: Picture, vehicles: readonly Box[]): Promise<(FoundPlate | null)[]> {
  const { entry } = session;
  const first = await search(session, picture, vehicles.map((box) => withMargin(box, entry.cropMargin)));
  const again = first.flatMap((plate, i) => {
    const crop = plate && closeUp(plate, entry.input);
    return crop ? [{ i, crop }] : [];
  });
  const second = await search(session, picture, again.map(({ crop }) => crop));
  const result: (FoundPlate | null)[] = first.map((plate) => plate && { corners: plate.corners, score: plate.score });
  for (const [k, { i }] of again.entries()) {
    const closer = second[k];
    const before = result[i] as FoundPlate;
    // The closer look may only move the corners a little: it must be the same plate.
    if (closer && boxIou(boundingBox(closer.corners), boundingBox(before.corners)) > 0.3) result[i] = { corners: closer.corners, score: Math.max(before.score, closer.score) };
  }
  return result;
}

/** The crop for a second look at a plate; null where the first was close enough. */
export function closeUp(plate: { corners: Quad; inputWidth: number }, input: { width: number; height: number }): Box | null {
  if (plate.inputWidth >= CLOSE_UP_PLATE_PX * CLOSE_ENOUGH) return null;
  const box = boundingBox(plate.corners);
  const width = (box.width * input.width) / CLOSE_UP_PLATE_PX;
  const height = (width * input.height) / input.width;
  return { x: box.x + box.width / 2 - width / 2, y: box.y + box.height / 2 - height / 2, width, height };
}

async function search(session: ModelSession<PlatesModel>, picture: Picture, crops: readonly Box[]): Promise<((FoundPlate & { inputWidth: number }) | null)[]> {
  const { entry } = session;
  const mappings: InputMapping[] = [];
  const outputs = await session.run(crops.length, (tensor, slot, i) => {
    mappings[i] = fillFromBox(tensor, slot, picture, crops[i] as Box, entry.input);
  });
  return outputs.map((output, i) => {
    const mapping = mappings[i] as InputMapping;
    const scores = part(entry, output, entry.outputs.scores).data;
    const corners = part(entry, output, entry.outputs.corners).data;
    let best = -1;
    for (let a = 0; a < scores.length; a++) {
      const score = scores[a] as number;
      if (score >= entry.thresholds.score && (best < 0 || score > (scores[best] as number))) best = a;
    }
    if (best < 0) return null;
    const quad = quadAt(corners, best, mapping);
    if (!quad || !plausible(quad)) return null;
    return { corners: quad, score: Math.min(1, scores[best] as number), inputWidth: boundingBox(quad).width * mapping.scaleX };
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
