import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { BerthwatchError } from '../../base/errors.js';
import { parseDuration } from '../../base/units.js';
import { Demo } from '../demo/demo.js';
import { temporaryFolder } from './temporary-folder.js';

/** `berthwatch demo`: runs until it is interrupted, or for the given time and then judges what was delivered. */
export async function demo(options: { for?: string; data?: string; port: string; report?: string }): Promise<void> {
  const runMs = options.for === undefined ? null : parseDuration(options.for);
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new BerthwatchError('bad-input', 'DEMO_PORT', `--port "${options.port}" is not a port`);
  const folder = options.data === undefined ? temporaryFolder('berthwatch-demo-') : resolve(options.data);
  const show = new Demo({ folder, port, loop: true, write: (line) => console.log(line), colours: process.stdout.isTTY ?? false });
  let interrupt: () => void = () => undefined;
  const interrupted = new Promise<'interrupted'>((resolve_) => (interrupt = () => resolve_('interrupted')));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  let code = 0;
  try {
    await Promise.race([show.start(), show.failed, interrupted]);
    const timeUp = runMs === null ? new Promise<never>(() => undefined) : new Promise<'time'>((resolve_) => setTimeout(() => resolve_('time'), runMs));
    const why = await Promise.race([timeUp, interrupted, show.failed]);
    if (why === 'time') {
      const verdict = await show.verdict();
      for (const fault of verdict.faults) console.log(`✗ ${fault}`);
      console.log(`${verdict.right} of ${verdict.expected} visits delivered right${verdict.faults.length > 0 ? `, ${verdict.faults.length} faults` : ''}`);
      if (options.report !== undefined) writeFileSync(options.report, JSON.stringify(verdict, null, 2));
      code = verdict.faults.length === 0 && verdict.expected > 0 ? 0 : 1;
    }
  } finally {
    await show.close();
    if (options.data === undefined) rmSync(folder, { recursive: true, force: true });
  }
  process.exit(code);
}
