import { z } from 'zod';
import { beijingMidnight } from '../../base/beijing-time.js';

/** Days as people name them, Monday first (ISO 8601). */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Every minute of a week could begin a window; nobody charges by more rules than this. */
const MOST_WINDOWS = 28;

/** "07:30" → minutes after midnight; null where it is no time of day. "24:00" is the end of the day. */
export function minutesOfDay(text: string): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (!match) return null;
  const [hours, minutes] = [Number(match[1]), Number(match[2])];
  return (hours < 24 && minutes < 60) || (hours === 24 && minutes === 0) ? hours * 60 + minutes : null;
}

const time = z.string().refine((text) => minutesOfDay(text) !== null, 'must be a time of day like "07:30" (Beijing time)');

const WindowSchema = z
  .strictObject({
    /** Days on which the window begins; all when left out. */
    days: z
      .array(z.enum(WEEKDAYS))
      .min(1)
      .max(7)
      .refine((days) => new Set(days).size === days.length, 'names a day twice')
      .prefault([...WEEKDAYS]),
    /** Beijing time. `to` before `from`: the window ends on the day after ("00:00" ends it at midnight). */
    from: time.refine((text) => minutesOfDay(text) !== 24 * 60, 'must be before 24:00'),
    to: time,
  })
  .refine((window) => minutesOfDay(window.from) !== minutesOfDay(window.to), { path: ['to'], message: 'equals `from`: a whole day is written from "00:00" to "24:00"' });

/** When a camera's footage is analysed. No window: always. */
export const AnalysisSchema = z.strictObject({ windows: z.array(WindowSchema).max(MOST_WINDOWS).prefault([]) });

export type AnalysisWindow = z.output<typeof WindowSchema>;

/** Whether footage of a moment is to be analysed. */
export type IsAnalysed = (unixMs: number) => boolean;

/**
 * The windows as a question about `capturedAt`. The start of a window belongs to it, its end does not. Pure: depends on the
 * windows and the moment alone, so that the log can be read again with the same outcome (DESIGN.md promise 2).
 */
export function analysedAt(windows: readonly AnalysisWindow[]): IsAnalysed {
  if (windows.length === 0) return () => true;
  const spans = windows.flatMap(({ days, from, to }) => {
    const [begin, end] = [minutesOfDay(from) as number, minutesOfDay(to) as number];
    const minutes = end > begin ? end - begin : end + 24 * 60 - begin;
    return days.map((day) => ({ day: WEEKDAYS.indexOf(day), beginMs: begin * MINUTE_MS, lengthMs: minutes * MINUTE_MS }));
  });
  return (unixMs) => {
    const midnight = beijingMidnight(unixMs);
    const today = beijingWeekday(midnight);
    const sinceMidnight = unixMs - midnight;
    return spans.some(({ day, beginMs, lengthMs }) => {
      // Begun today, or yesterday and running past midnight.
      const sinceBegin = sinceMidnight - beginMs + (day === today ? 0 : DAY_MS);
      return (day === today || day === (today + 6) % 7) && sinceBegin >= 0 && sinceBegin < lengthMs;
    });
  };
}

/** 0 = Monday, of a Beijing midnight. 1 January 1970 was a Thursday. */
function beijingWeekday(midnight: number): number {
  const days = Math.round((midnight + 8 * 3_600_000) / DAY_MS);
  return (((days + 3) % 7) + 7) % 7;
}
