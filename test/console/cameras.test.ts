import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../base/program-root.js';
import { haveTool } from '../../base/test-tools.js';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { until } from '../system/support/street.js';
import { STUB_TOKEN, StubApi } from './stub-api.js';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** The pages about cameras in a real browser, on made-up cameras: 300 of them, in every state. */
describe.skipIf(!haveTool('chromium'))('the pages about cameras', () => {
  const stub = new StubApi(300);
  let browser: Browser;
  let page: Page;
  let url: string;
  let shots: string;
  const errors: string[] = [];
  beforeAll(async () => {
    if (!existsSync(join(program.root, 'dist', 'console', 'index.html'))) throw new Error('the console is not built: run npm run build');
    shots = process.env.SCREENSHOTS ?? temporaryFolder('bw-shots-');
    url = await stub.start();
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(`${url}#/cameras`);
  });
  afterAll(async () => {
    await browser?.close();
    await stub.close();
    if (process.env.SCREENSHOTS === undefined) rmSync(shots, { recursive: true, force: true });
  });

  const rows = () => page.locator('.camera-list tbody tr:not(.why)');
  const wider = (): Promise<boolean> => page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');

  it('lists 300 cameras, the ones with problems first and with their diagnosis', async () => {
    await rows().first().waitFor();
    expect(await page.locator('.tile b').allTextContents()).toEqual(['300', '10', '20', '10', '10', '250']);
    expect(await rows().count()).toBe(100);
    expect(await rows().first().textContent()).toContain('cam-005');
    expect(await page.locator('.why').first().textContent()).toContain('no packet came');
    await page.getByRole('button', { name: /显示更多/ }).click();
    await until('more rows', async () => (await rows().count()) === 200);
    await page.screenshot({ path: join(shots, 'cameras.png') });
  });

  it('finds by state, road, words and a berth', async () => {
    await page.locator('.tile.offline').click();
    await until('only those offline', async () => (await rows().count()) === 20);
    await page.locator('.tile.all').click();
    await page.getByRole('searchbox').fill('qd-gw-0123');
    await until('one camera', async () => (await rows().count()) === 1);
    await page.getByRole('searchbox').fill('东海西路 29801');
    await until('the camera of a berth', async () => (await rows().allTextContents()).join().includes('cam-298'));
    await page.getByRole('searchbox').fill('nothing like this');
    await page.getByText('没有符合条件的相机').waitFor();
    await page.getByRole('searchbox').fill('');
    await page.getByRole('combobox').selectOption('闽江路');
    await until('one road', async () => (await page.locator('.tile.all b').textContent()) === '75');
  });

  it('shows one camera with picture, berths and facts', async () => {
    await page.goto(`${url}#/cameras/cam-001`);
    await page.locator('.picture img').waitFor();
    expect(await page.locator('.picture polygon').count()).toBe(12);
    const facts = await page.locator('.facts-list').textContent();
    for (const text of ['H.264', 'Mb/s', '周一二三四五 07:30–21:30', '6.5 m', '37020200001320000001', '主码流 + 子码流', '交警箱取电']) expect(facts).toContain(text);
    await page.getByText('GB/T 28181-2016').waitFor();
    expect(await page.locator('.control').textContent()).toMatch(/UDP 10\.0\.3\.17:5060.*固件 V5\.7\.3.*设备时钟偏差 -42 s.*set NTP/);
    await page.screenshot({ path: join(shots, 'camera.png'), fullPage: true });
    await page.goto(`${url}#/cameras/no-such`);
    await page.getByText('没有这台相机').waitFor();
  });

  it('asks for the token once, moves the camera while a button is held, and stops it', async () => {
    await page.goto(`${url}#/cameras/cam-001`);
    const left = page.getByRole('button', { name: '左', exact: true });
    await left.dispatchEvent('pointerdown');
    await page.locator('dialog.token').waitFor();
    await page.evaluate(`dispatchEvent(new Event('pointerup'))`);
    await page.locator('dialog.token input').fill(STUB_TOKEN);
    await page.keyboard.press('Enter');
    await until('move and stop', () => stub.calls.length === 2);
    const ptz = 'POST /api/devices/37020200001320000001/channels/37020200001320000001/ptz';
    // The stop came while the token was asked for; it must not overtake the movement.
    expect(stub.calls.map((call) => JSON.parse(call.slice(ptz.length)) as { kind: string; pan?: string })).toMatchObject([{ kind: 'move', pan: 'left' }, { kind: 'stop' }]);
    await page.getByRole('spinbutton').fill('7');
    await page.getByRole('button', { name: '调用' }).click();
    await until('a preset', () => stub.calls.some((call) => call.endsWith('/preset {"action":"call","preset":7}')));
    await page.getByRole('button', { name: '抓拍' }).click();
    await page.getByText('取自视频流').waitFor();
    await page.getByRole('button', { name: '重启设备' }).click();
    await page.getByRole('button', { name: '取消' }).click();
    await page.getByRole('button', { name: '重启设备' }).click();
    await page.getByRole('button', { name: '确定' }).click();
    await until('a restart', () => stub.calls.some((call) => call.endsWith('/reboot')));
    expect(stub.calls.filter((call) => call.endsWith('/reboot'))).toHaveLength(1);
  });

  it('shows the problems of a file, then a preview, and applies it only when the visits may end', async () => {
    await page.goto(`${url}#/import`);
    const upload = (name: string): Promise<void> => page.locator('input[type=file]').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from('x') });
    await upload('faults.xlsx');
    await page.locator('.faults tbody tr').nth(1).waitFor();
    expect(await page.locator('.faults tbody tr').first().textContent()).toMatch(/泊位4四角坐标812,540 934,552 760无法识别/);
    expect(await page.getByRole('button', { name: '应用变化' }).isDisabled()).toBe(true);
    await page.screenshot({ path: join(shots, 'faults.png') });
    await upload('site.xlsx');
    await page.locator('.diff').waitFor();
    expect(await page.locator('.diff').textContent()).toContain('由东向西 → 由西向东');
    const apply = page.getByRole('button', { name: '应用变化' });
    expect(await apply.isDisabled()).toBe(true);
    await page.getByRole('checkbox').check();
    await page.screenshot({ path: join(shots, 'import.png'), fullPage: true });
    await apply.click();
    await page.getByText('已应用').waitFor();
    await page.getByText('V1-0').waitFor();
    await page.getByText('大门西侧').waitFor();
  });

  it('fits a telephone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const [address, wanted] of [['#/cameras', '.camera-list tbody tr'], ['#/cameras/cam-001', '.facts-list'], ['#/import', '.drop'], ['#/', '.camera']] as const) {
      await page.goto(`${url}${address}`);
      await page.locator(wanted).first().waitFor();
      expect(await wider(), address).toBe(false);
    }
    await page.goto(`${url}#/cameras`);
    await rows().first().waitFor();
    await page.screenshot({ path: join(shots, 'cameras-small.png') });
  });

  it('throws nothing in the browser', () => {
    expect(errors).toEqual([]);
  });
});
