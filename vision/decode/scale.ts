import { AV_PIX_FMT_GRAY8, AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV444P, SWS_BICUBIC, SWS_BILINEAR, SoftwareScaleContext } from 'node-av';
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
 * @param room planes to write into, each of at least `width` × `height` bytes; new ones where absent
 */
export function scaleRegion(picture: Picture, box: Box, width: number, height: number, room: Pick<Planes444, 'y' | 'u' | 'v'> = newPlanes(width * height)): Planes444 {
  const chromaOffset = (box.y >> 1) * picture.strideC + (box.x >> 1);
  scale({
    format: [AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV444P],
    box,
    from: [view(picture.y, box.y * picture.strideY + box.x), view(picture.u, chromaOffset), view(picture.v, chromaOffset)],
    strides: [picture.strideY, picture.strideC, picture.strideC],
    width,
    height,
    to: [view(room.y, 0), view(room.u, 0), view(room.v, 0)],
  });
  return { width, height, y: room.y, u: room.u, v: room.v };
}

/** The luma of a box (from `alignedBox`) scaled, the same to the last bit as that of `scaleRegion`, without paying for colour. */
export function scaleLuma(picture: Picture, box: Box, width: number, height: number): Uint8Array {
  const luma = new Uint8Array(width * height);
  scale({
    format: [AV_PIX_FMT_GRAY8, AV_PIX_FMT_GRAY8],
    box,
    from: [view(picture.y, box.y * picture.strideY + box.x)],
    strides: [picture.strideY],
    width,
    height,
    to: [view(luma, 0)],
  });
  return luma;
}

interface Scaling {
  format: readonly [typeof AV_PIX_FMT_YUV420P | typeof AV_PIX_FMT_GRAY8, typeof AV_PIX_FMT_YUV444P | typeof AV_PIX_FMT_GRAY8];
  box: Box;
  from: Buffer[];
  strides: number[];
  width: number;
  height: number;
  to: Buffer[];
}

function scale({ format, box, from, strides, width, height, to }: Scaling): void {
  const rows = scaler(box, format, width, height).scaleSync(from, strides, 0, box.height, to, to.map(() => width));
  if (rows === height) return;
  // It might have been made when memory was short: the next cut of this size gets a new one. (The failed one is the last of the map.)
  const [key, failed] = [...scalers].at(-1) as [string, SoftwareScaleContext];
  scalers.delete(key);
  failed.freeContext();
  throw new BerthwatchError('internal', 'VISION_SCALE', `scaling ${box.width}x${box.height} to ${width}x${height} gave ${rows} rows`);
}

/**
 * Sizes of cuts whose scalers are kept, those used last: more than a key frame with a dozen vehicles has. What a scaler holds of a picture, some rows, the next one overwrites; it takes 190 to 250 KB (465 for 8K), and
 * making one takes two thirds of the time that its scaling does: without them the look at a 1080p key frame took 2.4 ms of processor time, with them 1.6.
 */
const SCALERS = 48;
const scalers = new Map<string, SoftwareScaleContext>();

function scaler(box: Box, format: Scaling['format'], width: number, height: number): SoftwareScaleContext {
  const key = `${box.width}x${box.height} ${format[0]} ${width}x${height} ${format[1]}`;
  let context = scalers.get(key);
  if (context) scalers.delete(key);
  else {
    context = new SoftwareScaleContext();
    const sameSize = width === box.width && height === box.height;
    context.getContext(box.width, box.height, format[0], width, height, format[1], sameSize ? SWS_BICUBIC : SWS_BILINEAR);
  }
  scalers.set(key, context);
  if (scalers.size > SCALERS) {
    const [oldest, unused] = scalers.entries().next().value as [string, SoftwareScaleContext];
    scalers.delete(oldest);
    unused.freeContext();
  }
  return context;
}

const view = (plane: Uint8Array, offset: number): Buffer => Buffer.from(plane.buffer, plane.byteOffset + offset, plane.byteLength - offset);

const newPlanes = (size: number): Pick<Planes444, 'y' | 'u' | 'v'> => ({ y: new Uint8Array(size), u: new Uint8Array(size), v: new Uint8Array(size) });
