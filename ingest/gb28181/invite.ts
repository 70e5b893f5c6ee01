import type { MediaTransportKind } from '../media/media-transport.js';
import type { StreamDialect, StreamKind } from './offer.js';

/** A wish for a live stream. The media port must be open before it is uttered. */
export interface InviteRequest {
  deviceId: string;
  channelId: string;
  transport: MediaTransportKind;
  /** The address and port that the camera is told to send to, or to connect to; of TCP active only the address means something. */
  mediaHost: string;
  mediaPort: number;
  /** Ten digits, from `SsrcPool`. */
  ssrc: string;
  stream: StreamKind;
  /** How this device is told main or sub stream; `streamnumber` where not given. */
  dialect?: StreamDialect;
  /** How long the camera may take to decide, ms. */
  timeoutMs: number;
  /** Gives up while the camera has not decided; a session that exists is ended by its `bye`. */
  signal?: AbortSignal;
}
