import type { FootageDay } from './footage-api.js';

/** Footage before and behind the moment asked for that one playlist has: long enough to play on, short enough to load at once. */
const BEFORE_MS = 5 * 60_000;
const BEHIND_MS = 60 * 60_000;

/** What one playlist is asked for. Unix ms. */
export interface FootageWindow {
  from: number;
  to: number;
  /** The pictures must be turned into H.264. */
  converted: boolean;
}

/**
 * The time around a moment that is played from one playlist: it ends where footage begins that the browser must be given in another way.
 *
 * @param plays whether the browser says that it plays a type (`MediaSource.isTypeSupported`)
 */
export function windowAround(day: FootageDay, at: number, plays: (mimeType: string) => boolean): FootageWindow {
  const converted = ({ codec, width, height }: FootageDay['ranges'][number]): boolean => {
    const format = day.formats.find((one) => one.codec === codec && one.width === width && one.height === height) ?? day.formats.find((one) => one.codec === codec);
    return codec === 'h265' && !(format && plays(format.mimeType));
  };
  const index = day.ranges.findIndex((range) => range.to >= at);
  const shown = day.ranges[index];
  const whole = { from: at - BEFORE_MS, to: at + BEHIND_MS, converted: false };
  if (!shown) return whole;
  const way = converted(shown);
  const before = day.ranges.findLast((range, i) => i < index && converted(range) !== way);
  const behind = day.ranges.find((range, i) => i > index && converted(range) !== way);
  return {
    from: before ? Math.max(whole.from, Math.min(before.to + 1, shown.from)) : whole.from,
    to: behind ? Math.min(whole.to, behind.from) : whole.to,
    converted: way,
  };
}
