import { crc32 } from 'node:zlib';
import type { FuzzTarget } from '../../base/fuzz-target.js';
import { BerthwatchError } from '../../base/errors.js';
import { decodeGopIndex, encodeGopIndex } from './gop-index.js';
import { readFragment, toAccessUnit, unitIsSound } from './fragment.js';
import { SegmentScanner, type SegmentScan } from './segment-scanner.js';

/** Runs a parser; only errors that are meant for bad input may come out of it. */
function guarded<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof BerthwatchError && (error.code === 'FOOTAGE_DAMAGED' || error.code === 'FOOTAGE_INDEX')) return null;
    throw error;
  }
}

function scan(input: Uint8Array, chunk: number): SegmentScan {
  const scanner = new SegmentScanner();
  for (let at = 0; at < input.length; at += chunk) scanner.push(input.subarray(at, at + chunk));
  return scanner.end();
}

/** Makes the checksum of a damaged times box right again: else no mutation would come further than to it. */
function repairTimes(bytes: Buffer): void {
  const at = bytes.indexOf('uuid');
  if (at < 4) return;
  const end = at - 4 + bytes.readUInt32BE(at - 4);
  if (end > bytes.length || end < at + 8) return;
  bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end - 4)), end - 4);
}

export const target: FuzzTarget = {
  name: 'fmp4',
  corpusDir: 'storage/footage/corpus/fmp4',
  run(input) {
    const whole = scan(input, Math.max(1, input.length));
    if (whole.wholeBytes > input.length || whole.totalBytes !== input.length) throw new Error('more bytes found than given');
    if (JSON.stringify(scan(input, 61)) !== JSON.stringify(whole)) throw new Error('the result depends on the chunks');
    for (const gop of whole.gops) {
      const bytes = Buffer.from(input.subarray(gop.offset, gop.offset + gop.length));
      const fragment = readFragment(bytes);
      for (const [i, unit] of fragment.units.entries()) guarded(() => toAccessUnit(bytes, unit, { cameraId: 'c', codec: 'h264', keyframe: i === 0 }));
    }
    const [first] = whole.gops;
    if (first && JSON.stringify(decodeGopIndex(encodeGopIndex(whole.gops), first.startedAt)) !== JSON.stringify(whole.gops)) throw new Error('the index of what was found does not come back');

    const moof = Buffer.from(input).indexOf('moof');
    const bytes = Buffer.from(input.subarray(moof < 4 ? 0 : moof - 4));
    repairTimes(bytes);
    const fragment = guarded(() => readFragment(bytes));
    for (const unit of fragment?.units ?? []) {
      // A wrong checksum hides what comes behind it as well.
      unit.crc = unit.to <= bytes.length && !unitIsSound(bytes, unit) ? crc32(bytes.subarray(unit.from, unit.to)) : unit.crc;
      guarded(() => toAccessUnit(bytes, unit, { cameraId: 'c', codec: 'h264', keyframe: true }));
    }
    guarded(() => decodeGopIndex(input, 0));
  },
};
