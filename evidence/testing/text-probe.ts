import { renderText } from '../overlay/text.js';

/**
 * FOR TESTS, as a child process (so that it can start with no fonts at all): renders each character of its argument and
 * prints JSON: character → { width, height, ink } with `ink` the alpha channel cut to what is drawn, base64.
 */
async function main(): Promise<void> {
  const out: Record<string, { width: number; height: number; ink: string }> = {};
  for (const char of JSON.parse(process.argv[2] ?? '[]') as string[]) {
    const { width, height, rgba } = await renderText(char, 40);
    const alpha = (x: number, y: number): number => rgba[(y * width + x) * 4 + 3] as number;
    let left = width;
    let right = -1;
    let top = height;
    let bottom = -1;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (alpha(x, y) < 64) continue;
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
      }
    }
    const w = Math.max(0, right - left + 1);
    const h = Math.max(0, bottom - top + 1);
    const ink = Buffer.alloc(w * h);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) ink[y * w + x] = alpha(left + x, top + y);
    out[char] = { width: w, height: h, ink: ink.toString('base64') };
  }
  process.stdout.write(JSON.stringify(out));
}

await main();
