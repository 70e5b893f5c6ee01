import { minutesOfDay, WEEKDAYS, type AnalysisWindow, type Weekday } from '../config/analysis-windows.js';
import type { CellType } from './columns.js';

/** The value of a cell, or `undefined` where the text is none of its type. Pure; never throws. */
export type CellReader = (text: string) => unknown;

const NUMBER = /^[+-]?(\d{1,15}(\.\d{1,15})?|\.\d{1,15})$/;
/** Numbers of a workbook may be written with an exponent. */
const EXPONENT = /^[+-]?\d(\.\d{1,20})?E[+-]?\d{1,2}$/i;

/** Full-width digits and marks as Chinese keyboards type them. */
export function halfWidth(text: string): string {
  return text.replace(/[\uFF01-\uFF5E]/g, (mark) => String.fromCharCode(mark.charCodeAt(0) - 0xfee0)).replace(/\u3000/g, ' ');
}

function numberOf(text: string): number | undefined {
  const plain = halfWidth(text).replace(/\s/g, '');
  // No minus zero: it would be written as zero.
  return NUMBER.test(plain) || EXPONENT.test(plain) ? Number(plain) + 0 : undefined;
}

function integerOf(text: string): number | undefined {
  const value = numberOf(text);
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}

const words =
  (table: Record<string, unknown>): CellReader =>
  (text) => {
    const word = halfWidth(text).toLowerCase().replace(/[\s_-]/g, '');
    return Object.hasOwn(table, word) ? table[word] : undefined;
  };

/** "x,y x,y x,y x,y", also with brackets, full-width marks, or commas throughout. */
function polygonOf(text: string): [number, number][] | undefined {
  const numbers = halfWidth(text)
    .replace(/[[\](){}]/g, ' ')
    .split(/[\s,;、，；]+/)
    .filter((part) => part !== '')
    .map(numberOf);
  if (numbers.length !== 8 || numbers.some((n) => n === undefined)) return undefined;
  return [0, 2, 4, 6].map((i) => [numbers[i] as number, numbers[i + 1] as number]);
}

function directionOf(text: string): [number, number] | undefined {
  const numbers = halfWidth(text)
    .replace(/[[\]()]/g, ' ')
    .split(/[\s,;、]+/)
    .filter((part) => part !== '')
    .map(numberOf);
  return numbers.length === 2 && numbers.every((n) => n !== undefined) ? (numbers as [number, number]) : undefined;
}

/** Yuan with at most two decimals → fen; "免费" → null. */
function fenOf(text: string): number | null | undefined {
  const plain = halfWidth(text).replace(/[\s¥元]/g, '').toLowerCase();
  if (plain === '免费' || plain === 'free') return null;
  const value = numberOf(plain);
  if (value === undefined || value < 0) return undefined;
  const fen = Math.round(value * 100);
  return Math.abs(fen - value * 100) < 1e-6 && Number.isSafeInteger(fen) ? fen : undefined;
}

const DAY_NAMES = new Map<string, number>([
  ...WEEKDAYS.map((day, i) => [day, i] as const),
  ...['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'].map((day, i) => [day, i] as const),
  ...['周', '星期', '礼拜'].flatMap((week) => ['一', '二', '三', '四', '五', '六', '日'].map((day, i) => [week + day, i] as const)),
  ...['周', '星期', '礼拜'].map((week) => [`${week}天`, 6] as const),
]);
const DAILY = new Set(['', '每天', '每日', '全周', 'daily']);

/** "周一至周五", "Mon-Fri", "周六、周日", "工作日" → days in order. */
function daysOf(text: string): Weekday[] | undefined {
  if (DAILY.has(text)) return [...WEEKDAYS];
  if (text === '工作日') return [...WEEKDAYS].slice(0, 5);
  if (text === '周末') return [...WEEKDAYS].slice(5);
  const chosen = new Set<number>();
  for (const part of text.split(/[、,和]/)) {
    const [first, last, more] = part.split(/至|到|-|~/).map((name) => DAY_NAMES.get(name));
    if (first === undefined || more !== undefined || (part.split(/至|到|-|~/).length > 1 && last === undefined)) return undefined;
    // Friday to Monday goes over the end of the week.
    for (let day = first; ; day = (day + 1) % 7) {
      chosen.add(day);
      if (day === (last ?? first)) break;
    }
  }
  return WEEKDAYS.filter((_, i) => chosen.has(i));
}

