import { parse } from 'csv-parse/sync';
import iconv from 'iconv-lite';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { LIMITS, type Table } from './table.js';

/**
 * Text of a CSV file: UTF-8 with or without a byte order mark, UTF-16 with one, else GB18030 — what spreadsheets on Chinese
 * machines write — where the bytes are no UTF-8.
 * @throws BerthwatchError bad-input where it is none of them
 */
export function decodeText(bytes: Uint8Array): string {
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return new TextDecoder(a === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const text = iconv.decode(Buffer.from(bytes), 'gb18030');
    if (text.includes('\uFFFD')) throw new BerthwatchError('bad-input', 'SITE_CSV_ENCODING', 'the file is neither UTF-8 nor GB18030 text; save it as "CSV UTF-8", or as .xlsx');
    return text;
  }
}

/** Excel writes the list separator of its region; the first line tells which. */
function delimiterOf(text: string): string {
  const end = text.indexOf('\n');
  const line = end < 0 ? text : text.slice(0, end);
  const count = (mark: string): number => line.split(mark).length;
  return [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
}

/** Reads a CSV file (RFC 4180) as one table. @throws BerthwatchError bad-input naming the line where quotes do not match, or the limit that is passed */
export function readCsv(bytes: Uint8Array): Table {
  const text = decodeText(bytes);
  const rows: string[][] = [];
  try {
    parse(text, {
      bom: true,
      delimiter: delimiterOf(text.replace(/^\uFEFF/, '')),
      relax_column_count: true,
      skip_empty_lines: false,
      max_record_size: LIMITS.columns * LIMITS.cellCharacters,
      on_record: (record: string[]) => {
        if (rows.length >= LIMITS.rows) throw new BerthwatchError('bad-input', 'SITE_TOO_LARGE', `the file has more than ${LIMITS.rows} rows; import fewer cameras at once`);
        rows.push(record);
        // Rows are collected here, not in the parser.
        return null;
      },
    });
  } catch (cause) {
    if (cause instanceof BerthwatchError) throw cause;
    throw new BerthwatchError('bad-input', 'SITE_CSV', `the file is not CSV: ${messageOf(cause)}`, { cause });
  }
  return { sheet: null, rows };
}
