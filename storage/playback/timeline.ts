import type { Codec } from '../../ingest/access-unit.js';
import type { Gap, SegmentInfo } from '../footage/segment.js';
import { GAP_MS } from './playable-gop.js';

/** Footage without a gap and without a change of codec or picture size. */
export interface FootageRange {
  /** capturedAt of its first and last picture inside what was asked for, Unix ms. */
  from: number;
  to: number;
  codec: Codec;
  /** Pixels. */
  width: number;
  height: number;
  /** Of the whole segments that it lies in. */
  segments: number;
  bytes: number;
}

export interface FootageTimeline {
  from: number;
  to: number;
  ranges: FootageRange[];
  /** Times without footage, by time; `to` is null where no footage has come yet. */
  gaps: Gap[];
  /** Milliseconds of footage between `from` and `to`. */
  coveredMs: number;
  /** Where to ask on from, because there was more than `limit`; null where this is all. */
  next: number | null;
}

/** Said of a hole for which the log has no reason. */
export const NOT_KEPT = 'not kept: nothing was recorded, or it was deleted';
const LOST = 'lost: the file of a segment is gone';

/**
 * What there is of a camera between two times, for people: segments merged into ranges, and each hole with its reason. Pure.
 *
 * @param segments that reach into the time, by number, as the log gives them
 * @param gaps of the log that reach into it
 * @param now nothing later can be a hole, Unix ms
 */
export function layTimeline(segments: readonly SegmentInfo[], gaps: readonly Gap[], query: { from: number; to: number; now: number; limit: number }): FootageTimeline {
  const { from, to, now, limit } = query;
  const ranges = mergeSegments(segments.filter((segment) => segment.state !== 'lost'), from, to);
  const lost = segments.filter((segment) => segment.state === 'lost').map((segment): Gap => ({ from: segment.startedAt, to: segment.endedAt, reason: LOST }));
  const covered = union(ranges);
  const known = [...gaps, ...lost];
  const holes = holesBetween(covered, from, Math.min(to, now)).map((hole): Gap => ({ ...hole, ...explain(hole, known) }));
  const coveredMs = covered.reduce((sum, range) => sum + range.to - range.from, 0);
  if (ranges.length <= limit) return { from, to, ranges, gaps: holes, coveredMs, next: null };
  const next = (ranges[limit] as FootageRange).from;
  return { from, to, ranges: ranges.slice(0, limit), gaps: holes.filter((gap) => gap.from < next), coveredMs, next };
}

function mergeSegments(segments: readonly SegmentInfo[], from: number, to: number): FootageRange[] {
  const ranges: FootageRange[] = [];
  for (const { codec, width, height, bytes, ...segment } of segments) {
    const last = ranges.at(-1);
    const distance = last ? segment.startedAt - last.to : Infinity;
    if (last && distance >= 0 && distance <= GAP_MS && last.codec === codec && last.width === width && last.height === height) {
      last.to = segment.endedAt;
      last.segments++;
      last.bytes += bytes;
    } else ranges.push({ from: segment.startedAt, to: segment.endedAt, codec, width, height, segments: 1, bytes });
  }
  for (const range of ranges) {
    range.from = Math.max(range.from, from);
    range.to = Math.min(range.to, to);
  }
  return ranges.filter((range) => range.from <= range.to);
}

/** After a clock was set back the same time may be covered twice. */
function union(ranges: readonly FootageRange[]): { from: number; to: number }[] {
  const out: { from: number; to: number }[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    // What follows within a gap's measure is one piece of footage: the last picture stays.
    if (last && from - last.to <= GAP_MS) last.to = Math.max(last.to, to);
    else out.push({ from, to });
  }
  return out;
}

function holesBetween(covered: readonly { from: number; to: number }[], from: number, to: number): { from: number; to: number }[] {
  const holes: { from: number; to: number }[] = [];
  let at = from;
  for (const range of [...covered, { from: to, to }]) {
    if (range.from - at > GAP_MS) holes.push({ from: at, to: range.from });
    at = Math.max(at, range.to);
  }
  return holes;
}

function explain(hole: { from: number; to: number }, known: readonly Gap[]): { reason: string; to: number | null } {
  const here = known.filter((gap) => gap.from < hole.to && (gap.to ?? Infinity) > hole.from);
  const reasons = [...new Set(here.map((gap) => gap.reason))];
  return { reason: reasons.length > 0 ? reasons.join('; ') : NOT_KEPT, to: here.some((gap) => gap.to === null) ? null : hole.to };
}
