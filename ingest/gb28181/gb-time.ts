const BEIJING_MS = 8 * 3_600_000;
const FIELDS = /^(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})(?:[T\s]*(\d{1,2}):?(\d{1,2})(?::?(\d{1,2}))?(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?$/i;

/**
 * Times as devices write them: the standard's `yyyy-MM-ddTHH:mm:ss` in Beijing time, and what the field makes of it: one-digit
 * fields, a space for the T, fractions, a zone, slashes, or only digits.
 * @returns Unix ms, null where it names no instant
 */
export function readGbTime(text: string | null): number | null {
  if (text === null || text.length > 40) return null;
  const match = FIELDS.exec(text.trim());
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [number, number, number, number, number, number];
  if (month < 1 || month > 12 || day < 1 || hour > 24 || minute > 59 || second > 60) return null;
  const fraction = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000);
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, fraction);
  // Date.UTC makes 3 March of 31 February.
  if (new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return null;
  return utc - zoneOffset(match[8]);
}

function zoneOffset(zone: string | undefined): number {
  if (zone === undefined) return BEIJING_MS;
  if (zone.toUpperCase() === 'Z') return 0;
  const digits = zone.replace(/\D/g, '');
  return (zone.startsWith('-') ? -1 : 1) * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))) * 60_000;
}

/** `yyyy-MM-ddTHH:mm:ss`, Beijing time, as queries carry it. */
export function writeGbTime(unixMs: number): string {
  return new Date(unixMs + BEIJING_MS).toISOString().slice(0, 19);
}
