import { BerthwatchError, messageOf } from '../../base/errors.js';
import { parseYaml } from '../config/read-yaml.js';
import { SiteSchema, type Site } from '../config/site.js';
import { decodeText, readCsv } from './csv.js';
import { Problems } from './problem.js';
import { siteOfTables } from './site-of-tables.js';
import { LIMITS, type Table } from './table.js';
import { readXlsx } from './xlsx.js';

export type SiteFormat = 'yaml' | 'csv' | 'xlsx';

const ZIP = [0x50, 0x4b, 0x03, 0x04];
const OLE = [0xd0, 0xcf, 0x11, 0xe0];
const begins = (bytes: Uint8Array, mark: readonly number[]): boolean => mark.every((byte, i) => bytes[i] === byte);

/** The format by what the file holds and, between texts, by its name. @throws BerthwatchError bad-input for what is none */
export function formatOf(bytes: Uint8Array, name: string): SiteFormat {
  if (begins(bytes, ZIP)) return 'xlsx';
  if (begins(bytes, OLE)) throw new BerthwatchError('bad-input', 'SITE_FORMAT', `${name} is an old .xls workbook (or one with a password): save it as .xlsx without a password`);
  if (/\.ya?ml$/i.test(name)) return 'yaml';
  if (/\.(csv|txt)$/i.test(name)) return 'csv';
  if (/\.xlsx$/i.test(name)) throw new BerthwatchError('bad-input', 'SITE_FORMAT', `${name} is no XLSX workbook in spite of its name`);
  // A site in YAML names its lots and cameras; no table does.
  return /^\s*["']?(lots|cameras)["']?\s*:/m.test(new TextDecoder().decode(bytes.subarray(0, 65_536))) ? 'yaml' : 'csv';
}

/** @throws BerthwatchError bad-input for a file that is empty or larger than a site can be */
export function checkSize(bytes: Uint8Array, name: string): void {
  if (bytes.length > LIMITS.fileBytes) throw new BerthwatchError('bad-input', 'SITE_TOO_LARGE', `${name} has ${(bytes.length / 1024 / 1024).toFixed(1)} MiB, more than ${LIMITS.fileBytes / 1024 / 1024}; remove pictures and unused sheets`);
  if (bytes.length === 0) throw new BerthwatchError('bad-input', 'SITE_EMPTY', `${name} is empty`);
}

/**
 * Reads a site file in this thread: `readSiteFile` is what a service calls.
 * @throws BerthwatchError bad-input where the file as a whole cannot be read
 */
export async function readSiteHere(bytes: Uint8Array, name: string, current: Site): Promise<{ site: Site | null; problems: Problems }> {
  checkSize(bytes, name);
  const format = formatOf(bytes, name);
  if (format === 'yaml') return siteOfYaml(bytes, name);
  const tables: Table[] = format === 'xlsx' ? await readXlsx(bytes) : [readCsv(bytes)];
  return siteOfTables(tables, current);
}

function siteOfYaml(bytes: Uint8Array, name: string): { site: Site | null; problems: Problems } {
  const problems = new Problems();
  try {
    return { site: parseYaml(decodeText(bytes), name, SiteSchema), problems };
  } catch (error) {
    if (!(error instanceof BerthwatchError)) throw error;
    const issues = (error.detail.issues ?? []) as { line: number | null; path: string; message: string }[];
    for (const { line, path, message } of issues) problems.add({ sheet: null, row: line, column: path }, { zh: message, en: message });
    if (issues.length === 0) problems.add({ sheet: null, row: null, column: null }, { zh: messageOf(error), en: messageOf(error) });
    return { site: null, problems };
  }
}
