import type { LightDeviceStats } from '../simulators/camera/light-device.js';

/** What the processes of a load run tell each other. */
export interface ServerOptions {
  host: string;
  /** 0 at first; the same again after a restart. */
  port: number;
  keepaliveMs: number;
  database: object;
  footage: string;
  devices: number;
  /** The first so many devices are cameras and are asked for a stream. */
  streams: number;
}

export interface ServerStatus {
  type: 'status';
  online: number;
  registered: number;
  streaming: number;
  units: number;
  lostPackets: number;
  droppedGops: number;
  /** Why devices went offline, the first few. */
  offline: string[];
  offlineCount: number;
  keepalives: number;
  rssBytes: number;
  cpuMs: number;
  /** Longest time that the event loop did not come round since the last status, ms. */
  loopMaxMs: number;
  /** What each REGISTER since the last status took, from being read off the socket to its answer being sent, ms. */
  registerMs: number[];
  unreadable: number;
  faulty: number;
}

export type FromServer = { type: 'listening'; port: number } | ServerStatus;

export interface FleetOptions {
  server: { id: string; host: string; port: number };
  keepaliveMs: number;
  /** Devices that only signal: from, to (exclusive). */
  light: [from: number, to: number];
  /** Cameras that stream. */
  cameras: [from: number, to: number];
  clip: string;
}

export type ToFleet = { type: 'register'; spreadMs: number } | { type: 'report' };
export type FromFleet =
  | { type: 'open' }
  | { type: 'registered'; latencies: number[]; failed: number }
  | { type: 'report'; stats: LightDeviceStats; cameraKeepalivesMissed: number };

export const SERVER_ID = '34020000002000000001';
export const PASSWORD = 'load-password';
export const deviceId = (n: number): string => `3402000000132${String(n).padStart(7, '0')}`;
export const channelId = (n: number): string => `3402000000131${String(n).padStart(7, '0')}`;
