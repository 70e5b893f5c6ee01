import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mutations } from '../../base/fuzz-target.js';
import { program } from '../../base/program-root.js';
import type { SegmentInfo } from '../footage/segment.js';
import { SegmentScanner } from '../footage/segment-scanner.js';
import { placeFragment, readFragmentTracks } from './fragment-tracks.js';
import { readInitSegment } from './init-segment.js';
import { cutIntoPieces } from './pieces.js';
import { endOf, follows, type PlayableGop } from './playable-gop.js';
import { fits, target } from './playback.fuzz.js';
import { writePlaylist } from './playlist.js';
import { layTimeline, NOT_KEPT } from './timeline.js';

const NOON = Date.parse('2026-01-05T12:00:00+08:00');

/** GOPs of two seconds at 25 pictures a second. */
function gops(count: number, more: (i: number) => Partial<PlayableGop> = () => ({})): PlayableGop[] {
  return Array.from({ length: count }, (_, i) => {
    const startedAt = more(i).startedAt ?? NOON + i * 2_000;
    return { position: { segment: 1 + Math.floor(i / 10), gop: i % 10 }, units: 50, bytes: 1_000, codec: 'h264' as const, width: 640, height: 360, ...more(i), startedAt, endedAt: startedAt + 1_960 };
  });
}

const write = (pieces: ReturnType<typeof cutIntoPieces>, ended = true): string[] =>
  writePlaylist(pieces, { ended, pieceUri: ({ gops: all }) => `p${all[0]?.position.segment}-${all[0]?.position.gop}`, initUri: ({ gops: all }) => `i${all[0]?.position.segment}` }).split('\n');

describe('pieces and playlists', () => {
  it('cut whole GOPs into pieces of a segment each, whose times add up', () => {
    const pieces = cutIntoPieces(gops(23), { next: null });
    expect(pieces.flatMap((piece) => piece.gops)).toEqual(gops(23));
    expect(pieces.every((piece) => new Set(piece.gops.map((gop) => gop.position.segment)).size === 1)).toBe(true);
    for (const [i, piece] of pieces.entries()) if (i > 0) expect([piece.startedAt, piece.discontinuity]).toEqual([pieces[i - 1]?.endsAt, false]);
    expect(pieces.at(-1)?.endsAt).toBe(NOON + 46_000);
    const lines = write(pieces);
    expect(lines.filter((line) => /MAP|DISCONTINUITY$|PROGRAM/.test(line))).toEqual(['#EXT-X-MAP:URI="i1"', '#EXT-X-PROGRAM-DATE-TIME:2026-01-05T12:00:00.000+08:00']);
    expect(lines.filter((line) => line.startsWith('#EXTINF')).reduce((sum, line) => sum + Number(line.slice(8, -1)), 0)).toBeCloseTo(46, 9);
  });

  it('break at gaps, at another codec or look, at a clock set back, and at midnight', () => {
    const breaks = (more: (i: number) => Partial<PlayableGop>, lookOf?: (gop: PlayableGop) => string): number => cutIntoPieces(gops(6, more), { next: null, ...(lookOf ? { lookOf } : {}) }).filter((piece) => piece.discontinuity).length;
    expect(breaks(() => ({}))).toBe(0);
    expect(breaks((i) => (i >= 3 ? { startedAt: NOON + i * 2_000 + 5_100 } : {}))).toBe(1);
    expect(breaks((i) => (i >= 3 ? { startedAt: NOON + i * 2_000 + 4_900 } : {}))).toBe(0);
    expect(breaks((i) => (i >= 3 ? { codec: 'h265' } : {}))).toBe(1);
    expect(breaks((i) => (i >= 3 ? { startedAt: NOON + i * 2_000 - 3_600_000 } : {}))).toBe(1);
    expect(breaks((i) => ({ startedAt: NOON + 12 * 3_600_000 - 6_000 + i * 2_000 }))).toBe(1);
    expect(breaks(() => ({}), (gop) => (gop.position.gop < 3 ? 'a' : 'b'))).toBe(1);
    const changed = write(cutIntoPieces(gops(6, (i) => (i >= 3 ? { codec: 'h265' } : {})), { next: null }));
    expect(changed.filter((line) => line.startsWith('#EXT-X-MAP'))).toHaveLength(2);
  });

  it('never take back what they said while footage grows', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 7_000 }), { minLength: 2, maxLength: 40 }), fc.integer({ min: 1, max: 40 }), (pauses, known) => {
        let at = NOON;
        const all = gops(pauses.length, (i) => ({ startedAt: (at += (pauses[i] as number) + 2_000) }));
        const some = all.slice(0, known);
        const growingAt = some.at(-1)?.endedAt ?? 0;
        const before = write(cutIntoPieces(some, { next: null, growingAt }), false);
        const after = write(cutIntoPieces(all, { next: null, growingAt: all.at(-1)?.endedAt ?? 0 }), false);
        expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
      }),
    );
  });

  it('let the last picture of a GOP stay until the next one, and else as long as the others', () => {
    const [first, second] = gops(2, (i) => ({ startedAt: NOON + i * 3_000 })) as [PlayableGop, PlayableGop];
    expect([endOf(first, second), endOf(first, null), follows(first, second)]).toEqual([NOON + 3_000, NOON + 2_000, true]);
  });
});

