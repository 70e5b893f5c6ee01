import { describe, expect, it } from 'vitest';
import { readSiteHere } from './read-here.js';
import { problemLine } from './problem.js';
import { siteXlsx, templateCsv, templateXlsx } from './write-files.js';

const EMPTY = { lots: [], cameras: [] };

describe('the template', () => {
  it.each([
    ['template.xlsx', templateXlsx],
    ['template.csv', async () => templateCsv()],
  ] as const)('%s can be imported as it is', async (name, write) => {
    const { site, problems } = await readSiteHere(await write(), name, EMPTY);
    expect(problems.list.map((problem) => problemLine(name, problem, 'en'))).toEqual([]);
    expect(site?.lots).toEqual([{ code: '370202HZ001', name: '香港中路路侧停车场', tariff: { freeMinutes: 15, unitMinutes: 30, unitFen: 200, dayCapFen: 3000 } }]);
    expect(site?.cameras[0]).toMatchObject({ id: 'xianggang-middle-1', gb28181: { deviceId: '37020200001320000001' }, location: { longitude: 120.3826 }, analysis: { windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '07:30' }, { days: ['sat', 'sun'] }] } });
    expect(site?.cameras[0]?.berths.map((berth) => berth.number)).toEqual(['101', '102']);
  });

  it('is what an exported site looks like: reading that gives the site', async () => {
    const { site } = await readSiteHere(await templateXlsx(), 'template.xlsx', EMPTY);
    if (!site) throw new Error('the template has problems');
    const again = await readSiteHere(await siteXlsx(site, { passwords: true }), 'site.xlsx', EMPTY);
    expect(again.site).toEqual(site);
  });
});
