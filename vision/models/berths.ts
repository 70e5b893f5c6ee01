import { area, boundingBox, boxPolygon, overlapArea, type Box, type Point, type Polygon } from '../../base/geometry.js';
import type { Picture } from '../decode/picture.js';
import type { BerthLook, ObservedVehicle } from '../observation.js';
import type { BerthsModel, ModelInput } from './manifest.js';
import { argmax, clamp01 } from './plate-reader.js';
import type { ModelSession } from './session.js';
import { channelScales, fillFromBox, type InputMapping } from './tensor.js';
import { part } from './vehicle-detector.js';

/** A berth of which a vehicle's ground covers this share is the detector's business. */
const COVERED = 0.2;
/** A berth of which less than this lies in the picture cannot be judged. */
const LEAST_VISIBLE = 2 / 3;
/** Without a footprint a vehicle stands on the lower part of its box. */
const LOWER_PART = 0.4;

/** The square around a berth that the network sees, in picture pixels; it may leave the picture. Pure. */
export function berthWindow(berth: Polygon, crop: BerthsModel['crop']): Box {
  const box = boundingBox(berth);
  const longer = Math.max(box.width, box.height);
  const side = crop.side * longer;
  return { x: box.x + box.width / 2 - side / 2, y: box.y + box.height / 2 - crop.rise * longer - side / 2, width: side, height: side };
}

/** Whether a berth can be judged by itself: it is in the picture and no vehicle that the detector found stands on it. Pure. */
export function uncovered(berth: Polygon, vehicles: readonly ObservedVehicle[], picture: { width: number; height: number }): boolean {
  const own = area(berth);
  if (own <= 0 || overlapArea(berth, boxPolygon({ x: 0, y: 0, width: picture.width, height: picture.height })) < LEAST_VISIBLE * own) return false;
  return vehicles.every((vehicle) => vehicle.class === 'motorcycle' || vehicle.class === 'person' || overlapArea(berth, ground(vehicle)) < COVERED * own);
}

function ground({ box, footprint }: ObservedVehicle): Polygon {
  return footprint ?? boxPolygon({ ...box, y: box.y + box.height * (1 - LOWER_PART), height: box.height * LOWER_PART });
}

/** What each berth looks like by itself; null where the network is not sure enough. */
export async function lookAtBerths(session: ModelSession<BerthsModel>, picture: Picture, berths: readonly Polygon[]): Promise<(BerthLook | null)[]> {
  const { entry } = session;
  const outputs = await session.run(berths.length, (room, slot, i) => {
    const berth = berths[i] as Polygon;
    const mapping = fillFromBox(room, slot, picture, berthWindow(berth, entry.crop), entry.input);
    dimAround(room.tensor, slot, outlineInInput(berth, mapping), entry);
  });
  return outputs.map((output) => {
    const values = part(entry, output, entry.outputs.state).data;
    const best = argmax(values);
    const state = entry.labels[best];
    const confidence = clamp01(values[best] ?? 0);
    return state !== undefined && confidence >= entry.thresholds.state ? { state, confidence } : null;
  });
}

function outlineInInput(berth: Polygon, m: InputMapping): Point[] {
  return berth.map(([x, y]) => [(x - m.originX) * m.scaleX + m.offsetX, (y - m.originY) * m.scaleY + m.offsetY]);
}

/** Moves every pixel outside the outline towards grey, so that the network knows which of the berths it sees is meant. Exported for tests. */
export function dimAround(tensor: Float32Array, slot: number, outline: Polygon, model: { input: ModelInput; dim: number }): void {
  const { width, height, padding } = model.input;
  const planes = channelScales(model.input).map(({ plane, factor, bias }) => ({ at: (slot * 3 + plane) * width * height, grey: padding * factor + bias }));
  for (let y = 0; y < height; y++) {
    const crossings = crossingsOf(outline, y + 0.5);
    for (const { at, grey } of planes) {
      let x = 0;
      for (let k = 0; k <= crossings.length; k++) {
        // Inside after an odd number of crossings; a pixel belongs to the side of a crossing on which its middle lies.
        const end = k === crossings.length ? width : Math.min(width, Math.max(x, Math.ceil((crossings[k] as number) - 0.5)));
        if (k % 2 === 0) for (let i = at + y * width + x; i < at + y * width + end; i++) tensor[i] = (tensor[i] as number) + (grey - (tensor[i] as number)) * model.dim;
        x = end;
      }
    }
  }
}

/** Where a row cuts an outline, from left to right. */
function crossingsOf(outline: Polygon, y: number): number[] {
  const found: number[] = [];
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const a = outline[i] as Point;
    const b = outline[j] as Point;
    if (a[1] > y !== b[1] > y) found.push(((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1]) + a[0]);
  }
  return found.sort((p, q) => p - q);
}
