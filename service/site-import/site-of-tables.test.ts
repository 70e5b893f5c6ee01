import iconv from 'iconv-lite';
import { describe, expect, it } from 'vitest';
import type { Site, SiteCamera } from '../config/site.js';
import { readCsv } from './csv.js';
import { problemLine } from './problem.js';
import { siteOfTables } from './site-of-tables.js';
import { berthRows, BERTH_SHEET_COLUMNS, LOT_SHEET_COLUMNS } from './write-rows.js';
import type { Cell, Table } from './table.js';

const EMPTY: Site = { lots: [], cameras: [] };
const HEADER = BERTH_SHEET_COLUMNS.map((column) => column.zh);
const LOTS: Table = { sheet: '停车场', rows: [LOT_SHEET_COLUMNS.map((column) => column.zh), ['L1', '一号停车场', '15', '30', '2.5', '']] };

/** A row with the given columns, by Chinese header; the rest is what one good berth has. */
function row(change: Record<string, Cell> = {}): Cell[] {
  const values: Record<string, Cell> = {
    相机编号: 'c1',
    相机名称: '一号相机',
    设备编号: 'D1',
    停车场编号: 'L1',
    路段: '香港中路',
    拍摄方向: '由东向西',
    画面宽: '1920',
    画面高: '1080',
    泊位编号: '101',
    泊位形式: '平行',
    四角坐标: '100,100 200,100 200,200 100,200',
    '泊位长（米）': '6',
    '泊位宽（米）': '2.5',
    行车方向: '0,-1',
    ...change,
  };
  return HEADER.map((title) => values[title] ?? '');
}

const more = (change: Record<string, Cell>): Cell[] => row({ ...Object.fromEntries(['相机编号', '相机名称', '设备编号', '停车场编号', '路段', '拍摄方向', '画面宽', '画面高'].map((key) => [key, ''])), ...change });
const read = (rows: Cell[][], current = EMPTY) => siteOfTables([{ sheet: '泊位', rows: [HEADER, ...rows] }, LOTS], current);

function good(rows: Cell[][], current = EMPTY): Site {
  const { site, problems } = read(rows, current);
  expect(problems.list.map((problem) => problemLine('f', problem, 'en'))).toEqual([]);
  return site as Site;
}

function lines(rows: Cell[][], current = EMPTY): string[] {
  const { site, problems } = read(rows, current);
  expect(site).toBeNull();
  for (const problem of problems.list) expect(problem.zh, problem.en).toMatch(/[\u4e00-\u9fff]/);
  return problems.list.map(({ row: at, column, value }) => `${at ?? '-'} ${column ?? '-'} ${value ?? ''}`.trim());
}

const first = (site: Site): SiteCamera => site.cameras[0] as SiteCamera;

