import { PartsCollector, type PartsResult } from './parts-collector.js';
import { childOf, integerOf, numberOf, textOf, type XmlElement } from './xml.js';

/** One entry of a device's catalogue (GB/T 28181-2016 A.2.1.9), null where the device says nothing. */
export interface CatalogItem {
  id: string;
  name: string;
  manufacturer: string | null;
  model: string | null;
  civilCode: string | null;
  address: string | null;
  /** Ids of the parents; some devices give a list. */
  parentIds: readonly string[];
  /** 1 where it has children. */
  parental: boolean;
  /** Null where the device gives no Status or one that nobody knows. */
  online: boolean | null;
  longitude: number | null;
  latitude: number | null;
  ptzType: number | null;
}

export type CatalogResult = PartsResult<CatalogItem>;

/** Items beyond this are not kept: a device cannot fill our memory. */
export const MAX_CATALOG_ITEMS = 20_000;

/** ON, ONLINE, OK and their opposites, in any letter case; null for other texts. */
export function readOnOff(text: string | null): boolean | null {
  const upper = text?.trim().toUpperCase();
  if (upper === 'ON' || upper === 'ONLINE' || upper === 'OK') return true;
  if (upper === 'OFF' || upper === 'OFFLINE' || upper === 'ERROR') return false;
  return null;
}

/** Firmware writes 65535 or the like where it knows no type; the standard has 1 to 7. */
function knownPtzType(value: number | null): number | null {
  return value !== null && value >= 0 && value <= 99 ? value : null;
}

export function readCatalogItem(element: XmlElement): CatalogItem | null {
  const id = textOf(element, 'DeviceID');
  if (id === null || id.length > 64) return null;
  const info = childOf(element, 'Info');
  return {
    id: id.replace(/\s+/g, ''),
    name: (textOf(element, 'Name') ?? '').slice(0, 256),
    manufacturer: textOf(element, 'Manufacturer'),
    model: textOf(element, 'Model'),
    civilCode: textOf(element, 'CivilCode'),
    address: textOf(element, 'Address'),
    parentIds: (textOf(element, 'ParentID') ?? '').split('/').filter((part) => part !== ''),
    parental: integerOf(element, 'Parental') === 1,
    online: readOnOff(textOf(element, 'Status')),
    longitude: numberOf(element, 'Longitude'),
    latitude: numberOf(element, 'Latitude'),
    ptzType: knownPtzType((info ? integerOf(info, 'PTZType') : null) ?? integerOf(element, 'PTZType')),
  };
}

/** A catalogue in the making, one entry an id. */
export class CatalogCollector extends PartsCollector<CatalogItem> {
  constructor() {
    super({ list: 'DeviceList', read: readCatalogItem, keyOf: (item) => item.id, max: MAX_CATALOG_ITEMS });
  }
}
