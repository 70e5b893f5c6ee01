import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { readFragment, toAccessUnit, writeFragment } from './fragment.js';
import { decodeGopIndex, encodeGopIndex, type IndexedGop } from './gop-index.js';
import { syntheticUnits } from './testing.js';

const nal = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from([...bytes.map((byte) => Math.max(byte, 1)), 0x80]));

const gop = fc
  .record({
    first: fc.record({ pts: fc.integer({ min: 0, max: 2 ** 40 }), capturedAt: fc.integer({ min: 0, max: 4e12 }) }),
    rest: fc.array(fc.record({ ticks: fc.integer({ min: 1, max: 900_000 }), wall: fc.integer({ min: 0, max: 10_000 }), offset: fc.integer({ min: -90_000, max: 90_000 }), nals: fc.array(nal, { minLength: 1, maxLength: 4 }) }), { maxLength: 12 }),
    nals: fc.array(nal, { minLength: 1, maxLength: 4 }),
    shortCodes: fc.boolean(),
  })
  .map(({ first, rest, nals, shortCodes }) => {
    let { pts, capturedAt } = first;
    const annexB = (list: Buffer[]): Buffer => Buffer.concat(list.flatMap((bytes) => [Buffer.from(shortCodes ? [0, 0, 1] : [0, 0, 0, 1]), bytes]));
    const units: AccessUnit[] = [{ cameraId: 'c', codec: 'h264', keyframe: true, pts, capturedAt, data: annexB(nals) }];
    for (const step of rest) {
      pts += step.ticks;
      capturedAt += step.wall;
      units.push({ cameraId: 'c', codec: 'h264', keyframe: false, pts, capturedAt, compositionOffset: step.offset, data: annexB(step.nals) });
    }
    return units;
  });

const canonical = (unit: AccessUnit): AccessUnit => {
  const data = Buffer.from(Buffer.from(unit.data).toString('latin1').replaceAll('\0\0\0\x01', '\0\0\x01').replaceAll('\0\0\x01', '\0\0\0\x01'), 'latin1');
  const { compositionOffset = 0, ...rest } = unit;
  return { ...rest, data, ...(compositionOffset === 0 ? {} : { compositionOffset }) };
};

describe('a fragment', () => {
  it('gives back every unit: NAL units, times and order', () => {
    fc.assert(
      fc.property(gop, fc.integer({ min: 0, max: 1e6 }), (units, number) => {
        const first = units[0] as AccessUnit;
        const { bytes, headBytes } = writeFragment({ gop: number, units, basePts: first.pts, nextPts: null });
        const fragment = readFragment(bytes);
        expect(fragment.gop).toBe(number);
        expect(fragment.length).toBe(bytes.length);
        expect(fragment.units[0]?.to).toBe(headBytes);
        const back = fragment.units.map((unit, i) => toAccessUnit(bytes, unit, { cameraId: 'c', codec: 'h264', keyframe: i === 0 }));
        expect(back.map((unit) => ({ ...unit, data: Buffer.from(unit.data) }))).toEqual(units.map(canonical));
      }),
      { numRuns: 200 },
    );
  });

  it('is the same bytes for the same units', () => {
    const units = [...syntheticUnits({ gops: 1 })];
    const input = { gop: 3, units, basePts: 0, nextPts: null };
    expect(writeFragment(input).bytes.equals(writeFragment(input).bytes)).toBe(true);
  });

  it('shows a flipped bit of any picture, and in its own times', () => {
    const units = [...syntheticUnits({ gops: 1, keyframeBytes: 40 })];
    const { bytes } = writeFragment({ gop: 0, units, basePts: 0, nextPts: null });
    const fragment = readFragment(bytes);
    for (const unit of fragment.units) {
      for (let at = unit.from; at < unit.to; at++) {
        const broken = Buffer.from(bytes);
        broken[at]! ^= 0x10;
        expect(() => toAccessUnit(broken, unit, { cameraId: 'c', codec: 'h264', keyframe: true })).toThrow(/checksum/);
      }
    }
    const times = bytes.indexOf('uuid') + 4;
    for (let at = times; at < times + 60; at++) {
      const broken = Buffer.from(bytes);
      broken[at]! ^= 0x01;
      expect(() => readFragment(broken)).toThrow(/times box/);
    }
  });

  it('lasts until the next one begins, where that is known', () => {
    const units = [...syntheticUnits({ gops: 1, unitsPerGop: 2, intervalMs: 40, pts: 0 })];
    const durations = (nextPts: number | null): number => {
      const { bytes } = writeFragment({ gop: 0, units, basePts: 0, nextPts });
      const trun = bytes.indexOf('trun') + 4;
      return bytes.readUInt32BE(trun + 16 + 8);
    };
    expect(durations(7_350)).toBe(3_750);
    expect(durations(null)).toBe(3_600);
  });
});

describe('the GOP index of a segment', () => {
  it('comes back as it was', () => {
    const step = fc.record({ length: fc.integer({ min: 100, max: 2 ** 31 }), headBytes: fc.integer({ min: 50, max: 1e6 }), start: fc.integer({ min: -100_000, max: 100_000 }), lasts: fc.integer({ min: 0, max: 60_000 }), units: fc.integer({ min: 1, max: 60_000 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), fc.integer({ min: 0, max: 5_000 }), (steps, firstOffset) => {
        let offset = firstOffset;
        let startedAt = 1_767_225_600_000;
        const gops: IndexedGop[] = steps.map(({ length, headBytes, start, lasts, units }, number) => {
          if (number > 0) startedAt += start;
          const entry = { gop: number, offset, length, headBytes, startedAt, endedAt: startedAt + lasts, units };
          offset += length;
          return entry;
        });
        expect(decodeGopIndex(encodeGopIndex(gops), 1_767_225_600_000)).toEqual(gops);
      }),
    );
  });

  it('refuses bytes that are none', () => {
    const good = encodeGopIndex([{ gop: 0, offset: 800, length: 5_000, headBytes: 300, startedAt: 5, endedAt: 6, units: 2 }]);
    for (const bad of [Buffer.alloc(0), Buffer.from([2]), good.subarray(0, -1), Buffer.concat([good, Buffer.from([0])]), Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0x7f])]) {
      expect(() => decodeGopIndex(bad, 0)).toThrow(/GOP index/);
    }
  });
});
