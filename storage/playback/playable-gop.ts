import { beijingMidnight } from '../../base/beijing-time.js';
import type { LoggedGop } from '../footage/logged-gop.js';

/** What the catalogue knows of a GOP without reading it: enough to lay out playlists and files. */
export type PlayableGop = Pick<LoggedGop, 'position' | 'startedAt' | 'endedAt' | 'units' | 'bytes' | 'codec' | 'width' | 'height'>;

/** Footage further apart is a gap (the footage log's own measure); up to it the last picture stays. */
export const GAP_MS = 5_000;

/** 90 kHz ticks in a millisecond. */
export const TICKS_PER_MS = 90;

/** Shown where a GOP of one picture tells no rate. */
const ASSUMED_FRAME_MS = 40;

/** How long a picture of the GOP is shown on average, ms. */
export function frameMs(gop: PlayableGop): number {
  return gop.units > 1 && gop.endedAt > gop.startedAt ? (gop.endedAt - gop.startedAt) / (gop.units - 1) : ASSUMED_FRAME_MS;
}

/**
 * Whether `next` goes on where `gop` ends: same codec and picture size, no gap, no clock set back, and the same Beijing day, because
 * the media time of playback counts from midnight.
 */
export function follows(gop: PlayableGop, next: PlayableGop): boolean {
  return continues(gop, next) && beijingMidnight(gop.startedAt) === beijingMidnight(next.startedAt);
}

/** The same across midnight. */
export function continues(gop: PlayableGop, next: PlayableGop): boolean {
  const distance = next.startedAt - gop.endedAt;
  return gop.codec === next.codec && gop.width === next.width && gop.height === next.height && distance > 0 && distance <= GAP_MS;
}

/** When the GOP's last picture is over, Unix ms (whole). */
export function endOf(gop: PlayableGop, next: PlayableGop | null): number {
  return next !== null && continues(gop, next) ? next.startedAt : Math.round(gop.endedAt + frameMs(gop));
}
