/** Something in an imported file that cannot be used, in both languages of the console. */
export interface ImportProblem {
  /** Sheet of a workbook; null where the file has none. */
  sheet: string | null;
  /** Row of a sheet, or line of a text file, from 1; null where the whole file is meant. */
  row: number | null;
  /** Header of the column as the file writes it, or the path of a YAML key. */
  column: string | null;
  /** What stands there, cut to a readable length. */
  value: string | null;
  /** What is wrong and what to write instead. */
  zh: string;
  en: string;
}

export interface Words {
  zh: string;
  en: string;
}

const LONGEST_VALUE = 60;
/** More than this nobody reads; the rest is counted. */
export const MOST_PROBLEMS = 1_000;

/** Collects problems, and counts those beyond what is kept. */
export class Problems {
  readonly list: ImportProblem[] = [];
  total = 0;

  add(where: { sheet: string | null; row: number | null; column: string | null; value?: string | null }, words: Words): void {
    this.total++;
    if (this.list.length >= MOST_PROBLEMS) return;
    const value = where.value ?? null;
    this.list.push({ ...where, value: value === null ? null : value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE)}…` : value, ...words });
  }
}

/** One problem as a line of text: `site.xlsx [泊位] row 5, 四角坐标 "1,2": …`. */
export function problemLine(file: string, problem: ImportProblem, language: 'zh' | 'en'): string {
  const { sheet, row, column, value } = problem;
  const place =
    language === 'zh'
      ? [sheet === null ? '' : `工作表“${sheet}”`, row === null ? '' : `第 ${row} 行`, column === null ? '' : `“${column}”列`].filter((part) => part !== '').join(' ')
      : [sheet === null ? '' : `sheet "${sheet}"`, row === null ? '' : `row ${row}`, column === null ? '' : `column "${column}"`].filter((part) => part !== '').join(', ');
  return `${file}${place === '' ? '' : ` ${place}`}${value === null || value === '' ? '' : language === 'zh' ? ` 内容“${value}”` : ` has "${value}"`}: ${problem[language]}`;
}
