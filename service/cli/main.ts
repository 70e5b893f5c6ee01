#!/usr/bin/env node
import { Command } from 'commander';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { program as berthwatch } from '../../base/program-root.js';
import { analyse } from './analyse.js';
import { demo } from './demo.js';
import { exportFootage, exportVisit } from './footage.js';
import { checkModelFile } from './models.js';
import { replay } from './replay.js';
import { serve } from './serve.js';
import { claim, restore, verify } from './storage.js';
import { exportSite, importSite, listChannels, writeTemplate } from './site.js';

const DEFAULT_CONFIG = 'berthwatch.yaml';

const cli = new Command('berthwatch').description('Kerbside parking from high-position cameras').version(berthwatch.version);

cli
  .command('serve')
  .description('run the service: cameras in, footage kept, visits derived, records delivered')
  .option('-c, --config <file>', `configuration (default: ${DEFAULT_CONFIG} where there is one, else built-in defaults)`)
  .action((options: { config?: string }) => serve(options.config ?? null));

cli
  .command('demo')
  .description('the whole system on this machine: two simulated cameras, a simulated city platform, and a page to watch')
  .option('--for <duration>', 'end after this time, with exit code 0 only if every visit was delivered right')
  .option('--data <folder>', 'keep everything in this folder (default: a temporary one, deleted at the end)')
  .option('--port <port>', 'port of the page', '8080')
  .option('--report <file>', 'write the verdict and what it rests on as JSON')
  .action((options: { for?: string; data?: string; port: string; report?: string }) => demo(options));

const site = cli.command('site').description('lots, cameras and berths');
site
  .command('import <file>')
  .description('make the catalogue hold exactly this site: YAML, CSV (UTF-8 or GB18030) or XLSX, one row a berth (the service must not be running on the embedded database; a running one takes the file over its page)')
  .option('-c, --config <file>', 'configuration')
  .option('--dry-run', 'only show what would change')
  .option('--remove', 'take out cameras and berths although vehicles stand there: their visits end at the last sight of the vehicle')
  .action((file: string, options: { config?: string; dryRun?: boolean; remove?: boolean }) => importSite(file, options.config ?? null, { dryRun: options.dryRun ?? false, remove: options.remove ?? false }));
site
  .command('template')
  .description('write a spreadsheet to fill in: explained headers and two sample rows')
  .option('--xlsx <file>', 'as a workbook')
  .option('--csv <file>', 'as CSV (UTF-8)')
  .action((options: { xlsx?: string; csv?: string }) => writeTemplate(options));
site
  .command('export')
  .description('print the site as a file for import')
  .option('-c, --config <file>', 'configuration')
  .option('--passwords', 'with the passwords of devices')
  .option('--xlsx <file>', 'as a workbook instead of YAML')
  .action((options: { config?: string; passwords?: boolean; xlsx?: string }) => exportSite(options.config ?? null, options.passwords ?? false, options.xlsx ?? null));
site
  .command('channels')
  .description('channels of devices registered with the running service that no camera uses yet')
  .option('-c, --config <file>', 'configuration')
  .option('--xlsx <file>', 'as a workbook to fill in and import')
  .action((options: { config?: string; xlsx?: string }) => listChannels(options.config ?? null, options.xlsx ?? null));

const storage = cli.command('storage').description('what is stored: footage on the disk and in the archive');
storage
  .command('verify')
  .description('compare catalogue, disk and archive; exit code 1 where something is left that is not as it should be (on the embedded database the service must not be running; it checks by itself, slowly)')
  .option('-c, --config <file>', 'configuration')
  .option('--camera <id>', 'only this camera')
  .option('--from <time>', 'only footage from then on, "2026-01-01" or "2026-01-01 08:00:00" Beijing time')
  .option('--to <time>', 'only footage until then')
  .option('--deep', 'read every byte and compare checksums')
  .option('--repair', 'repair what is safe: from a copy that was read and is right; what nobody knows moves to quarantine/')
  .option('--json', 'one JSON line a finding, and one at the end')
  .action((options: { config?: string } & Parameters<typeof verify>[1]) => verify(options.config ?? null, options));
storage
  .command('restore')
  .description('take archived footage that the catalogue does not know into it, after the catalogue was lost or set back')
  .option('-c, --config <file>', 'configuration')
  .action((options: { config?: string }) => restore(options.config ?? null));
