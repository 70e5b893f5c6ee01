import type { Mask, Overlay } from './protocol.js';

/** A picture in 4:2:0 that is drawn on in place. */
export interface Canvas420 {
  width: number;
  height: number;
  y: Uint8Array;
  u: Uint8Array;
  v: Uint8Array;
  strideY: number;
  strideC: number;
}

const BAND_ALPHA = 140;
const BLACK = 16;
const WHITE = 235;

/** Draws the overlay in place, with the clock's picture for the text `clock`. Parts outside the picture are cut. */
export function draw(canvas: Canvas420, overlay: Overlay, clock: string): void {
  const bandHeight = Math.min(overlay.bandHeight, canvas.height);
  for (let y = 0; y < bandHeight; y++) {
    const row = y * canvas.strideY;
    for (let x = 0; x < canvas.width; x++) canvas.y[row + x] = mix(canvas.y[row + x] as number, BLACK, BAND_ALPHA);
  }
  for (let y = 0; y < bandHeight >> 1; y++) {
    const row = y * canvas.strideC;
    for (let x = 0; x < canvas.width >> 1; x++) fade(canvas, row + x, BAND_ALPHA);
  }
  for (const { x, y, mask } of overlay.texts) blit(canvas, mask, x, y);
  const shown = overlay.clock.glyphs[clock];
  if (shown) blit(canvas, shown, overlay.clock.x, overlay.clock.y);
}

function blit(canvas: Canvas420, mask: Mask, left: number, top: number): void {
  for (let y = Math.max(0, -top); y < mask.height && top + y < canvas.height; y++) {
    for (let x = Math.max(0, -left); x < mask.width && left + x < canvas.width; x++) {
      const alpha = mask.alpha[y * mask.width + x] as number;
      if (alpha === 0) continue;
      const at = (top + y) * canvas.strideY + left + x;
      canvas.y[at] = mix(canvas.y[at] as number, WHITE, alpha);
      if (((top + y) | (left + x)) & 1) continue;
      fade(canvas, ((top + y) >> 1) * canvas.strideC + ((left + x) >> 1), alpha);
    }
  }
}

const mix = (from: number, to: number, alpha: number): number => from + Math.round(((to - from) * alpha) / 255);

function fade(canvas: Canvas420, at: number, alpha: number): void {
  canvas.u[at] = mix(canvas.u[at] as number, 128, alpha);
  canvas.v[at] = mix(canvas.v[at] as number, 128, alpha);
}
