import { describe, expect, it } from 'vitest';
import type { FootageDay } from './footage-api.js';
import { windowAround } from './footage-window.js';

const MINUTE = 60_000;
const range = (codec: string, from: number, to: number, width = 1920): FootageDay['ranges'][number] => ({ from: from * MINUTE, to: to * MINUTE, codec, width, height: 1080, segments: 1, bytes: 1 });
const format = (codec: string, width = 1920): FootageDay['formats'][number] => ({ codec, width, height: 1080, mimeType: `video/mp4; codecs="${codec} ${width}"` });
const day = (...ranges: FootageDay['ranges']): FootageDay => ({ from: 0, to: 1440 * MINUTE, ranges, gaps: [], coveredMs: 0, next: null, formats: [format('h264'), format('h265'), format('h265', 640)] });
const noH265 = (mimeType: string): boolean => !mimeType.includes('h265');

describe('the time that one playlist shows', () => {
  it('is some minutes before and an hour behind the moment', () => {
    expect(windowAround(day(range('h264', 0, 600)), 100 * MINUTE, noH265)).toEqual({ from: 95 * MINUTE, to: 160 * MINUTE, converted: false });
    expect(windowAround(day(range('h265', 0, 600)), 100 * MINUTE, noH265)).toEqual({ from: 95 * MINUTE, to: 160 * MINUTE, converted: true });
    expect(windowAround(day(range('h265', 0, 600)), 100 * MINUTE, () => true)).toMatchObject({ converted: false });
  });

  it('ends where the browser must be given the pictures in another way', () => {
    const both = day(range('h264', 0, 98), range('h265', 98, 120), range('h264', 125, 600));
    expect(windowAround(both, 100 * MINUTE, noH265)).toEqual({ from: 98 * MINUTE, to: 125 * MINUTE, converted: true });
    expect(windowAround(both, 90 * MINUTE, noH265)).toEqual({ from: 85 * MINUTE, to: 98 * MINUTE, converted: false });
    expect(windowAround(both, 126 * MINUTE, noH265)).toEqual({ from: 121 * MINUTE, to: 186 * MINUTE, converted: false });
    expect(windowAround(both, 100 * MINUTE, () => true)).toEqual({ from: 95 * MINUTE, to: 160 * MINUTE, converted: false });
  });

  it('begins with the footage behind the moment where there is none at it', () => {
    expect(windowAround(day(range('h264', 0, 10), range('h265', 60, 90)), 30 * MINUTE, noH265)).toEqual({ from: 25 * MINUTE, to: 90 * MINUTE, converted: true });
    expect(windowAround(day(range('h264', 0, 10)), 30 * MINUTE, noH265)).toMatchObject({ converted: false });
  });

  it('asks the browser about each size', () => {
    const sizes = day(range('h265', 0, 100, 640), range('h265', 100, 200));
    expect(windowAround(sizes, 99 * MINUTE, (mimeType) => mimeType.includes('640'))).toEqual({ from: 94 * MINUTE, to: 100 * MINUTE, converted: false });
  });
});
