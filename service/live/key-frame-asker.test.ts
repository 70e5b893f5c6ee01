import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.js';
import { ManualClock } from '../../base/manual-clock.js';
import { KeyFrameAsker } from './key-frame-asker.js';

/** Lets a camera send 10 pictures a second for `seconds`, with a key frame each `gopS`, or (willing) 300 ms after it is asked. */
function run(options: { gopS: number; seconds: number; willing: boolean; afterMs?: number | null }): { asked: number[]; asker: KeyFrameAsker; keys: number; play: (seconds: number) => void } {
  const clock = new ManualClock();
  const asked: number[] = [];
  let answerAt = Infinity;
  const asker = new KeyFrameAsker({
    clock,
    logger: silentLogger,
    afterMs: options.afterMs === undefined ? 4000 : options.afterMs,
    ask: () => {
      asked.push(clock.monotonic());
      if (options.willing) answerAt = clock.monotonic() + 300;
      return options.willing ? Promise.resolve() : Promise.reject(new Error('not supported'));
    },
  });
  let lastKey = -Infinity;
  let keys = 0;
  const play = (seconds: number): void => {
    for (let i = 0; i < seconds * 10; i++) {
      const now = clock.monotonic();
      const key = now - lastKey >= options.gopS * 1000 || now >= answerAt;
      if (key) {
        lastKey = now;
        answerAt = Infinity;
        keys++;
      }
      asker.picture('c', key);
      clock.advance(100);
    }
  };
  play(options.seconds);
  return { asked, asker, keys, play };
}

describe('key frames of cameras with long GOPs', () => {
  it('are asked for whenever there was none for four seconds', () => {
    const { asked, keys, asker } = run({ gopS: 20, seconds: 60, willing: true });
    expect(keys).toBeGreaterThan(11);
    expect(asked[0]).toBeGreaterThan(4000);
    expect(asked[0]).toBeLessThan(4500);
    expect(asker.unwilling).toEqual([]);
  });

  it.each([1, 2, 4])('are not asked for where GOPs last %d s', (gopS) => {
    expect(run({ gopS, seconds: 60, willing: false }).asked).toEqual([]);
  });

  it('are asked for in vain three times, and then no more until the stream begins anew', () => {
    const { asked, asker, play } = run({ gopS: 1000, seconds: 120, willing: false });
    expect(asked).toHaveLength(3);
    expect(asker.unwilling).toEqual(['c']);
    asker.streamEnded('c');
    play(1000);
    expect(asked.length).toBe(6);
  });

  it('that come late by themselves are no answer', () => {
    // Asked at 4.3 s, a key frame at 8 s: three such GOPs, and it is left alone.
    expect(run({ gopS: 8, seconds: 120, willing: false }).asked).toHaveLength(3);
  });

  it('are not asked for where that is switched off', () => {
    expect(run({ gopS: 1000, seconds: 60, willing: true, afterMs: null }).asked).toEqual([]);
  });
});
