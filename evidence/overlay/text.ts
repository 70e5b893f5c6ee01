import sharp from 'sharp';
import { BerthwatchError } from '../../base/errors.js';
import { FONT_FAMILY, fontFile } from './font.js';

/** A rendered text: RGBA, 4 bytes a pixel. */
export interface TextImage {
  width: number;
  height: number;
  rgba: Buffer;
}

/** Pango reads markup: what people put into names must not become tags. Control characters and half surrogates have no picture. */
export function escapeMarkup(text: string): string {
  return text.replace(/[\ud800-\udfff]/gu, '\ufffd').replace(/[\u0000-\u0009\u000b-\u001f\u007f\ufffe\uffff]/g, ' ').replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/**
 * Renders `text` (rows parted by line feeds).
 * @param size height of the em square, pixels
 * @param colour `#rrggbb`
 * @throws BerthwatchError bad-input where there is nothing to render
 */
export async function renderText(text: string, size: number, colour = '#ffffff'): Promise<TextImage> {
  const clean = escapeMarkup(text);
  if (clean.trim() === '') throw new BerthwatchError('bad-input', 'EVIDENCE_TEXT', 'there is no text to render');
  // At 72 dpi a point is a pixel.
  const { data, info } = await sharp({
    text: {
      text: `<span foreground="${colour}">${clean}</span>`,
      font: `${FONT_FAMILY} ${Math.max(4, Math.round(size))}`,
      fontfile: fontFile(),
      rgba: true,
      dpi: 72,
      spacing: Math.round(size * 0.25),
    },
  })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, rgba: data };
}
