import { Worker } from 'node:worker_threads';
import { childEntry } from '../../base/child-entry.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Table } from './table.js';
import type { XlsxAnswer } from './xlsx-worker.js';

const DEADLINE_MS = 60_000;
/** A workbook can claim a cell in row 1,048,576: what that makes of the reader ends here. */
const HEAP_MB = 256;

/**
 * The sheets of an XLSX workbook. Read in a thread of its own with a bounded heap and a deadline, so that a large or hostile
 * file neither stops the streams nor ends the process.
 * @throws BerthwatchError bad-input where it is no workbook or passes a limit
 */
export async function readXlsx(bytes: Uint8Array): Promise<Table[]> {
  const { file, execArgv } = childEntry(import.meta.url, './xlsx-worker');
  const worker = new Worker(file, { workerData: bytes, execArgv, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 64 }, stdout: true, stderr: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = await new Promise<XlsxAnswer>((resolve, reject) => {
      timer = setTimeout(() => reject(tooLarge(`reading took more than ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);
      worker.once('message', resolve);
      worker.once('error', (error) => reject((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooLarge(`reading needs more than ${HEAP_MB} MiB`) : new BerthwatchError('internal', 'SITE_XLSX_WORKER', `the workbook reader failed: ${messageOf(error)}`, { cause: error })));
      worker.once('exit', (code) => reject(new BerthwatchError('internal', 'SITE_XLSX_WORKER', `the workbook reader ended with code ${code}`)));
    });
    if ('tables' in answer) return answer.tables;
    throw new BerthwatchError(answer.kind, answer.code, answer.message);
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function tooLarge(why: string): BerthwatchError {
  return new BerthwatchError('bad-input', 'SITE_TOO_LARGE', `the workbook is larger than a list of berths can be (${why}); delete unused rows and sheets, or save it as CSV`);
}
