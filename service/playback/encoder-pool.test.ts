import { getEventListeners } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import { decodeUnits } from '../../vision/decode/gop-decoder.js';
import { clip } from '../../vision/fixtures/clips.js';
import type { EncodeRequest } from './child/protocol.js';
import { EncoderPool } from './encoder-pool.js';

const request = (more: Partial<EncodeRequest> = {}): EncodeRequest => ({ units: clip('pattern-h265').slice(0, 6), width: 192, height: 128, quality: 18, maxBitrate: 2_000_000, preset: 'veryfast', threads: 1, overlay: null, ...more });

/** Mean of the luma of a region of each picture. */
async function lumas(units: { keyframe: boolean; data: Uint8Array }[], codec: 'h264' | 'h265', box: [number, number, number, number]): Promise<number[]> {
  const [x0, y0, x1, y1] = box;
  const means: number[] = [];
  const accessUnits = units.map((unit, i) => ({ cameraId: 'c', codec, pts: i * 3_600, capturedAt: i, keyframe: unit.keyframe, data: unit.data }));
  await decodeUnits(accessUnits, accessUnits.map((_, i) => i), ({ picture, damaged }) => {
    expect(damaged).toBe(false);
    let sum = 0;
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) sum += picture.y[y * picture.strideY + x] as number;
    means.push(sum / ((x1 - x0) * (y1 - y0)));
  });
  return means;
}

describe('the encoding children', () => {
  let pool: EncoderPool;
  beforeAll(() => (pool = new EncoderPool({ children: 1, waiting: 2, memoryLimitBytes: 1024 ** 3, clock: systemClock, logger: silentLogger, deadlineMs: 60_000 })));
  afterAll(() => pool.close());

  it('turns H.265 into H.264 that shows the same pictures, and the same input into the same parameter sets', async () => {
    const units = await pool.encode(request());
    expect(units.map((unit) => unit.index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(units.map((unit) => unit.keyframe)).toEqual([true, false, false, false, false, false]);
    for (const box of [[0, 0, 96, 64], [96, 64, 192, 128]] as [number, number, number, number][]) {
      const before = await lumas(request().units, 'h265', box);
      const after = await lumas(units, 'h264', box);
      for (const [i, mean] of after.entries()) expect(Math.abs(mean - (before[i] as number))).toBeLessThan(3);
    }
    const again = await pool.encode(request({ units: clip('pattern-h265').slice(6) }));
    expect(Buffer.from(again[0]?.data ?? []).subarray(0, 30)).toEqual(Buffer.from(units[0]?.data ?? []).subarray(0, 30));
  });

  it('keeps the order in which B pictures are shown', async () => {
    const units = await pool.encode(request({ units: clip('bframes-h264') }));
    const order = units.map((unit) => unit.index);
    expect([...order].sort((a, b) => a - b)).toEqual(clip('bframes-h264').map((_, i) => i));
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
  });

  it('burns an overlay in', async () => {
    const glyph = { width: 10, height: 10, alpha: new Uint8Array(100).fill(255) };
    const units = request().units;
    const overlay = { bandHeight: 32, texts: [], clock: { x: 20, y: 10, glyphs: { '1': glyph } }, clocks: units.map((_, i) => (i < 3 ? '1' : '')) };
    const encoded = await pool.encode(request({ overlay }));
    const shown = await lumas(encoded, 'h264', [22, 12, 28, 18]);
    expect(shown.slice(0, 3).every((mean) => mean > 215)).toBe(true);
    expect(shown.slice(3).every((mean) => mean < 160)).toBe(true);
  });

  it('refuses what cannot be decoded, and what would wait too long, without taking the rest with it', async () => {
    const noise = clip('pattern-h265').slice(0, 3).map((unit) => ({ ...unit, data: Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 0xff) }));
    const many = Promise.allSettled([pool.encode(request({ units: noise })), pool.encode(request()), pool.encode(request()), pool.encode(request())]);
    await expect(pool.encode(request())).rejects.toMatchObject({ kind: 'unavailable', code: 'PLAYBACK_BUSY' });
    const results = await many;
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'rejected']);
    expect((results[0] as PromiseRejectedResult).reason).toMatchObject({ code: 'PLAYBACK_DECODE' });
  });

  it('leaves nothing on the signal of a long export', async () => {
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await pool.encode(request(), signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends a child whose work nobody wants any more, and one that grows too large', async () => {
    const abort = new AbortController();
    const stopped = pool.encode(request({ units: Array.from({ length: 40 }, () => clip('pattern-h265')).flat() }), abort.signal);
    abort.abort(new Error('cancelled'));
    await expect(stopped).rejects.toThrow('cancelled');
    await expect(pool.encode(request())).resolves.toHaveLength(6);
    const small = new EncoderPool({ children: 1, waiting: 1, memoryLimitBytes: 1024, clock: systemClock, logger: silentLogger });
    const long = small.encode(request({ units: Array.from({ length: 400 }, () => clip('pattern-h265')).flat(), width: 1920, height: 1080 }));
    await expect(long).rejects.toMatchObject({ code: 'PLAYBACK_CHILD_DIED' });
    await small.close();
  });
});
