import { CameraSimulator } from '../camera.js';
import type { CameraConfigInput } from '../config.js';
import { MediaSink, SERVER_ID, TinyPlatform } from './tiny-platform.js';

export const DEVICE = '37020000001320000001';
export const CHANNEL = '37020000001310000001';

/** Platforms, cameras and media ports of one test, closed together at its end. */
export class Rig {
  private readonly open: { close(): Promise<void> }[] = [];

  async platform(options: ConstructorParameters<typeof TinyPlatform>[1] = {}): Promise<TinyPlatform> {
    const made = new TinyPlatform('secret', options);
    await made.start();
    this.open.push({ close: () => made.stop() });
    return made;
  }

  /** A camera with timers short enough for tests, one channel, started. */
  async camera(port: number, clip: string, extra: Omit<Partial<CameraConfigInput>, 'server'> = {}): Promise<CameraSimulator> {
    const made = new CameraSimulator({
      server: { id: SERVER_ID, port },
      device: { id: DEVICE, password: 'secret' },
      channels: [{ id: CHANNEL, clip }],
      sip: { t1Ms: 40, timeoutMs: 400 },
      registration: { keepaliveMs: 60_000, backoffMinMs: 50, backoffMaxMs: 200 },
      ...extra,
    });
    this.open.push({ close: () => made.crash() });
    await made.start();
    return made;
  }

  async sink(kind: 'udp' | 'tcp'): Promise<MediaSink> {
    const made = new MediaSink();
    await (kind === 'udp' ? made.listenUdp() : made.listenTcp());
    this.open.push({ close: () => made.close() });
    return made;
  }

  async close(): Promise<void> {
    for (const one of this.open.splice(0).reverse()) await one.close();
  }
}
