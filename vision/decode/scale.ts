import { AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV444P, SWS_BICUBIC, SWS_BILINEAR, SoftwareScaleContext } from 'node-av';
import type { Box } from '../../base/geometry.js';
import { BerthwatchError } from '../../base/errors.js';
import type { Picture, Planes444 } from './picture.js';

/**
 * The part of a picture that scaling really cuts: whole pixels inside the picture, on even coordinates because one chroma
 * sample covers two by two luma samples. At least 2×2.
 */
export function alignedBox(picture: { width: number; height: number }, box: Box): Box {
  const x0 = Math.min(Math.max(0, Math.floor(box.x / 2) * 2), Math.max(0, picture.width - 2) & ~1);
  const y0 = Math.min(Math.max(0, Math.floor(box.y / 2) * 2), Math.max(0, picture.height - 2) & ~1);
  const x1 = Math.min(picture.width, Math.max(x0 + 2, Math.ceil((box.x + box.width) / 2) * 2));
  const y1 = Math.min(picture.height, Math.max(y0 + 2, Math.ceil((box.y + box.height) / 2) * 2));
  return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}

/**
 * Cuts `box` (must come from `alignedBox`) and scales it to `width`×`height` with libswscale: only scaling, the colour
 * coding stays the picture's own. Filters widen when shrinking, so nothing aliases.
 */
export function scaleRegion(picture: Picture, box: Box, width: number, height: number): Planes444 {
  const out = { width, height, y: new Uint8Array(width * height), u: new Uint8Array(width * height), v: new Uint8Array(width * height) };
  const context = new SoftwareScaleContext();
  try {
    const sameSize = width === box.width && height === box.height;
    context.getContext(box.width, box.height, AV_PIX_FMT_YUV420P, width, height, AV_PIX_FMT_YUV444P, sameSize ? SWS_BICUBIC : SWS_BILINEAR);
    const view = (plane: Uint8Array, offset: number): Buffer => Buffer.from(plane.buffer, plane.byteOffset + offset, plane.byteLength - offset);
    const chromaOffset = (box.y >> 1) * picture.strideC + (box.x >> 1);
    const rows = context.scaleSync(
      [view(picture.y, box.y * picture.strideY + box.x), view(picture.u, chromaOffset), view(picture.v, chromaOffset)],
      [picture.strideY, picture.strideC, picture.strideC],
      0,
      box.height,
      [view(out.y, 0), view(out.u, 0), view(out.v, 0)],
      [width, width, width],
    );
    if (rows !== height) throw new BerthwatchError('internal', 'VISION_SCALE', `scaling ${box.width}x${box.height} to ${width}x${height} gave ${rows} rows`);
  } finally {
    context.freeContext();
  }
  return out;
}
