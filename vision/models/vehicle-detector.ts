import type { Box, Point, Quad } from '../../base/geometry.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Picture } from '../decode/picture.js';
import type { VehicleClass } from '../observation.js';
import { doubtfulOf } from './doubtful.js';
import type { ModelInput, VehiclesModel } from './manifest.js';
import { halfInput, Looks, type NearRegion } from './near-look.js';
import { averaged, GROUP, suppress, type Detection } from './nms.js';
import type { ModelSession, Output } from './session.js';
import { runOnBoxes, shapedInput } from './sized-run.js';
import { placeInput, toPicture, type InputMapping } from './tensor.js';
import { decodeYolox } from './yolox.js';

/** A vehicle that pokes out of a region by this many picture pixels or less was cut by the region's edge. */
const EDGE_PX = 3;

/** Classes that stand on four ground corners. */
const WITH_FOOTPRINT = new Set(['car', 'bus', 'truck']);

/** What the network saw, best first. */
export interface SeenVehicles {
  /** Vehicles, two-wheelers and persons that reach the threshold. */
  found: Detection[];
  /** Large motor vehicles below it, in places of their own: a plate would prove them. Empty where the manifest has no `withPlate`. */
  doubtful: Detection[];
  /** Regions that got a near look. */
  near: NearRegion[];
}

/**
 * Finds vehicles, two-wheelers and persons in regions of the picture.
 * @param longest that a car of interest is, picture pixels: where it would not count in the near look, there is none
 */
export async function detectVehicles(session: ModelSession<VehiclesModel>, picture: Picture, regions: readonly Box[], longest = Infinity): Promise<SeenVehicles> {
  const { entry } = session;
  const { input, sizeStep, nearFrom } = entry;
  const { nms } = entry.thresholds;
  const least = leastOf(entry);
  const sure: Detection[] = [];
  const unsure: Detection[] = [];
  const looks = new Looks();
  const take = async (seen: readonly Box[], whole: ModelInput, counts: (d: Detection, scale: number) => boolean): Promise<void> => {
    const outputs = await runOnBoxes(session, picture, seen, (region) => shapedInput(picture, region, whole, sizeStep));
    for (const [i, { output, mapping, size }] of outputs.entries()) {
      for (const uncut of readDetections(entry, output, mapping, picture, { size, least })) {
        const d = regions.length === 1 ? uncut : demoteCut(uncut, seen[i] as Box, picture);
        if (counts(d, mapping.scaleX)) (uncut.score >= thresholdOf(entry, d.class) ? sure : unsure).push(d);
      }
    }
  };
  await take(regions, input, (d, scale) => {
    looks.first(d, scale);
    return true;
  });
  const near: NearRegion[] = [];
  if (nearFrom !== undefined) {
    const half = halfInput(input);
    for (const box of regions) {
      const scale = placeInput(picture, box, shapedInput(picture, box, half, sizeStep)).mapping.scaleX;
      if (longest * scale >= nearFrom) near.push({ box, scale });
    }
    await take(near.map(({ box }) => box), half, (d, scale) => looks.near(d, scale, nearFrom));
  }
  const found = averaged(looks.withoutParts(suppress(sure, nms)), sure);
  return { found, doubtful: doubtfulOf(unsure, found, nms), near };
}

/** The score from which something of a class counts. */
function thresholdOf({ thresholds }: VehiclesModel, name: VehicleClass): number {
  if (name === 'motorcycle') return thresholds.twoWheeler ?? thresholds.score;
  if (name === 'person') return thresholds.person ?? thresholds.score;
  return thresholds.score;
}

/** The lowest score with which anything may count, by itself or by its plate. */
function leastOf({ thresholds }: VehiclesModel): number {
  const { score, withPlate = score, twoWheeler = score, person = score } = thresholds;
  return Math.min(score, withPlate, twoWheeler, person);
}

/**
 * One region's tensors as detections in picture pixels, boxes clipped to the picture.
 * @param size of the input it came in
 * @param least score of what is given; where absent, what counts by its class's threshold is
 */
