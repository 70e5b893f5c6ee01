import type { MediaMode, MediaTransportKind } from '../media/media-transport.js';
import type { StreamDialect, StreamKind } from './offer.js';

/** What a device recorded by itself, and how it shall come (GB/T 28181-2016 9.8 and 9.9). */
export interface RecordingWish {
  /** Playback comes at normal speed and can be steered by `GbSession.control`; a download comes as fast as device and line can. */
  kind: 'playback' | 'download';
  /** Unix ms; the wire carries whole seconds. */
  from: number;
  to: number;
  /** Download: times normal speed that is asked for. */
  speed?: number;
}

/** A wish for a stream, live unless `recording` says otherwise. The media port must be open before it is uttered. */
export interface InviteRequest {
  deviceId: string;
  channelId: string;
  transport: MediaTransportKind;
  /** The address and port that the camera is told to send to, or to connect to; of TCP active only the address means something. */
  mediaHost: string;
  mediaPort: number;
  /** Ten digits, from `SsrcPool`, of the kind that fits. */
  ssrc: string;
  stream: StreamKind;
  /** How this device is told main or sub stream; `streamnumber` where not given. */
  dialect?: StreamDialect;
  recording?: RecordingWish;
  /** How packets will be told apart and whose SSRC is taken; for diagnoses. */
  mediaMode?: MediaMode;
  strictSsrc?: boolean;
  /** How long the camera may take to decide, ms. */
  timeoutMs: number;
  /** Gives up while the camera has not decided; a session that exists is ended by its `bye`. */
  signal?: AbortSignal;
}
