import { Worker } from 'node:worker_threads';
import { childEntry } from '../../base/child-entry.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Site } from '../config/site.js';
import { problemLine, type ImportProblem } from './problem.js';
import { checkSize } from './read-here.js';
import type { ReaderAnswer, ReaderTask } from './reader-worker.js';

/** The problems of a file: those that are listed, and how many there are. */
export interface ProblemList {
  list: readonly ImportProblem[];
  total: number;
}

const DEADLINE_MS = 120_000;
/** A workbook can claim cells that make its reader fill gaps for ever: what that makes of it ends here. */
const HEAP_MB = 512;

/**
 * Reads a site from a YAML file, a CSV file or an XLSX workbook. A spreadsheet tells cameras and berths; what it has no column for
 * stays as in `current`. A YAML file tells everything.
 *
 * It is read in a thread of its own with a bounded heap and a deadline, so that a large or hostile file neither stops the streams nor
 * ends the process.
 *
 * @returns the site, or null with all problems of the file
 * @throws BerthwatchError bad-input where the file as a whole cannot be read
 */
export async function readSiteFile(bytes: Uint8Array, name: string, current: Site): Promise<{ site: Site | null; problems: ProblemList }> {
  checkSize(bytes, name);
  const { file, execArgv } = childEntry(import.meta.url, './reader-worker');
  const worker = new Worker(file, { workerData: { bytes, name, current } satisfies ReaderTask, execArgv, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 64 }, stdout: true, stderr: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = await new Promise<ReaderAnswer>((resolve, reject) => {
      timer = setTimeout(() => reject(tooLarge(name, `reading took more than ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);
      worker.once('message', resolve);
      worker.once('error', (error) => reject((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooLarge(name, `reading needs more than ${HEAP_MB} MiB`) : new BerthwatchError('internal', 'SITE_READER', `the reader of ${name} failed: ${messageOf(error)}`, { cause: error })));
      worker.once('exit', (code) => reject(new BerthwatchError('internal', 'SITE_READER', `the reader of ${name} ended with code ${code}`)));
    });
    if ('problems' in answer) return answer;
    throw new BerthwatchError(answer.kind, answer.code, answer.message);
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function tooLarge(name: string, why: string): BerthwatchError {
  return new BerthwatchError('bad-input', 'SITE_TOO_LARGE', `${name} is larger than a site can be (${why}); delete unused rows and sheets, or save it as CSV`);
}

/** All problems as one error for people. */
export function problemsError(name: string, problems: ProblemList, language: 'zh' | 'en'): BerthwatchError {
  const lines = problems.list.map((problem) => `  ${problemLine(name, problem, language)}`);
  if (problems.total > problems.list.length) lines.push(language === 'zh' ? `  ……还有 ${problems.total - problems.list.length} 处` : `  … and ${problems.total - problems.list.length} more`);
  const head = language === 'zh' ? `${name} 有 ${problems.total} 处问题：` : `${name} has ${problems.total} problem${problems.total === 1 ? '' : 's'}:`;
  return new BerthwatchError('bad-input', 'SITE_PROBLEMS', `${head}\n${lines.join('\n')}`, { detail: { problems: problems.list, total: problems.total } });
}
