import { integerOf, textOf, type XmlElement } from './xml.js';

/** GB/T 28181-2016 A.2.6 b). */
export interface DeviceInfo {
  name: string | null;
  manufacturer: string | null;
  model: string | null;
  firmware: string | null;
  /** Number of video channels. */
  channels: number | null;
}

export function readDeviceInfo(element: XmlElement): DeviceInfo {
  return {
    name: textOf(element, 'DeviceName'),
    manufacturer: textOf(element, 'Manufacturer'),
    model: textOf(element, 'Model'),
    firmware: textOf(element, 'Firmware'),
    channels: integerOf(element, 'Channel') ?? integerOf(element, 'MaxCamera'),
  };
}
