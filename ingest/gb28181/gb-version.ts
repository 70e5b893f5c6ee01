/** X-GB-Ver (GB/T 28181-2022 annex I): which edition a side speaks. */
export const OUR_GB_VERSION = '3.0';

/** 1.0 is the edition of 2011, 1.1 its amendment, 2.0 the one of 2016, 3.0 that of 2022. */
export type Edition = '2011' | '2016' | '2022';

/** The header's value, cleaned; null where it is none. */
export function readGbVersion(value: string | undefined): string | null {
  const match = /^\s*v?(\d{1,2})(?:\.(\d{1,2}))?\s*$/i.exec(value ?? '');
  return match ? `${Number(match[1])}.${Number(match[2] ?? 0)}` : null;
}

/** The edition behind a version; a device that says nothing is taken for one of 2016, as most are. */
export function editionOf(version: string | null): Edition {
  const major = Number((version ?? '2').split('.')[0]);
  return major >= 3 ? '2022' : major === 2 ? '2016' : '2011';
}
