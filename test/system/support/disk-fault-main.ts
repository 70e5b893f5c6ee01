/**
 * A whole small system in a mount namespace of its own, whose footage lies on a small file system that is filled, made read-only and taken
 * away. Run by disk-faults.test.ts as `unshare -m node …`; says what it saw as JSON lines on standard output.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../../base/errors.js';
import { checkFootage } from './footage-check.js';
import { pause, Street, until } from './street.js';

const MEGABYTE = 1024 * 1024;
const PATIENCE_MS = 120_000;

/** What the parent judges. */
export interface DiskFaultSight {
  step: string;
  [fact: string]: unknown;
}

const tell = (sight: DiskFaultSight): void => void process.stdout.write(`${JSON.stringify(sight)}\n`);
const mount = (...args: string[]): void => void execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'inherit'] });

class Scene {
  readonly #street: Street;
  readonly #folder: string;

  constructor(street: Street) {
    this.#street = street;
    this.#folder = join(street.config.dataFolder, 'footage');
  }

  async footageProblem(): Promise<string | null> {
    const { problems } = await this.#street.get<{ problems: { part: string; message: string }[] }>('/healthz');
    return problems.find(({ part }) => part === 'footage')?.message ?? null;
  }

  async storage(): Promise<{ state: string; disk: { freeBytes: number } | null }> {
    return this.#street.get('/api/storage');
  }

  /** The service says what is wrong, goes on by itself once `mend` has put it right, and the camera is analysed beyond that. */
  async fault(step: string, breakIt: () => void, mend: () => void): Promise<void> {
    breakIt();
    let message: string | null = null;
    try {
      await until(`${step}: the page says so`, async () => (message = await this.footageProblem()) !== null, PATIENCE_MS, () => this.#street.told());
      await pause(1_500);
    } finally {
      mend();
    }
    const mended = Date.now();
    await until(`${step}: footage is written again`, async () => (await this.footageProblem()) === null, PATIENCE_MS, () => this.#street.told());
    await until(`${step}: footage of after the repair is analysed`, async () => (await this.#street.analysedTo('cam-1')) > mended + 1_000, PATIENCE_MS, () => this.#street.told());
    const { rows } = await this.#street.database.query<{ lost: number }>(`SELECT count(*) FILTER (WHERE state <> 'sealed') AS lost FROM footage_segment`);
    tell({ step, message, lost: rows[0]?.lost });
  }

  async run(): Promise<void> {
    const ballast = join(this.#folder, 'ballast');
    const free = (): number => {
      const { bsize, bavail } = statfsSync(this.#folder);
      return bsize * bavail;
    };
    await until('a sealed segment', async () => (await this.#street.database.query('SELECT 1 FROM footage_segment')).rowCount > 0, PATIENCE_MS, () => this.#street.told());
    // All but a little goes at once: what is being written meets the end of the disk in the middle of a segment.
    // Unless the free bytes are looked at just before: then it is refused in time, and tried again.
    const enospc = (): number => this.#street.said(/ENOSPC/).length;
    for (let attempt = 0; attempt < 5 && enospc() === 0; attempt++) {
      await this.fault('full', () => writeFileSync(ballast, Buffer.alloc(Math.max(0, free() - 16 * 1024))), () => rmSync(ballast));
    }
    tell({ step: 'in mid-segment', enospc: enospc() });
    // Less than the reserve is left: recording is refused before anything fails.
    await this.fault('reserve', () => writeFileSync(ballast, Buffer.alloc(Math.max(0, free() - 2 * MEGABYTE))), () => rmSync(ballast));
    const store = join(this.#street.folder, 'disk');
    // A second view of the same disk over the first: what is open may be written to its end, what is new cannot be made.
    await this.fault(
      'read-only',
      () => {
        mount('--bind', store, this.#folder);
        mount('-o', 'remount,ro,bind', this.#folder);
      },
      () => void execFileSync('umount', ['-l', this.#folder]),
    );
    await this.fault('unmounted', () => void execFileSync('umount', ['-l', this.#folder]), () => mount('--bind', store, this.#folder));
    const { rows } = await this.#street.database.query<{ reason: string }>('SELECT DISTINCT reason FROM footage_gap');
    await this.#street.stopService();
    const footage = await checkFootage(this.#street.config, 'cam-1');
    tell({ step: 'end', spoilt: footage.spoilt, sealed: footage.sealed, reasons: rows.map(({ reason }) => reason), passedOver: this.#street.said(/is passed over/).length });
  }
}

const street = new Street({ cameras: [{ transport: 'tcp-passive' }] });
let code = 0;
try {
  // A file system of its own, and its place in the data folder bound to it, so that it can be taken away and come back as it was.
  const store = join(street.folder, 'disk');
  const footage = join(street.config.dataFolder, 'footage');
  mkdirSync(store, { recursive: true });
  mkdirSync(footage, { recursive: true });
  mount('-t', 'tmpfs', '-o', 'size=80m', 'berthwatch-test', store);
  mount('--bind', store, footage);
  await street.start();
  await street.streaming();
  await new Scene(street).run();
} catch (error) {
  code = 1;
  tell({ step: 'failed', error: messageOf(error) });
} finally {
  for (const folder of [join(street.config.dataFolder, 'footage'), join(street.folder, 'disk')]) {
    await street.stopService();
    spawnSync('umount', ['-l', folder], { stdio: 'ignore' });
  }
  await street.close().catch((error: unknown) => tell({ step: 'closing', error: messageOf(error) }));
}
process.exit(code);
