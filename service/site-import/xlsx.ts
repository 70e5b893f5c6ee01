import readXlsxFile from 'read-excel-file/node';
import { ZipFile } from 'yazl';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { unzipBounded } from './bounded-zip.js';
import { LIMITS, type Cell, type Table } from './table.js';

/** The parts that hold text; pictures, charts and macros are left where they are. */
const isText = (name: string): boolean => name.endsWith('.xml') || name.endsWith('.rels');

/** The last row that a workbook can have (ECMA-376). What lies beyond is made up to make the reader fill the gap. */
const LAST_ROW = 1_048_576;
const ROW_NUMBERS = /<(?:\w+:)?(?:row|c)\b[^<>]*?\sr\s*=\s*["'][A-Z]*(\d+)["']/g;

function checkRows(name: string, content: Uint8Array): void {
  if (!/^xl\/worksheets\/[^/]+\.xml$/.test(name)) return;
  for (const [, digits] of Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1').matchAll(ROW_NUMBERS)) {
    if (Number(digits) > LAST_ROW) throw new BerthwatchError('bad-input', 'SITE_XLSX', `the workbook has a row ${digits}, which no workbook can have; open it in a spreadsheet program and save it anew`);
  }
}

/** The archive anew, unpacked: the reader unpacks nothing that was not bounded here. */
async function unpacked(bytes: Uint8Array): Promise<Buffer> {
  const entries = unzipBounded(bytes, { entries: LIMITS.zipEntries, bytes: LIMITS.unpackedBytes }, isText);
  const zip = new ZipFile();
  for (const [name, content] of entries) {
    checkRows(name, content);
    // A name that no archive may have (absolute, with "..") is not one that a workbook needs.
    if (/^[\w[\]][\w./[\] -]*$/.test(name) && !name.includes('..')) zip.addBuffer(Buffer.from(content), name, { compress: false });
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return { date: Number.isFinite(value.getTime()) ? value.toISOString().slice(0, 10) : '?' };
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  return String(value).slice(0, LIMITS.cellCharacters);
}

/**
 * The sheets of an XLSX workbook.
 * @throws BerthwatchError bad-input where it is no workbook or passes a limit
 */
export async function readXlsx(bytes: Uint8Array): Promise<Table[]> {
  try {
    return await tablesOf(bytes);
  } catch (error) {
    if (error instanceof BerthwatchError) throw error;
    throw new BerthwatchError('bad-input', 'SITE_XLSX', `the workbook cannot be read: ${messageOf(error)}; open it in a spreadsheet program and save it anew as .xlsx`, { cause: error });
  }
}

async function tablesOf(bytes: Uint8Array): Promise<Table[]> {
  // Numbers stay the text that the file holds: 20-digit identities would lose digits.
  const sheets = await readXlsxFile(await unpacked(bytes), { parseNumber: (text) => text });
  if (sheets.length > LIMITS.sheets) throw new BerthwatchError('bad-input', 'SITE_TOO_LARGE', `the workbook has ${sheets.length} sheets, more than ${LIMITS.sheets}`);
  return sheets.map(({ sheet, data }) => {
    if (data.length > LIMITS.rows) throw new BerthwatchError('bad-input', 'SITE_TOO_LARGE', `sheet "${sheet}" has ${data.length} rows, more than ${LIMITS.rows}; import fewer cameras at once`);
    return { sheet, rows: data.map((row) => row.slice(0, LIMITS.columns + 1).map(cellOf)) };
  });
}
