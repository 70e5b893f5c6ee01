import type { Quad } from '../../base/geometry.js';
import { BerthSchema, CameraSchema, LotSchema, outsideProblem, siteIssues, SiteSchema, type Site, type SiteCamera, type SiteOutline } from '../config/site.js';
import { READERS } from './cells.js';
import { ALL_COLUMNS, BERTH_COLUMNS, CAMERA_COLUMNS, columnAt, LOT_COLUMNS, type Column } from './columns.js';
import { issueWords } from './issue-words.js';
import { Problems } from './problem.js';
import { sheetsOf, type Sheet, type SheetRow } from './sheet-rows.js';
import type { Table } from './table.js';

type Doc = Record<string, unknown>;
type KnownBerth = SiteCamera['berths'][number];

/** A camera, berth or lot as far as it is known, with where it stands. */
interface Draft {
  of: Column['of'];
  doc: Doc;
  sheet: Sheet;
  row: number;
  /** Columns whose cell was refused already, or is missing. */
  bad: Set<Column>;
  /** Where further rows of the camera repeat a column. */
  given: Map<Column, { text: string; row: number }>;
}

interface CameraDraft extends Draft {
  berths: Draft[];
}

const find = (of: Column['of'], path: string): Column => ALL_COLUMNS.find((c) => c.of === of && c.path.join('.') === path) as Column;
const CAMERA_ID = find('camera', 'id');
const CAMERA_LOT = find('camera', 'lot');
const RECORD = find('camera', 'streams.record');
const BERTH_NUMBER = find('berth', 'number');
const BERTH_ID = find('berth', 'id');
const LOT_NAME = find('lot', 'name');
const UNIT_FEN = find('lot', 'tariff.unitFen');

/**
 * The site that the tables of a spreadsheet tell, one row a berth.
 *
 * Cameras and berths that are not listed are not in it. Of those that `current` knows, keys without a column stay as they are, and
 * so does a password whose cell is empty; every other empty cell means the default. Lots that are not listed stay.
 *
 * @returns the site, or null where there are problems; all of them are listed, none ends the reading
 */
export function siteOfTables(tables: readonly Table[], current: Site): { site: Site | null; problems: Problems } {
  const problems = new Problems();
  const sheets = sheetsOf(tables, problems);
  const reader = new TableReader(current, problems);
  for (const sheet of sheets.filter(({ kind }) => kind === 'lots')) for (const row of sheet.rows) reader.lotRow(sheet, row);
  for (const sheet of sheets.filter(({ kind }) => kind === 'berths')) {
    reader.missingColumns(sheet);
    for (const row of sheet.rows) reader.berthRow(sheet, row);
    reader.endOfSheet();
  }
  const site = reader.finish();
  return { site: problems.total === 0 ? site : null, problems };
}

function put(doc: Doc, path: readonly string[], value: unknown): void {
  let at = doc;
  for (const part of path.slice(0, -1)) {
    if (typeof at[part] !== 'object' || at[part] === null) at[part] = {};
    at = at[part] as Doc;
  }
  at[path.at(-1) as string] = value;
}

function drop(doc: Doc, path: readonly string[]): void {
  let at: unknown = doc;
  for (const part of path.slice(0, -1)) at = (at as Doc | null | undefined)?.[part];
  if (typeof at === 'object' && at !== null) delete (at as Doc)[path.at(-1) as string];
}

class TableReader {
  readonly #current: Site;
  readonly #problems: Problems;
  readonly #cameras = new Map<string, CameraDraft>();
  readonly #lots = new Map<string, Draft>();
  readonly #berthsById = new Map<string, KnownBerth>();
  readonly #berthsByNumber = new Map<string, KnownBerth>();
  #camera: CameraDraft | null = null;

  constructor(current: Site, problems: Problems) {
    this.#current = current;
    this.#problems = problems;
    for (const camera of current.cameras) {
      for (const berth of camera.berths) {
        this.#berthsById.set(berth.id, berth);
        this.#berthsByNumber.set(`${camera.lot}/${berth.number}`, berth);
      }
    }
  }

