import { chinaIsoSeconds } from '../common/local-time.js';
import type { CameraConfig } from './config.js';
import { element, elementText, encodeManscdp } from './manscdp.js';

type Recording = CameraConfig['recordings']['list'][number];

const MESSAGE_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})$/;

/** The standard's local time of China, strictly; null where it is none. */
function readTime(text: string | null): number | null {
  if (text === null || !MESSAGE_TIME.test(text)) return null;
  const utc = Date.parse(`${text}Z`);
  return Number.isNaN(utc) ? null : utc - 8 * 3_600_000;
}

/** How firmware writes `2024-07-01T09:05:00`. */
function sloppyTime(unixMs: number, turn: number): string {
  const text = chinaIsoSeconds(unixMs);
  const short = text.replace(/-0/g, '-').replace(/T0/, 'T').replace(/:0/g, ':');
  return [short, `${text}.000`, `${text}+08:00`, text.replace('T', ' ')][turn % 4] as string;
}

/** The messages that answer a RecordInfo query (GB/T 28181-2016 9.7); null where the question is not what the standard has. */
export function recordMessages(config: CameraConfig, sn: string, channelId: string, text: string): Buffer[] | null {
  const { recordings, misbehaviour, device } = config;
  const from = readTime(elementText(text, 'StartTime'));
  const to = readTime(elementText(text, 'EndTime'));
  const type = elementText(text, 'Type') ?? 'all';
  if (from === null || to === null || !['all', 'time', 'alarm', 'manual'].includes(type)) return null;
  if (misbehaviour.recordsNeedType && elementText(text, 'Type') === null) return [];
  const found = recordings.list.filter((item) => item.channelId === channelId && item.endsAt > from && item.startsAt < to && (type === 'all' || item.type === type));
  const sent = (misbehaviour.duplicateRecordItems ? found.flatMap((item) => [item, item]) : found).slice(0, found.length * (misbehaviour.duplicateRecordItems ? 2 : 1) - misbehaviour.missingRecordItems);
  const head = element('CmdType', 'RecordInfo') + element('SN', sn) + element('DeviceID', channelId) + element('Name', device.name) + element('SumNum', found.length);
  if (found.length === 0) return [encodeManscdp('Response', head, device.version)];
  const messages: Buffer[] = [];
  for (let at = 0; at < sent.length; at += recordings.itemsPerMessage) {
    const items = sent.slice(at, at + recordings.itemsPerMessage);
    messages.push(encodeManscdp('Response', `${head}<RecordList Num="${items.length}">\r\n${items.map((item, i) => recordItem(item, misbehaviour.sloppyRecordTimes ? at + i : null, device.version === '3.0')).join('')}</RecordList>\r\n`, device.version));
  }
  return messages;
}

function recordItem(item: Recording, turn: number | null, is2022: boolean): string {
  const time = (unixMs: number): string => (turn === null ? chinaIsoSeconds(unixMs) : sloppyTime(unixMs, turn));
  return (
    '<Item>\r\n' +
    element('DeviceID', item.channelId) + element('Name', '录像') + element('FilePath', item.filePath) + element('Address', '香港中路') +
    element('StartTime', time(item.startsAt)) + element('EndTime', time(item.endsAt)) + element('Secrecy', 0) + element('Type', item.type) + element('FileSize', item.bytes) +
    (is2022 ? element('StreamNumber', 0) : '') +
    '</Item>\r\n'
  );
}
