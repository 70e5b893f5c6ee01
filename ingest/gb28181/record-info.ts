import { readGbTime, writeGbTime } from './gb-time.js';
import type { ManscdpField } from './manscdp.js';
import { PartsCollector, type PartsResult } from './parts-collector.js';
import { integerOf, textOf, type XmlElement } from './xml.js';

export const RECORD_TYPES = ['all', 'time', 'alarm', 'manual'] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

/** What is looked for in a device's own recordings. Times are Unix ms. */
export interface RecordQuery {
  channelId: string;
  from: number;
  to: number;
  type?: RecordType;
  /** 2022 edition: recordings of the main (0) or sub stream (1, 2, …) alone. */
  streamNumber?: number;
}

/** One recording at the device (GB/T 28181-2016 A.2.1.10); null where it says nothing. */
export interface RecordItem {
  channelId: string;
  name: string | null;
  filePath: string | null;
  address: string | null;
  /** Unix ms. */
  startsAt: number;
  endsAt: number;
  secret: boolean;
  type: string | null;
  recorderId: string | null;
  bytes: number | null;
  /** 2022: where it lies, and which stream it is. */
  location: string | null;
  streamNumber: number | null;
}

export type RecordResult = PartsResult<RecordItem>;

/** Thirty days of one-minute files. */
const MAX_RECORD_ITEMS = 50_000;

/** `Type` is always sent: some recorders answer nothing without it. Secrecy 0: what is not classified. */
export function recordQueryFields(query: RecordQuery): ManscdpField[] {
  return [
    ['StartTime', writeGbTime(query.from)],
    ['EndTime', writeGbTime(query.to)],
    ['Secrecy', 0],
    ['Type', query.type ?? 'all'],
    ...(query.streamNumber === undefined ? [] : [['StreamNumber', query.streamNumber] as const]),
  ];
}

/** Null for an item without a readable time: nobody could play it. */
export function readRecordItem(element: XmlElement): RecordItem | null {
  const channelId = textOf(element, 'DeviceID');
  const startsAt = readGbTime(textOf(element, 'StartTime'));
  const endsAt = readGbTime(textOf(element, 'EndTime'));
  if (channelId === null || channelId.length > 64 || startsAt === null || endsAt === null) return null;
  const text = (name: string): string | null => textOf(element, name)?.slice(0, 512) ?? null;
  const bytes = Number(textOf(element, 'FileSize') ?? NaN);
  return {
    channelId: channelId.replace(/\s+/g, ''),
    name: text('Name'),
    filePath: text('FilePath'),
    address: text('Address'),
    startsAt,
    endsAt,
    secret: integerOf(element, 'Secrecy') === 1,
    type: text('Type')?.toLowerCase() ?? null,
    recorderId: text('RecorderID'),
    bytes: Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null,
    location: text('RecordLocation'),
    streamNumber: integerOf(element, 'StreamNumber'),
  };
}

/** A list of recordings in the making; copies of one recording are counted once. Results are in order of time. */
export class RecordCollector extends PartsCollector<RecordItem> {
  constructor() {
    super({
      list: 'RecordList',
      read: readRecordItem,
      keyOf: (item) => [item.channelId, item.startsAt, item.endsAt, item.filePath, item.type, item.streamNumber].join('|'),
      max: MAX_RECORD_ITEMS,
    });
  }

  override result(): RecordResult {
    const result = super.result();
    return { ...result, items: [...result.items].sort((a, b) => a.startsAt - b.startsAt || a.endsAt - b.endsAt) };
  }
}
