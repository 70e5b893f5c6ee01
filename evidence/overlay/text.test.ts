import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { childEntry } from '../../base/child-entry.js';
import { escapeMarkup, renderText } from './text.js';
import { watermarkItems } from './watermark.js';

interface Glyph {
  width: number;
  height: number;
  ink: string;
}

const folder = mkdtempSync(path.join(tmpdir(), 'bw-font-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(path.join(folder, 'fonts.conf'), '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>');

/** Everything that watermarks are made of: all fixed words, what plates carry, and names of roads. */
function needed(): string[] {
  const berth = { id: '', number: '0123456789-ABC', roadSection: '', lotCode: '', kind: 'parallel' as const, polygon: [[0, 0], [1, 0], [1, 1], [0, 1]] as never, lengthM: 6, widthM: 2, drivingDirection: [1, 0] as const, specialUse: null };
  const camera = { site: { cameraId: '', width: 1, height: 1, berths: [] }, deviceNumber: '', shootingDirection: '由东向西南北' };
  let text = '车牌放大倍局部';
  for (const shows of ['approaching', 'parked', 'leaving', 'vacated', 'plate'] as const) {
    for (const timeLimitMinutes of [null, 120]) {
      for (const colour of ['blue', 'yellow', 'green', 'yellow-green', 'white', 'black'] as const) {
        text += watermarkItems(camera, { ...berth, timeLimitMinutes }, { status: 'read', text: '鲁B12345', colour, confidence: 1 }, 0, shows).join('');
      }
      for (const status of ['none', 'unread'] as const) text += watermarkItems(camera, { ...berth, timeLimitMinutes }, { status }, 0, shows).join('');
    }
  }
  text += '京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼挂学警港澳使领应急';
  text += 'ABCDEFGHJKLMNPQRSTUVWXYZ0123456789';
  text += '香港中路闽江崂山区槐荫泉城广场镕喆堃市南北号段街道巷弄桥';
  return [...new Set([...text].filter((c) => c.trim() !== ''))];
}

/** Private-use code points: no font of ours has them. */
const MISSING = ['\ue000', '\ue0ff', '\uf8ab'];

async function probe(characters: string[], env: Record<string, string>): Promise<Record<string, Glyph>> {
  const { file, execArgv } = childEntry(import.meta.url, '../testing/text-probe');
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [...execArgv, fileURLToPath(file), JSON.stringify(characters)], {
    env: { PATH: process.env.PATH ?? '', HOME: folder, XDG_CACHE_HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder, ...env },
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as Record<string, Glyph>;
}

/** The outermost ring of pixels: the frame of the box that stands for a missing glyph is the same for all of them. */
function ring(glyph: Glyph): string {
  const ink = Buffer.from(glyph.ink, 'base64');
  const { width: w, height: h } = glyph;
  const out: number[] = [w, h];
  for (let x = 0; x < w; x++) out.push(ink[x] as number, ink[(h - 1) * w + x] as number);
  for (let y = 0; y < h; y++) out.push(ink[y * w] as number, ink[y * w + w - 1] as number);
  return out.join(',');
}

describe('texts in pictures', () => {
  it.each([
    ['no fonts configured', { FONTCONFIG_FILE: path.join(folder, 'fonts.conf'), FONTCONFIG_PATH: folder }],
    ['no font configuration at all', { FONTCONFIG_FILE: path.join(folder, 'absent.conf'), FONTCONFIG_PATH: path.join(folder, 'absent') }],
  ])('has a glyph for every character on a machine with %s', async (_, env) => {
    const characters = needed();
    expect(characters.length).toBeGreaterThan(120);
    const glyphs = await probe([...characters, ...MISSING], env);
    const boxes = new Set(MISSING.map((c) => ring(glyphs[c] as Glyph)));
    // The detector itself: all missing characters look alike in their frame.
    expect(boxes.size).toBe(1);
    const tofu = characters.filter((c) => boxes.has(ring(glyphs[c] as Glyph)));
    expect(tofu).toEqual([]);
    const blank = characters.filter((c) => (glyphs[c] as Glyph).width === 0);
    expect(blank).toEqual([]);
    const shapes = new Map<string, string>();
    const twins = characters.filter((c) => {
      const { width, height, ink } = glyphs[c] as Glyph;
      const shape = `${width}x${height}:${ink}`;
      const twin = shapes.get(shape);
      shapes.set(shape, c);
      return twin !== undefined;
    });
    expect(twins).toEqual([]);
  });

  it('renders the same bytes every time', async () => {
    const [a, b] = await Promise.all([renderText('鲁B12345\n泊位', 26), renderText('鲁B12345\n泊位', 26)]);
    expect(a.rgba.equals(b.rgba)).toBe(true);
    expect(a.height).toBeGreaterThan(26);
  });

  it('takes markup, control characters and half surrogates as text', async () => {
    expect(escapeMarkup('<b>&\u0000\ud800')).toBe('&lt;b&gt;&amp; \ufffd');
    await expect(renderText('<span foreground="red">&amp;</b>\u0007\ud800', 20)).resolves.toMatchObject({ height: expect.any(Number) as number });
    await expect(renderText(' \n', 20)).rejects.toThrow(/no text/);
  });
});
