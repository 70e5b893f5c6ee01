/** A progress bar on a terminal's error stream; silent where there is no terminal. */
export class Progress {
  readonly #total: number;
  readonly #out: { isTTY?: boolean; columns?: number; write(text: string): unknown };
  readonly #began = performance.now();
  #drawn = 0;
  #done = 0;

  constructor(total: number, out: { isTTY?: boolean; columns?: number; write(text: string): unknown }) {
    this.#total = total;
    this.#out = out;
  }

  /** `done` files are finished; `note` is what is going on. */
  show(done: number, note = ''): void {
    this.#done = done;
    const now = performance.now();
    if (!this.#out.isTTY || (now - this.#drawn < 100 && done < this.#total)) return;
    this.#drawn = now;
    const filled = Math.round((24 * done) / this.#total);
    const line = `[${'#'.repeat(filled)}${' '.repeat(24 - filled)}] ${done}/${this.#total}  ${this.#remaining(now)}  ${note}`;
    this.#out.write(`\r\u001b[2K${line.slice(0, (this.#out.columns ?? 80) - 1)}`);
  }

  /** Takes the bar away, so that a line can be printed. */
  clear(): void {
    if (this.#out.isTTY) this.#out.write('\r\u001b[2K');
    this.#drawn = 0;
  }

  #remaining(now: number): string {
    if (this.#done === 0) return '';
    const seconds = ((now - this.#began) / 1000 / this.#done) * (this.#total - this.#done);
    return seconds < 90 ? `${Math.ceil(seconds)} s left` : `${Math.ceil(seconds / 60)} min left`;
  }
}
