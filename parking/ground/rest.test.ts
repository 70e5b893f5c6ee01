import { describe, expect, it } from 'vitest';
import { DEFAULT_PARAMETERS } from '../parameters.js';
import type { FlatQuad, Sample } from '../state.js';
import { HEIGHT, inBerth, project, START, streetSite, WIDTH } from '../testing/street.js';
import { siteGround, type BerthGround } from './berth-ground.js';
import { restAtEnd } from './rest.js';

const [ground] = siteGround(streetSite(1), WIDTH, HEIGHT) as [BerthGround];

/** A car of 4.6 x 1.8 m seen at `t` seconds, `along` metres behind the middle of the berth. */
function seen(t: number, along: number): Sample {
  const [x, y] = inBerth(0);
  const quad = [[2.3, 0.9], [2.3, -0.9], [-2.3, -0.9], [-2.3, 0.9]].flatMap(([dx, dy]) => [...project(x - along + dx!, y + dy!)]) as unknown as FlatQuad;
  return { t: START + t * 1000, box: [800, 500, 300, 200], quad, inferred: true };
}

const begin = (samples: readonly Sample[]): number | null => {
  const rest = restAtEnd(ground, samples, DEFAULT_PARAMETERS);
  return rest && (rest.since.t - START) / 1000;
};

describe('the beginning of a rest', () => {
  it('is the first of few sightings within the radius: two that agree by chance do not make a third one motion', () => {
    expect(begin([seen(0, 3), seen(2, 0.3), seen(4, 0.01), seen(6, 0)])).toBe(2);
  });

  it('is told from slow motion where many sightings scatter little', () => {
    const still = Array.from({ length: 25 }, (_, i) => seen(2.2 + i * 0.2, 0.005 * (i % 2)));
    expect(begin([seen(0, 3), ...[0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2].map((t) => seen(t, (2.1 - t) * 0.45)), ...still])).toBeGreaterThanOrEqual(1.8);
  });

  it('is unknown while the last sighting is elsewhere', () => {
    expect(begin([seen(0, 0), seen(2, 0.01), seen(4, 2)])).toBeNull();
  });
});
