import { spawn } from 'node:child_process';
import type { Measured } from './row.js';

/**
 * Runs ffmpeg and counts its CPU time (user and system, start included) by its own `-benchmark`.
 * @param cases how many cases its work is worth
 * @throws Error with the end of what ffmpeg said
 */
export async function measureFfmpeg(args: readonly string[], cases: number): Promise<Measured> {
  const began = performance.now();
  const child = spawn('ffmpeg', ['-hide_banner', '-nostdin', '-y', '-benchmark', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-8_000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const wallMs = performance.now() - began;
  const times = /bench: utime=([\d.]+)s stime=([\d.]+)s/.exec(said);
  if (code !== 0 || !times) throw new Error(`ffmpeg ${args.join(' ')} ended with ${code}: ${said.trim().split('\n').slice(-3).join(' | ')}`);
  return { cases, wallMs, cpuMs: (Number(times[1]) + Number(times[2])) * 1000 };
}