  /** Said once a sheet, not once a row. */
  missingColumns(sheet: Sheet): void {
    const known = new Set(this.#current.cameras.map((camera) => camera.id));
    const allKnown = sheet.rows.every((row) => row.text(CAMERA_ID) === '' || known.has(row.text(CAMERA_ID)));
    for (const column of [...CAMERA_COLUMNS, ...BERTH_COLUMNS]) {
      if (!column.required || column === CAMERA_ID || column === BERTH_NUMBER || sheet.has(column) || allKnown) continue;
      this.#problems.add({ sheet: sheet.name, row: null, column: column.zh }, { zh: `缺少“${column.zh}”列：${column.hint.zh}`, en: `the column "${column.zh}" (${column.en}) is missing: ${column.hint.en}` });
    }
  }

  lotRow(sheet: Sheet, row: SheetRow): void {
    const code = row.text(CAMERA_LOT);
    if (code === '') {
      this.#problems.add({ sheet: sheet.name, row: row.number, column: CAMERA_LOT.zh }, { zh: `须填写${CAMERA_LOT.hint.zh}`, en: `is empty: write ${CAMERA_LOT.hint.en}` });
      return;
    }
    this.#lot(sheet, row, code);
  }

  berthRow(sheet: Sheet, row: SheetRow): void {
    const id = row.text(CAMERA_ID);
    if (id === '' && this.#camera === null) {
      this.#problems.add({ sheet: sheet.name, row: row.number, column: sheet.headers.get(CAMERA_ID) ?? CAMERA_ID.zh }, { zh: '上方没有相机，须填写相机编号', en: 'there is no camera above: write its id' });
      return;
    }
    if (id !== '' && id !== this.#camera?.doc.id) {
      this.#camera = this.#cameras.get(id) ?? this.#newCamera(sheet, row, id);
    }
    const camera = this.#camera as CameraDraft;
    this.#cameraCells(camera, sheet, row);
    if (row.text(CAMERA_LOT) !== '' && LOT_COLUMNS.some((column) => row.text(column) !== '')) this.#lot(sheet, row, row.text(CAMERA_LOT));
    this.#berth(camera, sheet, row);
  }

  endOfSheet(): void {
    this.#camera = null;
  }

  #newCamera(sheet: Sheet, row: SheetRow, id: string): CameraDraft {
    const known = this.#current.cameras.find((camera) => camera.id === id);
    const doc = known ? (structuredClone(known) as unknown as Doc) : {};
    delete doc.berths;
    doc.id = id;
    const draft: CameraDraft = { of: 'camera', doc, sheet, row: row.number, bad: new Set(), given: new Map(), berths: [] };
    this.#cameras.set(id, draft);
    // What the sheet has columns for, it tells anew.
    for (const column of CAMERA_COLUMNS) if (sheet.has(column) && column !== CAMERA_ID && !column.secret) drop(doc, column.path);
    // Which stream is analysed follows from which is recorded, where the sheet tells only that.
    if (sheet.has(RECORD)) drop(doc, ['streams', 'analyse']);
    return draft;
  }

