import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { program } from '../../../base/program-root.js';

export const CLI = join(program.root, 'dist', 'service', 'cli', 'main.js');

/** Runs `berthwatch …args` of the built program to its end. */
export function berthwatch(args: readonly string[]): Promise<{ code: number | null; lines: string[]; errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-8_000)));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, lines: Buffer.concat(out).toString('utf8').split('\n').filter((line) => line !== ''), errors }));
  });
}
