import type { BenchResult, Measured } from './row.js';

const HEADS = ['what', 'cases/s', 'per core', 'CPU/case', 'reference', 'its CPU/case', 'ratio'] as const;

/** CPU milliseconds of one case. */
export const cpuPerCase = ({ cpuMs, cases }: Measured): number => cpuMs / cases;

/** Three figures that matter, no more. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

/** The results as one table of text with their notes below. */
export function printTable(results: readonly BenchResult[]): string {
  const rows = results.map((result) => cells(result));
  const widths = HEADS.map((head, i) => Math.max(head.length, ...rows.map((row) => (row[i] as string).length)));
  const line = (row: readonly string[]): string => row.map((cell, i) => (i === 0 || i === 4 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join('  ').trimEnd();
  const notes = results.flatMap(({ what, notes: lines }) => lines.map((note) => `  ${what}: ${note}`));
  return [line(HEADS), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

function cells({ what, unit, measured, reference }: BenchResult): string[] {
  const own = cpuPerCase(measured);
  const common = [`${what} (${unit})`, figure((measured.cases / measured.wallMs) * 1000), figure(1000 / own), `${figure(own)} ms`];
  if ('missing' in reference) return [...common, `none: ${reference.missing}`, '–', '–'];
  const other = cpuPerCase(reference.measured);
  return [...common, reference.what, `${figure(other)} ms`, `${figure(own / other)}×`];
}
