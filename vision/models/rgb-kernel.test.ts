import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { rgbCoefficients, type ColourMatrix } from '../decode/picture.js';
import { RgbKernel } from './rgb-kernel.js';

const red = { plane: 0, factor: 1 / (255 * 0.5), bias: -0.1 / 0.5 };
const green = { plane: 1, factor: 1 / (255 * 0.6), bias: -0.2 / 0.6 };
const blue = { plane: 2, factor: 1 / (255 * 0.7), bias: -0.3 / 0.7 };

describe('the colours a network sees', () => {
  it('are what the colour equations say, to a thousandth of a level, in every coding and size', () => {
    const kernel = new RgbKernel();
    const sizes = fc.tuple(fc.integer({ min: 1, max: 23 }), fc.integer({ min: 1, max: 9 }));
    const pictures = sizes.chain(([width, height]) => {
      const plane = fc.uint8Array({ minLength: width * height, maxLength: width * height });
      return fc.record({ width: fc.constant(width), height: fc.constant(height), y: plane, u: plane, v: plane });
    });
    fc.assert(
      fc.property(pictures, fc.constantFrom<ColourMatrix>('bt601', 'bt709', 'bt2020'), fc.boolean(), ({ width, height, y, u, v }, matrix, fullRange) => {
        const room = kernel.room(width, height);
        room.y.set(y);
        room.u.set(u);
        room.v.set(v);
        const seen = kernel.convert(room, { matrix, fullRange }, [red, green, blue]);
        const c = rgbCoefficients({ matrix, fullRange });
        let worst = 0;
        for (const [i, luma] of y.entries()) {
          const [du, dv] = [(u[i] as number) - 128, (v[i] as number) - 128];
          const levels = [dv * c.redV, du * c.greenU + dv * c.greenV, du * c.blueU].map((chroma) => Math.min(255, Math.max(0, (luma - c.lumaOffset) * c.luma + chroma)));
          for (const [colour, { factor, bias }] of [red, green, blue].entries()) {
            worst = Math.max(worst, Math.abs((seen[colour]?.[i] as number) - ((levels[colour] as number) * factor + bias)) / factor);
          }
        }
        expect(worst).toBeLessThan(0.001);
        expect(seen.map((plane) => plane.length)).toEqual([width * height, width * height, width * height]);
      }),
      { numRuns: 200 },
    );
  });

  it('come out the same after the memory has grown', () => {
    const kernel = new RgbKernel();
    const of = (width: number, height: number): number[] => {
      const room = kernel.room(width, height);
      room.y.fill(90);
      room.u.fill(140);
      room.v.fill(100);
      const seen = kernel.convert(room, { matrix: 'bt709', fullRange: false }, [red, green, blue]);
      expect(seen.every((plane) => plane.every((value) => value === plane[0]))).toBe(true);
      return seen.map((plane) => plane[0] as number);
    };
    const small = of(10, 3);
    expect(of(1024, 640)).toEqual(small);
    expect(of(10, 3)).toEqual(small);
  });

  it('are computed by what rgb-kernel.wat says: node scripts/rgb-kernel.mjs assembles it anew', async () => {
    const { parseWat } = await wabt();
    const { buffer } = parseWat('rgb-kernel.wat', readFileSync(new URL('rgb-kernel.wat', import.meta.url), 'utf8'), { simd: true }).toBinary({});
    expect(Buffer.from(buffer).equals(readFileSync(new URL('rgb-kernel.wasm', import.meta.url)))).toBe(true);
  });
});
