import { plainHeader, columnOf, ALL_COLUMNS, type Column } from './columns.js';
import type { Problems } from './problem.js';
import { LIMITS, textOf, type Cell, type Table } from './table.js';

/** A table with its header understood. */
export interface Sheet {
  name: string | null;
  kind: 'berths' | 'lots';
  /** Header of each understood column as the file writes it. */
  headers: ReadonlyMap<Column, string>;
  has: (column: Column) => boolean;
  rows: readonly SheetRow[];
}

export interface SheetRow {
  /** From 1. */
  number: number;
  /** Trimmed text of a column; '' where the cell is empty or the column is not there. */
  text: (column: Column) => string;
}

/** The header stands within so many rows: people put titles above it. */
const HEADER_WITHIN = 10;

const byPath = (of: Column['of'], path: string): Column => ALL_COLUMNS.find((c) => c.of === of && c.path.join('.') === path) as Column;
const BERTH_NUMBER = byPath('berth', 'number');
const POLYGON = byPath('berth', 'polygon');
const CAMERA_ID = byPath('camera', 'id');
const LOT = byPath('camera', 'lot');
const LOT_NAME = byPath('lot', 'name');

interface Header {
  row: number;
  columns: Map<Column, number>;
  corners: Map<number, number>;
}

function headerOf(row: readonly Cell[]): { columns: Map<Column, number>; corners: Map<number, number>; known: number } {
  const columns = new Map<Column, number>();
  const corners = new Map<number, number>();
  row.forEach((cell, i) => {
    const found = columnOf(textOf(cell));
    if (found === null) return;
    if ('corner' in found) corners.set(found.corner, i);
    else if (!columns.has(found)) columns.set(found, i);
  });
  return { columns, corners, known: columns.size + corners.size };
}

/** The tables of a file that list berths or lots; what cannot be understood of their headers is a problem. */
export function sheetsOf(tables: readonly Table[], problems: Problems): Sheet[] {
  const sheets: Sheet[] = [];
  for (const table of tables) {
    const header = findHeader(table);
    if (!header) continue;
    const kind = header.columns.has(BERTH_NUMBER) || header.columns.has(CAMERA_ID) ? 'berths' : 'lots';
    checkHeader(table, header, kind, problems);
    sheets.push(readSheet(table, header, kind, problems));
  }
  if (!sheets.some(({ kind }) => kind === 'berths')) {
    problems.add(
      { sheet: null, row: null, column: null },
      {
        zh: '没有找到泊位表：前 10 行内须有一行表头，包含“相机编号”和“泊位编号”；可用 berthwatch site template 生成模板',
        en: 'no table of berths was found: one of its first 10 rows must be the header, with "相机编号" (camera id) and "泊位编号" (berth number); berthwatch site template writes a template',
      },
    );
  }
  return sheets;
}

function findHeader(table: Table): Header | null {
  for (let row = 0; row < Math.min(HEADER_WITHIN, table.rows.length); row++) {
    const { columns, corners, known } = headerOf(table.rows[row] as readonly Cell[]);
    if (known >= 2 && (columns.has(BERTH_NUMBER) || columns.has(CAMERA_ID) || (columns.has(LOT) && columns.has(LOT_NAME)))) return { row, columns, corners };
  }
  return null;
}