export function readDetections(
  model: VehiclesModel,
  output: ReadonlyMap<string, Output>,
  mapping: InputMapping,
  picture: { width: number; height: number },
  { size = model.input, least }: { size?: { width: number; height: number }; least?: number } = {},
): Detection[] {
  const { boxes, scores, quads } = candidates(model, output, size);
  const classes = model.classes.length;
  const count = boxes.data.length / 4;
  if (scores.data.length !== count * classes || (quads && quads.data.length !== count * 8)) {
    throw new BerthwatchError('bad-input', 'VISION_MODEL_SHAPE', `model "${model.id}": ${count} boxes, ${scores.data.length} scores for ${classes} classes, ${quads?.data.length ?? 0} quad numbers do not fit`);
  }
  const detections: Detection[] = [];
  // Nearly all candidates see nothing: where no class has even its share of the threshold, their sum cannot reach it.
  const share = (least ?? leastOf(model)) / classes;
  for (let a = 0; a < count; a++) {
    if (!reaches(scores.data, a * classes, classes, share)) continue;
    const { score, name } = judge(model, scores.data, a * classes);
    // Written so that NaN fails too.
    if (!name || !(score >= (least ?? thresholdOf(model, name)))) continue;
    const [x0, y0] = toPicture(mapping, boxes.data[a * 4] as number, boxes.data[a * 4 + 1] as number);
    const [x1, y1] = toPicture(mapping, boxes.data[a * 4 + 2] as number, boxes.data[a * 4 + 3] as number);
    const box = clipBox(x0, y0, x1, y1, picture);
    if (!box) continue;
    const footprint = quads && WITH_FOOTPRINT.has(name) ? quadAt(quads.data, a, mapping) : null;
    detections.push({ box, score: Math.min(1, score), class: name, footprint });
  }
  return detections;
}

function reaches(scores: Float32Array, from: number, classes: number, least: number): boolean {
  for (let c = from; c < from + classes; c++) if ((scores[c] as number) >= least) return true;
  return false;
}

/** A family's outputs as boxes, scores and footprints in pixels of the input. @throws BerthwatchError bad-input */
export function candidates(model: VehiclesModel, output: ReadonlyMap<string, Output>, size: { width: number; height: number }): { boxes: Output; scores: Output; quads: Output | null } {
  const { outputs } = model;
  if ('predictions' in outputs) return { ...decodeYolox(part(model, output, outputs.predictions), size, model.strides, model.classes.length), quads: null };
  return {
    boxes: part(model, output, outputs.boxes),
    scores: part(model, output, outputs.scores),
    quads: outputs.quads === undefined ? null : part(model, output, outputs.quads),
  };
}

/** Class and score of one candidate: the surest group of classes, and its likeliest class. */
function judge(model: VehiclesModel, scores: Float32Array, from: number): { score: number; name: VehicleClass | null } {
  const sums = [0, 0, 0];
  let best: { score: number; name: VehicleClass | null } = { score: -1, name: null };
  const tops: { score: number; name: VehicleClass }[] = [];
  for (const [c, name] of model.classes.entries()) {
    const score = scores[from + c] as number;
    if (name === null) {
      if (score > best.score) best = { score, name };
      continue;
    }
    const group = GROUP[name];
    sums[group] = model.scoreKind === 'exclusive' ? (sums[group] as number) + score : Math.max(sums[group] as number, score);
    const top = tops[group];
    if (!top || score > top.score) tops[group] = { score, name };
  }
  for (const [group, top] of tops.entries()) if (top && (sums[group] as number) > best.score) best = { score: sums[group] as number, name: top.name };
  return best;
}

/** Eight numbers at `index` as a quad of the picture; null where one is not finite. */
export function quadAt(data: Float32Array, index: number, mapping: InputMapping): Quad | null {
  const points: Point[] = [];
  for (let k = 0; k < 4; k++) points.push(toPicture(mapping, data[index * 8 + 2 * k] as number, data[index * 8 + 2 * k + 1] as number));
  return points.every((p) => Number.isFinite(p[0]) && Number.isFinite(p[1])) ? (points as unknown as Quad) : null;
}

function clipBox(x0: number, y0: number, x1: number, y1: number, picture: { width: number; height: number }): Box | null {
  const left = Math.max(0, x0);
  const top = Math.max(0, y0);
  const width = Math.min(picture.width, x1) - left;
  const height = Math.min(picture.height, y1) - top;
  return width >= 1 && height >= 1 ? { x: left, y: top, width, height } : null;
}

/** The other region sees a cut vehicle whole: let it win the suppression. Where nobody else saw it, it stays. */
function demoteCut(detection: Detection, region: Box, picture: { width: number; height: number }): Detection {
  const { box } = detection;
  const cut =
    (region.x > 0 && box.x - region.x < EDGE_PX) ||
    (region.y > 0 && box.y - region.y < EDGE_PX) ||
    (region.x + region.width < picture.width && region.x + region.width - (box.x + box.width) < EDGE_PX) ||
    (region.y + region.height < picture.height && region.y + region.height - (box.y + box.height) < EDGE_PX);
  return cut ? { ...detection, score: detection.score * 0.5 } : detection;
}

export function part(model: { id: string }, output: ReadonlyMap<string, Output>, name: string): Output {
  const found = output.get(name);
  if (!found) throw new BerthwatchError('bad-input', 'VISION_MODEL_SHAPE', `model "${model.id}" gave no output "${name}"`);
  return found;
}
