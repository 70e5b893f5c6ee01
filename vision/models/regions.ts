import { boundingBox, type Box, type Polygon } from '../../base/geometry.js';

export interface RegionOptions {
  /** Size of the detector's input. */
  inputWidth: number;
  inputHeight: number;
  /** Margins around the berths in berth sizes (mean diagonal of the berth polygons): sideways and below, and above. */
  margin: number;
  marginAbove: number;
  /** A berth shorter than this in the network's input makes two regions of a long row worth their price. */
  minBerthPixels: number;
}

export const REGION_DEFAULTS: Omit<RegionOptions, 'inputWidth' | 'inputHeight'> = { margin: 0.5, marginAbove: 0.8, minBerthPixels: 90 };

/**
 * The parts of a picture in which vehicles are looked for: what holds the camera's berths with a margin (vehicles rise above
 * their ground, and come and go beside it), so that cars are large in the network's input. One region, or two halves with an
 * overlap where the row is long and one region would make berths too small. Without berths: the whole picture. Pure.
 */
export function detectionRegions(picture: { width: number; height: number }, berths: readonly Polygon[], options: RegionOptions): Box[] {
  const whole = { x: 0, y: 0, width: picture.width, height: picture.height };
  if (berths.length === 0) return [whole];
  const boxes = berths.map(boundingBox);
  const size = boxes.reduce((sum, b) => sum + Math.hypot(b.width, b.height), 0) / boxes.length;
  const grown = grow(boundingBox(berths.flat()), size * options.margin, size * options.marginAbove);
  const one = fit(grown, picture, options);
  const aspect = options.inputWidth / options.inputHeight;
  const scaleOne = Math.min(options.inputWidth / one.width, options.inputHeight / one.height);
  if (size * scaleOne >= options.minBerthPixels || berths.length < 2) return [one];

  const wide = grown.width / grown.height >= aspect;
  const middle = (b: Box): number => (wide ? b.x + b.width / 2 : b.y + b.height / 2);
  const sorted = [...boxes].sort((a, b) => middle(a) - middle(b));
  const half = Math.ceil(sorted.length / 2);
  const two = [sorted.slice(0, half), sorted.slice(sorted.length - half)].map((group) =>
    fit(grow(hull(group), size * options.margin, size * options.marginAbove), picture, options),
  );
  const scaleTwo = Math.min(...two.map((b) => Math.min(options.inputWidth / b.width, options.inputHeight / b.height)));
  // Two runs of the network must buy clearly larger cars.
  return scaleTwo >= scaleOne * 1.25 ? two : [one];
}

function hull(boxes: readonly Box[]): Box {
  const x = Math.min(...boxes.map((b) => b.x));
  const y = Math.min(...boxes.map((b) => b.y));
  return { x, y, width: Math.max(...boxes.map((b) => b.x + b.width)) - x, height: Math.max(...boxes.map((b) => b.y + b.height)) - y };
}

function grow(box: Box, margin: number, above: number): Box {
  return { x: box.x - margin, y: box.y - above, width: box.width + 2 * margin, height: box.height + margin + above };
}

/** Widens to the network's aspect (context instead of padding) and at least three quarters of its input, inside the picture. */
function fit(box: Box, picture: { width: number; height: number }, options: RegionOptions): Box {
  const aspect = options.inputWidth / options.inputHeight;
  let width = Math.min(picture.width, Math.max(box.width, options.inputWidth * 0.75));
  let height = Math.min(picture.height, Math.max(box.height, options.inputHeight * 0.75));
  if (width / height < aspect) width = Math.min(picture.width, height * aspect);
  else height = Math.min(picture.height, width / aspect);
  const slide = (middle: number, length: number, limit: number): number => Math.min(Math.max(0, middle - length / 2), limit - length);
  return { x: slide(box.x + box.width / 2, width, picture.width), y: slide(box.y + box.height / 2, height, picture.height), width, height };
}