function checkHeader(table: Table, { row, columns, corners }: Header, kind: Sheet['kind'], problems: Problems): void {
  const cells = (table.rows[row] as readonly Cell[]).map(textOf);
  const where = { sheet: table.sheet, row: row + 1 };
  if (cells.length > LIMITS.columns) problems.add({ ...where, column: null }, { zh: `列数超过 ${LIMITS.columns}，删除多余的列`, en: `has more than ${LIMITS.columns} columns; delete those that are not needed` });
  const seen = new Map<string, string>();
  cells.slice(0, LIMITS.columns).forEach((text, i) => {
    // Columns of the operator's own.
    if (text === '' || text.startsWith('#')) return;
    const found = columnOf(text);
    const key = found === null ? null : 'corner' in found ? `corner ${found.corner}` : found.zh;
    if (key === null) {
      const near = nearest(text);
      problems.add({ ...where, column: text }, { zh: `不认识的列${near === null ? '' : `，是否应为“${near.zh}”`}；自用的列请以“#”开头`, en: `is no column known here${near === null ? '' : `; do you mean "${near.zh}" (${near.en})`}; begin columns of your own with "#"` });
    } else if (seen.has(key)) {
      problems.add({ ...where, column: text }, { zh: `第 ${i + 1} 列与“${seen.get(key) ?? ''}”列重复，只保留一列`, en: `column ${i + 1} repeats "${seen.get(key) ?? ''}"; keep one of them` });
    } else {
      seen.set(key, text);
    }
  });
  if (corners.size > 0 && corners.size < 8) problems.add({ ...where, column: null }, { zh: '四角坐标分列填写时，左前X、左前Y、右前X、右前Y、右后X、右后Y、左后X、左后Y 八列都须有', en: 'corners in columns need all eight: 左前X, 左前Y, 右前X, 右前Y, 右后X, 右后Y, 左后X, 左后Y' });
  if (corners.size > 0 && columns.has(POLYGON)) problems.add({ ...where, column: POLYGON.zh }, { zh: '“四角坐标”与分列的坐标只能用一种', en: 'corners are given in one column or in eight, not in both' });
  for (const needed of kind === 'berths' ? [CAMERA_ID, BERTH_NUMBER] : [LOT]) {
    if (!columns.has(needed)) problems.add({ ...where, column: needed.zh }, { zh: `缺少“${needed.zh}”列`, en: `the column "${needed.zh}" (${needed.en}) is missing` });
  }
}

/** The header that is one or two letters away, for a mistyped one. */
function nearest(text: string): Column | null {
  const plain = plainHeader(text);
  if (plain.length < 2 || plain.length > 40) return null;
  let best: Column | null = null;
  let least = plain.length <= 4 ? 1.5 : 2.5;
  for (const column of ALL_COLUMNS) {
    for (const header of [column.zh, column.en, ...(column.also ?? [])]) {
      const away = distance(plain, plainHeader(header));
      if (away < least) [best, least] = [column, away];
    }
  }
  return best;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] as number;
}

function readSheet(table: Table, header: Header, kind: Sheet['kind'], problems: Problems): Sheet {
  const { columns, corners } = header;
  const titles = (table.rows[header.row] as readonly Cell[]).map(textOf);
  const headers = new Map<Column, string>([...columns].map(([column, i]) => [column, titles[i] as string]));
  if (corners.size === 8) headers.set(POLYGON, `${titles[corners.get(0) as number] ?? ''}…${titles[corners.get(7) as number] ?? ''}`);
  const rows: SheetRow[] = [];
  for (let i = header.row + 1; i < table.rows.length; i++) {
    const cells = table.rows[i] as readonly Cell[];
    if (cells.every((cell) => textOf(cell) === '') || isRemark(cells)) continue;
    const number = i + 1;
    const checked = (column: Column, at: number): string => {
      const cell = cells[at];
      if (typeof cell !== 'object') return textOf(cell);
      problems.add(
        { sheet: table.sheet, row: number, column: titles[at] ?? column.zh, value: cell.date },
        { zh: '表格程序把内容变成了日期：将该列设为“文本”格式后重新输入', en: 'the spreadsheet program has made a date of it: format the column as text and type it again' },
      );
      return '';
    };
    const values = new Map<Column, string>([...columns].map(([column, at]) => [column, checked(column, at)]));
    if (corners.size === 8) {
      const numbers = Array.from({ length: 8 }, (_, n) => checked(POLYGON, corners.get(n) as number));
      values.set(POLYGON, numbers.every((text) => text === '') ? '' : numbers.map((text) => (text === '' ? '?' : text)).join(' '));
    }
    rows.push({ number, text: (column) => values.get(column) ?? '' });
  }
  return { name: table.sheet, kind, headers, has: (column) => headers.has(column), rows };
}

/** Rows that explain, not list. */
function isRemark(cells: readonly Cell[]): boolean {
  const first = textOf(cells.find((cell) => textOf(cell) !== ''));
  return first.startsWith('#') || first.startsWith('说明');
}
