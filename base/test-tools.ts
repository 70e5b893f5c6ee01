import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { program } from './program-root.js';

/**
 * FOR TESTS: whether a command-line tool (ffprobe, sipp, tshark, …) is there. Where it is not, says so and lets the test skip;
 * under CI, which installs all of them, a missing tool is a failure.
 *
 * Use: `it.skipIf(!haveTool('ffprobe'))('…', …)`.
 */
export function haveTool(name: string): boolean {
  try {
    execFileSync('which', [name], { stdio: 'ignore' });
    return true;
  } catch {
    if (process.env.CI === 'true') throw new Error(`${name} is not installed; .ci/run must install it`);
    process.stderr.write(`skipping tests that need ${name}: it is not installed\n`);
    return false;
  }
}

/** FOR TESTS: a path in the data folder beside the checkout, or null (with the reason printed) where there is none. */
export function sharedData(path: string): string | null {
  const full = join(program.root, '..', 'shared', 'data', path);
  if (existsSync(full)) return full;
  process.stderr.write(`skipping tests that need ${path}: no data folder beside the checkout\n`);
  return null;
}
