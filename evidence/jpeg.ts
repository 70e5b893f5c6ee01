import sharp, { type OverlayOptions } from 'sharp';
import { BerthwatchError } from '../base/errors.js';

/**
 * 图片文件不大于 400KB (T/QME 0013-2024 7.4.3.1.4), and A.4.1.4.4 gives the picture's base64 text a length of 500000, which is 375,000
 * bytes: the stricter of the two, so that every reading of the text accepts our pictures.
 */
export const MAX_PICTURE_BYTES = 375_000;
/** 压缩因子低于 70 (7.4.3.1.6 6). */
export const HIGHEST_QUALITY = 69;
const LOWEST_QUALITY = 10;

export interface RgbImage {
  width: number;
  height: number;
  rgb: Uint8Array;
}

/** Throws unless the buffer holds the picture it says. */
export function requireRgb(image: RgbImage): void {
  const { width, height, rgb } = image;
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0) || rgb.byteLength !== width * height * 3) {
    throw new BerthwatchError('bad-input', 'EVIDENCE_FRAME', `a picture of ${width}×${height} needs ${width * height * 3} bytes of RGB, not ${rgb.byteLength}`);
  }
}

/**
 * Composes the layers onto the picture and encodes JPEG (24 bits, JFIF) in its own size: the highest quality up to 69 whose
 * file keeps the limit. The same input gives the same bytes.
 * @throws BerthwatchError bad-input where even the lowest quality is too large
 */
export async function encodeJpeg(image: RgbImage, layers: readonly OverlayOptions[], maxBytes = MAX_PICTURE_BYTES): Promise<{ bytes: Buffer; quality: number }> {
  requireRgb(image);
  const raw = { width: image.width, height: image.height, channels: 3 as const };
  const input = Buffer.from(image.rgb.buffer, image.rgb.byteOffset, image.rgb.byteLength);
  const composed = layers.length === 0 ? input : await sharp(input, { raw }).composite([...layers]).removeAlpha().raw().toBuffer();
  const encode = (quality: number): Promise<Buffer> => sharp(composed, { raw }).jpeg({ quality, chromaSubsampling: '4:2:0', optimizeCoding: true }).toBuffer();
  let bytes = await encode(HIGHEST_QUALITY);
  if (bytes.byteLength <= maxBytes) return { bytes, quality: HIGHEST_QUALITY };
  // File size grows with quality: halve the range.
  let good: { bytes: Buffer; quality: number } | null = null;
  let low = LOWEST_QUALITY;
  let high = HIGHEST_QUALITY - 1;
  while (low <= high) {
    const quality = (low + high) >> 1;
    bytes = await encode(quality);
    if (bytes.byteLength <= maxBytes) {
      good = { bytes, quality };
      low = quality + 1;
    } else high = quality - 1;
  }
  if (!good) {
    throw new BerthwatchError('bad-input', 'EVIDENCE_TOO_LARGE', `a picture of ${image.width}×${image.height} does not fit into ${maxBytes} bytes at any quality; use the camera's 1080p stream`);
  }
  return good;
}
