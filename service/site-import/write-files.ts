import writeXlsxFile, { type Cell, type SheetData } from 'write-excel-file/node';
import type { Site } from '../config/site.js';
import type { UnusedChannel } from './channels.js';
import type { Column } from './columns.js';
import { BERTH_SHEET_COLUMNS, berthRows, LOT_SHEET_COLUMNS, lotRows, sampleLot, sampleRows } from './write-rows.js';

const FONT = 'Microsoft YaHei';
const HEAD = '#1D7F4B';
const HEAD_OPTIONAL = '#5D6B63';
const REMARK = '#F4F6F4';

/** Everything is text: a number of 20 digits, "1-2" and "007" must stay what they are. */
const text = (value: string): Cell => ({ value, type: String, format: '@' });
const header = (column: Column): Cell => ({ value: column.zh, type: String, fontWeight: 'bold', textColor: '#FFFFFF', backgroundColor: column.required ? HEAD : HEAD_OPTIONAL, alignVertical: 'center' });
const remark = (value: string): Cell => ({ value, type: String, wrap: true, textColor: HEAD_OPTIONAL, backgroundColor: REMARK, alignVertical: 'top' });
const hintOf = (column: Column): string => `${column.required ? '必填。' : ''}${column.hint.zh}`;

function sheet(name: string, columns: readonly Column[], rows: readonly (readonly string[])[], explained: boolean) {
  const data: SheetData = [columns.map(header), ...(explained ? [columns.map((column, i) => remark(i === 0 ? `说明：${hintOf(column)}` : hintOf(column)))] : []), ...rows.map((row) => row.map(text))];
  return { data, sheet: name, columns: columns.map((column) => ({ width: column.width ?? 14 })), stickyRowsCount: 1 };
}

/** What each column means, in both languages, for people who read before they write. */
function explanation() {
  const titles = ['列', 'column', '必填', '填写内容', 'what to write', '示例'].map((value): Cell => ({ value, type: String, fontWeight: 'bold' }));
  const rows = [...BERTH_SHEET_COLUMNS, ...LOT_SHEET_COLUMNS.slice(1)].map((column) => [column.zh, column.en, column.required ? '必填' : '', column.hint.zh, column.hint.en, column.sample].map(text));
  const notes = [
    '每个泊位一行；相机的各列写在该相机的第一行，后续行可留空或重复。',
    '导入后站点与本表完全一致：表中没有的相机和泊位会被移除。先用 --dry-run 或页面上的预览查看变化。',
    '深绿色表头为必填列。不需要的选填列可以整列删除，已有相机的对应设置保持不变。',
    '示例行请在导入前删除。以“#”开头的列和行不会被读取。',
  ].map((note) => [remark(note)]);
  return { data: [...notes, [], titles, ...rows] as SheetData, sheet: '填写说明', columns: [{ width: 22 }, { width: 20 }, { width: 8 }, { width: 60 }, { width: 60 }, { width: 40 }] };
}

const write = (sheets: Parameters<typeof writeXlsxFile>[0]): Promise<Buffer> => writeXlsxFile(sheets as Parameters<typeof writeXlsxFile>[0], { fontFamily: FONT, fontSize: 11 } as never).toBuffer();

/** A workbook to fill in: explained headers, two sample rows, a sheet of lots, and what each column means. */
export function templateXlsx(): Promise<Buffer> {
  return write([sheet('泊位', BERTH_SHEET_COLUMNS, sampleRows(), true), sheet('停车场', LOT_SHEET_COLUMNS, [sampleLot()], true), explanation()] as never);
}

/** The site as a workbook that can be imported again. */
export function siteXlsx(site: Site, options: { passwords: boolean }): Promise<Buffer> {
  return write([sheet('泊位', BERTH_SHEET_COLUMNS, berthRows(site, options), false), sheet('停车场', LOT_SHEET_COLUMNS, lotRows(site), false), explanation()] as never);
}

/** Channels of registered devices as rows in which berths are still missing. */
export function channelsXlsx(channels: readonly UnusedChannel[]): Promise<Buffer> {
  const rows = channels.map((channel) => {
    const values: Record<string, string> = {
      id: `cam-${channel.channelId}`,
      name: channel.name,
      'gb28181.deviceId': channel.deviceId,
      'gb28181.channelId': channel.channelId,
      manufacturer: channel.manufacturer ?? '',
      model: channel.model ?? '',
      'location.longitude': channel.longitude === null || channel.latitude === null ? '' : String(channel.longitude),
      'location.latitude': channel.longitude === null || channel.latitude === null ? '' : String(channel.latitude),
    };
    return BERTH_SHEET_COLUMNS.map((column) => (column.of === 'camera' ? (values[column.path.join('.')] ?? '') : ''));
  });
  return write([sheet('泊位', BERTH_SHEET_COLUMNS, rows, true), sheet('停车场', LOT_SHEET_COLUMNS, [], true), explanation()] as never);
}

const csvCell = (value: string): string => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

/** The template as CSV: UTF-8 with a byte order mark, without which spreadsheet programs take it for the machine's own code. */
export function templateCsv(): Buffer {
  const columns = [...BERTH_SHEET_COLUMNS, ...LOT_SHEET_COLUMNS.slice(1)];
  const samples = sampleRows().map((row, i) => [...row, ...LOT_SHEET_COLUMNS.slice(1).map((column) => (i === 0 ? column.sample : ''))]);
  const rows = [columns.map((column) => column.zh), columns.map((column, i) => (i === 0 ? `说明：${hintOf(column)}` : hintOf(column))), ...samples];
  return Buffer.from(`\uFEFF${rows.map((row) => row.map(csvCell).join(',')).join('\r\n')}\r\n`);
}
