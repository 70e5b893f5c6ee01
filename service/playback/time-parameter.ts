import { z } from 'zod';
import { parseBeijing } from '../../base/beijing-time.js';

/** Years 1970 to 9999. */
const LATEST_MS = 253_402_300_799_999;

/**
 * A moment as people and programs write it: Unix milliseconds, ISO 8601 with a zone (`2026-01-01T08:00:00+08:00`, `…Z`), or without one, which
 * means Beijing time. A `+` that became a blank on its way through a query is taken back.
 *
 * @returns Unix ms, or null where it is none of these
 */
export function parseMoment(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d{1,15}$/.test(trimmed)) {
    const ms = Number(trimmed);
    return ms <= LATEST_MS ? ms : null;
  }
  const zoned = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+ -]\d{2}:?\d{2})$/.exec(trimmed);
  if (zoned) {
    const [, date, time, zone] = zoned as unknown as [string, string, string, string];
    const local = parseBeijing(`${date}T${time.length === 5 ? `${time}:00` : time}`);
    if (local === null) return null;
    const offset = zone === 'Z' ? 0 : zoneMinutes(zone);
    // parseBeijing has taken it for +08:00.
    return offset === null ? null : local + (480 - offset) * 60_000;
  }
  return parseBeijing(/^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{1,2}$/.test(trimmed) ? `${trimmed}:00` : trimmed);
}

function zoneMinutes(zone: string): number | null {
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  return hours <= 14 && minutes < 60 ? (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) : null;
}

/** The same as a parameter of a request. */
export const Moment = z
  .string()
  .max(40)
  .transform((text, context) => {
    const moment = parseMoment(text);
    if (moment !== null) return moment;
    context.addIssue({ code: 'custom', message: 'is no time: write 2026-01-01T08:00:00+08:00, or Unix milliseconds' });
    return z.NEVER;
  })
  .meta({ description: 'ISO 8601 (without a zone: Beijing time) or Unix milliseconds', example: '2026-01-01T08:00:00+08:00' });
