import { text, type Language } from './texts.js';
import type { Plate } from './api.js';

const OFFSET_MS = 8 * 3_600_000;

/** `MM-dd HH:mm:ss`, Beijing time whatever the browser's zone. */
export function dateTime(unixMs: number): string {
  return new Date(unixMs + OFFSET_MS).toISOString().slice(5, 19).replace('T', ' ');
}

/** `HH:mm:ss`, Beijing time. */
export function clockTime(unixMs: number): string {
  return new Date(unixMs + OFFSET_MS).toISOString().slice(11, 19);
}

/** `1:02:03` or `02:03`. */
export function stay(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  return `${hours > 0 ? `${hours}:` : ''}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function yuan(fen: number): string {
  return `¥${(fen / 100).toFixed(2)}`;
}

export function plateText(language: Language, plate: Plate): string {
  return plate.status === 'read' ? plate.text : text(language, `plate.${plate.status}`);
}

/** `3 s`, `5 min`, `2 h`, `4 d`: an age as people say it. */
export function age(language: Language, ms: number): string {
  const units = language === 'zh' ? (['秒', '分钟', '小时', '天'] as const) : (['s', 'min', 'h', 'd'] as const);
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} ${units[0]}`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} ${units[1]}`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} ${units[2]}`;
  return `${Math.round(seconds / 86_400)} ${units[3]}`;
}

/** `3.2 GB`, `640 MB`: powers of ten, as disks are sold. */
export function bytesText(bytes: number): string {
  for (const [size, unit] of [[1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB']] as const) if (bytes >= size) return `${(bytes / size).toFixed(bytes >= 100 * size ? 0 : 1)} ${unit}`;
  return `${Math.round(bytes / 1e3)} kB`;
}

/** `4.1 Mb/s`, `640 kb/s`. */
export function bitrate(bitsPerSecond: number): string {
  return bitsPerSecond >= 1_000_000 ? `${(bitsPerSecond / 1_000_000).toFixed(1)} Mb/s` : `${Math.round(bitsPerSecond / 1000)} kb/s`;
}

const DAYS: Record<string, readonly [string, string]> = { mon: ['一', 'Mon'], tue: ['二', 'Tue'], wed: ['三', 'Wed'], thu: ['四', 'Thu'], fri: ['五', 'Fri'], sat: ['六', 'Sat'], sun: ['日', 'Sun'] };

/** `周一二三四五 07:30–21:30`. */
export function windowText(language: Language, window: { days: string[]; from: string; to: string }): string {
  const span = `${window.from}–${window.to}`;
  if (window.days.length === 7) return span;
  const names = window.days.map((day) => DAYS[day]?.[language === 'zh' ? 0 : 1] ?? day);
  return language === 'zh' ? `周${names.join('')} ${span}` : `${names.join(' ')} ${span}`;
}
