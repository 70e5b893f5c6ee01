/** China keeps one time zone and no summer time. */
const CHINA_OFFSET_MS = 8 * 3_600_000;

/** `2024-07-01 09:10:11` in China Standard Time. */
export function chinaDateTime(unixMs: number): string {
  return new Date(unixMs + CHINA_OFFSET_MS).toISOString().slice(0, 19).replace('T', ' ');
}

/** `2024-07-01T09:10:11`, the form of MANSCDP times: local, without zone. */
export function chinaIsoSeconds(unixMs: number): string {
  return new Date(unixMs + CHINA_OFFSET_MS).toISOString().slice(0, 19);
}

/** `2024-07-01`, the day in China at that instant. */
export function chinaDate(unixMs: number): string {
  return chinaDateTime(unixMs).slice(0, 10);
}

/**
 * Strictly `yyyy-MM-dd HH:mm:ss`, naming a real instant of the calendar; anything else (other separators, spaces around,
 * 30 February, hour 24) is null.
 */
export function parseChinaDateTime(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/.test(text)) return null;
  const utc = Date.parse(`${text.replace(' ', 'T')}Z`);
  if (Number.isNaN(utc)) return null;
  if (new Date(utc).toISOString().slice(0, 19).replace('T', ' ') !== text) return null;
  return utc - CHINA_OFFSET_MS;
}
