import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { LoggedGop } from '../../storage/footage/logged-gop.js';
import { clip } from '../../vision/fixtures/clips.js';
import type { EncodedUnit } from './child/protocol.js';
import type { EncoderPool } from './encoder-pool.js';
import { Transcoder } from './transcoder.js';

const units = clip('pattern-h264').slice(0, 6);
const gop = (n: number): LoggedGop =>
  ({ cameraId: 'c1', position: { segment: 1, gop: n }, startedAt: 1_767_225_600_000 + n * 1_000, endedAt: 1_767_225_601_000 + n * 1_000, width: 192, height: 128, read: () => Promise.resolve(units), readKeyframe: () => Promise.resolve(units[0]) }) as unknown as LoggedGop;

/** A pool whose work is done when the test says so. */
function slowPool(): { pool: EncoderPool; asked: AbortSignal[]; finish: () => void } {
  const asked: AbortSignal[] = [];
  let waiting: (() => void)[] = [];
  const encode = (_request: unknown, signal: AbortSignal): Promise<EncodedUnit[]> => {
    asked.push(signal);
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      waiting.push(() => resolve(units.map(({ keyframe, data }, index) => ({ index, keyframe, data }))));
    });
  };
  const finish = (): void => {
    for (const done of waiting) done();
    waiting = [];
  };
  return { pool: { encode } as unknown as EncoderPool, asked, finish };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('pieces in H.264', () => {
  const transcoder = (pool: EncoderPool): Transcoder => new Transcoder({ pool, maxHeight: 720, maxBitrate: 2_000_000, cacheBytes: 1024 ** 2 });

  it('are made once for all who ask, and go on while one of them still waits', async () => {
    const { pool, asked, finish } = slowPool();
    const pieces = transcoder(pool);
    const [first, second] = [new AbortController(), new AbortController()];
    const left = pieces.piece([gop(0)], gop(1), first.signal);
    const stayed = pieces.piece([gop(0)], gop(1), second.signal);
    await settled();
    expect(asked).toHaveLength(1);
    const refused = expect(left).rejects.toThrow('seeked');
    first.abort(new Error('seeked'));
    await refused;
    expect(asked[0]?.aborted).toBe(false);
    finish();
    expect((await stayed).size).toBeGreaterThan(500);
    expect(getEventListeners(second.signal, 'abort')).toEqual([]);
    // Kept: nobody encodes it again.
    await pieces.piece([gop(0)], gop(1));
    expect(asked).toHaveLength(1);
  });

  it('are given up when nobody waits any more, and begun anew for who asks again', async () => {
    const { pool, asked, finish } = slowPool();
    const pieces = transcoder(pool);
    const viewers = [new AbortController(), new AbortController()];
    const gone = Promise.allSettled(viewers.map(({ signal }) => pieces.piece([gop(0), gop(1)], gop(2), signal)));
    await settled();
    for (const viewer of viewers) viewer.abort(new Error('seeked'));
    expect((await gone).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(asked.map(({ aborted }) => aborted)).toEqual([true]);
    const again = pieces.piece([gop(0), gop(1)], gop(2), new AbortController().signal);
    await settled();
    finish();
    await settled();
    finish();
    expect((await again).size).toBeGreaterThan(1_000);
    expect(asked.map(({ aborted }) => aborted)).toEqual([true, false, false]);
  });

  it('are not begun for who has gone already', async () => {
    const { pool, asked } = slowPool();
    const viewer = new AbortController();
    viewer.abort(new Error('seeked'));
    await expect(transcoder(pool).piece([gop(0)], null, viewer.signal)).rejects.toThrow('seeked');
    expect(asked).toEqual([]);
  });
});
