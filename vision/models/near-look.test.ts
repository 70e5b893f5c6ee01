import { describe, expect, it } from 'vitest';
import type { Box } from '../../base/geometry.js';
import { Looks } from './near-look.js';
import type { Detection } from './nms.js';

const vehicle = (box: Box, score: number, over: Partial<Detection> = {}): Detection => ({ box, score, class: 'car', footprint: null, ...over });

describe('the near look', () => {
  it('counts vehicles that are large in its input, and takes their parts away from the first look', () => {
    const looks = new Looks();
    const [bonnet, far, rider, whole] = [
      vehicle({ x: 100, y: 400, width: 900, height: 300 }, 0.6),
      vehicle({ x: 300, y: 300, width: 120, height: 90 }, 0.6),
      vehicle({ x: 400, y: 300, width: 500, height: 700 }, 0.6, { class: 'motorcycle' }),
      vehicle({ x: 50, y: 100, width: 1100, height: 900 }, 0.8),
    ];
    for (const d of [bonnet, far, rider]) looks.first(d, 704 / 1920);
    expect(looks.near(whole, 352 / 1920, 140)).toBe(true);
    expect(looks.near(vehicle({ x: 0, y: 0, width: 500, height: 400 }, 0.8), 352 / 1920, 140)).toBe(false);
    // A car far behind, and a rider before it, are no parts.
    expect(looks.withoutParts([whole, bonnet, far, rider])).toEqual([whole, far, rider]);
  });

  it('takes nothing away where the first look is the surer one', () => {
    const looks = new Looks();
    const [inner, outer] = [vehicle({ x: 100, y: 400, width: 900, height: 300 }, 0.9), vehicle({ x: 50, y: 100, width: 1100, height: 900 }, 0.6)];
    looks.first(inner, 1);
    looks.near(outer, 1, 140);
    expect(looks.withoutParts([inner, outer])).toEqual([inner, outer]);
  });
});
