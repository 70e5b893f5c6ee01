import { readGbTime } from './gb-time.js';
import { childOf, integerOf, numberOf, textOf, type XmlElement } from './xml.js';

/** An alarm as a device reports it (GB/T 28181-2016 A.2.5 b); null where it says nothing. */
export interface DeviceAlarm {
  deviceId: string;
  /** The alarm input, camera or device that the alarm comes from. */
  sourceId: string;
  /** 1 (highest) to 4. */
  priority: number | null;
  /** 1 phone, 2 device, 3 SMS, 4 GPS, 5 video, 6 device fault, 7 other. */
  method: number | null;
  /** Meaning depends on the method, see `alarmWords`. */
  type: number | null;
  /** Intrusion: 1 enters, 2 leaves. */
  eventType: number | null;
  /** Unix ms by the device's clock. */
  at: number | null;
  /** Unix ms by ours. */
  receivedAt: number;
  description: string | null;
  longitude: number | null;
  latitude: number | null;
}

export function readAlarm(element: XmlElement, deviceId: string, receivedAt: number): DeviceAlarm {
  const info = childOf(element, 'Info');
  const parameters = info ? childOf(info, 'AlarmTypeParam') : undefined;
  const inside = (value: number | null, least: number, most: number): number | null => (value !== null && value >= least && value <= most ? value : null);
  const coordinate = (name: string, most: number): number | null => {
    const value = numberOf(element, name);
    return value !== null && Math.abs(value) <= most ? value : null;
  };
  return {
    deviceId,
    sourceId: textOf(element, 'DeviceID')?.replace(/\s+/g, '').slice(0, 64) ?? deviceId,
    priority: inside(integerOf(element, 'AlarmPriority'), 1, 4),
    method: inside(integerOf(element, 'AlarmMethod'), 1, 7),
    type: inside((info ? integerOf(info, 'AlarmType') : null) ?? integerOf(element, 'AlarmType'), 1, 9999),
    eventType: inside(parameters ? integerOf(parameters, 'EventType') : null, 1, 9),
    at: readGbTime(textOf(element, 'AlarmTime')),
    receivedAt,
    description: textOf(element, 'AlarmDescription')?.slice(0, 512) ?? null,
    longitude: coordinate('Longitude', 180),
    latitude: coordinate('Latitude', 90),
  };
}

const METHODS = ['', 'telephone alarm', 'device alarm', 'SMS alarm', 'GPS alarm', 'video alarm', 'device fault', 'other alarm'];
const TYPES: Readonly<Record<number, readonly string[]>> = {
  2: ['', 'video lost', 'device opened or tampered with', 'disk full', 'too hot', 'too cold'],
  5: ['', 'started by hand', 'motion', 'object left behind', 'object removed', 'line crossed', 'intrusion', 'wrong way', 'loitering', 'traffic count', 'crowd', 'picture abnormal', 'fast movement', 'picture covered'],
  6: ['', 'disk fault', 'fan fault'],
};

/** What an alarm's numbers mean, for people (GB/T 28181-2022 A.2.5). */
export function alarmWords({ method, type }: Pick<DeviceAlarm, 'method' | 'type'>): string {
  const kind = METHODS[method ?? 0] || 'alarm';
  const what = TYPES[method ?? 0]?.[type ?? 0];
  return what ? `${kind}: ${what}` : type === null ? kind : `${kind} ${type}`;
}
