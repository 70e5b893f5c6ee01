import type { Codec } from '../../ingest/access-unit.js';
import type { IndexedGop } from './gop-index.js';

/** Place of a GOP in a camera's log: both numbers rise, whatever the clock does. Segments count from 1, GOPs from 0. */
export interface LogPosition {
  segment: number;
  gop: number;
}

/** Negative where `a` comes before `b`. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.gop - b.gop;
}

/** A segment with all that is needed to read its GOPs; of an open one, those that are durable. */
export interface IndexedSegment {
  cameraId: string;
  segment: number;
  codec: Codec;
  /** Pixels. */
  width: number;
  height: number;
  gops: readonly IndexedGop[];
  /** Time without footage before it; null where it follows without a gap, or the catalogue has it as a row. */
  gapBefore: Gap | null;
}

/** A complete segment on its way to the catalogue. */
export interface SealedSegment extends IndexedSegment {
  bytes: number;
  sha256: Buffer;
  recovered: boolean;
  /** Set where it begins before the footage ahead of it ends: the host's clock was set back. */
  overlapBefore: Overlap | null;
}

/** A segment as people and services see it. */
export interface SegmentInfo {
  cameraId: string;
  segment: number;
  /** open: being written · sealed: complete · lost: its file is gone */
  state: 'open' | 'sealed' | 'lost';
  /** capturedAt of the first and of the last unit, Unix ms. */
  startedAt: number;
  endedAt: number;
  codec: Codec;
  width: number;
  height: number;
  gops: number;
  units: number;
  bytes: number;
  /** Of the file, hexadecimal; null while it is open. */
  sha256: string | null;
  /** True where a crash kept its writer from sealing it. */
  recovered: boolean;
}

/** Time without footage. */
export interface Gap {
  /** capturedAt of the last unit before it, Unix ms. */
  from: number;
  /** capturedAt of the first unit after it; null where no footage has come yet. */
  to: number | null;
  reason: string;
}

/** Time that a log holds twice, because the host's clock was set back. */
export interface Overlap {
  /** The segment that begins before the footage ahead of it ends. */
  segment: number;
  /** capturedAt of its first unit, and of the last unit ahead of it, Unix ms. */
  from: number;
  to: number;
  reason: string;
}

export function segmentInfo(segment: IndexedSegment, state: SegmentInfo['state'], more: { bytes: number; sha256: string | null; recovered: boolean }): SegmentInfo {
  const { cameraId, codec, width, height, gops } = segment;
  return {
    cameraId,
    segment: segment.segment,
    state,
    startedAt: (gops[0] as IndexedGop).startedAt,
    endedAt: (gops.at(-1) as IndexedGop).endedAt,
    codec,
    width,
    height,
    gops: gops.length,
    units: gops.reduce((sum, gop) => sum + gop.units, 0),
    ...more,
  };
}

/** The time that a segment holds for a second time; null where it begins behind the footage ahead of it. */
export function overlapBetween(segment: number, previousEndedAt: number | null, startedAt: number, reason: string): Overlap | null {
  return previousEndedAt !== null && startedAt < previousEndedAt ? { segment, from: startedAt, to: previousEndedAt, reason } : null;
}

/** The gap that a segment leaves to the footage before it; null where it follows closely. */
export function gapBetween(previousEndedAt: number | null, startedAt: number, reason: string, gapMs: number): Gap | null {
  return previousEndedAt !== null && startedAt - previousEndedAt > gapMs ? { from: previousEndedAt, to: startedAt, reason } : null;
}
