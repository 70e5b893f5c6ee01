import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.js';
import { ManualClock } from '../../base/manual-clock.js';
import type { GbServer } from '../../ingest/gb28181/server.js';
import type { SiteCamera } from '../config/site.js';
import { CameraStream } from './camera-stream.js';
import type { CallWish, MediaCall, MediaCalls } from './media-calls.js';

const DEVICE = '34020000001320000001';
const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

/** A device that is online, and calls that do as the test says. */
function scene(open: (wish: CallWish) => Promise<MediaCall>): { stream: CameraStream; clock: ManualClock; online: { now: boolean; ring: () => void }; signals: AbortSignal[] } {
  const clock = new ManualClock();
  const signals: AbortSignal[] = [];
  const online = { now: true, ring: (): void => undefined };
  const server = {
    device: () => ({ online: online.now }),
    on: (_name: string, listener: (event: { device: { id: string } }) => void) => {
      online.ring = () => listener({ device: { id: DEVICE } });
      return () => undefined;
    },
  } as unknown as GbServer;
  const calls = {
    open: (wish: CallWish) => {
      signals.push(wish.signal);
      return open(wish);
    },
  } as unknown as MediaCalls;
  const camera = { id: 'c1', gb28181: { deviceId: DEVICE } } as unknown as SiteCamera;
  const sink = { append: () => undefined, discontinuity: () => undefined, streamEnded: () => undefined };
  const stream = new CameraStream({ camera, stream: 'main', server, calls, sink, clock, logger: silentLogger, retry: { firstMs: 1_000, longestMs: 60_000 }, onState: () => undefined, onMediaEvent: () => undefined });
  return { stream, clock, online, signals };
}

describe('a camera stream', () => {
  it.each([
    ['is refused', () => Promise.reject(new Error('486 Busy Here'))],
    ['ends', () => Promise.resolve({ ended: Promise.resolve({ cause: 'lost', reason: 'silence' }), close: () => Promise.resolve() } as unknown as MediaCall)],
  ])('that %s a thousand times leaves no listener behind, and begins again after at most a minute', async (_, open) => {
    const { stream, clock, signals } = scene(open);
    stream.start();
    await settled();
    for (let i = 0; i < 1_000; i++) {
      clock.advance(60_000);
      await settled();
    }
    expect(signals.length).toBeGreaterThanOrEqual(1_000);
    expect(getEventListeners(signals[0] as AbortSignal, 'abort').length).toBeLessThanOrEqual(1);
    await stream.close();
  });

  it('does not wait out its pause when the device comes back', async () => {
    const { stream, clock, online, signals } = scene(() => Promise.reject(new Error('no answer')));
    stream.start();
    await settled();
    for (let i = 0; i < 8; i++) {
      clock.advance(60_000);
      await settled();
    }
    const before = signals.length;
    online.ring();
    await settled();
    expect(signals).toHaveLength(before + 1);
    online.now = false;
    clock.advance(60_000);
    await settled();
    expect(signals).toHaveLength(before + 1);
    expect(stream.status.state).toBe('none');
    online.now = true;
    online.ring();
    await settled();
    expect(signals).toHaveLength(before + 2);
    await stream.close();
  });
});