describe('timelines', () => {
  const segment = (number: number, from: number, to: number, more: Partial<SegmentInfo> = {}): SegmentInfo => ({ cameraId: 'c', segment: number, state: 'sealed', startedAt: from, endedAt: to, codec: 'h264', width: 1, height: 1, gops: 1, units: 1, bytes: 10, sha256: null, recovered: false, ...more }) as SegmentInfo;
  const query = { from: NOON, to: NOON + 100_000, now: NOON + 90_000, limit: 100 };

  it('merge segments, clip them, and explain each hole', () => {
    const segments = [segment(1, NOON - 20_000, NOON + 10_000), segment(2, NOON + 10_040, NOON + 20_000), segment(3, NOON + 40_000, NOON + 50_000, { codec: 'h265' }), segment(4, NOON + 55_000, NOON + 60_000, { state: 'lost' })];
    const timeline = layTimeline(segments, [{ from: NOON + 20_000, to: NOON + 40_000, reason: 'stream ended' }, { from: NOON + 60_000, to: null, reason: 'no footage since' }], query);
    expect(timeline.ranges).toEqual([
      { from: NOON, to: NOON + 20_000, codec: 'h264', width: 1, height: 1, segments: 2, bytes: 20 },
      { from: NOON + 40_000, to: NOON + 50_000, codec: 'h265', width: 1, height: 1, segments: 1, bytes: 10 },
    ]);
    expect(timeline.gaps).toEqual([
      { from: NOON + 20_000, to: NOON + 40_000, reason: 'stream ended' },
      { from: NOON + 50_000, to: null, reason: 'no footage since; lost: the file of a segment is gone' },
    ]);
    expect(timeline.coveredMs).toBe(30_000);
  });

  it('count time recorded twice once, and tell what nobody knows the reason of', () => {
    const timeline = layTimeline([segment(1, NOON + 20_000, NOON + 40_000), segment(2, NOON + 30_000, NOON + 50_000)], [], query);
    expect([timeline.coveredMs, timeline.ranges.length]).toEqual([30_000, 2]);
    expect(timeline.gaps.map((gap) => gap.reason)).toEqual([NOT_KEPT, NOT_KEPT]);
  });

  it('give no more ranges than asked for, and where to ask on', () => {
    const segments = Array.from({ length: 6 }, (_, i) => segment(i + 1, NOON + i * 15_000, NOON + i * 15_000 + 5_000));
    const first = layTimeline(segments, [], { ...query, limit: 4 });
    expect([first.ranges.length, first.next]).toEqual([4, NOON + 60_000]);
    const rest = layTimeline(segments.slice(4), [], { ...query, from: first.next as number, limit: 4 });
    expect([...first.ranges, ...rest.ranges]).toEqual(layTimeline(segments, [], query).ranges);
  });
});

describe('fragments in media time', () => {
  const folder = join(program.root, target.corpusDir);
  const corpus = readdirSync(folder).map((file) => new Uint8Array(readFileSync(join(folder, file))));

  it('begin and end where they are put, sound moved along, pictures untouched', () => {
    const file = readFileSync(join(folder, 'sound-aac.mp4'));
    const scanner = new SegmentScanner();
    scanner.push(file);
    const [gop] = scanner.end().gops;
    if (!gop) throw new Error('the sample has no GOP');
    const init = readInitSegment(file.subarray(0, gop.offset));
    expect(init.tracks.map((track) => [track.kind, track.entry, track.codecs?.slice(0, 5)])).toEqual([['video', 'avc3', 'avc1.'], ['audio', 'mp4a', 'mp4a.']]);
    expect(init.bytes.includes('avc1')).toBe(true);
    const original = file.subarray(gop.offset, gop.offset + gop.length);
    const bytes = Buffer.from(original);
    const [video, sound] = readFragmentTracks(original);
    const scale = init.tracks[1]?.timescale as number;
    placeFragment(bytes, { sequence: 5, decodeTime: 900_000, endTime: 900_000 + 270_000 }, () => scale);
    const [placed, moved] = readFragmentTracks(bytes);
    expect(placed?.decodeTime).toBe(900_000);
    expect(placed?.samples.reduce((sum, sample) => sum + sample.duration, 0)).toBe(270_000);
    expect((moved?.decodeTime as number) / scale).toBeCloseTo(10 + (sound?.decodeTime as number) / scale - (video?.decodeTime as number) / 90_000, 3);
    for (const [i, sample] of (video?.samples ?? []).entries()) expect([placed?.samples[i]?.from, placed?.samples[i]?.to]).toEqual([sample.from, sample.to]);
    const media = original.indexOf('mdat');
    expect(bytes.subarray(media).equals(original.subarray(media))).toBe(true);
  });

  it('have durations that always fill the time', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 1_000_000 }), (durations, total) => fits(durations, total)));
  });

  it('survive damage: the corpus, and mutations of it', () => {
    for (const input of corpus) target.run(input);
    const inputs = mutations(corpus, 11);
    for (let i = 0; i < 3_000; i++) {
      const { value } = inputs.next();
      try {
        target.run(value);
      } catch (error) {
        throw new Error(`case ${i}: ${Buffer.from(value).toString('base64').slice(0, 4_000)}`, { cause: error });
      }
    }
  });
});
