/**
 * China uses one zone, UTC+8 without summer time, and every protocol we speak writes local times without a zone.
 * Fixed arithmetic instead of the host's zone database: the result must not depend on the machine.
 */
const OFFSET_MS = 8 * 3_600_000;

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

function fields(unixMs: number): { y: string; mo: string; d: string; h: string; mi: string; s: string; ms: string } {
  const t = new Date(unixMs + OFFSET_MS);
  return {
    y: pad(t.getUTCFullYear(), 4),
    mo: pad(t.getUTCMonth() + 1),
    d: pad(t.getUTCDate()),
    h: pad(t.getUTCHours()),
    mi: pad(t.getUTCMinutes()),
    s: pad(t.getUTCSeconds()),
    ms: pad(t.getUTCMilliseconds(), 3),
  };
}

/** `yyyy-MM-dd HH:mm:ss`, Beijing time (seconds are cut, not rounded). */
export function beijingDateTime(unixMs: number): string {
  const f = fields(unixMs);
  return `${f.y}-${f.mo}-${f.d} ${f.h}:${f.mi}:${f.s}`;
}

/** `yyyy-MM-ddTHH:mm:ss.SSS`, Beijing time without a zone (GB/T 28181 Date header). */
export function beijingIso(unixMs: number): string {
  const f = fields(unixMs);
  return `${f.y}-${f.mo}-${f.d}T${f.h}:${f.mi}:${f.s}.${f.ms}`;
}

/** `yyyyMMddHHmmssSSS`, 17 digits, Beijing time. */
export function beijingCompact(unixMs: number): string {
  const f = fields(unixMs);
  return `${f.y}${f.mo}${f.d}${f.h}${f.mi}${f.s}${f.ms}`;
}

/** Unix ms of the Beijing midnight that begins the day of `unixMs`. */
export function beijingMidnight(unixMs: number): number {
  return Math.floor((unixMs + OFFSET_MS) / 86_400_000) * 86_400_000 - OFFSET_MS;
}

/** Reads `yyyy-MM-dd[T ]HH:mm:ss[.SSS]` as Beijing time; null where it is not one. */
export function parseBeijing(text: string): number | null {
  const m = /^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,3}))?$/.exec(text.trim());
  if (!m) return null;
  const [y, mo, d, h, mi, s] = m.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const unixMs = Date.UTC(y, mo - 1, d, h, mi, s, Number((m[7] ?? '0').padEnd(3, '0')));
  const back = new Date(unixMs);
  // Date.UTC rolls 31 February over to March: such a text is not a date.
  const real = back.getUTCMonth() === mo - 1 && back.getUTCDate() === d && h < 24 && mi < 60 && s < 60;
  return real ? unixMs - OFFSET_MS : null;
}
