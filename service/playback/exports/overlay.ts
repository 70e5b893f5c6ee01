import { beijingDateTime } from '../../../base/beijing-time.js';
import { renderText } from '../../../evidence/overlay/text.js';
import { layOut } from '../../../evidence/overlay/watermark.js';
import type { Mask, Overlay } from '../child/protocol.js';

/** Texts burnt into every picture of an export, and the clock that runs with it. */
export class OverlayMaker {
  readonly #texts: Overlay['texts'];
  readonly #bandHeight: number;
  readonly #clockX: number;
  readonly #clockY: number;
  readonly #size: number;
  readonly #clocks = new Map<string, Mask>();

  private constructor(texts: Overlay['texts'], bandHeight: number, clockX: number, clockY: number, size: number) {
    this.#texts = texts;
    this.#bandHeight = bandHeight;
    this.#clockX = clockX;
    this.#clockY = clockY;
    this.#size = size;
  }

  /** @param items one after the other, in as few rows as fit the picture's width */
  static async create(items: readonly string[], picture: { width: number; height: number }): Promise<OverlayMaker> {
    let size = Math.max(12, Math.round(picture.height * 0.03));
    for (;;) {
      const margin = Math.round(size * 0.5);
      const rows = layOut(items.filter((item) => item.trim() !== ''), (picture.width - 2 * margin) / size);
      const text = rows.length > 0 ? await maskOf(rows.join('\n'), size) : null;
      const clock = await maskOf('2000-00-00 00:00:00', size);
      const widest = Math.max(text?.width ?? 0, clock.width);
      const clockY = margin + (text ? text.height + Math.round(size * 0.4) : 0);
      const bandHeight = (clockY + clock.height + margin + 1) & ~1;
      if ((widest + 2 * margin <= picture.width && bandHeight <= picture.height / 2) || size <= 6) {
        return new OverlayMaker(text ? [{ x: margin, y: margin, mask: text }] : [], bandHeight, margin, clockY, size);
      }
      size = Math.max(6, Math.floor(size * 0.85));
    }
  }

  /** For one GOP: `times` of its units, Unix ms. */
  async overlay(times: readonly number[]): Promise<Overlay> {
    const clocks = times.map(beijingDateTime);
    const glyphs: Record<string, Mask> = {};
    for (const clock of new Set(clocks)) {
      let mask = this.#clocks.get(clock);
      if (!mask) {
        mask = await maskOf(clock, this.#size);
        if (this.#clocks.size > 100) this.#clocks.clear();
        this.#clocks.set(clock, mask);
      }
      glyphs[clock] = mask;
    }
    return { bandHeight: this.#bandHeight, texts: this.#texts, clock: { x: this.#clockX, y: this.#clockY, glyphs }, clocks };
  }
}

async function maskOf(text: string, size: number): Promise<Mask> {
  const { width, height, rgba } = await renderText(text, size);
  const alpha = new Uint8Array(width * height);
  for (let i = 0; i < alpha.length; i++) alpha[i] = rgba[4 * i + 3] as number;
  return { width, height, alpha };
}
