import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../base/program-root.js';
import { haveTool } from '../../base/test-tools.js';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { Storyteller } from '../system/support/storyteller.js';
import { Street, until } from '../system/support/street.js';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const CHROMIUM = '/usr/bin/chromium';

/** The page as a person sees it: a real browser on a running service. */
describe.skipIf(!haveTool('chromium') || !haveTool('ffmpeg'))('the console', () => {
  const street = new Street({ cameras: [{ transport: 'tcp-passive' }] });
  let browser: Browser;
  let page: Page;
  let shots: string;
  const errors: string[] = [];
  beforeAll(async () => {
    if (!existsSync(join(program.root, 'dist', 'console', 'index.html'))) throw new Error('the console is not built: run npm run build');
    shots = process.env.SCREENSHOTS ?? temporaryFolder('bw-shots-');
    await street.start();
    await street.streaming();
    const story = new Storyteller(street);
    const first = await story.enter(0);
    await story.enter(2);
    await until('a later picture', async () => (await street.analysedTo('cam-1')) > first.enteredAt);
    await story.leave(first);
    await until('everything is delivered', async () => (await street.pending()) === 0, 60_000, () => street.told());
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    await page.goto(street.url);
  });
  afterAll(async () => {
    await browser?.close();
    await street.close();
    if (process.env.SCREENSHOTS === undefined) rmSync(shots, { recursive: true, force: true });
  });

  it('shows cameras with their live picture and the state of each berth', async () => {
    const camera = page.locator('.camera').first();
    await camera.getByText('Camera 1').waitFor();
    await camera.locator('.pill.streaming').waitFor();
    await camera.locator('.picture img').waitFor({ timeout: 30_000 });
    expect(await camera.locator('.picture img').evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth)).toBe(640);
    expect(await camera.locator('.berths li').count()).toBe(4);
    expect(await camera.locator('.picture polygon').count()).toBe(4);
    await page.getByText('系统运行正常').waitFor();
    await page.screenshot({ path: join(shots, 'console.png') });
  });

  it('shows visits, and one with its pictures and deliveries', async () => {
    await page.locator('.visits tbody tr').nth(1).waitFor();
    expect(await page.locator('.visits tbody tr').count()).toBe(2);
    expect(await page.locator('.visits .plate').allTextContents()).toEqual(expect.arrayContaining([expect.stringContaining('鲁B')]));
    await page.locator('.visits tbody tr', { hasText: '鲁B10000' }).click();
    const dialog = page.locator('dialog[open]');
    await dialog.locator('.pictures img').nth(6).waitFor();
    expect(await dialog.locator('.pictures img').count()).toBe(7);
    for (const image of await dialog.locator('.pictures img').all()) {
      await image.scrollIntoViewIfNeeded();
      await until('a picture is loaded', async () => (await image.evaluate((element) => (element as unknown as { naturalWidth: number }).naturalWidth)) > 0, 20_000);
    }
    expect(await dialog.locator('.deliveries tr.delivered').count()).toBe(9);
    await page.screenshot({ path: join(shots, 'visit.png') });
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  });

  it('shows the same cameras in the list and on their own page', async () => {
    await page.getByRole('link', { name: '相机' }).first().click();
    const row = page.locator('.camera-list tbody tr', { hasText: 'cam-1' });
    await row.locator('.tag.ok').waitFor({ timeout: 60_000 });
    expect(await row.textContent()).toMatch(/H\.264 · [\d.]+ [kM]b\/s · tcp-passive/);
    await row.getByRole('link').click();
    await page.locator('.picture img').waitFor({ timeout: 30_000 });
    expect(await page.locator('.facts-list').textContent()).toContain('在线自');
    expect(await page.locator('.camera-page .visits tbody tr').count()).toBe(2);
    await page.getByRole('link', { name: '站点导入' }).click();
    await page.getByText('没有未使用的通道').waitFor();
    await page.getByRole('link', { name: '总览' }).click();
    await page.locator('.camera').first().waitFor();
  });

  it('speaks English when asked to, and remembers it', async () => {
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByText('Everything works').waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    await page.reload();
    await page.getByText('Everything works').waitFor();
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByText('系统运行正常').waitFor();
  });

  it('tells what is wrong while it is wrong', async () => {
    await street.city.setFault({ mode: 'down' });
    await page.locator('.problems', { hasText: 'platform/qingdao' }).waitFor({ timeout: 30_000 });
    await page.screenshot({ path: join(shots, 'problem.png') });
    await street.city.clearFault();
    await page.locator('.problems').waitFor({ state: 'detached', timeout: 30_000 });
  });

  it('logs no error in the browser', () => {
    expect(errors).toEqual([]);
  });
});
