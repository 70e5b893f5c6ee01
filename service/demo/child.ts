import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A program of the demo in a process of its own, whose standard output is JSON lines. */
export class DemoChild {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; errors: string }>;

  /** Starts `node file …args`. Lines that are no JSON are passed over. */
  constructor(name: string, file: string, args: readonly string[], onLine: (line: Record<string, unknown>) => void) {
    this.name = name;
    this.#process = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    this.#process.stderr?.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4_000)));
    if (this.#process.stdout) {
      createInterface({ input: this.#process.stdout }).on('line', (text) => {
        const line = parse(text);
        if (line) onLine(line);
      });
    }
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve({ code: null, signal: null, errors: error.message }));
      this.#process.once('close', (code, signal) => resolve({ code, signal, errors }));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** SIGTERM, and SIGKILL to what is still there after `patienceMs`. */
  async stop(patienceMs = 20_000): Promise<void> {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), patienceMs);
    await this.ended;
    clearTimeout(timer);
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
