import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelInput } from './manifest.js';
import { shapedInput, withoutPadding } from './sized-run.js';
import { placeInput } from './tensor.js';

const input = (width: number, height: number): ModelInput => ({ name: 'images', width, height, channels: 'rgb', layout: 'nchw', scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], resize: 'letterbox', padding: 114 });

describe('crops of vehicles', () => {
  it('take no more of an input than they fill, and are just as large', () => {
    const whole = input(256, 192);
    const scene = { width: 1920, height: 1080 };
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 1500 }), fc.integer({ min: 60, max: 900 }), (width, height) => {
        const crop = { x: 100, y: 60, width, height };
        const least = withoutPadding(scene, crop, whole, 32);
        expect([least.width % 32, least.height % 32]).toEqual([0, 0]);
        expect(least.width <= 256 && least.height <= 192 && (least.width === 256 || least.height === 192)).toBe(true);
        const [before, after] = [placeInput(scene, crop, whole), placeInput(scene, crop, least)];
        expect([after.target.width, after.target.height]).toEqual([before.target.width, before.target.height]);
        // Half a pixel may have been rounded away.
        expect(Math.max(least.width - after.target.width, least.height - after.target.height)).toBeLessThanOrEqual(32);
      }),
    );
    expect(withoutPadding(scene, { x: 0, y: 0, width: 100, height: 400 }, whole, undefined)).toBe(whole);
  });
});

describe('pictures in their own shape', () => {
  const whole = input(704, 416);
  const shape = (width: number, height: number): number[] => {
    const { width: w, height: h } = shapedInput({ width, height }, { x: 0, y: 0, width, height }, whole, 32);
    return [w, h];
  };

  it('have as many pixels as the input at most, wide ones, square ones and upright ones', () => {
    expect(shape(1920, 1080)).toEqual([704, 416]);
    expect(shape(704, 576)).toEqual([608, 480]);
    expect(shape(640, 640)).toEqual([512, 512]);
    expect(shape(1080, 1920)).toEqual([416, 704]);
    expect(shape(5120, 1440)).toEqual([992, 288]);
  });

  it('are never smaller than letterboxed into the input, and leave less than a step of grey', () => {
    const of = fc.integer({ min: 40, max: 2000 }).map((n) => n * 2);
    fc.assert(
      fc.property(of, of, (width, height) => {
        const [picture, box] = [{ width, height }, { x: 0, y: 0, width, height }];
        const shaped = shapedInput(picture, box, whole, 32);
        expect([shaped.width % 32, shaped.height % 32]).toEqual([0, 0]);
        expect(shaped.width * shaped.height).toBeLessThanOrEqual(whole.width * whole.height);
        const [before, after] = [placeInput(picture, box, whole), placeInput(picture, box, shaped)];
        expect(after.target.width).toBeGreaterThanOrEqual(before.target.width);
        expect(Math.max(shaped.width - after.target.width, shaped.height - after.target.height)).toBeLessThanOrEqual(32);
      }),
    );
  });

  it('come in the manifest\'s input where the network takes no other', () => {
    expect(shapedInput({ width: 640, height: 640 }, { x: 0, y: 0, width: 640, height: 640 }, whole, undefined)).toBe(whole);
    const stretched: ModelInput = { ...whole, resize: 'stretch' };
    expect(shapedInput({ width: 640, height: 640 }, { x: 0, y: 0, width: 640, height: 640 }, stretched, 32)).toBe(stretched);
  });
});
