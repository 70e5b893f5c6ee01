import { parentPort, workerData } from 'node:worker_threads';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Site } from '../config/site.js';
import type { ImportProblem } from './problem.js';
import { readSiteHere } from './read-here.js';

export interface ReaderTask {
  bytes: Uint8Array;
  name: string;
  current: Site;
}

export type ReaderAnswer = { site: Site | null; problems: { list: ImportProblem[]; total: number } } | { kind: 'bad-input' | 'internal'; code: string; message: string };

async function answer({ bytes, name, current }: ReaderTask): Promise<ReaderAnswer> {
  try {
    const { site, problems } = await readSiteHere(bytes, name, current);
    return { site, problems: { list: problems.list, total: problems.total } };
  } catch (error) {
    if (error instanceof BerthwatchError && error.kind === 'bad-input') return { kind: 'bad-input', code: error.code, message: error.message };
    return { kind: 'internal', code: 'SITE_READER', message: error instanceof Error ? (error.stack ?? error.message) : messageOf(error) };
  }
}

parentPort?.postMessage(await answer(workerData as ReaderTask));
