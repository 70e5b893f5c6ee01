import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { BerthwatchError, messageOf } from '../../base/errors.js';

/** One file to be analysed. */
export interface InputFile {
  path: string;
  kind: 'picture' | 'video';
}

const PICTURES = new Set(['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff', '.gif', '.avif']);
const VIDEOS = new Set(['.mp4', '.m4v', '.mov', '.mkv', '.avi', '.ts', '.m2ts', '.ps', '.mpg', '.h264', '.264', '.h265', '.265', '.hevc']);

const kindOf = (path: string): InputFile['kind'] | null => {
  const extension = extname(path).toLowerCase();
  return PICTURES.has(extension) ? 'picture' : VIDEOS.has(extension) ? 'video' : null;
};

/**
 * The files that paths stand for: themselves, or what lies in folders below them, in order of name, links to files included (links to
 * folders could lead in circles); other files in folders are passed over, a path that is itself no picture or video is an error.
 * @throws BerthwatchError not-found, bad-input
 */
export async function listInputs(paths: readonly string[]): Promise<InputFile[]> {
  const found: InputFile[] = [];
  for (const path of paths) {
    const isFolder = await stat(path).then((s) => s.isDirectory(), (cause: unknown) => {
      throw new BerthwatchError('not-found', 'ANALYSE_INPUT', `cannot read ${path}: ${messageOf(cause)}`, { cause });
    });
    if (isFolder) await walk(path, found);
    else {
      const kind = kindOf(path);
      if (kind === null) throw new BerthwatchError('bad-input', 'ANALYSE_INPUT', `${path} is neither picture nor video by its name; pictures end in ${[...PICTURES].join(' ')}, videos in ${[...VIDEOS].join(' ')}`);
      found.push({ path, kind });
    }
  }
  if (found.length === 0) throw new BerthwatchError('not-found', 'ANALYSE_INPUT', `there are no pictures or videos in ${paths.join(', ')}`);
  return found;
}

const leadsToFile = (path: string): Promise<boolean> => stat(path).then((s) => s.isFile(), () => false);

async function walk(folder: string, found: InputFile[]): Promise<void> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    throw new BerthwatchError('unavailable', 'ANALYSE_INPUT', `cannot list ${folder}: ${messageOf(cause)}`, { cause });
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    const kind = kindOf(entry.name);
    if (entry.isDirectory()) await walk(path, found);
    else if (kind !== null && (entry.isFile() || (entry.isSymbolicLink() && (await leadsToFile(path))))) found.push({ path, kind });
  }
}
