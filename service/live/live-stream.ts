import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';

/** Takes what a stream yields: the footage log. */
export interface UnitSink {
  append(unit: AccessUnit): void;
  /** Sound; absent where the camera's sound is switched off. */
  appendAudio?: ((unit: AudioUnit) => void) | undefined;
  discontinuity(cameraId: string, reason: string): void;
  streamEnded(cameraId: string): void;
}

export interface StreamStatus {
  state: 'none' | 'waiting' | 'inviting' | 'streaming';
  /** Why there is no stream, for people. */
  diagnosis: string | null;
  /** Why it failed or ended last; kept when it runs again. `at` in Unix ms. */
  lastFailure: { at: number; message: string } | null;
  codec: string | null;
  lastUnitAt: number | null;
}

export const NO_STREAM: StreamStatus = { state: 'none', diagnosis: null, lastFailure: null, codec: null, lastUnitAt: null };

/** One camera's live stream, however it comes: kept up from `start` to `close`. */
export interface LiveStream {
  readonly status: StreamStatus;
  /** GB/T 28181: the SSRC of the session under way. */
  readonly ssrc: number | null;
  /** Packets that never came, and those of others on the stream's port; null while there is none, or nobody counts. */
  readonly stats: { lostPackets: number; strangerPackets: number } | null;
  start(): void;
  /** Resolves when everything is closed. */
  close(): Promise<void>;
}
