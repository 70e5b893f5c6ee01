import type { DeviceStatus } from '../../ingest/gb28181/device.js';
import type { Site } from '../config/site.js';

/** A channel that a registered device offers and no camera of the site uses. */
export interface UnusedChannel {
  deviceId: string;
  channelId: string;
  /** What the device calls it; '' where it gives no name. */
  name: string;
  manufacturer: string | null;
  model: string | null;
  /** Whether the device is registered now. */
  deviceOnline: boolean;
  /** What the device says of the channel; null where it does not. */
  channelOnline: boolean | null;
  longitude: number | null;
  latitude: number | null;
}

/** The type code, digits 11 to 13 of an identity (GB/T 28181 Annex E): what can be asked for pictures. */
const CAMERA_TYPES = new Set(['131', '132']);

/**
 * Channels that wait to become cameras, ordered by device and channel. A device without a catalogue counts as one channel of its own id,
 * as single cameras often do; directories, alarm inputs and other items that show no picture are left out.
 */
export function unusedChannels(devices: readonly DeviceStatus[], site: Site): UnusedChannel[] {
  const used = new Set(site.cameras.flatMap(({ gb28181 }) => (gb28181 ? [`${gb28181.deviceId}/${gb28181.channelId}`] : [])));
  return devices
    .flatMap((device): UnusedChannel[] => {
      const facts = { deviceId: device.id, deviceOnline: device.online };
      const cameras = device.channels.filter((item) => CAMERA_TYPES.has(item.id.slice(10, 13)));
      if (cameras.length === 0) return [{ ...facts, channelId: device.id, name: device.info?.name ?? '', manufacturer: device.info?.manufacturer ?? null, model: device.info?.model ?? null, channelOnline: null, longitude: null, latitude: null }];
      return cameras.map((item) => ({ ...facts, channelId: item.id, name: item.name, manufacturer: item.manufacturer, model: item.model, channelOnline: item.online, longitude: item.longitude, latitude: item.latitude }));
    })
    .filter(({ deviceId, channelId }) => !used.has(`${deviceId}/${channelId}`))
    .sort((a, b) => (a.deviceId === b.deviceId ? (a.channelId < b.channelId ? -1 : 1) : a.deviceId < b.deviceId ? -1 : 1));
}
