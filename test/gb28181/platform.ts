import { systemClock } from '../../base/clock.js';
import { silentLogger } from '../../base/logger.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import { GbServer, type GbServerOptions } from '../../ingest/gb28181/server.js';
import { SsrcPool } from '../../ingest/gb28181/ssrc-pool.js';
import type { MediaEvent } from '../../ingest/media/media-event.js';
import type { MediaTransportKind } from '../../ingest/media/media-transport.js';
import { PortPool } from '../../ingest/media/port-pool.js';
import { SiteSchema, type SiteCamera } from '../../service/config/site.js';
import { CameraStream, type CameraStreamOptions } from '../../service/live/camera-stream.js';
import type { StreamStatus } from '../../service/live/live-stream.js';
import { MediaCalls, type MediaCallsOptions } from '../../service/live/media-calls.js';

export const SERVER_ID = '34020000002000000001';
export const PASSWORD = 'proof-password';
export const deviceId = (n: number): string => `34020000001320${String(n).padStart(6, '0')}`;
export const channelOf = (n: number): string => `34020000001310${String(n).padStart(6, '0')}`;

/** A camera's stream as the service keeps it up, with all that it yields and says. */
export interface Watched {
  stream: CameraStream;
  units: AccessUnit[];
  events: MediaEvent[];
  sound: AudioUnit[];
  states: StreamStatus[];
}

/** How a condition is waited for: for a machine that does other things too. */
export async function until(what: string, condition: () => boolean, timeoutMs = 60_000, told: () => string = () => ''): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}\n${told()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The ingest of the service without what lies behind it: signalling server and camera streams, their pictures kept in memory. */
export class TestPlatform {
  readonly server: GbServer;
  readonly #host: string;
  readonly #media: Partial<MediaCallsOptions>;
  #calls: MediaCalls | null = null;
  readonly #watched: { device: string; stream: CameraStream }[] = [];

  constructor(options: Partial<GbServerOptions> = {}, host = '127.0.0.1', media: Partial<MediaCallsOptions> = {}) {
    this.#host = host;
    this.#media = media;
    this.server = new GbServer({
      serverId: SERVER_ID,
      domain: SERVER_ID.slice(0, 10),
      host,
      port: 0,
      devicePassword: () => PASSWORD,
      keepalive: { intervalMs: 60_000, missed: 3 },
      clock: systemClock,
      logger: silentLogger,
      dateHeader: true,
      byeTimeoutMs: 1_500,
      // As in the service: who sends pictures is there, whatever became of its keepalives.
      stillSending: (device) => this.#watched.some((watched) => watched.device === device && watched.stream.status.state === 'streaming'),
      ...options,
    });
  }

  async start(): Promise<void> {
    await this.server.start();
    const from = 30_000 + 2 * Math.floor(Math.random() * 10_000);
    this.#calls = new MediaCalls({
      server: this.server,
      ports: new PortPool({ from, to: from + 1_999, clock: systemClock }),
      ssrcs: new SsrcPool({ serverId: SERVER_ID, clock: systemClock }),
      clock: systemClock,
      logger: silentLogger,
      bindHost: this.#host,
      mediaHost: this.#host,
      mediaMode: 'port-per-stream',
      sharedPort: 0,
      firstPacketTimeoutMs: 6_000,
      silenceTimeoutMs: 10_000,
      ...this.#media,
    });
  }

  /** Calls of this platform, for those who make their own. */
  get calls(): MediaCalls {
    if (!this.#calls) throw new Error('the platform was not started');
    return this.#calls;
  }

  /** Keeps a live stream of the channel up from now on. */
  watch(device: string, channel: string, transport: MediaTransportKind, options: Partial<CameraStreamOptions> = {}): Watched {
    const watched: Omit<Watched, 'stream'> = { units: [], events: [], sound: [], states: [] };
    const stream: CameraStream = new CameraStream({
      camera: siteCamera(device, channel, transport),
      server: this.server,
      stream: 'main',
      calls: this.calls,
      sink: { append: (unit) => void watched.units.push(unit), appendAudio: (unit) => void watched.sound.push(unit), discontinuity: () => undefined, streamEnded: () => undefined },
      clock: systemClock,
      logger: silentLogger,
      retry: { firstMs: 200, longestMs: 1_000 },
      onState: (status) => void watched.states.push({ ...status }),
      onMediaEvent: (event) => void watched.events.push(event),
      ...options,
    });
    this.#watched.push({ device, stream });
    stream.start();
    return { stream, ...watched };
  }

  async close(): Promise<void> {
    await Promise.all(this.#watched.map(({ stream }) => stream.close()));
    await this.server.close();
    await this.#calls?.close();
  }
}

export function siteCamera(device: string, channel: string, transport: MediaTransportKind, gb28181: Record<string, unknown> = {}): SiteCamera {
  const berth = { id: 'b', number: '1', kind: 'parallel', polygon: [[10, 10], [90, 10], [90, 90], [10, 90]], lengthM: 6, widthM: 2.5, drivingDirection: [1, 0] };
  const camera = { id: `cam-${device.slice(-8)}-${channel.slice(-4)}`, name: 'c', deviceNumber: 'c', lot: 'LOT', roadSection: 'r', direction: 'd', width: 320, height: 240, berths: [berth], gb28181: { deviceId: device, channelId: channel, transport, ...gb28181 } };
  return SiteSchema.parse({ lots: [{ code: 'LOT', name: 'l' }], cameras: [camera] }).cameras[0] as SiteCamera;
}
