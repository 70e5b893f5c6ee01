import { integerOf, textOf, type XmlElement } from './xml.js';

/** GB/T 28181-2016 A.2.6 b). */
export interface DeviceInfo {
  name: string | null;
  manufacturer: string | null;
  model: string | null;
  firmware: string | null;
  /** Number of video channels; null also for 65535, by which firmware says that it does not know. */
  channels: number | null;
}

export function readDeviceInfo(element: XmlElement): DeviceInfo {
  return {
    name: textOf(element, 'DeviceName'),
    manufacturer: textOf(element, 'Manufacturer'),
    model: textOf(element, 'Model'),
    firmware: textOf(element, 'Firmware'),
    channels: knownCount(integerOf(element, 'Channel') ?? integerOf(element, 'MaxCamera')),
  };
}

function knownCount(value: number | null): number | null {
  return value !== null && value >= 0 && value < 65_535 ? value : null;
}
