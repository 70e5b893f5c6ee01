import type { OverlayOptions } from 'sharp';
import { boundingBox, centroid, type Box, type Point, type Polygon } from '../../base/geometry.js';
import { renderText } from './text.js';
import { layOut } from './watermark.js';

/** Layers for sharp's `composite`, all inside a picture of `width`×`height`. */
export interface Canvas {
  width: number;
  height: number;
}

const OUTLINE = '#ffe100';

/** Text size that reads well on a picture of this height, pixels. */
export function textSize(height: number): number {
  return Math.max(14, Math.round(height * 0.023));
}

function rawLayer(image: { width: number; height: number; rgba: Buffer }, left: number, top: number): OverlayOptions {
  return { input: image.rgba, raw: { width: image.width, height: image.height, channels: 4 }, left, top };
}

function flat(width: number, height: number, colour: { r: number; g: number; b: number; alpha: number }, left: number, top: number): OverlayOptions {
  return { input: { create: { width, height, channels: 4, background: colour } }, left, top };
}

/** The watermark on a dark band along the picture's upper edge. The text is never wider than the picture. */
export async function watermarkBand(canvas: Canvas, items: readonly string[]): Promise<OverlayOptions[]> {
  let size = textSize(canvas.height);
  for (;;) {
    const margin = Math.round(size * 0.6);
    const text = await renderText(layOut(items, (canvas.width - 2 * margin) / size).join('\n'), size);
    if (text.width + 2 * margin <= canvas.width && text.height + margin <= canvas.height) {
      return [flat(canvas.width, text.height + margin, { r: 0, g: 0, b: 0, alpha: 0.55 }, 0, 0), rawLayer(text, margin, Math.round(margin / 2))];
    }
    if (size <= 6) return [];
    size = Math.max(6, Math.floor(size * 0.85));
  }
}

const LABEL = { r: 255, g: 225, b: 0, alpha: 1 };

/** A small label with its lower left corner near `at`, moved into the picture. */
export async function label(canvas: Canvas, text: string, at: Point, size = textSize(canvas.height), ground = LABEL): Promise<OverlayOptions[]> {
  const image = await renderText(text, size, '#000000');
  const pad = Math.round(size * 0.25);
  const width = image.width + 2 * pad;
  const height = image.height + 2 * pad;
  if (width > canvas.width || height > canvas.height) return [];
  const left = Math.min(Math.max(0, Math.round(at[0])), canvas.width - width);
  const top = Math.min(Math.max(0, Math.round(at[1] - height)), canvas.height - height);
  return [flat(width, height, ground, left, top), rawLayer(image, left + pad, top + pad)];
}

/** Line segments around a polygon, drawn only where they are in the picture. */
export function outline(canvas: Canvas, polygon: Polygon, colour = OUTLINE, thickness = Math.max(2, canvas.height / 300)): OverlayOptions[] {
  const bounds = boundingBox(polygon);
  const pad = Math.ceil(thickness * 2);
  const left = Math.max(0, Math.floor(bounds.x - pad));
  const top = Math.max(0, Math.floor(bounds.y - pad));
  const right = Math.min(canvas.width, Math.ceil(bounds.x + bounds.width + pad));
  const bottom = Math.min(canvas.height, Math.ceil(bounds.y + bounds.height + pad));
  if (!(right > left && bottom > top)) return [];
  const points = polygon.map(([x, y]) => `${(x - left).toFixed(2)},${(y - top).toFixed(2)}`).join(' ');
  const line = (stroke: string, width: number): string => `<polygon points="${points}" fill="none" stroke="${stroke}" stroke-width="${width.toFixed(2)}" stroke-linejoin="round"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${right - left}" height="${bottom - top}">${line('#000000', thickness * 1.8)}${line(colour, thickness)}</svg>`;
  return [{ input: Buffer.from(svg), left, top }];
}

/** The target berth: outlined, and named at the corner that lies farthest from the camera, where it hides least. */
export async function berthMark(canvas: Canvas, polygon: Polygon, number: string): Promise<OverlayOptions[]> {
  const far = [...polygon].sort((a, b) => a[1] - b[1])[0] ?? centroid(polygon);
  return [...outline(canvas, polygon), ...(await label(canvas, number, [far[0], far[1] - 4], Math.round(textSize(canvas.height) * 0.85)))];
}

/** The box cut to the picture, in whole pixels; null where nothing of it is in the picture. */
export function pixelsOf(box: Box, canvas: Canvas): Box | null {
  const x = Math.max(0, Math.floor(box.x));
  const y = Math.max(0, Math.floor(box.y));
  const right = Math.min(canvas.width, Math.ceil(box.x + box.width));
  const bottom = Math.min(canvas.height, Math.ceil(box.y + box.height));
  return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y } : null;
}