storage
  .command('claim')
  .description('make the configured bucket or folder the archive of this catalogue, in the place of the one before')
  .option('-c, --config <file>', 'configuration')
  .action((options: { config?: string }) => claim(options.config ?? null));

const WATERMARK = 'burn this text, the name of the camera and the running time into every picture (codes them anew)';
cli
  .command('footage')
  .description('recorded footage of the running service')
  .command('export')
  .description('cut a clip out of the footage into an MP4 file, with its SHA-256 and what is missing beside it')
  .requiredOption('--camera <id>', 'camera')
  .requiredOption('--from <time>', '"2026-01-01 08:00:00" Beijing time, ISO 8601 with a zone, or Unix milliseconds')
  .requiredOption('--to <time>', 'the same')
  .requiredOption('--out <file>', 'MP4 file to write')
  .option('--watermark <text>', WATERMARK)
  .option('--by <name>', 'who asks, for the audit (default: the user of this machine)')
  .option('--force', 'overwrite the file')
  .option('-c, --config <file>', 'configuration of the service')
  .option('--url <address>', 'address of the service')
  .action((options: Parameters<typeof exportFootage>[0]) => exportFootage(options));

cli
  .command('visit')
  .description('visits of the running service')
  .command('export <uid>')
  .description('a visit as one ZIP: clips around enter and leave, pictures, record, and a manifest with the SHA-256 of each')
  .requiredOption('--out <file>', 'ZIP file to write')
  .option('--before <seconds>', 'footage before enter and leave', '15')
  .option('--after <seconds>', 'footage behind enter and leave', '30')
  .option('--whole-stay', 'one clip of the whole stay instead')
  .option('--watermark <text>', WATERMARK)
  .option('--by <name>', 'who asks, for the audit (default: the user of this machine)')
  .option('--force', 'overwrite the file')
  .option('-c, --config <file>', 'configuration of the service')
  .option('--url <address>', 'address of the service')
  .action((uid: string, options: Parameters<typeof exportVisit>[1]) => exportVisit(uid, options));

cli
  .command('replay <footage>')
  .description('feed a recording to everything behind the cameras, faster than real time, and report vehicles, berths and visits')
  .option('--site <file>', 'site file; its only camera, or the one named by --camera, sees the footage (without: vehicles only)')
  .option('--camera <id>', 'camera of the site file')
  .option('--start <time>', 'when the recording begins, "2026-01-01 08:00:00" Beijing time')
  .option('--data <folder>', 'keep footage, visits and pictures in this folder (default: a temporary one, deleted at the end)')
  .option('--json', 'one JSON line an analysed picture and event, and one at the end')
  .option('--annotate <folder>', 'write annotated pictures')
  .action((footage: string, options: Parameters<typeof replay>[1]) => replay(footage, options));

cli
  .command('analyse <paths...>')
  .description('what the models see on pictures, folders of pictures, and the key frames of videos')
  .option('--json', 'one JSON line a picture')
  .option('--annotate <folder>', 'write annotated pictures')
  .option('--plates', 'the pictures are plates, cut out tightly: only read them')
  .option('--berths <file>', 'site file: also tell which berths are taken or obstructed')
  .option('--camera <id>', 'camera of the site file')
  .option('--manifest <file>', 'models to use (default: those of the program)')
  .option('--score <s>', 'from which score on a vehicle counts (default: that of the models); lower to see what a threshold leaves out')
  .option('--children <n>', 'processes that look at pictures side by side')
  .action((paths: string[], options: Parameters<typeof analyse>[1]) => analyse(paths, options));

cli
  .command('models')
  .description('the networks that see')
  .command('check <file>')
  .description('say what is wrong with a model manifest (.json) and its networks, or what a bare network (.onnx) could serve as')
  .action((file: string) => checkModelFile(file));

// `… | head` closes the pipe when it has seen enough: that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

cli.parseAsync().catch((error: unknown) => {
  // What people did wrong needs no stack; what we did wrong does.
  const expected = error instanceof BerthwatchError && error.kind !== 'internal';
  process.stderr.write(`berthwatch: ${expected || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message)}\n`);
  process.exit(1);
});
