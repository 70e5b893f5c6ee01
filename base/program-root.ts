import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BerthwatchError } from './errors.js';

interface Program {
  /** Folder with package.json, models/ and the built console, whether we run from sources or from dist/. */
  root: string;
  version: string;
}

function find(): Program {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (!existsSync(file)) continue;
    const description = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
    if (description.name === 'berthwatch') return { root: folder, version: description.version ?? '0.0.0' };
  }
  throw new BerthwatchError('internal', 'PROGRAM_ROOT', 'the program was moved out of its folder: no package.json of berthwatch above its files');
}

export const program: Program = find();
