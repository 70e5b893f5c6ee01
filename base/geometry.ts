/** Plane geometry shared by vision (pictures) and parking (ground). Coordinates are unit-free; callers say px or metres. */

export type Point = readonly [x: number, y: number];
export type Polygon = readonly Point[];
export type Quad = readonly [Point, Point, Point, Point];
/** Top-left corner, width and height. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
/** Row-major 3×3 matrix. */
export type Homography = readonly [number, number, number, number, number, number, number, number, number];

/** Signed area, positive where the corners run clockwise in a picture (y down). */
function signedArea(polygon: Polygon): number {
  let sum = 0;
  for (let i = 0; i < polygon.length; i++) {
    const a = polygon[i] as Point;
    const b = polygon[(i + 1) % polygon.length] as Point;
    sum += a[0] * b[1] - b[0] * a[1];
  }
  return sum / 2;
}

export function area(polygon: Polygon): number {
  return Math.abs(signedArea(polygon));
}

export function centroid(polygon: Polygon): Point {
  let x = 0;
  let y = 0;
  for (const p of polygon) {
    x += p[0];
    y += p[1];
  }
  return [x / polygon.length, y / polygon.length];
}

export function boundingBox(polygon: Polygon): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of polygon) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

export function boxPolygon(box: Box): Quad {
  const right = box.x + box.width;
  const bottom = box.y + box.height;
  return [
    [box.x, box.y],
    [right, box.y],
    [right, bottom],
    [box.x, bottom],
  ];
}

/** How much of a box lies inside another, 0 to 1. */
export function insideShare(inner: Box, outer: Box): number {
  const width = Math.min(inner.x + inner.width, outer.x + outer.width) - Math.max(inner.x, outer.x);
  const height = Math.min(inner.y + inner.height, outer.y + outer.height) - Math.max(inner.y, outer.y);
  return width > 0 && height > 0 ? (width * height) / (inner.width * inner.height) : 0;
}

export function boxIou(a: Box, b: Box): number {
  const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  const overlap = w * h;
  return overlap / (a.width * a.height + b.width * b.height - overlap);
}

/** Even-odd rule; points on an edge may fall either way. */
export function contains(polygon: Polygon, point: Point): boolean {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const a = polygon[i] as Point;
    const b = polygon[j] as Point;
    if (a[1] > point[1] !== b[1] > point[1] && point[0] < ((b[0] - a[0]) * (point[1] - a[1])) / (b[1] - a[1]) + a[0]) {
      inside = !inside;
    }
  }
  return inside;
}

/** The part of `subject` inside the convex polygon `clip` (Sutherland–Hodgman); empty where they do not meet. */
export function clipConvex(subject: Polygon, clip: Polygon): Point[] {
  const orientation = Math.sign(signedArea(clip));
  let output: Point[] = [...subject];
  for (let i = 0; i < clip.length && output.length > 0; i++) {
    const a = clip[i] as Point;
    const b = clip[(i + 1) % clip.length] as Point;
    const side = (p: Point): number => orientation * ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]));
    const input = output;
    output = [];
    for (let j = 0; j < input.length; j++) {
      const p = input[j] as Point;
      const q = input[(j + 1) % input.length] as Point;
      const sp = side(p);
      const sq = side(q);
      if (sp >= 0) output.push(p);
      if (sp >= 0 !== sq >= 0) {
        const t = sp / (sp - sq);
        output.push([p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]);
      }
    }
  }
  return output;
}

/** Area shared by two convex polygons. */
export function overlapArea(a: Polygon, b: Polygon): number {
  const shared = clipConvex(a, b);
  return shared.length < 3 ? 0 : area(shared);
}

export function applyHomography(h: Homography, p: Point): Point {
  const w = h[6] * p[0] + h[7] * p[1] + h[8];
  return [(h[0] * p[0] + h[1] * p[1] + h[2]) / w, (h[3] * p[0] + h[4] * p[1] + h[5]) / w];
}

export function invertHomography(h: Homography): Homography {
  const [a, b, c, d, e, f, g, i, j] = h;
  const A = e * j - f * i;
  const B = c * i - b * j;
  const C = b * f - c * e;
  const det = a * A + d * B + g * C;
  return [A / det, B / det, C / det, (f * g - d * j) / det, (a * j - c * g) / det, (c * d - a * f) / det, (d * i - e * g) / det, (b * g - a * i) / det, (a * e - b * d) / det];
}

/**
 * The homography that maps four points of `from` on those of `to` (no three on a line).
 * Null where the points are degenerate.
 */
export function homographyFrom(from: Quad, to: Quad): Homography | null {
  const m: number[][] = [];
  for (let i = 0; i < 4; i++) {
    const [x, y] = from[i] as Point;
    const [u, v] = to[i] as Point;
    m.push([x, y, 1, 0, 0, 0, -u * x, -u * y, u], [0, 0, 0, x, y, 1, -v * x, -v * y, v]);
  }
  for (let col = 0; col < 8; col++) {
    let pivot = col;
    for (let row = col + 1; row < 8; row++) {
      if (Math.abs((m[row] as number[])[col] as number) > Math.abs((m[pivot] as number[])[col] as number)) pivot = row;
    }
    [m[col], m[pivot]] = [m[pivot] as number[], m[col] as number[]];
    const base = m[col] as number[];
    const lead = base[col] as number;
    if (Math.abs(lead) < 1e-12) return null;
    for (let row = 0; row < 8; row++) {
      if (row === col) continue;
      const target = m[row] as number[];
      const factor = (target[col] as number) / lead;
      for (let k = col; k < 9; k++) target[k] = (target[k] as number) - factor * (base[k] as number);
    }
  }
  const h = m.map((row, i) => (row[8] as number) / (row[i] as number));
  return [...h, 1] as unknown as Homography;
}
