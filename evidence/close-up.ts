import sharp, { type OverlayOptions } from 'sharp';
import { boundingBox, type Box, type Quad } from '../base/geometry.js';
import type { RgbFrame } from './camera.js';
import { encodeJpeg, requireRgb } from './jpeg.js';
import { label, outline, pixelsOf, textSize, watermarkBand } from './overlay/layers.js';
import { watermarkItems } from './overlay/watermark.js';
import type { PictureSubject } from './panorama.js';
import type { PicturePlan } from './plan.js';

/** 图像分辨率不低于 1280×720 (T/QME 0013-2024 7.4.3.1.6 6). */
export const CLOSE_UP_WIDTH = 1280;
export const CLOSE_UP_HEIGHT = 720;
/** Part of the close-up that the enlarged plate takes, by width; and the most that plate and vehicle are enlarged. */
const INSET_SHARE = 0.3;
const MAX_PLATE_ENLARGEMENT = 8;
const MAX_VEHICLE_ENLARGEMENT = 2;

/**
 * The window cut around the vehicle: 16:9, with the whole vehicle and a margin, no smaller than what twofold enlargement
 * brings to 1280×720; moved and, where the picture is smaller, cut to stay inside it.
 */
export function closeUpWindow(frame: { width: number; height: number }, vehicle: Box): Box {
  const needed = Math.max(vehicle.width * 1.4, (vehicle.height * 1.6 * 16) / 9, CLOSE_UP_WIDTH / MAX_VEHICLE_ENLARGEMENT);
  const width = Math.min(frame.width, Math.ceil(needed));
  const height = Math.min(frame.height, Math.ceil((width * 9) / 16));
  const place = (centre: number, size: number, limit: number): number => Math.min(Math.max(0, Math.round(centre - size / 2)), limit - size);
  return {
    x: place(vehicle.x + vehicle.width / 2, width, frame.width),
    // The watermark lies along the upper edge: the vehicle sits a little below the middle.
    y: place(vehicle.y + vehicle.height * 0.42, height, frame.height),
    width,
    height,
  };
}

function cut(frame: RgbFrame, box: Box): Promise<Buffer> {
  const input = Buffer.from(frame.rgb.buffer, frame.rgb.byteOffset, frame.rgb.byteLength);
  return sharp(input, { raw: { width: frame.width, height: frame.height, channels: 3 } })
    .extract({ left: box.x, top: box.y, width: box.width, height: box.height })
    .raw()
    .toBuffer();
}

function enlarge(rgb: Buffer, from: { width: number; height: number }, to: { width: number; height: number }): Promise<Buffer> {
  return sharp(rgb, { raw: { width: from.width, height: from.height, channels: 3 } }).resize(to.width, to.height, { kernel: 'lanczos3', fit: 'fill' }).raw().toBuffer();
}

/** Corner of the canvas for the inset: a lower one, on the side away from the vehicle. */
function insetPlace(canvas: { width: number; height: number }, inset: { width: number; height: number }, vehicle: Box): { left: number; top: number } {
  const gap = Math.round(canvas.height * 0.02);
  const left = vehicle.x + vehicle.width / 2 > canvas.width / 2 ? gap : canvas.width - inset.width - gap;
  return { left, top: canvas.height - inset.height - gap };
}

async function plateInset(frame: RgbFrame, corners: Quad, canvas: { width: number; height: number }, vehicle: Box): Promise<OverlayOptions[]> {
  const bounds = boundingBox(corners);
  const margin = bounds.height * 0.5;
  const area = pixelsOf({ x: bounds.x - margin, y: bounds.y - margin, width: bounds.width + 2 * margin, height: bounds.height + 2 * margin }, frame);
  if (!area || area.width < 4 || area.height < 4) return [];
  const factor = Math.min(MAX_PLATE_ENLARGEMENT, (canvas.width * INSET_SHARE) / area.width, (canvas.height * 0.35) / area.height);
  const width = Math.max(1, Math.round(area.width * factor));
  const height = Math.max(1, Math.round(area.height * factor));
  if (width > canvas.width || height > canvas.height) return [];
  const data = await enlarge(await cut(frame, area), area, { width, height });
  const { left, top } = insetPlace(canvas, { width, height }, vehicle);
  const frameLine = outline(canvas, [
    [left, top],
    [left + width, top],
    [left + width, top + height],
    [left, top + height],
  ]);
  const note = await label(canvas, `车牌放大${factor.toFixed(1)}倍`, [left, top - 4], Math.round(textSize(canvas.height) * 0.8));
  return [{ input: data, raw: { width, height, channels: 3 }, left, top }, ...frameLine, ...note];
}

/**
 * 特写图: vehicle and plate, cut from the full picture. A small vehicle is enlarged up to twice, and the plate is shown once
 * more in a corner, enlarged as far as it makes sense; the picture says by how much. (The panorama stays as it was taken.)
 * Without plate corners the inset is left out.
 */
export async function makeCloseUp(
  frame: RgbFrame,
  plan: Pick<PicturePlan, 'role' | 'vehicleBox' | 'plateCorners'>,
  subject: PictureSubject,
): Promise<{ bytes: Buffer; width: number; height: number }> {
  requireRgb(frame);
  const vehicle = plan.vehicleBox ?? { x: 0, y: 0, width: frame.width, height: frame.height };
  const window = closeUpWindow(frame, vehicle);
  const factor = Math.max(1, Math.min(MAX_VEHICLE_ENLARGEMENT, CLOSE_UP_WIDTH / window.width));
  const canvas = { width: Math.round(window.width * factor), height: Math.round(window.height * factor) };
  const pixels = await cut(frame, window);
  const rgb = factor === 1 ? pixels : await enlarge(pixels, window, canvas);
  const inWindow: Box = { x: (vehicle.x - window.x) * factor, y: (vehicle.y - window.y) * factor, width: vehicle.width * factor, height: vehicle.height * factor };
  const items = watermarkItems(subject.camera, subject.berth, subject.plate, frame.capturedAt, plan.role);
  if (factor > 1) items.push(`局部放大${factor.toFixed(1)}倍`);
  const layers = [
    ...(plan.plateCorners ? await plateInset(frame, plan.plateCorners, canvas, inWindow) : []),
    ...(await watermarkBand(canvas, items)),
  ];
  const { bytes } = await encodeJpeg({ ...canvas, rgb }, layers);
  return { bytes, ...canvas };
}
