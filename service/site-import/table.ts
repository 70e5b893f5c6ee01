/** A cell as text. Dates are kept apart: a spreadsheet makes them of texts like "1-2", and what was typed is lost. */
export type Cell = string | { date: string };

/** A sheet of a workbook, or a whole CSV file. Row `i` of `rows` stands in row `i + 1` of the sheet. */
export interface Table {
  sheet: string | null;
  rows: readonly (readonly Cell[])[];
}

/** What one import may hold; beyond it lies a mistake or an attack. */
export const LIMITS = {
  fileBytes: 8 * 1024 * 1024,
  /** Of an XLSX file, unpacked. */
  unpackedBytes: 64 * 1024 * 1024,
  zipEntries: 500,
  sheets: 20,
  rows: 20_000,
  columns: 200,
  cellCharacters: 2_000,
} as const;

export const textOf = (cell: Cell | undefined): string => (cell === undefined ? '' : typeof cell === 'string' ? cell.trim() : cell.date);
