import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { childEntry } from '../../base/child-entry.js';
import { haveTool } from '../../base/test-tools.js';
import type { DiskFaultSight } from './support/disk-fault-main.js';

/** Mounts inside of a namespace of its own, of which nothing is left afterwards, need root or its capability. */
function canMount(): boolean {
  const tried = spawnSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', 'd=$(mktemp -d) && mount -t tmpfs none "$d" && umount "$d" && rmdir "$d"'], { encoding: 'utf8' });
  if (tried.status === 0) return true;
  process.stderr.write(`skipping tests that mount file systems: not permitted here (${(tried.stderr ?? '').trim().split('\n')[0] || String(tried.error?.message)})\n`);
  return false;
}

/** A disk that is full, read-only or gone, as the kernel makes it. */
describe.skipIf(!haveTool('ffmpeg') || !canMount())('the disk of the footage', () => {
  const sights = new Map<string, DiskFaultSight>();
  let errors = '';
  beforeAll(async () => {
    const { file, execArgv } = childEntry(import.meta.url, './support/disk-fault-main');
    const child = spawn('unshare', ['-m', '--propagation', 'private', process.execPath, ...execArgv, fileURLToPath(file)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-8_000)));
    await new Promise((resolve) => child.once('close', resolve));
    for (const line of out.split('\n').filter((text) => text.startsWith('{'))) {
      const sight = JSON.parse(line) as DiskFaultSight;
      sights.set(sight.step, sight);
    }
  }, 600_000);

  const told = (): string => `${JSON.stringify([...sights.values()], null, 1)}\n${errors}`;

  it.each([
    ['full', /the disk is full/],
    ['reserve', /recording refused: the disk is full/],
    ['read-only', /the disk is read-only/],
    ['unmounted', /has no meta file: is the disk mounted\?/],
  ])('%s: says what is wrong, loses nothing that was sealed, and goes on by itself', (step, message) => {
    expect(sights.get('failed'), told()).toBeUndefined();
    expect(sights.get(step), told()).toMatchObject({ message: expect.stringMatching(message) as string, lost: 0 });
  });

  it('meets the end of the disk in the middle of a segment', () => {
    expect((sights.get('in mid-segment') as unknown as { enospc: number } | undefined)?.enospc, told()).toBeGreaterThan(0);
  });

  it('has everything at the end that was sealed, and says in rows why footage is missing', () => {
    expect(sights.get('end'), told()).toMatchObject({ spoilt: [], passedOver: 0 });
    expect((sights.get('end') as unknown as { sealed: number }).sealed).toBeGreaterThan(4);
    expect((sights.get('end') as unknown as { reasons: string[] }).reasons).toContain('recording refused: the disk is full');
  });
});
