import type { Clock } from '../../base/clock.js';
import type { Database } from '../catalogue/database.js';
import type { IndexedGop } from './gop-index.js';
import { LoggedGop } from './logged-gop.js';
import { segmentInfo, type Gap, type IndexedSegment, type LogPosition, type Overlap, type SegmentInfo } from './segment.js';
import type { SegmentBytes } from './segment-bytes.js';
import { gapsBetween, newestEnd, nextSegments, overlapsBetween, previousSegments, segmentInfosBetween, segmentsAt, segmentsBetween } from './segment-table.js';

/**
 * Finds GOPs in the segments that are in memory (open, just sealed) and in the catalogue (all others). Memory is looked at
 * first: a segment leaves it only after it has come into the catalogue, so none can slip through between the two looks.
 */
export class FootageReader {
  readonly #database: Database;
  readonly #bytes: SegmentBytes;
  readonly #clock: Clock;
  readonly #gapMs: number;
  readonly #segmentsInMemory: (cameraId: string) => IndexedSegment[];

  constructor(options: { database: Database; bytes: SegmentBytes; clock: Clock; gapMs: number; segmentsInMemory: (cameraId: string) => IndexedSegment[] }) {
    this.#database = options.database;
    this.#bytes = options.bytes;
    this.#clock = options.clock;
    this.#gapMs = options.gapMs;
    this.#segmentsInMemory = options.segmentsInMemory;
  }

  /** GOPs behind a position, in order, as many as one look gives; empty where there is none (yet). */
  async next(cameraId: string, after: LogPosition): Promise<LoggedGop[]> {
    const memory = this.#snapshot(cameraId);
    const first = memory[0]?.segment ?? Infinity;
    // Numbers begin with 1: below that there is nothing to ask for.
    if (after.segment < first && first > 1) {
      const gops = (await nextSegments(this.#database, cameraId, after.segment, first)).flatMap((segment) => this.#behind(segment, after));
      if (gops.length > 0) return gops;
    }
    return memory.flatMap((segment) => this.#behind(segment, after));
  }

  async before(cameraId: string, position: LogPosition): Promise<LoggedGop | null> {
    const memory = this.#snapshot(cameraId);
    const last = (segments: readonly IndexedSegment[]): LoggedGop | null => {
      for (const segment of segments) {
        const entry = segment.gops.findLast((gop) => segment.segment < position.segment || gop.gop < position.gop);
        if (entry) return this.#gop(segment, entry);
      }
      return null;
    };
    const near = last(memory.filter((segment) => segment.segment <= position.segment).reverse());
    return near ?? last(await previousSegments(this.#database, cameraId, Math.min(position.segment, (memory[0]?.segment ?? Infinity) - 1)));
  }

  async at(cameraId: string, at: number): Promise<LoggedGop | null> {
    const memory = this.#snapshot(cameraId);
    const stored = await segmentsAt(this.#database, cameraId, at, this.#gapMs);
    let best: { segment: IndexedSegment; entry: IndexedGop } | null = null;
    for (const segment of [...stored, ...memory]) {
      const entry = segment.gops.findLast((gop) => gop.startedAt <= at && at - gop.endedAt <= this.#gapMs);
      if (entry && (best === null || entry.startedAt >= best.entry.startedAt)) best = { segment, entry };
    }
    // The last picture stays until the next one comes, or the stream is said to have a gap.
    return best && this.#gop(best.segment, best.entry);
  }

  async between(cameraId: string, from: number, to: number): Promise<LoggedGop[]> {
    const memory = this.#snapshot(cameraId);
    const first = memory[0]?.segment ?? Infinity;
    const stored = (await segmentsBetween(this.#database, cameraId, from, to)).filter((segment) => segment.segment < first);
    return [...stored, ...memory].flatMap((segment) => segment.gops.filter((gop) => gop.startedAt <= to && gop.endedAt >= from).map((gop) => this.#gop(segment, gop)));
  }

  async gaps(cameraId: string, from: number, to: number): Promise<Gap[]> {
    const memory = this.#snapshot(cameraId);
    const gaps = await gapsBetween(this.#database, cameraId, from, to);
    const known = new Set(gaps.map((gap) => gap.from));
    for (const { gapBefore } of memory) if (gapBefore && !known.has(gapBefore.from) && gapBefore.from <= to && (gapBefore.to ?? to) >= from) gaps.push(gapBefore);
    const last = memory.at(-1)?.gops.at(-1)?.endedAt ?? (await newestEnd(this.#database, cameraId));
    const end = Math.min(to, this.#clock.now());
    // After a clock was set back, footage from before that may reach further than the newest.
    const twice = last === null ? [] : await overlapsBetween(this.#database, cameraId, last, end);
    const newest = last === null ? null : twice.reduce((latest, overlap) => (overlap.to <= end ? Math.max(latest, overlap.to) : latest), last);
    if (newest !== null && end - newest > this.#gapMs) gaps.push({ from: newest, to: null, reason: 'no footage since' });
    return gaps.sort((a, b) => a.from - b.from);
  }

  /** Times held twice, as far as the segments are sealed. */
  async overlaps(cameraId: string, from: number, to: number): Promise<Overlap[]> {
    return overlapsBetween(this.#database, cameraId, from, to);
  }

  async segments(cameraId: string, from: number, to: number, open: number | null): Promise<SegmentInfo[]> {
    const memory = this.#snapshot(cameraId);
    const stored = await segmentInfosBetween(this.#database, cameraId, from, to);
    const known = new Set(stored.map((segment) => segment.segment));
    for (const segment of memory) {
      const last = segment.gops.at(-1) as IndexedGop;
      const reaches = (segment.gops[0] as IndexedGop).startedAt <= to && last.endedAt >= from;
      if (!reaches || known.has(segment.segment)) continue;
      stored.push(segmentInfo(segment, segment.segment === open ? 'open' : 'sealed', { bytes: last.offset + last.length, sha256: null, recovered: false }));
    }
    return stored.sort((a, b) => a.segment - b.segment);
  }

  /** What is in memory now; GOPs that come later do not show in it. */
  #snapshot(cameraId: string): IndexedSegment[] {
    return this.#segmentsInMemory(cameraId).map(({ cameraId: id, segment, codec, width, height, gops, gapBefore }) => ({ cameraId: id, segment, codec, width, height, gops: gops.slice(), gapBefore }));
  }

  #behind(segment: IndexedSegment, after: LogPosition): LoggedGop[] {
    if (segment.segment < after.segment) return [];
    const gops = segment.segment === after.segment ? segment.gops.slice(Math.max(0, after.gop + 1)) : segment.gops;
    return gops.map((entry) => this.#gop(segment, entry));
  }

  #gop(segment: IndexedSegment, entry: IndexedGop): LoggedGop {
    return new LoggedGop(segment, entry, this.#bytes);
  }
}
