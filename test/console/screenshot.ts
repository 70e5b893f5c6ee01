/**
 * `node dist/test/console/screenshot.js URL FILE.png`: the page of a running service or demo as README.md shows it.
 */
import { writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import sharp from 'sharp';

const [url, file] = process.argv.slice(2);
if (url === undefined || file === undefined) {
  console.error('usage: screenshot URL FILE.png');
  process.exit(2);
}
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
  await page.goto(url);
  await page.locator('.picture img').first().waitFor();
  // All cameras' pictures, and a second one, so that berths and picture are of the same moment.
  await page.waitForTimeout(5_000);
  writeFileSync(file, await sharp(await page.screenshot()).png({ palette: true, colours: 256, compressionLevel: 9 }).toBuffer());
} finally {
  await browser.close();
}
