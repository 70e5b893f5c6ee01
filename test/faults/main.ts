/**
 * `npm run test:faults -- [--kills N] [--cameras N] [--seed S] [--grace MS] [--folder F]`: SIGKILLs the service while cameras record, and looks
 * at what is left. With a folder of one's own it goes on where it stopped; without one it works in a temporary folder that is deleted.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { haveTool } from '../../base/test-tools.js';
import { temporaryFolder } from '../../service/cli/temporary-folder.js';
import { killRun, killTable } from './kill-run.js';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '100' }, cameras: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' }, grace: { type: 'string', default: '1500' }, folder: { type: 'string' } },
});
const [kills, cameras, seed, graceMs] = [values.kills, values.cameras, values.seed, values.grace].map(Number) as [number, number, number, number];
if (![kills, cameras, seed, graceMs].every((value) => Number.isInteger(value) && value >= 0) || cameras < 1 || cameras > 200) {
  console.error('--kills, --cameras (1 to 200), --seed and --grace (ms) take whole numbers');
  process.exit(2);
}
if (!haveTool('ffmpeg') || !haveTool('ffprobe')) {
  console.error('ffmpeg makes the clips and ffprobe plays the segments: install them');
  process.exit(2);
}
const folder = values.folder ?? temporaryFolder('bw-faults-');
let code = 1;
try {
  const result = await killRun({ folder, cameras, kills, seed, graceMs, progress: (text) => console.error(text) });
  console.log(killTable(result));
  code = result.faults.length === 0 ? 0 : 1;
} finally {
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
process.exit(code);
