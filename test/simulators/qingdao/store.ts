import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerState } from './ledger.js';

/** Picture bytes held in memory without a state file; the oldest go first. */
const MEMORY_LIMIT = 256 << 20;

/** Where the platform keeps what it accepted: in memory, or in a JSON file and a folder of pictures beside it, so that it may be restarted. */
export class Store {
  private readonly memory = new Map<string, Buffer>();
  private inMemory = 0;

  constructor(private readonly file: string | null) {}

  /** What was kept before, or null. Throws when the file is not ours. */
  load(): LedgerState | null {
    if (this.file === null || !existsSync(this.file)) return null;
    const state = JSON.parse(readFileSync(this.file, 'utf8')) as LedgerState;
    if (!Array.isArray(state.records) || !Array.isArray(state.photos)) throw new Error(`${this.file} is not a state file of this simulator`);
    return state;
  }

  /** Written beside and renamed: a kill leaves the old state or the new. */
  save(state: LedgerState): void {
    if (this.file === null) return;
    const next = `${this.file}.next`;
    writeFileSync(next, JSON.stringify(state));
    renameSync(next, this.file);
  }

  putPhoto(photoId: string, bytes: Buffer): void {
    if (this.file !== null) {
      const folder = this.folder();
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, fileName(photoId)), bytes);
      return;
    }
    this.memory.set(photoId, bytes);
    this.inMemory += bytes.length;
    for (const [oldest, held] of this.memory) {
      if (this.inMemory <= MEMORY_LIMIT) break;
      this.memory.delete(oldest);
      this.inMemory -= held.length;
    }
  }

  /** Null when it was never there or had to make room. */
  photo(photoId: string): Buffer | null {
    if (this.file === null) return this.memory.get(photoId) ?? null;
    const path = join(this.folder(), fileName(photoId));
    return existsSync(path) ? readFileSync(path) : null;
  }

  clear(): void {
    this.memory.clear();
    this.inMemory = 0;
    if (this.file === null) return;
    rmSync(this.file, { force: true });
    rmSync(this.folder(), { recursive: true, force: true });
  }

  private folder(): string {
    return `${this.file}.photos`;
  }
}

/** photoIDs come from outside: never use them as file names. */
function fileName(photoId: string): string {
  return `${createHash('sha256').update(photoId).digest('hex')}.jpg`;
}
