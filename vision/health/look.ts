import { crc32 } from 'node:zlib';
import { boundingBox, type Box, type Polygon } from '../../base/geometry.js';
import type { Picture } from '../decode/picture.js';
import { alignedBox, scaleLuma } from '../decode/scale.js';

/** Size of the thumbnails, in cells. */
export const SCENE_WIDTH = 64;
export const SCENE_HEIGHT = 36;
export const BERTH_WIDTH = 24;
export const BERTH_HEIGHT = 16;

/**
 * What is cheaply known of a picture without any network: input of the gate and of picture health.
 * Luma bytes in the picture's own coding; full-range pictures are not rescaled, comparisons are within one camera.
 */
export interface FrameLook {
  /**
   * Checksum of all luma: equal only for pictures that are the same to the last bit. Null for pictures between keyframes:
   * where nothing moves an encoder may repeat a picture there without the camera being frozen.
   */
  checksum: number | null;
  /** 99th percentile of luma, 0 (no light anywhere) to 255, as if full range. */
  brightest: number;
  /** 99.5th percentile of luma steps over four pixels: how hard the hardest edges are. */
  edge: number;
  /** The whole picture, SCENE_WIDTH × SCENE_HEIGHT. */
  scene: Uint8Array;
  /** Each berth with the room above it that a vehicle takes, BERTH_WIDTH × BERTH_HEIGHT, in the order of the berths. */
  berths: Uint8Array[];
}

/** Looks at a picture. `berths`: ground polygons in picture pixels. Deterministic. */
export function lookAt(picture: Picture, berths: readonly Polygon[], keyframe: boolean): FrameLook {
  const whole = alignedBox(picture, { x: 0, y: 0, width: picture.width, height: picture.height });
  return {
    checksum: keyframe ? lumaChecksum(picture) : null,
    ...contrast(picture),
    scene: scaleLuma(picture, whole, SCENE_WIDTH, SCENE_HEIGHT),
    berths: berths.map((berth) => scaleLuma(picture, alignedBox(picture, berthView(berth)), BERTH_WIDTH, BERTH_HEIGHT)),
  };
}

/** A berth's bounding box, half as much again upwards: what stands on the ground is seen above it. */
export function berthView(berth: Polygon): Box {
  const box = boundingBox(berth);
  return { x: box.x, y: box.y - box.height / 2, width: box.width, height: box.height * 1.5 };
}

function lumaChecksum(picture: Picture): number {
  if (picture.strideY === picture.width) return crc32(picture.y.subarray(0, picture.width * picture.height));
  let sum = 0;
  for (let row = 0; row < picture.height; row++) {
    sum = crc32(picture.y.subarray(row * picture.strideY, row * picture.strideY + picture.width), sum);
  }
  return sum;
}

/** A row in nine and a column in three: tens of thousands of samples say the same percentiles as all of them, within a level or two. */
const ROWS_APART = 9;
const COLUMNS_APART = 3;
/** Pixels between the two ends of a luma step. */
const STEP = 4;

/** Exported for tests. */
export function contrast(picture: Picture): { brightest: number; edge: number } {
  const { y, width, height, strideY } = picture;
  const levels = new Uint32Array(256);
  const steps = new Uint32Array(256);
  let count = 0;
  // Low pictures are sampled more densely.
  const rows = Math.min(ROWS_APART, Math.max(1, height >> 6));
  for (let row = rows >> 1; row < height; row += rows) {
    const end = row * strideY + width;
    for (let at = row * strideY + STEP; at < end; at += COLUMNS_APART) {
      const here = y[at] as number;
      const step = Math.abs(here - (y[at - STEP] as number));
      levels[here] = (levels[here] as number) + 1;
      steps[step] = (steps[step] as number) + 1;
      count++;
    }
  }
  const bright = percentile(levels, count, 0.99);
  return {
    brightest: picture.fullRange ? bright : Math.min(255, Math.max(0, Math.round(((bright - 16) * 255) / 219))),
    edge: percentile(steps, count, 0.995),
  };
}

function percentile(histogram: Uint32Array, count: number, share: number): number {
  let seen = 0;
  for (let value = 0; value < histogram.length; value++) {
    seen += histogram[value] as number;
    if (seen >= count * share) return value;
  }
  return 255;
}
