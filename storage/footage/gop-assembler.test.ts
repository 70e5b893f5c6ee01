import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { GopAssembler, type PendingGop } from './gop-assembler.js';
import { syntheticUnits } from './testing.js';

const LIMITS = { maxGopBytes: 1_000_000, maxGopMs: 60_000 };

function feed(assembler: GopAssembler, units: Iterable<AccessUnit>): PendingGop[] {
  const done: PendingGop[] = [];
  for (const unit of units) {
    const gop = assembler.push(unit);
    if (gop) done.push(gop);
  }
  return done;
}

describe('GopAssembler', () => {
  it('completes a GOP at the next keyframe and tells where that begins', () => {
    const assembler = new GopAssembler(LIMITS);
    const gops = feed(assembler, syntheticUnits({ gops: 3, unitsPerGop: 4, intervalMs: 100, pts: 0 }));
    expect(gops.map((gop) => [gop.units.length, gop.nextPts, gop.reason])).toEqual([
      [4, 36_000, null],
      [4, 72_000, null],
    ]);
    expect(gops[0]?.track).toMatchObject({ codec: 'h264', width: 64, height: 48 });
    expect(assembler.cut('over')?.nextPts).toBeNull();
    expect(assembler.isEmpty).toBe(true);
  });

  it('begins with a keyframe, also after a cut, and counts what it leaves out', () => {
    const assembler = new GopAssembler(LIMITS);
    const units = [...syntheticUnits({ gops: 2, unitsPerGop: 5 })];
    expect(feed(assembler, units.slice(2, 5))).toEqual([]);
    expect(assembler.droppedUnits).toBe(3);
    feed(assembler, units.slice(5, 7));
    expect(assembler.cut('stream ended')?.units).toHaveLength(2);
    feed(assembler, units.slice(7));
    expect(assembler.droppedUnits).toBe(6);
    feed(assembler, syntheticUnits({ startedAt: 1_767_225_700_000, pts: 5 }));
    expect(assembler.cut('x')?.reason).toBe('stream ended');
  });

  it.each([
    ['pts falls', { pts: 10, startedAt: 1_767_225_610_000 }],
    ['the clock goes back', { pts: 900_000 + 90_000 * 2, startedAt: 1_767_225_000_000 }],
    ['the clock jumps far', { pts: 900_000 + 90_000 * 2, startedAt: 1_767_229_600_000 }],
  ])('begins a segment where %s', (_, jump) => {
    const assembler = new GopAssembler(LIMITS);
    const done = feed(assembler, [...syntheticUnits({}), ...syntheticUnits(jump)]);
    expect(done).toHaveLength(1);
    expect(done[0]?.nextPts).toBeNull();
    expect(assembler.cut('x')?.reason).toBe('time stamps jumped');
  });

  it('begins a segment where the parameter sets or the codec change', () => {
    const assembler = new GopAssembler(LIMITS);
    const later = (i: number): { startedAt: number; pts: number } => ({ startedAt: 1_767_225_600_000 + i * 1_000, pts: 900_000 + i * 90_000 });
    const done = feed(assembler, [...syntheticUnits(later(0)), ...syntheticUnits({ ...later(1), sets: 1 }), ...syntheticUnits({ ...later(2), codec: 'h265' }), ...syntheticUnits({ ...later(3), codec: 'h265' })]);
    expect(done.map((gop) => gop.reason)).toEqual([null, 'parameters changed', 'parameters changed']);
    expect(done.map((gop) => gop.track.width)).toEqual([64, 128, 64]);
    expect(assembler.cut('x')?.reason).toBeNull();
  });

  it('cuts a GOP that is too long or too large', () => {
    const long = new GopAssembler({ ...LIMITS, maxGopMs: 1_000 });
    const done = feed(long, syntheticUnits({ unitsPerGop: 20, intervalMs: 100 }));
    expect(done.map((gop) => gop.units.length)).toEqual([11]);
    expect(long.droppedUnits).toBe(9);
    const large = new GopAssembler({ ...LIMITS, maxGopBytes: 5_000 });
    const cut = feed(large, syntheticUnits({ unitsPerGop: 200, keyframeBytes: 1_000, intervalMs: 10 }));
    expect(cut).toHaveLength(1);
    expect(cut[0]?.bytes).toBeLessThanOrEqual(5_000);
  });

  it('takes nothing that is no picture', () => {
    const assembler = new GopAssembler(LIMITS);
    const base = [...syntheticUnits()][0] as AccessUnit;
    for (const bad of [{ pts: Number.NaN }, { capturedAt: Infinity }, { data: Buffer.alloc(0) }, { data: Buffer.from('not annex b') }, { codec: 'mjpeg' as 'h264' }, { compositionOffset: 2 ** 40 }, { data: Buffer.from([0, 0, 0, 1, 0x65, 0x88]) }]) {
      assembler.push({ ...base, ...bad });
    }
    expect(assembler.droppedUnits).toBe(7);
    expect(assembler.isEmpty).toBe(true);
  });

  it('a gap inside of a GOP ends it: what follows up to the next keyframe cannot stand in for the time without pictures', () => {
    const units = [...syntheticUnits({ gops: 2, unitsPerGop: 5, intervalMs: 200 })].map((unit, i) => (i < 3 ? unit : { ...unit, pts: unit.pts + 6000 * 90, capturedAt: unit.capturedAt + 6000 }));
    const assembler = new GopAssembler({ maxGopBytes: 1e6, maxGopMs: 60_000, gapMs: 5_000 });
    const done = units.map((unit) => assembler.push(unit)).filter((gop) => gop !== null);
    expect(done.map((gop) => gop.units.length)).toEqual([3]);
    expect(assembler.droppedUnits).toBe(2);
    expect(assembler.cut('end')).toMatchObject({ reason: 'gap', units: { length: 5 } });
  });
});
