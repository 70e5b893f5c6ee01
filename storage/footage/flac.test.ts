import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/fuzz-target.js';
import { haveTool } from '../../base/test-tools.js';
import { flacBlocks, flacFrame, flacStreamInfo } from './flac.js';
import { decodeG711 } from './g711.js';

const random = seededRandom(7);
const noise = (count: number, loud: number): Int16Array => Int16Array.from({ length: count }, () => Math.round((random() * 2 - 1) * loud));
const codes = (count: number, from: number, range: number): Buffer => Buffer.from(Array.from({ length: count }, () => from + Math.floor(random() * range)));

const SIGNALS: [string, Int16Array][] = [
  ['silence', new Int16Array(5000)],
  ['a constant', new Int16Array(1500).fill(-1234)],
  ['full scale, both signs in turn', Int16Array.from({ length: 3000 }, (_, i) => (i % 2 === 0 ? 32_767 : -32_768))],
  ['loud noise', noise(10_000, 32_000)],
  ['quiet noise', noise(10_000, 9)],
  ['a tone', Int16Array.from({ length: 8000 }, (_, i) => Math.round(12_000 * Math.sin(i * 0.345)))],
  ['one click in silence', Int16Array.from({ length: 4000 }, (_, i) => (i === 1777 ? -30_000 : 0))],
  ['all codes of A-law', decodeG711('g711a', codes(9000, 0, 256))],
  ['all codes of µ-law', decodeG711('g711u', codes(9000, 0, 256))],
  ['a quiet street in µ-law', decodeG711('g711u', codes(9000, 0xf0, 16))],
  ['a few samples', noise(17, 500)],
];

function encode(signal: Int16Array, first = 0): Buffer {
  const frames: Buffer[] = [];
  let at = 0;
  for (const length of flacBlocks(signal.length)) {
    frames.push(flacFrame(signal.subarray(at, at + length), first + at));
    at += length;
  }
  return Buffer.concat(frames);
}

describe('FLAC', () => {
  it('cuts into blocks of at most 1024 samples, none of them tiny', () => {
    for (const count of [1, 16, 1023, 1024, 1025, 1040, 2049, 8000, 480_000]) {
      const blocks = flacBlocks(count);
      expect(blocks.reduce((sum, length) => sum + length, 0)).toBe(count);
      expect(Math.max(...blocks)).toBeLessThanOrEqual(1024);
      if (count > 16) expect(Math.min(...blocks)).toBeGreaterThanOrEqual(16);
    }
  });

  it('takes a silent second in less than a hundred bytes, and a tone in less than it came in', () => {
    expect(encode(new Int16Array(8000)).length).toBeLessThan(120);
    expect(encode(SIGNALS[5]?.[1] as Int16Array).length).toBeLessThan(16_000);
  });

  it.skipIf(!haveTool('ffmpeg'))('comes back sample by sample in another decoder', () => {
    for (const [name, signal] of SIGNALS) {
      // Frame numbers of every length of the extended UTF-8 form that a segment can reach.
      for (const first of name === 'a tone' ? [0, 100, 5000, 1_000_000, 50_000_000] : [0]) {
        const stream = Buffer.concat([Buffer.from('fLaC'), Buffer.from([0x80, 0, 0, 34]), flacStreamInfo(8000), encode(signal, first)]);
        const pcm = execFileSync('ffmpeg', ['-v', 'warning', '-xerror', '-f', 'flac', '-i', '-', '-f', 's16le', '-'], { input: stream });
        expect(Buffer.from(signal.buffer, signal.byteOffset, signal.byteLength).equals(pcm), `${name}, first sample ${first}`).toBe(true);
      }
    }
  });

  it.skipIf(!haveTool('ffmpeg'))('G.711 is decoded as others decode it', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, code) => code));
    for (const [law, format] of [['g711a', 'alaw'], ['g711u', 'mulaw']] as const) {
      const pcm = execFileSync('ffmpeg', ['-v', 'error', '-f', format, '-ar', '8000', '-ac', '1', '-i', '-', '-f', 's16le', '-'], { input: all });
      const own = decodeG711(law, all);
      expect(Buffer.from(own.buffer).equals(pcm), law).toBe(true);
    }
  });
});
