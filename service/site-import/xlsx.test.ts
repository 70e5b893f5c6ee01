import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { program } from '../../base/program-root.js';
import { unzipBounded } from './bounded-zip.js';
import { readSiteFile } from './read-file.js';
import { formatOf, readSiteHere } from './read-here.js';
import { templateXlsx } from './write-files.js';
import { readXlsx } from './xlsx.js';

async function zip(entries: Record<string, string | Buffer>): Promise<Buffer> {
  const file = new ZipFile();
  for (const [name, content] of Object.entries(entries)) file.addBuffer(Buffer.from(content), name);
  file.end();
  const chunks: Buffer[] = [];
  for await (const chunk of file.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The smallest workbook with this sheet. */
const workbook = (sheetData: string): Promise<Buffer> =>
  zip({
    '[Content_Types].xml': '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    'xl/workbook.xml': '<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
    'xl/_rels/workbook.xml.rels': '<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    'xl/worksheets/sheet1.xml': `<worksheet><sheetData>${sheetData}</sheetData></worksheet>`,
  });

const cell = (ref: string, text: string): string => `<c r="${ref}" t="inlineStr"><is><t>${text}</t></is></c>`;

describe('readXlsx', () => {
  it('reads texts, and numbers as the digits that stand in the file', async () => {
    const tables = await readXlsx(await workbook(`<row r="2">${cell('A2', ' 泊位 ')}<c r="C2"><v>37020200001320000001</v></c><c r="D2" t="b"><v>1</v></c></row>`));
    expect(tables).toEqual([{ sheet: 'S', rows: [['', '', '', ''], ['泊位', '', '37020200001320000001', 'TRUE']] }]);
  });

  it('refuses a workbook with more rows than a site has, and one that claims a row beyond all', async () => {
    await expect(readXlsx(await workbook(`<row r="30000">${cell('A30000', 'x')}</row>`))).rejects.toMatchObject({ kind: 'bad-input', code: 'SITE_TOO_LARGE' });
    await expect(readXlsx(await workbook(`<row r="4000000000">${cell('A4000000000', 'x')}</row>`))).rejects.toMatchObject({ kind: 'bad-input', code: 'SITE_XLSX' });
  });

  it.each([
    ['no archive', async () => Buffer.from('PK\x03\x04 and nothing more')],
    ['half a workbook', async () => (await templateXlsx()).subarray(0, 4_000)],
    ['another archive', () => zip({ 'a.txt': 'a' })],
  ])('refuses %s', async (_, make) => {
    await expect(readXlsx(await make())).rejects.toMatchObject({ kind: 'bad-input', code: 'SITE_XLSX' });
  });

  it('does not unpack a bomb', async () => {
    const sheet = Buffer.alloc(80 * 1024 * 1024, 'x');
    await expect(readXlsx(await zip({ 'xl/worksheets/sheet1.xml': sheet }))).rejects.toMatchObject({ code: 'SITE_TOO_LARGE' });
  });
});

describe('unzipBounded', () => {
  const limits = { entries: 10, bytes: 1_000 };
  it('believes what it unpacks, not what the directory says', async () => {
    const bomb = await zip({ a: Buffer.alloc(100_000) });
    // The sizes that the directory claims become 1.
    const end = bomb.length - 22;
    bomb.writeUInt32LE(1, bomb.readUInt32LE(end + 16) + 24);
    expect(() => unzipBounded(bomb, limits, () => true)).toThrow(/unpacks to more/);
    expect(unzipBounded(bomb, limits, (name) => name !== 'a').size).toBe(0);
  });

  it('counts all entries together, and their number', async () => {
    const two = await zip({ a: Buffer.alloc(600), b: Buffer.alloc(600) });
    expect(() => unzipBounded(two, limits, () => true)).toThrow(/unpacks to more/);
    expect([...unzipBounded(two, { ...limits, bytes: 1_200 }, () => true).keys()]).toEqual(['a', 'b']);
    expect(() => unzipBounded(two, { entries: 1, bytes: 10_000 }, () => true)).toThrow(/2 parts/);
    expect(deflateRawSync(Buffer.alloc(600)).length).toBeLessThan(600);
  });
});

describe('readSiteFile', () => {
  const EMPTY = { lots: [], cameras: [] };
  it('knows a format by its content, and tells an old workbook from a new one', () => {
    expect(formatOf(Buffer.from('PK\x03\x04'), 'site.csv')).toBe('xlsx');
    expect(formatOf(Buffer.from('lots:\n'), 'site')).toBe('yaml');
    expect(formatOf(Buffer.from('相机编号,泊位编号\n'), 'site')).toBe('csv');
    expect(formatOf(Buffer.from('{"lots": []}'), 'x.yaml')).toBe('yaml');
    expect(() => formatOf(Buffer.from([0xd0, 0xcf, 0x11, 0xe0]), 'a.xls')).toThrow(/old \.xls/);
    expect(() => formatOf(Buffer.from('abc'), 'a.xlsx')).toThrow(/no XLSX/);
  });

  it('lists the problems of a YAML file with their lines', async () => {
    const { site, problems } = await readSiteHere(Buffer.from('lots: [{ code: L1, name: Lot }]\ncameras:\n  - id: c 1\n    nme: x\n'), 'a.yaml', EMPTY);
    expect(site).toBeNull();
    expect(problems.list.find((problem) => problem.column === 'cameras.0.id')?.row).toBe(3);
    expect(problems.list.length).toBeGreaterThan(3);
    expect((await readSiteHere(Buffer.from('lots: ['), 'a.yaml', EMPTY)).problems.total).toBe(1);
  });

  it('reads in a thread of its own', async () => {
    const { site } = await readSiteFile(await templateXlsx(), 'template.xlsx', EMPTY);
    expect(site?.cameras[0]?.berths).toHaveLength(2);
    await expect(readSiteFile(Buffer.from('PK\x03\x04'), 'a.xlsx', EMPTY)).rejects.toMatchObject({ kind: 'bad-input', code: 'SITE_XLSX' });
  });

  it('refuses what is too large or empty', async () => {
    await expect(readSiteHere(Buffer.alloc(9 * 1024 * 1024, 'a'), 'a.csv', EMPTY)).rejects.toMatchObject({ code: 'SITE_TOO_LARGE' });
    await expect(readSiteHere(Buffer.alloc(0), 'a.csv', EMPTY)).rejects.toMatchObject({ code: 'SITE_EMPTY' });
  });

  it('reads the corpus of the fuzzer: two sites, and one with faults', async () => {
    const corpus = (name: string): Buffer => readFileSync(join(program.root, 'service/site-import/corpus/table', name));
    for (const name of ['template.csv', 'gb18030.csv', 'english.csv']) expect((await readSiteHere(corpus(name), name, EMPTY)).site?.cameras, name).toHaveLength(1);
    expect((await readSiteHere(corpus('faults.csv'), 'faults.csv', EMPTY).catch(() => ({ site: null }))).site).toBeNull();
  });
});
