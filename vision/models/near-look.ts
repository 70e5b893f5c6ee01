import { insideShare, type Box } from '../../base/geometry.js';
import type { ModelInput } from './manifest.js';
import { GROUP, type Detection } from './nms.js';

/** Parts of a near vehicle are at least so long in the input of the first look; what is smaller is a vehicle before it. */
const LEAST_PART_PX = 150;
/** What lies inside a near vehicle with more of itself is a part of it. */
export const INSIDE = 0.8;

/** A region of the picture that a near car may fill, and how many pixels of the near look's input a picture pixel is there. */
export interface NearRegion {
  box: Box;
  scale: number;
}

/**
 * The input of the near look: all of the region at half the width and height, for a quarter of the price. A vehicle that fills the first look's input is
 * larger than what the network's cells see of it, which then take its parts for vehicles; at half the size they see it whole.
 */
export const halfInput = (input: ModelInput): ModelInput => ({ ...input, width: input.width / 2, height: input.height / 2 });

/** What both looks saw, and which look each is of. */
export class Looks {
  readonly #near = new Set<Detection>();
  readonly #large = new Set<Detection>();

  /** Of the first look. @param scale input pixels a picture pixel */
  first(d: Detection, scale: number): void {
    if (longest(d.box) * scale >= LEAST_PART_PX) this.#large.add(d);
  }

  /** Of the near look: true where it is near enough to count, its longer side `from` pixels of that look's input or more. */
  near(d: Detection, scale: number, from: number): boolean {
    const counts = longest(d.box) * scale >= from;
    if (counts) this.#near.add(d);
    return counts;
  }

  /** Without the parts of near vehicles that the first look took for vehicles. */
  withoutParts(kept: readonly Detection[]): Detection[] {
    const whole = kept.filter((d) => this.#near.has(d));
    return kept.filter((d) => !this.#large.has(d) || !whole.some((n) => n.score > d.score && GROUP[n.class] === GROUP[d.class] && insideShare(d.box, n.box) > INSIDE));
  }
}

/** The longer side of a box. */
export const longest = (box: Box): number => Math.max(box.width, box.height);
