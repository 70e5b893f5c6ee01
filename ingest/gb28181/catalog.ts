import { childOf, childrenOf, integerOf, numberOf, textOf, type XmlElement } from './xml.js';

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

export interface CatalogResult {
  items: readonly CatalogItem[];
  /** What the device said it would send. */
  total: number;
  /** False where parts were lost: fewer items came than announced. */
  complete: boolean;
}

/** Items beyond this are not kept: a device cannot fill our memory. */
export const MAX_CATALOG_ITEMS = 20_000;

function readStatus(text: string | null): boolean | null {
  const upper = text?.toUpperCase();
  if (upper === 'ON' || upper === 'ONLINE' || upper === 'OK') return true;
  if (upper === 'OFF' || upper === 'OFFLINE' || upper === 'ERROR') return false;
  return null;
}

export function readCatalogItem(element: XmlElement): CatalogItem | null {
  const id = textOf(element, 'DeviceID');
  if (id === null || id.length > 64) return null;
  const info = childOf(element, 'Info');
  return {
    id,
    name: (textOf(element, 'Name') ?? '').slice(0, 256),
    manufacturer: textOf(element, 'Manufacturer'),
    model: textOf(element, 'Model'),
    civilCode: textOf(element, 'CivilCode'),
    address: textOf(element, 'Address'),
    parentIds: (textOf(element, 'ParentID') ?? '').split('/').filter((part) => part !== ''),
    parental: integerOf(element, 'Parental') === 1,
    online: readStatus(textOf(element, 'Status')),
    longitude: numberOf(element, 'Longitude'),
    latitude: numberOf(element, 'Latitude'),
    ptzType: (info ? integerOf(info, 'PTZType') : null) ?? integerOf(element, 'PTZType'),
  };
}

/**
 * Puts the parts of one answer together. Parts come in any number of messages, may be repeated, and may be lost; an id that
 * comes again replaces the earlier item.
 */
export class CatalogCollector {
  readonly #items = new Map<string, CatalogItem>();
  #total: number | null = null;
  /** Things in the list without a usable id; they count as delivered. */
  #unusable = 0;
  #parts = 0;

  get parts(): number {
    return this.#parts;
  }

  add(response: XmlElement): void {
    this.#parts++;
    const list = childOf(response, 'DeviceList');
    const elements = list ? childrenOf(list, 'Item') : [];
    const said = integerOf(response, 'SumNum') ?? (list ? null : 0);
    if (said !== null && said >= 0) this.#total = Math.max(this.#total ?? 0, said);
    for (const element of elements) {
      const item = readCatalogItem(element);
      if (!item) this.#unusable++;
      else if (this.#items.has(item.id) || this.#items.size < MAX_CATALOG_ITEMS) this.#items.set(item.id, item);
    }
  }

  get done(): boolean {
    return this.#total !== null && this.#items.size + this.#unusable >= this.#total;
  }

  result(): CatalogResult {
    const items = [...this.#items.values()];
    return { items, total: this.#total ?? items.length, complete: this.done };
  }
}
