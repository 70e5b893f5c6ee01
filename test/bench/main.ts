/**
 * `npm run bench -- [--only row]… [--seconds n]`: what cameras, pictures and evidence cost, each beside a reference that runs in
 * the same minute. The table comes on standard output, progress on standard error.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { haveTool } from '../../base/test-tools.js';
import { Inputs } from './inputs.js';
import type { BenchResult } from './row.js';
import { catalogue } from './rows/catalogue.js';
import { gopDecode, keyframeDecode } from './rows/decode.js';
import { evidence } from './rows/evidence.js';
import { inference } from './rows/inference.js';
import { logToDisk } from './rows/log-to-disk.js';
import { pureReceive } from './rows/pure-receive.js';
import { receiveAndLog } from './rows/receive-and-log.js';
import { registrations } from './rows/registrations.js';
import { streams } from './rows/streams.js';
import { printTable } from './table.js';

const ROWS = [catalogue, logToDisk, receiveAndLog, streams, pureReceive, registrations, keyframeDecode, gopDecode, inference, evidence];

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true }, seconds: { type: 'string', default: '10' } } });
const seconds = Number(values.seconds);
const names = ROWS.map((row) => row.name);
const unknown = (values.only ?? []).filter((name) => !names.includes(name));
if (!(seconds > 0) || unknown.length > 0) {
  console.error(unknown.length > 0 ? `there is no row "${unknown.join('", "')}"; there are ${names.join(', ')}` : '--seconds takes a positive number');
  process.exit(2);
}
if (!haveTool('ffmpeg')) {
  console.error('ffmpeg makes the inputs and is the reference of most rows: install it');
  process.exit(2);
}

const context = { inputs: new Inputs(), seconds, progress: (text: string): void => void process.stderr.write(`${text}\n`) };
const results: BenchResult[] = [];
let failed = false;
for (const row of ROWS.filter(({ name }) => values.only === undefined || values.only.includes(name))) {
  try {
    results.push(...(await row.run(context)));
  } catch (error) {
    failed = true;
    console.error(`${row.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
const load = loadavg()[0] ?? 0;
console.log(`${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}, load ${load.toFixed(1)}`);
if (load > cpus().length) console.log('the machine is busy with other things: cases/s suffer from it, CPU times much less');
console.log(`\n${printTable(results)}`);
process.exit(failed ? 1 : 0);
