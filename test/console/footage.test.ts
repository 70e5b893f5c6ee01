import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../base/program-root.js';
import { haveTool } from '../../base/test-tools.js';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { makeTestClip } from '../simulators/camera/testing/clips.js';
import { FootageStage, TOKEN } from '../system/support/footage-stage.js';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];
const MINUTE = 60_000;
const DAY = Date.parse('2026-01-05T00:00:00+08:00');

interface VideoElement {
  currentTime: number;
  videoWidth: number;
  paused: boolean;
}

/** The footage page in a real browser: real log, real API; only the lists of cameras and visits are told by the test. */
describe.skipIf(['ffmpeg', 'chromium'].map(haveTool).includes(false))('the footage page', () => {
  const stage = new FootageStage();
  let browser: Browser;
  let shots: string;
  const errors: string[] = [];
  beforeAll(async () => {
    if (!existsSync(join(program.root, 'dist', 'console', 'index.html'))) throw new Error('the console is not built: run npm run build');
    shots = process.env.SCREENSHOTS ?? temporaryFolder('bw-shots-');
    await stage.start();
    const street = join(program.root, 'test', 'fixtures', 'scenes', 'day-parallel.mp4');
    const h265 = makeTestClip(stage.folder, 'h265', { seconds: 8, gop: 20, fps: 10, size: '320x240' });
    await stage.append('cam-1', street, DAY + 600 * MINUTE);
    await stage.append('cam-1', street, DAY + 603 * MINUTE);
    await stage.append('cam-2', h265, DAY + 600 * MINUTE);
    stage.cameras = [{ id: 'cam-1', name: '香港中路 1 号' }];
    await stage.database.query(`INSERT INTO lot (code, doc) VALUES ('L', '{}')`);
    await stage.database.query(`INSERT INTO camera (id, lot_code, doc) VALUES ('cam-1', 'L', '{}')`);
    const visit = async (berth: string, plate: object, from: number, to: number | null): Promise<void> => {
      await stage.database.query(`INSERT INTO berth (id, camera_id, lot_code, number) VALUES ($1, 'cam-1', 'L', $1) ON CONFLICT DO NOTHING`, [berth]);
      await stage.database.query(`INSERT INTO visit (uid, camera_id, berth_id, lot_code, entered_at, left_at, plate_status, doc) VALUES ($1, 'cam-1', $2, 'L', $3, $4, $5, $6)`, [`${berth}-${from}`, berth, from, to, (plate as { status: string }).status, JSON.stringify({ plate })]);
    };
    await visit('b101', { status: 'read', text: '鲁B12345', colour: 'blue', confidence: 1 }, DAY + 600.4 * MINUTE, DAY + 603.8 * MINUTE);
    await visit('b102', { status: 'read', text: '鲁BD12345', colour: 'green', confidence: 1 }, DAY + 601 * MINUTE, null);
    await visit('b103', { status: 'unread' }, DAY + 540 * MINUTE, DAY + 601.5 * MINUTE);
    await stage.serve();
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  });
  afterAll(async () => {
    await browser?.close();
    await stage.close();
    if (process.env.SCREENSHOTS === undefined) rmSync(shots, { recursive: true, force: true });
  });

  async function open(width: number, height: number, address: string, prepare: (page: Page) => Promise<void> = () => Promise.resolve()): Promise<Page> {
    const page = await browser.newPage({ viewport: { width, height }, acceptDownloads: true });
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    const berth = (n: number): object => ({ id: `b10${n}`, number: `10${n}`, kind: 'parallel', polygon: [], state: 'free', visit: null });
    const camera = (id: string, name: string): object => ({ id, name, roadSection: '香港中路', enabled: true, stream: {}, analysis: { windows: [], open: true }, berths: id === 'cam-1' ? [1, 2, 3].map(berth) : [] });
    const told: Record<string, unknown> = {
      '/api/cameras': [camera('cam-1', '香港中路 1 号'), camera('cam-2', '香港中路 2 号')],
      '/api/visits': [],
      '/api/status': { now: DAY + 620 * MINUTE, problems: [], platforms: [], counts: { visits: 3, openVisits: 1, pictures: 0, pendingEvidence: 0 }, storage: { state: 'ok' }, clock: { state: 'off' } },
    };
    for (const [path, json] of Object.entries(told)) await page.route((url) => url.pathname === path, (route) => route.fulfill({ json }));
    await prepare(page);
    await page.addInitScript(keepShownTimes);
    await page.goto(`${stage.url}/?token=${TOKEN}${address}`);
    return page;
  }

  const video = (page: Page): Promise<VideoElement> => page.locator('.screen video').evaluate((element) => ({ currentTime: (element as unknown as VideoElement).currentTime, videoWidth: (element as unknown as VideoElement).videoWidth, paused: (element as unknown as VideoElement).paused }));
  const shown = async (page: Page): Promise<string> => ((await page.locator('.screen time').textContent({ timeout: 1_000 })) ?? '').trim();
  /** Whether a time like this was ever on the screen: footage plays on while nobody looks. */
  const wasShown = async (page: Page, time: RegExp): Promise<boolean> => (await page.evaluate(() => (globalThis as unknown as { shownTimes: string[] }).shownTimes)).some((text) => time.test(text));
  /** The screen's texts say why a picture is missing. */
  async function until(page: Page, what: string, condition: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 120_000; !(await condition().catch(() => false)); await new Promise((resolve) => setTimeout(resolve, 100))) {
      if (Date.now() > end) throw new Error(`waited in vain: ${what}; the screen says "${await page.locator('.screen').innerText()}", its video ${JSON.stringify(await video(page))}, the console ${JSON.stringify(errors)}`);
    }
  }

  it('plays the moment that a link names, and goes on over a gap', async () => {
    const page = await open(1280, 1000, `#/footage/cam-1?t=${DAY + 600.5 * MINUTE}`);
    await until(page, 'the street is played', async () => (await video(page)).videoWidth === 1920 && (await video(page)).currentTime > 0 && (await wasShown(page, /10:00:3\d/)));
    const before = await video(page);
    await until(page, 'time goes on', async () => (await video(page)).currentTime > before.currentTime + 1);
    await page.locator('.timeline').scrollIntoViewIfNeeded();
    const box = await page.locator('.timeline-box').boundingBox();
    if (!box) throw new Error('there is no timeline');
    // In the gap: the first picture behind it is shown.
    const gap = await page.locator('.timeline rect.gap').evaluateAll((rects) => rects.map((rect) => Number(rect.getAttribute('x'))).sort((a, b) => a - b));
    const inside = gap.find((x) => x > 0) as number;
    await page.mouse.move(box.x + inside + 4, box.y + 30);
    await page.locator('.tip', { hasText: 'the test took the camera away' }).waitFor();
    await page.screenshot({ path: join(shots, 'footage-1280.png') });
    await page.mouse.click(box.x + inside + 4, box.y + 30);
    await until(page, 'the footage behind the gap is played', () => wasShown(page, /10:03:\d\d/));
    await page.getByRole('button', { name: '声音：关' }).click();
    expect(await page.locator('.screen video').evaluate((element) => (element as unknown as { muted: boolean }).muted)).toBe(false);
    await page.getByRole('button', { name: '暂停' }).click();
    const still = await shown(page);
    await page.getByRole('button', { name: '上一次入离场' }).click();
    await until(page, 'the enter before is played', async () => (await shown(page)) !== still && /10:0[013]:\d\d/.test(await shown(page)));
    expect(await page.locator('.marks li').count()).toBe(3);
    expect(await page.locator('.timeline .stay').count()).toBe(3);
    await page.close();
  });

  it('exports the selected clip with its progress, and downloads it', async () => {
    const page = await open(1280, 1000, `#/footage/cam-1?t=${DAY + 600.2 * MINUTE}`);
    await until(page, 'the street is played', async () => (await video(page)).videoWidth === 1920);
    await page.locator('.edges input').first().fill('10:00:20');
    await page.locator('.edges input').last().fill('10:00:26');
    await page.locator('.export .wide input').first().fill('张三');
    await page.getByRole('button', { name: '开始导出' }).click();
    await page.locator('.export-list li.done').first().waitFor({ timeout: 60_000 });
    await page.screenshot({ path: join(shots, 'footage-export.png') });
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('.export-list').getByRole('button', { name: '下载' }).first().click()]);
    expect(download.suggestedFilename()).toMatch(/^cam-1-20260105100020-20260105100026\.mp4$/);
    await page.close();
  });

  it('shows H.265 as H.264, on a small screen too', async () => {
    const page = await open(390, 844, `#/footage/cam-2?t=${DAY + 600 * MINUTE + 2_000}`);
    await until(page, 'it is played', async () => (await video(page)).videoWidth === 320 && (await wasShown(page, /10:00:0\d/)));
    await page.getByText('H.265 已转为 H.264 播放').waitFor();
    await page.goto(`${stage.url}/?token=${TOKEN}#/footage/cam-1?t=${DAY + 600.5 * MINUTE}`);
    await until(page, 'the street is played', async () => (await video(page)).videoWidth === 1920);
    expect(await page.evaluate(() => (globalThis as unknown as { document: { documentElement: { scrollWidth: number } } }).document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await page.screenshot({ path: join(shots, 'footage-390.png'), fullPage: true });
    await page.close();
  });

  it('shows H.265 as H.264 also when the day is read anew while the player is still being loaded', async () => {
    // A service tells its time, by which the footage is today's, when the moment is asked for already.
    const playerAsked = signal();
    const readAgain = signal();
    const playlistAsked = signal();
    let reads = 0;
    const page = await open(1280, 1000, `#/footage/cam-2?t=${DAY + 600 * MINUTE + 2_000}`, async (page) => {
      await page.route('**/api/status', async (route) => {
        await playerAsked.given;
        await route.fallback();
      });
      await page.route(/hls\.light/, async (route) => {
        playerAsked.give();
        await readAgain.given;
        await route.continue();
      });
      await page.route(/cam-2\/footage\?/, async (route) => {
        if (++reads === 2) {
          readAgain.give();
          await playlistAsked.given;
        }
        await route.continue();
      });
      page.on('request', (request) => {
        if (request.url().includes('.m3u8')) playlistAsked.give();
      });
    });
    await until(page, 'it is played', async () => (await video(page)).videoWidth === 320 && (await wasShown(page, /10:00:0\d/)));
    expect(reads).toBeGreaterThanOrEqual(2);
    await page.close();
  });

  it('says that the service is busy or away, and shows the picture by itself once it is there', async () => {
    const known = errors.length;
    const said = '服务正忙：请稍候 (test)';
    let state: 'busy' | 'away' | 'well' = 'busy';
    let refused = 0;
    const page = await open(1280, 1000, `#/footage/cam-2?t=${DAY + 600 * MINUTE + 2_000}`, async (page) => {
      await page.route(/\.m4s$/, async (route) => {
        if (state === 'well') return route.fallback();
        refused++;
        await (state === 'busy' ? route.fulfill({ status: 503, json: { error: 'PLAYBACK_BUSY', message: said } }) : route.abort('connectionrefused'));
      });
    });
    const failed = page.locator('.screen .failed');
    await failed.filter({ hasText: said }).waitFor({ timeout: 120_000 });
    expect(await failed.innerText()).toContain('稍后自动重试');
    // More often than the player asks by itself before it gives up.
    await until(page, 'it is asked for again and again', () => Promise.resolve(refused > 6));
    state = 'away';
    await failed.filter({ hasText: '连接不上服务' }).waitFor({ timeout: 120_000 });
    state = 'well';
    await until(page, 'it is played', async () => (await video(page)).videoWidth === 320 && (await video(page)).currentTime > 2);
    await until(page, 'nothing is said to be wrong any more', async () => (await failed.count()) === 0);
    expect(errors.splice(known).filter((text) => !/Failed to load resource/.test(text))).toEqual([]);
    await page.close();
  });

  it('logs no error in the browser', () => {
    expect(errors.filter((text) => !/events/.test(text))).toEqual([]);
  });
});

function signal(): { given: Promise<void>; give: () => void } {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give };
}

/** Runs in the page: keeps each time that the screen ever showed. */
function keepShownTimes(): void {
  const page = globalThis as unknown as { shownTimes: string[]; document: { querySelector(selector: string): { textContent: string } | null }; MutationObserver: new (seen: () => void) => { observe(target: unknown, options: object): void } };
  page.shownTimes = [];
  new page.MutationObserver(() => {
    const text = page.document.querySelector('.screen time')?.textContent;
    if (text !== undefined && text !== page.shownTimes.at(-1)) page.shownTimes.push(text);
  }).observe(page.document, { subtree: true, childList: true, characterData: true });
}