  #cameraCells(camera: CameraDraft, sheet: Sheet, row: SheetRow): void {
    for (const column of CAMERA_COLUMNS) {
      const text = row.text(column);
      if (column === CAMERA_ID || text === '') continue;
      const before = camera.given.get(column);
      if (before === undefined) {
        camera.given.set(column, { text, row: row.number });
        this.#cell(camera, column, text, sheet, row.number);
      } else if (before.text !== text) {
        this.#problems.add(
          { sheet: sheet.name, row: row.number, column: sheet.headers.get(column) ?? column.zh, value: text },
          { zh: `与第 ${before.row} 行同一相机的“${before.text}”不一致，写成一样或留空`, en: `differs from "${before.text}" in row ${before.row} of the same camera: write the same, or leave it empty` },
        );
      }
    }
  }

  #berth(camera: CameraDraft, sheet: Sheet, row: SheetRow): void {
    const number = row.text(BERTH_NUMBER);
    if (BERTH_COLUMNS.every((column) => row.text(column) === '')) {
      if (camera.berths.length === 0 && camera.row === row.number) return;
      this.#problems.add({ sheet: sheet.name, row: row.number, column: sheet.headers.get(BERTH_NUMBER) ?? BERTH_NUMBER.zh }, { zh: `须填写泊位编号：${BERTH_NUMBER.hint.zh}`, en: `is empty: write ${BERTH_NUMBER.hint.en}` });
      return;
    }
    const given = row.text(BERTH_ID);
    const known = this.#knownBerth(camera, given, number);
    const doc: Doc = known ? (structuredClone(known) as unknown as Doc) : {};
    const draft: Draft = { of: 'berth', doc, sheet, row: row.number, bad: new Set(), given: new Map() };
    for (const column of BERTH_COLUMNS) {
      const text = row.text(column);
      if (!sheet.has(column)) continue;
      if (text !== '') this.#cell(draft, column, text, sheet, row.number);
      else if (column !== BERTH_ID) drop(doc, column.path);
    }
    if (given === '' && known === undefined) {
      const made = `${String(camera.doc.lot ?? '')}-${number}`;
      if (/^[\w-]{1,32}$/.test(made)) doc.id = made;
      else this.#refuse(draft, BERTH_ID, '', { zh: `须填写：${BERTH_ID.hint.zh}（“${made}”不能用作标识）`, en: `is empty, and "${made}" cannot stand in for it: write ${BERTH_ID.hint.en}` });
    }
    this.#required(draft, BERTH_COLUMNS.filter((column) => column !== BERTH_ID));
    camera.berths.push(draft);
  }

  /** The berth as it is known: by its id, or by its number in the lot. */
  #knownBerth(camera: CameraDraft, id: string, number: string): KnownBerth | undefined {
    return id !== '' ? this.#berthsById.get(id) : this.#berthsByNumber.get(`${String(camera.doc.lot)}/${number}`);
  }

  #lot(sheet: Sheet, row: SheetRow, code: string): void {
    const before = this.#lots.get(code);
    const known = this.#current.lots.find((lot) => lot.code === code);
    const draft: Draft = before ?? { of: 'lot', doc: known ? (structuredClone(known) as unknown as Doc) : { code }, sheet, row: row.number, bad: new Set(), given: new Map() };
    this.#lots.set(code, draft);
    const tariffColumns = LOT_COLUMNS.filter((column) => column !== LOT_NAME);
    if (!before && tariffColumns.some((column) => row.text(column) !== '')) draft.doc.tariff = {};
    for (const column of LOT_COLUMNS) {
      const text = row.text(column);
      if (text === '') continue;
      const given = draft.given.get(column);
      if (given !== undefined && given.text !== text) {
        this.#problems.add(
          { sheet: sheet.name, row: row.number, column: sheet.headers.get(column) ?? column.zh, value: text },
          { zh: `与第 ${given.row} 行同一停车场的“${given.text}”不一致，写成一样或留空`, en: `differs from "${given.text}" in row ${given.row} of the same lot: write the same, or leave it empty` },
        );
      } else if (given === undefined) {
        draft.given.set(column, { text, row: row.number });
        this.#cell(draft, column, text, sheet, row.number);
      }
    }
    if (draft.given.has(UNIT_FEN) && (draft.doc.tariff as Doc | null)?.unitFen === null) draft.doc.tariff = null;
    if (!before) this.#required(draft, LOT_COLUMNS);
  }

  #cell(draft: Draft, column: Column, text: string, sheet: Sheet, row: number): void {
    const value = READERS[column.type](text);
    if (value !== undefined) {
      put(draft.doc, column.path, value);
      return;
    }
    const lost = /^\d(\.\d+)?E\+\d+$/i.test(text) && column.type === 'text';
    this.#refuse(draft, column, text, lost ? LOST_DIGITS : { zh: `无法识别，应填写：${column.hint.zh}`, en: `is not understood: write ${column.hint.en}` }, sheet, row);
  }

  #refuse(draft: Draft, column: Column, value: string, words: { zh: string; en: string }, sheet = draft.sheet, row = draft.row): void {
    draft.bad.add(column);
    this.#problems.add({ sheet: sheet.name, row, column: sheet.headers.get(column) ?? column.zh, value }, words);
  }

  #required(draft: Draft, columns: readonly Column[]): void {
    for (const column of columns) {
      if (!column.required || draft.bad.has(column) || valueAt(draft.doc, column.path) !== undefined) continue;
      draft.bad.add(column);
      // A missing column was told once for the sheet.
      if (draft.sheet.has(column)) this.#refuse(draft, column, '', { zh: `不能为空，应填写：${column.hint.zh}`, en: `is empty: write ${column.hint.en}` });
    }
  }

  /** Puts everything together and lists what the schema says of it. */
  finish(): Site | null {
    const cameras = [...this.#cameras.values()];
    for (const camera of cameras) {
      this.#required(camera, CAMERA_COLUMNS);
      tidy(camera);
      if (camera.berths.length === 0) this.#problems.add({ sheet: camera.sheet.name, row: camera.row, column: CAMERA_ID.zh, value: String(camera.doc.id) }, { zh: '该相机没有泊位，每个泊位写一行', en: 'this camera has no berth: write one row a berth' });
    }
    // A header alone would take out everything there is.
    if (cameras.length === 0 && this.#problems.total === 0) this.#problems.add({ sheet: null, row: null, column: null }, { zh: '表中没有任何泊位行；要清空站点请导入 YAML 文件', en: 'the table has no berth at all; import a YAML file to empty a site' });
    const lots: Draft[] = [...this.#lots.values()];
    const otherLots = this.#current.lots.filter((lot) => !this.#lots.has(lot.code));
    for (const lot of lots) this.#check(lot, LotSchema.safeParse(lot.doc));
    for (const camera of cameras) this.#checkCamera(camera);
    const listed = [...lots.map((lot) => lot.doc), ...otherLots] as SiteOutline['lots'];
    this.#checkTogether(listed, lots, cameras);
    if (this.#problems.total > 0) return null;
    const parsed = SiteSchema.safeParse({ lots: listed, cameras: cameras.map((camera) => ({ ...camera.doc, berths: camera.berths.map((berth) => berth.doc) })) });
    if (parsed.success) return parsed.data;
    // Whatever the checks above do not know of.
    for (const issue of parsed.error.issues) this.#problems.add({ sheet: null, row: null, column: issue.path.join('.') }, issueWords(issue.message, null));
    return null;
  }

  #checkCamera(camera: CameraDraft): void {
    const good = camera.berths.filter((berth) => this.#check(berth, BerthSchema.safeParse(berth.doc)));
    // The berths were checked above; what the camera says of itself must not wait for them.
    const own = CameraSchema.safeParse({ ...camera.doc, berths: [PLACEHOLDER] });
    this.#check(camera, own.success ? own : { success: false, error: { issues: own.error.issues.filter((issue) => issue.path[0] !== 'berths') } });
    const { width, height } = camera.doc;
    if (typeof width !== 'number' || typeof height !== 'number' || !(width > 0) || !(height > 0)) return;
    for (const berth of good) {
      const problem = outsideProblem(berth.doc.polygon as Quad, { width, height });
      if (problem !== null) this.#issue(berth, ['polygon'], problem);
    }
  }

  #checkTogether(listed: SiteOutline['lots'], lots: readonly Draft[], cameras: readonly CameraDraft[]): void {
    const issues = siteIssues({ lots: listed, cameras: cameras.map((camera) => ({ ...camera.doc, berths: camera.berths.map((berth) => berth.doc) })) });
    for (const { path, message } of issues) {
      const [list, i, ...rest] = path as [string, number, ...(string | number)[]];
      if (list === 'lots') {
        const lot = lots[i];
        if (lot) this.#issue(lot, rest, message);
        continue;
      }
      const camera = cameras[i] as CameraDraft;
      const berth = rest[0] === 'berths' ? camera.berths[rest[1] as number] : undefined;
      if (berth) this.#issue(berth, rest.slice(2), message);
      else this.#issue(camera, rest, message);
    }
  }

  #check(draft: Draft, result: { success: true } | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } }): boolean {
    if (result.success) return true;
    for (const issue of result.error.issues) this.#issue(draft, issue.path as (string | number)[], issue.message);
    return false;
  }

  /** A problem of a path of a draft, unless its cell was refused already. */
  #issue(draft: Draft, path: readonly (string | number)[], message: string): void {
    const texts = path.map(String);
    const column = draft.of === 'lot' && texts[0] === 'code' ? CAMERA_LOT : columnAt(draft.of, texts);
    if (column && draft.bad.has(column)) return;
    const given = column ? draft.given.get(column) : undefined;
    const value = column ? (given?.text ?? textAt(draft.doc, column.path)) : null;
    const lost = value !== null && /^\d(\.\d+)?E\+\d+$/i.test(value);
    this.#problems.add({ sheet: draft.sheet.name, row: given?.row ?? draft.row, column: column ? (draft.sheet.headers.get(column) ?? column.zh) : texts.join('.'), value }, lost ? LOST_DIGITS : issueWords(message, column));
  }
}

