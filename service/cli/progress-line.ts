import type { WriteStream } from 'node:tty';

const EVERY_MS = 100;
const BAR = 24;

/** One line at the bottom of a terminal that says how far long work has come; nothing where there is no terminal. */
export class ProgressLine {
  readonly #out: WriteStream | NodeJS.WriteStream;
  #shownAt = -Infinity;
  #visible = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** @param done of `of`; null where nobody knows how much there is */
  show(done: number | null, of: number | null, text: string): void {
    const now = performance.now();
    if (!this.#out.isTTY || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    this.#visible = true;
    const filled = done === null || of === null || of === 0 ? null : Math.min(BAR, Math.round((done / of) * BAR));
    const bar = filled === null ? '' : `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] `;
    this.#out.write(`\r\x1b[K${`${bar}${text}`.slice(0, Math.max(20, (this.#out.columns ?? 80) - 1))}`);
  }

  clear(): void {
    if (!this.#visible) return;
    this.#visible = false;
    this.#out.write('\r\x1b[K');
  }
}
