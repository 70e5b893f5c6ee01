import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthwatchError } from '../../base/errors.js';
import { processExists, processStart } from './process-identity.js';

interface Owner {
  pid: number;
  start: string | null;
}

/**
 * Says that one process of ours uses a folder. It is a file with the process's identity: a process that was killed leaves
 * it behind, and the next one sees that its owner is gone.
 */
export class FolderLock {
  readonly #path: string;
  readonly #folder: string;
  #held = false;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, 'owner.json');
  }

  /** @throws BerthwatchError conflict, where another living process holds the folder */
  async take(): Promise<void> {
    const owner = await this.#read();
    if (owner && !(owner.pid === process.pid && this.#held) && (await this.#lives(owner))) {
      throw new BerthwatchError(
        'conflict',
        'CATALOGUE_FOLDER_IN_USE',
        `${this.#folder} is used by the running process ${owner.pid}: stop it, or give this one a data folder of its own`,
        { detail: { pid: owner.pid } },
      );
    }
    const mine: Owner = { pid: process.pid, start: await processStart(process.pid) };
    await writeFile(`${this.#path}.new`, JSON.stringify(mine), { mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
    this.#held = true;
  }

  async release(): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    await rm(this.#path, { force: true });
  }

  async #read(): Promise<Owner | null> {
    try {
      const owner = JSON.parse(await readFile(this.#path, 'utf8')) as Partial<Owner>;
      return typeof owner.pid === 'number' ? { pid: owner.pid, start: owner.start ?? null } : null;
    } catch {
      // Missing, or torn by a crash in the middle of the very first write: nobody holds it.
      return null;
    }
  }

  async #lives(owner: Owner): Promise<boolean> {
    if (!processExists(owner.pid)) return false;
    return owner.start === null || owner.start === (await processStart(owner.pid));
  }
}
