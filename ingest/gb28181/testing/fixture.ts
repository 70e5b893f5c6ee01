import { systemClock } from '../../../base/clock.js';
import { silentLogger } from '../../../base/logger.js';
import { GbServer, type GbServerOptions } from '../server.js';
import { TestCamera } from './test-camera.js';

export const SERVER = { serverId: '34020000002000000001', domain: '3402000000' };
export const CAMERA_ID = '34020000001320000001';
export const PASSWORD = 'secret-12345';

/** A server on loopback with quick timers, and whatever cameras a test asks for; `close` ends them all. */
export class Fixture {
  readonly server: GbServer;
  readonly #cameras: TestCamera[] = [];

  constructor(options: Partial<GbServerOptions> = {}) {
    this.server = new GbServer({
      ...SERVER,
      host: '127.0.0.1',
      port: 0,
      devicePassword: (id) => (id.startsWith('3402') ? PASSWORD : null),
      keepalive: { intervalMs: 60_000, missed: 3 },
      clock: systemClock,
      logger: silentLogger,
      dateHeader: true,
      byeTimeoutMs: 1000,
      queryTimeoutMs: 3000,
      catalogQuietMs: 300,
      ...options,
    });
  }

  async start(): Promise<this> {
    await this.server.start();
    return this;
  }

  /** @param host where the camera and the server are to it, `::1` for IPv6 */
  async camera(transport: 'UDP' | 'TCP' = 'UDP', id = CAMERA_ID, host = '127.0.0.1'): Promise<TestCamera> {
    const { udpPort, tcpPort } = this.server.address;
    const camera = await new TestCamera(id, transport, SERVER, host).open(transport === 'UDP' ? udpPort : tcpPort);
    this.#cameras.push(camera);
    return camera;
  }

  async registered(transport: 'UDP' | 'TCP' = 'UDP', id = CAMERA_ID): Promise<TestCamera> {
    const camera = await this.camera(transport, id);
    const answer = await camera.register(PASSWORD);
    if (!answer.startsWith('SIP/2.0 200')) throw new Error(`registration failed: ${answer}`);
    return camera;
  }

  async close(): Promise<void> {
    await this.server.close();
    for (const camera of this.#cameras) await camera.close();
  }
}