describe('a sheet of berths', () => {
  it('is one row a berth, the camera on its first row or repeated', () => {
    const site = good([row(), more({ 泊位编号: '102' }), row({ 泊位编号: '103' }), row({ 相机编号: 'c2', 泊位编号: '104' }), more({ 相机编号: 'c1', 泊位编号: '105' })]);
    expect(site.cameras.map((camera) => [camera.id, camera.berths.map((berth) => berth.id)])).toEqual([
      ['c1', ['L1-101', 'L1-102', 'L1-103', 'L1-105']],
      ['c2', ['L1-104']],
    ]);
    expect(site.lots).toEqual([{ code: 'L1', name: '一号停车场', tariff: { freeMinutes: 15, unitMinutes: 30, unitFen: 250, dayCapFen: null } }]);
  });

  it('takes English headers, titles above, remarks, empty rows, own columns and eight columns of corners', () => {
    const rows: Cell[][] = [
      ['2026 cameras'],
      [],
      ['Camera ID*', 'camera name', 'device number', 'lot', 'lot name', 'road section', 'direction', 'picture width', 'picture height', 'berth number', 'berth kind', ...['front-left', 'front-right', 'rear-right', 'rear-left'].flatMap((c) => [`${c} x`, `${c} y`]), 'length (m)', 'width (m)', 'driving direction', '#mine'],
      ['说明：write here'],
      [],
      ['c1', 'One', 'D', 'L9', 'Lot nine', 'Road', 'west', '1920', '1080', '7', 'angled', '100', '100', '200', '100', '200', '200', '100', '200', '6', '2.5', '0;1', 'x'],
      ['# c2'],
    ];
    const { site, problems } = siteOfTables([{ sheet: null, rows }], EMPTY);
    expect(problems.list).toEqual([]);
    expect(site?.lots).toEqual([{ code: 'L9', name: 'Lot nine', tariff: null }]);
    expect(site?.cameras[0]?.berths[0]).toMatchObject({ id: 'L9-7', kind: 'angled', polygon: [[100, 100], [200, 100], [200, 200], [100, 200]], drivingDirection: [0, 1] });
  });

  it('understands what people write: full-width digits, brackets, words', () => {
    const site = good([row({ 画面宽: '１９２０', 四角坐标: '[[100，100]，[200,100],[200,200],[100,200]]', 相机类型: '低位视频桩', 启用: '否', 国标设备编号: '37020200001320000001', 国标通道编号: '37020200001320000001', 国标媒体传输: 'tcp 主动', 录像码流: '主子码流', 分析码流: '子码流', '架设高度（米）': '0.6', 分析时段: '工作日 7:30至21:30；周六、周日 22:00-06:00' })]);
    expect(first(site)).toMatchObject({
      kind: 'video-pile',
      enabled: false,
      width: 1920,
      gb28181: { transport: 'tcp-active' },
      streams: { record: 'both', analyse: 'sub' },
      mountingHeightM: 0.6,
      analysis: { windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '07:30', to: '21:30' }, { days: ['sat', 'sun'], from: '22:00', to: '06:00' }] },
    });
  });

  it('keeps what it has no column for, and passwords whose cell is empty', () => {
    const before = good([row({ 国标设备编号: '37020200001320000001', 国标通道编号: '37020200001320000001', 国标密码: 'secret', 备注: 'old', 经度: '120', 纬度: '36' })]);
    const again = good([row({ 国标设备编号: '37020200001320000002', 国标通道编号: '37020200001320000002' })], before);
    expect(first(again)).toMatchObject({ gb28181: { deviceId: '37020200001320000002', password: 'secret' }, notes: null, location: null });
    const rows = [['相机编号', '相机名称', '泊位编号'], ['c1', '新名称', '101']];
    const { site } = siteOfTables([{ sheet: null, rows }], before);
    expect(site).toEqual({ ...before, cameras: [{ ...first(before), name: '新名称' }] });
  });

  it('gives again what was exported', () => {
    const site = good([row({ 国标设备编号: '37020200001320000001', 国标通道编号: '37020200001320000001', 国标密码: 'p', 分析时段: '周五至周一 22:00-06:00', 专用泊位: '残疾人', '限时（分钟）': '60' }), more({ 泊位编号: '102' }), row({ 相机编号: 'c2', RTSP地址: 'rtsp://192.0.2.1/1', RTSP用户: 'u', RTSP密码: 'x', 泊位编号: '103' })]);
    const { site: same } = siteOfTables([{ sheet: '泊位', rows: [HEADER, ...berthRows(site, { passwords: true })] }], { ...site, cameras: [] });
    expect(same).toEqual(site);
    expect(berthRows(site, { passwords: false }).flat()).not.toContain('x');
  });
});

