import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import type { AccessUnit } from '../access-unit.js';
import type { MediaEvent } from './media-event.js';
import { MediaReceiver } from './media-receiver.js';
import { PortPool } from './port-pool.js';
import { fixture, picturesOf, streamPackets } from './test-muxer.js';

const SSRC = 200_001_234;
const pictures = picturesOf(fixture('h264.es'), 'h264');
const stream = (ssrc = SSRC, from = { sequence: 0, timestamp: 0 }): Buffer[] => streamPackets(pictures, (i) => ({ pts: from.timestamp + i * 3600 }), { ssrc, mtu: 400 }, from);
const framed = (packets: readonly Buffer[]): Buffer => Buffer.concat(packets.flatMap((p) => [Buffer.from([p.length >> 8, p.length & 0xff]), p]));
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 5 });

/** A camera that listens. */
class ListeningCamera {
  readonly sockets: Socket[] = [];
  #server: Server | null = null;

  async open(port = 0): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      this.sockets.push(socket);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  async socket(n: number): Promise<Socket> {
    await until(() => expect(this.sockets.length).toBeGreaterThan(n));
    return this.sockets[n] as Socket;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
  }
}

describe('TCP active', () => {
  const units: AccessUnit[] = [];
  const events: MediaEvent[] = [];
  let receiver: MediaReceiver;
  let camera: ListeningCamera;
  afterEach(async () => {
    await receiver.close();
    await camera.close();
    units.length = events.length = 0;
  });

  async function start(silenceTimeoutMs = 10_000): Promise<number> {
    camera = new ListeningCamera();
    receiver = new MediaReceiver({
      host: '127.0.0.1', ports: new PortPool({ from: 30_000, to: 30_001, clock: systemClock }), transport: 'tcp-active', cameraId: 'cam', expectedSsrc: SSRC, strictSsrc: false,
      clock: systemClock, logger: silentLogger, firstPacketTimeoutMs: silenceTimeoutMs, silenceTimeoutMs, onUnit: (unit) => units.push(unit), onEvent: (event) => events.push(event),
    });
    return (await receiver.start()).port;
  }
  const agree = (port: number): void => receiver.agree({ ssrc: SSRC, peerHost: '127.0.0.1', remoteMedia: { host: '127.0.0.1', port } });

  it('offers the discard port, dials where the answer says, and yields the pictures', async () => {
    expect(await start()).toBe(9);
    agree(await camera.open());
    const socket = await camera.socket(0);
    const bytes = framed(stream());
    for (let at = 0; at < bytes.length; at += 1500) socket.write(bytes.subarray(at, at + 1500));
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    await receiver.close();
    expect(units).toHaveLength(50);
    expect(events.map((event) => event.type)).toEqual(['first-packet', 'first-keyframe', 'closed']);
    expect(receiver.dialFailure).toBeNull();
  });

  it('dials again until the camera listens, and after the connection broke', async () => {
    await start();
    const port = await camera.open();
    await camera.close();
    agree(port);
    await until(() => expect(receiver.dialFailure).toMatch(/ECONNREFUSED/));
    await camera.open(port);
    const first = await camera.socket(0);
    first.write(framed(stream()));
    await until(() => expect(receiver.stats().packets).toBe(stream().length));
    first.destroy();
    const again = stream(SSRC, { sequence: 500, timestamp: 200 * 3600 });
    (await camera.socket(1)).write(framed(again));
    await until(() => expect(receiver.stats().packets).toBe(stream().length + again.length));
    await receiver.close();
    expect(units.length).toBeGreaterThanOrEqual(99);
  });

  it('takes no stream of another SSRC, and tells of the silence', async () => {
    await start(300);
    agree(await camera.open());
    (await camera.socket(0)).write(framed(stream(SSRC + 1).slice(0, 30)));
    await until(() => expect(receiver.stats().strangerPackets).toBe(30));
    await until(() => expect(events.map((event) => event.type)).toContain('silence'));
    expect(units).toEqual([]);
  });

  it('ends its connection when closed, and dials no more', async () => {
    await start();
    agree(await camera.open());
    const socket = (await camera.socket(0)).resume();
    const ended = once(socket, 'close');
    await receiver.close();
    await ended;
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(camera.sockets).toHaveLength(1);
  });
});
