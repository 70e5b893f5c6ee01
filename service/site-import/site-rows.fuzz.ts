import { isDeepStrictEqual } from 'node:util';
import { BerthwatchError } from '../../base/errors.js';
import type { FuzzTarget } from '../../base/fuzz-target.js';
import { unzipBounded } from './bounded-zip.js';
import { readCsv } from './csv.js';
import { siteOfTables } from './site-of-tables.js';
import { BERTH_SHEET_COLUMNS, berthRows, LOT_SHEET_COLUMNS, lotRows } from './write-rows.js';

const EMPTY = { lots: [], cameras: [] };

/** What `work` throws must be a clear error; null then. */
function refused<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof BerthwatchError && error.kind === 'bad-input') return null;
    throw error;
  }
}

/** Any bytes as a CSV file: problems or a site, and a site that is written reads as itself. */
const table: FuzzTarget = {
  name: 'service/site-rows',
  corpusDir: 'service/site-import/corpus/table',
  run(input) {
    const read = refused(() => readCsv(input));
    if (!read) return;
    const { site, problems } = siteOfTables([read], EMPTY);
    if ((site === null) !== problems.total > 0) throw new Error(`${problems.total} problems and ${site === null ? 'no' : 'a'} site`);
    if (!site) return;
    const again = siteOfTables(
      [
        { sheet: '泊位', rows: [BERTH_SHEET_COLUMNS.map((column) => column.zh), ...berthRows(site, { passwords: true })] },
        { sheet: '停车场', rows: [LOT_SHEET_COLUMNS.map((column) => column.zh), ...lotRows(site)] },
      ],
      EMPTY,
    );
    if (!isDeepStrictEqual(again.site, site)) throw new Error(`a site that was written reads differently: ${JSON.stringify(again.problems.list[0] ?? null)}`);
  },
};

const LIMIT = 1024 * 1024;

/** Any bytes as the archive of a workbook: unpacked within the limit, or refused. */
const archive: FuzzTarget = {
  name: 'service/xlsx-archive',
  corpusDir: 'service/site-import/corpus/archive',
  run(input) {
    const entries = refused(() => unzipBounded(input, { entries: 50, bytes: LIMIT }, () => true));
    const bytes = [...(entries?.values() ?? [])].reduce((sum, content) => sum + content.length, 0);
    if (bytes > LIMIT) throw new Error(`unpacked ${bytes} bytes, more than ${LIMIT}`);
  },
};

export const targets = [table, archive];
