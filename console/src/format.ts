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
