import { readOnOff } from './catalog.js';
import { readGbTime } from './gb-time.js';
import { PartsCollector, type PartsResult } from './parts-collector.js';
import { childOf, childrenOf, integerOf, numberOf, textOf, type XmlElement } from './xml.js';

/** What a device says of its own state (GB/T 28181-2016 A.2.6 c); null where it says nothing readable. */
export interface DeviceCondition {
  online: boolean | null;
  /** Works as it should. */
  healthy: boolean | null;
  /** Why not. */
  reason: string | null;
  encoding: boolean | null;
  recording: boolean | null;
  /** The device's clock, Unix ms. */
  deviceTime: number | null;
  alarms: readonly { id: string; duty: 'onduty' | 'offduty' | 'alarm' | null }[];
}

const MAX_ALARMS = 256;

export function readDeviceCondition(element: XmlElement): DeviceCondition {
  // The 2016 text writes Alarmstatus, others AlarmStatus; look-ups ignore case.
  const alarms = childOf(element, 'AlarmStatus');
  return {
    online: readOnOff(textOf(element, 'Online')),
    healthy: readOnOff(textOf(element, 'Status')),
    reason: textOf(element, 'Reason')?.slice(0, 256) ?? null,
    encoding: readOnOff(textOf(element, 'Encode')),
    recording: readOnOff(textOf(element, 'Record')),
    deviceTime: readGbTime(textOf(element, 'DeviceTime')),
    alarms: (alarms ? childrenOf(alarms, 'Item') : []).slice(0, MAX_ALARMS).flatMap((item) => {
      const id = textOf(item, 'DeviceID')?.slice(0, 64);
      const duty = textOf(item, 'DutyStatus')?.toLowerCase();
      return id === undefined ? [] : [{ id, duty: duty === 'onduty' || duty === 'offduty' || duty === 'alarm' ? duty : null }];
    }),
  };
}

/** A preset position of a PTZ camera. */
export interface Preset {
  number: number;
  name: string | null;
}

export type PresetResult = PartsResult<Preset>;

/** PresetList comes whole (2016) or in parts with SumNum (2022). The standard has presets 1 to 255. */
export class PresetCollector extends PartsCollector<Preset> {
  constructor() {
    super({
      list: 'PresetList',
      read: (item) => {
        const number = integerOf(item, 'PresetID');
        return number === null || number < 0 || number > 65_535 ? null : { number, name: textOf(item, 'PresetName')?.slice(0, 128) ?? null };
      },
      keyOf: (preset) => String(preset.number),
      max: 1024,
    });
  }
}

/** GB/T 28181-2016 A.2.5 mobile position; null where it says nothing. */
export interface MobilePosition {
  channelId: string | null;
  /** Unix ms by the device's clock. */
  at: number | null;
  longitude: number;
  latitude: number;
  /** km/h. */
  speed: number | null;
  /** Degrees from north, clockwise. */
  direction: number | null;
  /** Metres. */
  altitude: number | null;
}

/** Null where it names no place on earth. */
export function readMobilePosition(element: XmlElement): MobilePosition | null {
  const longitude = numberOf(element, 'Longitude');
  const latitude = numberOf(element, 'Latitude');
  if (longitude === null || latitude === null || Math.abs(longitude) > 180 || Math.abs(latitude) > 90) return null;
  const inside = (name: string, least: number, most: number): number | null => {
    const value = numberOf(element, name);
    return value !== null && value >= least && value <= most ? value : null;
  };
  return {
    channelId: textOf(element, 'DeviceID')?.slice(0, 64) ?? null,
    at: readGbTime(textOf(element, 'Time')),
    longitude,
    latitude,
    speed: inside('Speed', 0, 2000),
    direction: inside('Direction', 0, 360),
    altitude: inside('Altitude', -1000, 20_000),
  };
}

/** `Result` of a Response: null where the device leaves it out, as many do when all went well. */
export function readResult(element: XmlElement): boolean | null {
  return readOnOff(textOf(element, 'Result'));
}
