import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { writeFragment } from './fragment.js';
import type { TrackFormat } from './sample-entry.js';
import { SegmentScanner, type SegmentScan } from './segment-scanner.js';
import { writeSegmentHeader, type SegmentHeader } from './segment-header.js';
import { syntheticUnits } from './testing.js';

const header: SegmentHeader = { version: 1, log: '8f4ee4fa-6b06-4b1c-8f4c-6a2f4ff3b7b1', camera: '测试 1', segment: 7, codec: 'h264', width: 64, height: 48, reason: 'interval', previousEndedAt: null };
const track: TrackFormat = { codec: 'h264', width: 64, height: 48, parameterSets: [Buffer.from('67f4000a9196847b0110000003001000000300a0f1226a', 'hex'), Buffer.from('68ef0f192190', 'hex')] };

function segment(): { bytes: Buffer; ends: number[] } {
  const units = [...syntheticUnits({ gops: 3, unitsPerGop: 3, keyframeBytes: 120 })];
  const parts = [writeSegmentHeader(header, track, (units[0] as AccessUnit).capturedAt)];
  for (let gop = 0; gop < 3; gop++) parts.push(writeFragment({ gop, units: units.slice(gop * 3, gop * 3 + 3), basePts: 900_000, nextPts: null }).bytes);
  const ends: number[] = [];
  parts.reduce((sum, part) => (ends.push(sum + part.length), sum + part.length), 0);
  return { bytes: Buffer.concat(parts), ends };
}

function scan(bytes: Buffer, chunk = bytes.length): SegmentScan {
  const scanner = new SegmentScanner();
  for (let at = 0; at < bytes.length; at += chunk) scanner.push(bytes.subarray(at, at + chunk));
  return scanner.end();
}

describe('SegmentScanner', () => {
  const { bytes, ends } = segment();

  it('finds header and GOPs, whatever the chunks', () => {
    const whole = scan(bytes);
    expect(whole).toMatchObject({ header, wholeBytes: bytes.length, totalBytes: bytes.length, damage: null });
    expect(whole.gops.map((gop) => [gop.gop, gop.offset, gop.units, gop.endedAt - gop.startedAt])).toEqual([
      [0, ends[0], 3, 400],
      [1, ends[1], 3, 400],
      [2, ends[2], 3, 400],
    ]);
    for (const chunk of [1, 2, 7, 64, 1000]) expect(scan(bytes, chunk)).toEqual(whole);
  });

  it('finds the last whole GOP of a file that ends at any byte', () => {
    for (let length = 0; length <= bytes.length; length++) {
      const result = scan(bytes.subarray(0, length));
      const gops = ends.slice(1).filter((end) => end <= length).length;
      expect(result.gops).toHaveLength(gops);
      if (length >= (ends[0] as number)) expect(result.wholeBytes).toBe(ends[gops]);
      expect(result.damage === null).toBe(ends.includes(length));
    }
  });

  it('finds the last whole GOP where the end is zeros, as after a power cut', () => {
    for (let length = ends[2] as number; length < bytes.length; length += 3) {
      const zeroed = Buffer.from(bytes).fill(0, length);
      // The last bytes of a picture are never all zero, so that a zeroed one fails its checksum.
      expect(scan(zeroed).wholeBytes).toBe(ends[2]);
    }
  });

  it('takes nothing behind a flipped bit', () => {
    for (let at = ends[1] as number; at < (ends[2] as number); at += 5) {
      const broken = Buffer.from(bytes);
      broken[at]! ^= 0x20;
      const { gops, damage } = scan(broken);
      // A few bits of a moof say nothing that we read: then the GOP is as it was.
      if (damage !== null) expect(gops.length).toBe(1);
      else expect(gops).toEqual(scan(bytes).gops);
    }
  });

  it('refuses a file that is none of ours', () => {
    for (const other of [Buffer.alloc(4096), Buffer.from('RIFF....AVI LIST'), Buffer.from([0, 0, 0, 0x18, ...Buffer.from('ftypisom0000isomiso2')])]) {
      expect(scan(other)).toMatchObject({ header: null, gops: [] });
      expect(scan(other).damage).not.toBeNull();
    }
  });
});
