/** How much of a vehicle a picture shows, 0 to 1, by picture number; 0 where it is not in the picture. */
export type Visibility = (frame: number) => number;

/** A vehicle of which less is seen cannot be placed: neither that it stopped nor that it moves. Parked neighbours hide less. */
const PLACEABLE = 0.5;
/** So long a vehicle must be seen again before it counts as seen: a gap between two passing lorries is none. */
const SEEN_SECONDS = 0.4;
/** A change this short before the vehicle is hidden could not be confirmed. */
const BEFORE_SECONDS = 1;

/**
 * The first picture on which an enter or leave at `frame` can be seen: `frame` itself, unless the vehicle is hidden by others then or
 * right afterwards; then the one from which it is seen again.
 */
export function seenFrom(frame: number, fps: number, frames: number, visible: Visibility): number {
  const hidden = (f: number): boolean => visible(f) < PLACEABLE;
  let at = frame;
  while (at <= frame + BEFORE_SECONDS * fps && at < frames && !hidden(at)) at++;
  if (at > frame + BEFORE_SECONDS * fps || at >= frames) return frame;
  for (let seen = 0; at < frames; at++) {
    seen = hidden(at) ? 0 : seen + 1;
    if (seen >= SEEN_SECONDS * fps) return at - seen + 1;
  }
  return frame;
}

/** x, y, width, height in the picture. */
type Box = readonly [number, number, number, number];

/** How much of the place of a parked vehicle is open to view, 0 to 1, where `others` are in the picture: who reaches lower stands nearer. */
export function openShare(parked: Box, others: readonly Box[]): number {
  const [x, y, w, h] = parked;
  const covers = ([ox, oy, ow, oh]: Box): number => {
    if (oy + oh <= y + h) return 0;
    return (Math.max(0, Math.min(x + w, ox + ow) - Math.max(x, ox)) * Math.max(0, Math.min(y + h, oy + oh) - Math.max(y, oy))) / (w * h);
  };
  return 1 - Math.max(0, ...others.map(covers));
}
