import { MAX_CATALOG_ITEMS, readCatalogItem, type CatalogItem } from './catalog.js';
import { childOf, childrenOf, textOf, type XmlElement } from './xml.js';

/** GB/T 28181-2016 A.2.5 catalogue notification. */
const EVENTS = ['ON', 'OFF', 'VLOST', 'DEFECT', 'ADD', 'DEL', 'UPDATE'] as const;
export type CatalogEventKind = (typeof EVENTS)[number];

export interface CatalogChange {
  channelId: string;
  event: CatalogEventKind;
}

/**
 * Applies a notification to a channel list. Items may hold nothing but id and event; what they leave out stays as it was. Only ADD
 * and UPDATE bring channels that were not there.
 */
export function applyCatalogNotify(channels: readonly CatalogItem[], notify: XmlElement): { channels: readonly CatalogItem[]; changes: CatalogChange[] } {
  const list = childOf(notify, 'DeviceList');
  const changes: CatalogChange[] = [];
  const byId = new Map(channels.map((channel) => [channel.id, channel]));
  for (const element of list ? childrenOf(list, 'Item') : []) {
    const item = readCatalogItem(element);
    const event = readEvent(element);
    if (!item || !event) continue;
    const known = byId.get(item.id);
    if (event === 'DEL') byId.delete(item.id);
    else if (event === 'ADD' || event === 'UPDATE') {
      if (!known && byId.size >= MAX_CATALOG_ITEMS) continue;
      byId.set(item.id, known ? merge(known, item) : item);
    } else if (known) byId.set(item.id, { ...known, online: event === 'ON' });
    else continue;
    changes.push({ channelId: item.id, event });
  }
  return { channels: [...byId.values()], changes };
}

function readEvent(element: XmlElement): CatalogEventKind | null {
  const text = textOf(element, 'Event')?.toUpperCase();
  // Some devices tell their whole list when they are subscribed to, without saying that anything happened.
  if (text === undefined) return textOf(element, 'Name') === null ? null : 'UPDATE';
  return EVENTS.find((event) => event === text) ?? null;
}

function merge(known: CatalogItem, told: CatalogItem): CatalogItem {
  return {
    ...known,
    ...Object.fromEntries(Object.entries(told).filter(([, value]) => value !== null && value !== '')),
    parentIds: told.parentIds.length > 0 ? told.parentIds : known.parentIds,
    parental: told.parental || known.parental,
  };
}
