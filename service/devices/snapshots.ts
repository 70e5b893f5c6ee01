import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { DeviceServices } from '../../ingest/gb28181/device-services.js';

/** A picture of a channel, and which way it came. */
export interface ChannelPicture {
  jpeg: Uint8Array;
  /** `device`: taken by the camera for this; `stream`: decoded from the newest key frame of its stream. */
  source: 'device' | 'stream';
  /** Unix ms; null where the camera does not say. */
  capturedAt: number | null;
  /** Why the camera did not take it itself; null where it did. */
  fallbackReason: string | null;
}

export interface SnapshotParts {
  services: Pick<DeviceServices, 'snapshot'>;
  /** The newest key frame of the channel's stream as JPEG; null where there is none. */
  newestFrame: (deviceId: string, channelId: string) => Promise<{ jpeg: Uint8Array; capturedAt: number } | null>;
  now: () => number;
  /** How long a device may take to upload, ms. */
  timeoutMs: number;
}

/** A key frame older than this shows another moment than the one asked for. */
const FRESH_MS = 60_000;

/**
 * A picture of now: by the snapshot of the 2022 edition, else from the stream.
 * @throws BerthwatchError unavailable where neither gives one, saying why of both
 */
export async function takePicture(parts: SnapshotParts, deviceId: string, channelId: string): Promise<ChannelPicture> {
  let reason: string;
  try {
    const { jpeg, takenAt } = await parts.services.snapshot(deviceId, channelId, parts.timeoutMs);
    return { jpeg, source: 'device', capturedAt: takenAt, fallbackReason: null };
  } catch (error) {
    if (error instanceof BerthwatchError && error.kind === 'bad-input') throw error;
    reason = messageOf(error);
  }
  const frame = await parts.newestFrame(deviceId, channelId).catch((error: unknown) => {
    throw noPicture(deviceId, channelId, reason, messageOf(error));
  });
  if (!frame) throw noPicture(deviceId, channelId, reason, 'no camera of the site records this channel, or nothing is recorded yet');
  const ageMs = parts.now() - frame.capturedAt;
  if (ageMs > FRESH_MS) throw noPicture(deviceId, channelId, reason, `the newest picture of its stream is ${Math.round(ageMs / 1000)} s old`);
  return { jpeg: frame.jpeg, source: 'stream', capturedAt: frame.capturedAt, fallbackReason: reason };
}

function noPicture(deviceId: string, channelId: string, device: string, stream: string): BerthwatchError {
  return new BerthwatchError('unavailable', 'DEVICE_NO_PICTURE', `no picture of channel ${channelId}: ${device}; and from the stream: ${stream}`, { detail: { deviceId, channelId } });
}