const LOST_DIGITS = { zh: '表格程序把长编号变成了数字并丢失了末位：将该列设为“文本”格式后重新输入', en: 'the spreadsheet program has made a number of it and lost digits: format the column as text and type it again' };

/** Stands for a camera's berths while the rest of it is checked. Its size is that of the largest picture, so that only the camera can be wrong. */
const PLACEHOLDER = { id: 'placeholder', number: '0', kind: 'parallel', polygon: [[0, 0], [100, 0], [100, 100], [0, 100]], lengthM: 6, widthM: 2.5, drivingDirection: [0, 1] };

function valueAt(doc: Doc, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, part) => (at as Doc | null | undefined)?.[part], doc);
}

function textAt(doc: Doc, path: readonly string[]): string | null {
  const value = valueAt(doc, path);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}

/** Groups of which nothing that identifies them was given are not there. */
function tidy({ doc, bad }: CameraDraft): void {
  const empty = (path: string): boolean => valueAt(doc, path.split('.')) == null && !bad.has(find('camera', path));
  if (empty('gb28181.deviceId') && empty('gb28181.channelId')) doc.gb28181 = null;
  if (empty('rtsp.url') && empty('rtsp.subUrl')) doc.rtsp = null;
  if (empty('location.longitude') && empty('location.latitude')) doc.location = null;
  if (typeof doc.analysis === 'object' && doc.analysis !== null && bad.has(find('camera', 'analysis.windows'))) delete doc.analysis;
}