describe('a sheet with faults', () => {
  it('lists all of them at once, each with its row, column and what stands there', () => {
    expect(
      lines([
        row({ 相机名称: '', 画面宽: 'wide', 泊位形式: '竖', 四角坐标: '1,2,3' }),
        more({ 泊位编号: '102', '泊位长（米）': '60', 行车方向: '0,0' }),
        more({ 泊位编号: '101' }),
        row({ 相机编号: 'c 2', 停车场编号: 'L7', 泊位编号: '103', 四角坐标: '9000,9000 9100,9000 9100,9100 9000,9100', 分析时段: '8点到9点', 国标设备编号: '123', 国标通道编号: '37020200001320000001' }),
      ]).sort(),
    ).toEqual(
      [
        '2 相机名称',
        '2 画面宽 wide',
        '2 泊位形式 竖',
        '2 四角坐标 1,2,3',
        '3 泊位长（米） 60',
        '3 行车方向',
        '4 泊位编号 101',
        '4 泊位标识 L1-101',
        '5 相机编号 c 2',
        '5 停车场编号 L7',
        '5 四角坐标',
        '5 分析时段 8点到9点',
        '5 国标设备编号 123',
      ].sort(),
    );
  });

  it.each<[string, Cell[][], string[]]>([
    ['a berth before any camera', [more({})], ['2 相机编号']],
    ['a camera told in two ways', [row(), row({ 相机名称: '别名', 泊位编号: '102' })], ['3 相机名称 别名']],
    ['a date made of a number', [row({ 泊位编号: { date: '2026-01-02' } })], ['2 泊位编号 2026-01-02', '2 泊位编号']],
    ['an identity that became a number', [row({ 国标设备编号: '3.70202E+19', 国标通道编号: '37020200001320000001' })], ['2 国标设备编号 3.70202E+19']],
    ['one channel used twice', [row({ 国标设备编号: '37020200001320000001', 国标通道编号: '37020200001320000001' }), row({ 相机编号: 'c2', 泊位编号: '102', 国标设备编号: '37020200001320000001', 国标通道编号: '37020200001320000001' })], ['3 国标设备编号 37020200001320000001']],
    ['a height in centimetres', [row({ '架设高度（米）': '650' })], ['2 架设高度（米） 650']],
    ['half a place', [row({ 经度: '120' })], ['2 纬度']],
    ['a stream that is not recorded', [row({ 录像码流: '主码流', 分析码流: '子码流' })], ['2 分析码流 子码流']],
    ['both ways in', [row({ 国标设备编号: '37020200001320000001', 国标通道编号: '37020200001320000001', RTSP地址: 'rtsp://192.0.2.1/1' })], ['2 RTSP地址 rtsp://192.0.2.1/1']],
    ['a password in an address', [row({ RTSP地址: 'rtsp://u:p@192.0.2.1/1' })], ['2 RTSP地址 rtsp://u:p@192.0.2.1/1']],
    ['corners in the wrong order', [row({ 四角坐标: '100,100 200,200 200,100 100,200' })], ['2 四角坐标']],
    ['a name that is no word but a property', [row({ 相机类型: 'constructor' })], ['2 相机类型 constructor']],
  ])('%s', (_, rows, expected) => {
    expect(lines(rows)).toEqual(expected);
  });

  it('names columns that nobody knows, and what they may have meant', () => {
    const { problems } = siteOfTables([{ sheet: '泊位', rows: [[...HEADER, '相机名陈', '泊位标识'], row()] }, LOTS], EMPTY);
    expect(problems.list.map(({ row: at, column }) => [at, column])).toEqual([[1, '相机名陈'], [1, '泊位标识']]);
    expect(problems.list[0]?.zh).toContain('“相机名称”');
    expect(problems.list[1]?.zh).toContain('重复');
  });

  it('tells once which column is missing, and that there is no table at all', () => {
    const without = HEADER.filter((title) => title !== '四角坐标');
    const rows = [without, row().filter((_, i) => HEADER[i] !== '四角坐标'), more({ 泊位编号: '102' }).filter((_, i) => HEADER[i] !== '四角坐标')];
    expect(siteOfTables([{ sheet: '泊位', rows }, LOTS], EMPTY).problems.list).toMatchObject([{ row: null, column: '四角坐标' }]);
    expect(siteOfTables([{ sheet: 'Sheet1', rows: [['a', 'b'], ['1', '2']] }], EMPTY).problems.list).toMatchObject([{ row: null, en: expect.stringContaining('no table of berths') as string }]);
  });

  it('does not take a header alone for an empty site', () => {
    expect(lines([])).toEqual(['- -']);
  });

  it('keeps count of more problems than it lists', () => {
    const { problems } = read(Array.from({ length: 3_000 }, (_, i) => row({ 相机编号: `c${i}`, 泊位编号: `${i}`, 画面宽: 'x' })));
    expect(problems.list).toHaveLength(1_000);
    expect(problems.total).toBe(3_000);
  });
});

describe('readCsv', () => {
  const text = '相机编号,泊位编号\r\n"c,1","1 ""a"""\r\n';
  it.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\uFEFF${text}`)],
    ['GB18030', iconv.encode(text, 'gb18030')],
    ['UTF-16', Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['semicolons', Buffer.from('相机编号;泊位编号\n"c,1";"1 ""a"""\n')],
  ])('reads %s', (_, bytes) => {
    expect(readCsv(bytes).rows.slice(0, 2)).toEqual([['相机编号', '泊位编号'], ['c,1', '1 "a"']]);
  });

  it('refuses what is no text, broken quotes and more rows than any site has', () => {
    expect(() => readCsv(new Uint8Array([0xff, 0xff, 0xff, 0x80]))).toThrow(/neither UTF-8 nor GB18030/);
    expect(() => readCsv(Buffer.from('a,"b\n'))).toThrow(/not CSV/);
    expect(() => readCsv(Buffer.from('a\n'.repeat(20_001)))).toThrow(/more than 20000 rows/);
  });
});
