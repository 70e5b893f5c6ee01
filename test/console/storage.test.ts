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

/** The pages about holds, disk and archive in a real browser, on a service in every trouble. */
describe.skipIf(!haveTool('chromium'))('the pages about what is stored', () => {
  const stub = new StubApi(12);
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
  });
  afterAll(async () => {
    await browser?.close();
    await stub.close();
    if (process.env.SCREENSHOTS === undefined) rmSync(shots, { recursive: true, force: true });
  });

  const said = async (selector: string): Promise<string> => ((await page.locator(selector).allTextContents()).join(' | ')).replace(/\s+/g, ' ');
  const narrow = (): Promise<boolean> => page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth');

  it('says how the disk stands, what the archive does, what was found, and what to do', async () => {
    await page.goto(`${url}#/storage`);
    await page.locator('.retention-list tbody tr').nth(3).waitFor();
    await page.locator('.finding-list li').first().waitFor();
    const disk = await said('.disk');
    for (const text of ['即将写满', '可用 390 GB', '共 8.0 TB', '1.3 天', '删除最旧且未保全的录像并报警', '120 段 · 3.6 GB', '删除 1000 段']) expect(disk).toContain(text);
    const archive = await said('.archive');
    for (const text of ['不可用', '503 SlowDown', '下次重试', '372 GB · 12400 段', '2 小时', '68.0 MB/s', '待删除对象', '东海西路 2 号 #40198', '闽江路 3 号 #17: the file has another SHA-256']) expect(archive).toContain(text);
    expect(await page.locator('.uploads progress').first().evaluate((bar) => (bar as unknown as { position: number }).position)).toBeCloseTo(0.7);
    const found = await said('.finding-list');
    for (const text of ['对象已损坏', '香港中路 1 号 #35880', '自第 12 个 GOP 起损坏', '应为 9f2c9f2c9f2c…', 'verify --deep --repair 重新上传', '录像丢失', '+20']) expect(found).toContain(text);
    const rows = await page.locator('.retention-list tbody tr').allTextContents();
    expect(rows[1]).toMatch(/东海西路 2 号.*90 天.*920 GB.*43.0 GB.*3.9 TB/);
    expect(rows[2]).toContain('the quota of the camera is used up');
    expect(rows[3]).toContain('第二码流');
    expect(await said('main .troubles')).toContain('footage/space the disk'.slice(0, 13));
    await page.screenshot({ path: join(shots, 'storage.png'), fullPage: true });
  });

  it('says so where the service does not answer, and keeps what it knows', async () => {
    stub.failing.set('/api/archive', { status: 503, message: 'the service is still starting; try again in a moment' });
    await until('the failure is told', async () => (await said('main .said.failed')).includes('still starting'));
    expect(await page.locator('.archive').count()).toBe(1);
    stub.failing.clear();
    await until('it is over', async () => (await page.locator('main .said.failed').count()) === 0);
  });

  it('lists what is held, why, by whom, until when and how much', async () => {
    await page.goto(`${url}#/holds`);
    const rows = page.locator('.hold-list tbody tr');
    await until('two holds', async () => (await rows.count()) === 2);
    const [first, second] = (await rows.allTextContents()).map((text) => text.replace(/\s+/g, ' '));
    for (const text of ['香港中路 1 号', '370202HZ00120260103101500123', '车主申诉', '李伟', '直到解除', '2.7 GB', '91 段', '业务结束后 10 分钟']) expect(first).toContain(text);
    expect(second).toMatch(/王芳.*12 段保全前已删除或丢失/);
    await page.getByText('显示已解除的').click();
    await until('the released one as well', async () => (await rows.count()) === 3);
    expect(await rows.last().textContent()).toMatch(/已解除.*赵强/);
    expect(await said('.holds h3 .count')).toContain('2 · 3.9 GB');
  });

  it('refuses without the token, and holds a camera’s time with it', async () => {
    await page.goto(`${url}#/holds?camera=cam-002&from=${Date.parse('2026-01-05T10:00:00+08:00')}&to=${Date.parse('2026-01-05T10:20:00+08:00')}`);
    await page.locator('.hold-form [name=reason]').fill('行人摔倒');
    await page.locator('.hold-form [name=heldBy]').fill('李伟');
    expect(await page.locator('.hold-form [name=from]').inputValue()).toMatch(/^2026-01-05T10:00/);
    await page.locator('.hold-form [name=to]').fill('2026-01-05T09:00:00');
    await page.getByText('结束时间必须晚于开始时间').waitFor();
    const hold = page.locator('.hold-form').getByRole('button', { name: '保全', exact: true });
    expect(await hold.isDisabled()).toBe(true);
    await page.locator('.hold-form [name=to]').fill('2026-01-05T10:20:00');
    await hold.click();
    await page.locator('dialog.token').getByRole('button', { name: '取消' }).click();
    await page.locator('.hold-form .failed', { hasText: '没有权限：需要访问令牌' }).waitFor();
    expect(stub.calls).toEqual([]);
    await hold.click();
    await page.locator('dialog.token input').fill(STUB_TOKEN);
    await page.locator('dialog.token').getByRole('button', { name: '确定' }).click();
    await page.locator('.hold-form [role=status]', { hasText: '62 段 · 1.9 GB，4 段保全前已删除或丢失' }).waitFor();
    expect(stub.calls).toEqual(['POST /api/holds {"cameraId":"cam-002","from":1767578400000,"to":1767579600000,"reason":"行人摔倒","heldBy":"李伟"}']);
    await until('it is in the list', async () => (await said('.hold-list')).includes('行人摔倒'));
    await page.screenshot({ path: join(shots, 'holds.png'), fullPage: true });
    // The button that releases is in sight: the table does not scroll sideways.
    expect(await page.locator('.hold-list').evaluate((table) => {
      const { scrollWidth, clientWidth } = (table as unknown as { parentElement: { scrollWidth: number; clientWidth: number } }).parentElement;
      return scrollWidth - clientWidth;
    })).toBe(0);
  });

  it('holds a visit, says what the service refuses, and releases', async () => {
    await page.goto(`${url}#/holds?visit=V-nobody`);
    await page.locator('.hold-form [name=reason]').fill('申诉');
    const hold = page.locator('.hold-form').getByRole('button', { name: '保全', exact: true });
    await hold.click();
    await page.locator('.hold-form .failed', { hasText: 'there is no visit V-nobody' }).waitFor();
    await page.locator('.hold-form [name=visit]').fill('V1-0');
    await page.locator('.hold-form [name=until]').fill('2027-01-05T10:00');
    await hold.click();
    await page.locator('.hold-form [role=status]').waitFor();
    expect(stub.calls.at(-1)).toBe('POST /api/holds {"visitUid":"V1-0","reason":"申诉","heldBy":"李伟","until":1799114400000}');
    const row = page.locator('.hold-list tr', { hasText: '交警调取' });
    await row.getByRole('button', { name: '解除…' }).click();
    await page.locator('.hold-list tr.release input').fill('张三');
    await page.screenshot({ path: join(shots, 'holds-release.png'), fullPage: true });
    await page.locator('.hold-list tr.release').getByRole('button', { name: '解除', exact: true }).click();
    await until('it is gone from the list', async () => !(await said('.hold-list')).includes('交警调取'));
    expect(stub.calls.at(-1)).toBe('DELETE /api/holds/2');
  });

  it('speaks English, and fits a telephone', async () => {
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByText('neither age nor quota nor a full disk deletes it').waitFor();
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await narrow()).toBe(true);
    await page.screenshot({ path: join(shots, 'holds-390.png'), fullPage: true });
    await page.goto(`${url}#/storage`);
    await page.locator('.finding-list li').first().waitFor();
    await page.getByText('the oldest footage that nobody holds is deleted, with an alarm').waitFor();
    expect(await narrow()).toBe(true);
    await page.screenshot({ path: join(shots, 'storage-390.png'), fullPage: true });
    await page.getByRole('button', { name: '中文' }).click();
  });

  it('throws nothing', () => {
    expect(errors).toEqual([]);
  });
});
