import type { Site } from '../config/site.js';
import { cellText } from './cells.js';
import { BERTH_COLUMNS, CAMERA_COLUMNS, LOT_COLUMNS, type Column } from './columns.js';

/** Columns of the sheet of berths: its camera first, then the berth. */
export const BERTH_SHEET_COLUMNS: readonly Column[] = [...CAMERA_COLUMNS, ...BERTH_COLUMNS];
export const LOT_CODE = CAMERA_COLUMNS.find((column) => column.path[0] === 'lot') as Column;
export const LOT_SHEET_COLUMNS: readonly Column[] = [LOT_CODE, ...LOT_COLUMNS];

const at = (value: unknown, path: readonly string[]): unknown => path.reduce<unknown>((inner, part) => (inner as Record<string, unknown> | null | undefined)?.[part], value);

/** A site as rows of texts under `BERTH_SHEET_COLUMNS`: each camera's own columns on its first row. */
export function berthRows(site: Site, options: { passwords: boolean }): string[][] {
  return site.cameras.flatMap((camera) =>
    camera.berths.map((berth, i) => [
      ...CAMERA_COLUMNS.map((column) => {
        if (column.path[0] === 'id') return camera.id;
        return i > 0 || (column.secret && !options.passwords) ? '' : cellText(column.type, at(camera, column.path));
      }),
      ...BERTH_COLUMNS.map((column) => cellText(column.type, at(berth, column.path))),
    ]),
  );
}

/** Lots as rows under `LOT_SHEET_COLUMNS`. */
export function lotRows(site: Site): string[][] {
  return site.lots.map((lot) => [lot.code, ...LOT_COLUMNS.map((column) => (lot.tariff === null && column.path[1] === 'unitFen' ? '免费' : cellText(column.type, at(lot, column.path))))]);
}

/** The template's rows: two berths of one camera. */
export function sampleRows(): string[][] {
  return [0, 1].map((i) => [...CAMERA_COLUMNS.map((column) => (i === 0 || column.path[0] === 'id' ? column.sample : '')), ...BERTH_COLUMNS.map((column) => (i === 0 ? column.sample : (column.sample2 ?? '')))]);
}

export const sampleLot = (): string[] => [LOT_CODE.sample, ...LOT_COLUMNS.map((column) => column.sample)];
