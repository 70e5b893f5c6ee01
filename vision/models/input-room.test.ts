import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { rgbCoefficients, type ColourMatrix } from '../decode/picture.js';
import { InputRoom } from './input-room.js';

const red = { plane: 0, factor: 1 / (255 * 0.5), bias: -0.1 / 0.5 };
const green = { plane: 1, factor: 1 / (255 * 0.6), bias: -0.2 / 0.6 };
const blue = { plane: 2, factor: 1 / (255 * 0.7), bias: -0.3 / 0.7 };

const scales = [red, green, blue] as const;

describe('the colours a network sees', () => {
  it('are what the colour equations say, to a thousandth of a level, in every coding and size', () => {
    const room = new InputRoom();
    const sizes = fc.tuple(fc.integer({ min: 1, max: 23 }), fc.integer({ min: 1, max: 9 }));
    const pictures = sizes.chain(([width, height]) => {
      const plane = fc.uint8Array({ minLength: width * height, maxLength: width * height });
      return fc.record({ width: fc.constant(width), height: fc.constant(height), y: plane, u: plane, v: plane });
    });
    fc.assert(
      fc.property(pictures, fc.integer({ min: 1, max: 3 }), fc.constantFrom<ColourMatrix>('bt601', 'bt709', 'bt2020'), fc.boolean(), ({ width, height, y, u, v }, slots, matrix, fullRange) => {
        const tensor = room.open(slots, { width, height }).fill(9);
        const planes = room.planes(width, height);
        planes.y.set(y);
        planes.u.set(u);
        planes.v.set(v);
        const seen = room.colours(planes, { matrix, fullRange }, scales);
        const c = rgbCoefficients({ matrix, fullRange });
        let worst = 0;
        for (const [i, luma] of y.entries()) {
          const [du, dv] = [(u[i] as number) - 128, (v[i] as number) - 128];
          const levels = [dv * c.redV, du * c.greenU + dv * c.greenV, du * c.blueU].map((chroma) => Math.min(255, Math.max(0, (luma - c.lumaOffset) * c.luma + chroma)));
          for (const [colour, { factor, bias }] of scales.entries()) {
            worst = Math.max(worst, Math.abs((seen[colour]?.[i] as number) - ((levels[colour] as number) * factor + bias)) / factor);
          }
        }
        expect(worst).toBeLessThan(0.001);
        expect(seen.map((plane) => plane.length)).toEqual([width * height, width * height, width * height]);
        expect(tensor.every((value) => value === 9)).toBe(true);
        expect([planes.y, planes.u, planes.v].map((plane) => [...plane])).toEqual([[...y], [...u], [...v]]);
      }),
      { numRuns: 200 },
    );
  });

  it('are written where they belong, and nowhere else', () => {
    const room = new InputRoom();
    const tensor = room.open(2, { width: 8, height: 6 }).fill(9);
    const planes = room.planes(8, 2);
    planes.y.set(planes.y.map((_, i) => 16 * i));
    planes.u.fill(120);
    planes.v.fill(140);
    const wanted = room.colours(planes, { matrix: 'bt601', fullRange: true }, scales).map((plane) => [...plane]);
    // In the second picture, from the third row on.
    const places = [3, 4, 5].map((plane) => plane * 48 + 16) as [number, number, number];
    room.writeColours(planes, { matrix: 'bt601', fullRange: true }, scales, places);
    for (const [colour, place] of places.entries()) {
      expect([...tensor.subarray(place, place + 16)]).toEqual(wanted[colour]);
      tensor.fill(9, place, place + 16);
    }
    expect(tensor.every((value) => value === 9)).toBe(true);
  });

  it('come out the same after the memory has grown', () => {
    const room = new InputRoom();
    const of = (width: number, height: number): number[] => {
      room.open(2, { width, height });
      const planes = room.planes(width, height);
      planes.y.fill(90);
      planes.u.fill(140);
      planes.v.fill(100);
      const seen = room.colours(planes, { matrix: 'bt709', fullRange: false }, scales);
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