/** "周一至周五 07:30-21:30；周六、周日 09:00-20:00" → windows; "全天" → none. */
export function windowsOf(text: string): AnalysisWindow[] | undefined {
  const plain = halfWidth(text).toLowerCase().replace(/[—–~]/g, '-').trim();
  if (plain === '' || plain === '全天' || plain === 'always') return [];
  const windows: AnalysisWindow[] = [];
  for (const part of plain.split(/[;；\n]/).map((p) => p.trim()).filter((p) => p !== '')) {
    const match = /^(.*?)\s*(\d{1,2}:\d{2})\s*(?:-|至|到)\s*(\d{1,2}:\d{2})$/.exec(part);
    const days = match && daysOf((match[1] as string).replace(/\s/g, ''));
    const [from, to] = [match?.[2] ?? '', match?.[3] ?? ''];
    if (!days || minutesOfDay(from) === null || minutesOfDay(to) === null) return undefined;
    windows.push({ days, from: from.padStart(5, '0'), to: to.padStart(5, '0') });
  }
  return windows;
}

export const READERS: Record<CellType, CellReader> = {
  text: (text) => text,
  number: numberOf,
  integer: integerOf,
  'yes-no': words({ 是: true, 启用: true, yes: true, y: true, true: true, 1: true, 否: false, 停用: false, no: false, n: false, false: false, 0: false }),
  kind: words({ 高位视频: 'high-position', 高位视频设备: 'high-position', 高位相机: 'high-position', highposition: 'high-position', 低位视频桩: 'video-pile', 视频桩: 'video-pile', videopile: 'video-pile' }),
  'berth-kind': words({ 平行: 'parallel', 平行泊位: 'parallel', parallel: 'parallel', 垂直: 'perpendicular', 垂直泊位: 'perpendicular', perpendicular: 'perpendicular', 斜列: 'angled', 斜向: 'angled', 斜向泊位: 'angled', angled: 'angled' }),
  transport: words({ tcp被动: 'tcp-passive', tcppassive: 'tcp-passive', tcp: 'tcp-passive', tcp主动: 'tcp-active', tcpactive: 'tcp-active', udp: 'udp' }),
  'rtsp-transport': words({ tcp: 'tcp', udp: 'udp' }),
  record: words({ 主码流: 'main', main: 'main', 子码流: 'sub', 辅码流: 'sub', sub: 'sub', 主子码流: 'both', 主码流子码流: 'both', 全部: 'both', both: 'both' }),
  analyse: words({ 主码流: 'main', main: 'main', 子码流: 'sub', 辅码流: 'sub', sub: 'sub' }),
  windows: windowsOf,
  polygon: polygonOf,
  direction: directionOf,
  yuan: fenOf,
};

const WORDS: Partial<Record<CellType, Record<string, string>>> = {
  kind: { 'high-position': '高位视频', 'video-pile': '低位视频桩' },
  'berth-kind': { parallel: '平行', perpendicular: '垂直', angled: '斜列' },
  transport: { 'tcp-passive': 'TCP被动', 'tcp-active': 'TCP主动', udp: 'UDP' },
  'rtsp-transport': { tcp: 'TCP', udp: 'UDP' },
  record: { main: '主码流', sub: '子码流', both: '主子码流' },
  analyse: { main: '主码流', sub: '子码流' },
};

const DAY_WORDS = ['周一', '周二', '周三', '周四', '周五', '周六', '周日'];

function windowsText(windows: readonly AnalysisWindow[]): string {
  return windows
    .map(({ days, from, to }) => {
      const names = days.length === 7 ? '' : `${[...days].sort((a, b) => WEEKDAYS.indexOf(a) - WEEKDAYS.indexOf(b)).map((day) => DAY_WORDS[WEEKDAYS.indexOf(day)]).join('、')} `;
      return `${names}${from}-${to}`;
    })
    .join('；');
}

/** A value as the sheet writes it, so that reading gives the same value; '' for null. */
export function cellText(type: CellType, value: unknown): string {
  if (value === null || value === undefined) return '';
  if (type === 'yes-no') return value === true ? '是' : '否';
  if (type === 'windows') return windowsText(value as AnalysisWindow[]);
  if (type === 'polygon') return (value as number[][]).map((point) => point.join(',')).join(' ');
  if (type === 'direction') return (value as number[]).join(',');
  if (type === 'yuan') return String((value as number) / 100);
  return WORDS[type]?.[String(value)] ?? String(value);
}
