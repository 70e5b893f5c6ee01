/** x0, y0, x1, y1. */
export type Corners = readonly [number, number, number, number];

/** What one picture shows and what was found on it, the found with their scores. Found boxes on `neither` count neither for nor against. */
export interface Judged {
  truth: readonly Corners[];
  neither: readonly Corners[];
  found: readonly { box: Corners; score: number }[];
}

export function iou(a: Corners, b: Corners): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = ([x0, y0, x1, y1]: Corners): number => (x1 - x0) * (y1 - y0);
  return (width * height) / (area(a) + area(b) - width * height);
}

/** Area under the precision envelope over recall at IoU 0.5, each truth found once, the surest first. */
export function averagePrecision50(pictures: readonly Judged[]): number {
  const marks: { score: number; right: boolean }[] = [];
  for (const { truth, neither, found } of pictures) {
    const free = new Set(truth);
    for (const { box, score } of [...found].sort((a, b) => b.score - a.score)) {
      const best = [...free].reduce<Corners | null>((top, other) => (top === null || iou(box, other) > iou(box, top) ? other : top), null);
      const right = best !== null && iou(box, best) >= 0.5;
      if (right) free.delete(best);
      else if (neither.some((other) => iou(box, other) > 0.5)) continue;
      marks.push({ score, right });
    }
  }
  marks.sort((a, b) => b.score - a.score);
  const total = pictures.reduce((sum, { truth }) => sum + truth.length, 0);
  let right = 0;
  const curve = marks.map((mark, i) => ({ recall: (right += mark.right ? 1 : 0) / total, precision: right / (i + 1) }));
  let area = 0;
  let envelope = 0;
  for (let i = curve.length - 1; i >= 0; i--) {
    const { recall, precision } = curve[i] as { recall: number; precision: number };
    envelope = Math.max(envelope, precision);
    area += (recall - (curve[i - 1]?.recall ?? 0)) * envelope;
  }
  return area;
}
