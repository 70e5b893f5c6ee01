import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beijingDateTime, parseBeijing } from '../../base/beijing-time.js';
import { sleep, systemClock } from '../../base/clock.js';
import { BerthwatchError } from '../../base/errors.js';
import { FileSource } from '../../ingest/file/file-source.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { AnalysedStep } from '../analysis/camera-analyser.js';
import { ConfigSchema, finishConfig } from '../config/config.js';
import { readYaml } from '../config/read-yaml.js';
import { SiteSchema, type Site, type SiteCamera } from '../config/site.js';
import { Core } from '../core.js';
import { Feed } from '../live/feed.js';
import { ProblemBoard } from '../live/problems.js';
import { createLogger } from '../log.js';
import { createMetrics } from '../metrics.js';
import { annotate } from '../replay/annotate.js';
import { ReplayReport } from '../replay/report.js';
import { readVisits } from '../records/visit-reader.js';
import { chooseCamera } from './choose-camera.js';
import { temporaryFolder } from './temporary-folder.js';

export interface ReplayOptions {
  site?: string;
  camera?: string;
  start?: string;
  data?: string;
  json?: boolean;
  annotate?: string;
}

/** GOPs that may wait for the disk before the file is read on; well below what makes the log drop the oldest. */
const MOST_QUEUED_GOPS = 8;
const POLL_MS = 5;

/** Without a site file the whole picture is watched as one berth that nobody asks about. */
function siteWithoutBerths(): Site {
  // Polygons are scaled to the pictures; this size need not be theirs.
  const [width, height] = [1920, 1080];
  return SiteSchema.parse({
    lots: [{ code: 'REPLAY', name: 'replay' }],
    cameras: [
      {
        id: 'replay',
        name: 'replay',
        deviceNumber: 'replay',
        lot: 'REPLAY',
        roadSection: '-',
        direction: '-',
        width,
        height,
        berths: [{ id: 'whole-picture', number: '0', kind: 'parallel', polygon: [[0, 0], [width, 0], [width, height], [0, height]], lengthM: 30, widthM: 10, drivingDirection: [0, 1] }],
      },
    ],
  });
}

/** `berthwatch replay FOOTAGE`: a recording through log, vision, parking and evidence, as fast as they go. */
export async function replay(footage: string, options: ReplayOptions): Promise<void> {
  const start = options.start === undefined ? systemClock.now() : parseBeijing(options.start);
  if (start === null) throw new BerthwatchError('bad-input', 'REPLAY_START', `--start "${options.start ?? ''}" is not a time; write it like "2026-01-01 08:00:00"`);
  const folder = options.data === undefined ? temporaryFolder('berthwatch-replay-') : resolve(options.data);
  if (options.annotate !== undefined) mkdirSync(options.annotate, { recursive: true });
  // Whoever is impatient must not leave a database running: the first signal ends the work in order, a second one at once.
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => stop.abort(new BerthwatchError('unavailable', 'REPLAY_STOPPED', `stopped by ${name} before the end of ${footage}`));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    await run(footage, options, start, folder, stop.signal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    if (options.data === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

async function run(footage: string, options: ReplayOptions, start: number, folder: string, signal: AbortSignal): Promise<void> {
  const logger = createLogger('warn', process.stderr);
  const source = (cameraId: string): FileSource => new FileSource({ file: footage, cameraId, startAt: start, speed: null, clock: systemClock, logger });
  const site = options.site === undefined ? siteWithoutBerths() : readYaml(options.site, SiteSchema);
  const camera = chooseCamera(site, options.camera, options.site ?? '');
  const watched: Site = { lots: site.lots, cameras: [camera] };
  const report = new ReplayReport(camera, options.site !== undefined, options.json ?? false, (line) => process.stdout.write(`${line}\n`), (line) => void (process.stderr.isTTY && process.stderr.write(line)));

  const feed = new Feed(systemClock);
  // What is tried out must not end up in the bucket that the service archives to.
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('S3_')));
  const config = finishConfig(ConfigSchema.parse({ dataFolder: folder }), process.cwd(), environment);
  const annotations: Promise<void>[] = [];
  const metrics = createMetrics();
  const core: Core = new Core({
    config,
    clock: systemClock,
    logger,
    feed,
    problems: new ProblemBoard(systemClock, logger, feed),
    metrics,
    platforms: [],
    onRecords: () => undefined,
    onStep: (_cameraId, step: AnalysedStep) => {
      report.step(step);
      if (options.annotate !== undefined) annotations.push(annotateStep(core, camera, step, options.annotate));
    },
  });
  await core.start();
  try {
    await core.importSite(watched);
    await feedLog(core, source(camera.id), signal);
    await until(() => core.isCaughtUp(camera.id), signal);
    await until(async () => (await core.pendingEvidence()) === 0, signal);
    await Promise.all(annotations);
    const visits = await readVisits(core.database, { limit: 500, before: null, berthId: null, cameraId: camera.id, uid: null });
    report.finish(options.site === undefined ? [] : visits.reverse());
    const passed = (await metrics.gopsPassed.get()).values.reduce((sum, { value }) => sum + value, 0);
    if (passed > 0) process.stderr.write(`${passed} GOPs lie outside analysis.windows of camera ${camera.id} and were not looked at; --start says when the recording begins\n`);
  } finally {
    await core.close();
  }
}

/** Writes the recording into the footage log, no faster than the log takes it. */
async function feedLog(core: Core, source: FileSource, signal: AbortSignal): Promise<void> {
  for await (const unit of source.units(signal)) {
    core.log.append(unit satisfies AccessUnit);
    while ((core.log.stats().cameras.get(source.cameraId)?.queuedGops ?? 0) > MOST_QUEUED_GOPS) await sleep(systemClock, POLL_MS, signal);
  }
  // The source just ends when it is stopped.
  signal.throwIfAborted();
  core.log.streamEnded(source.cameraId);
  while (core.log.stats().queuedBytes > 0) await sleep(systemClock, POLL_MS, signal);
}

async function annotateStep(core: Core, camera: SiteCamera, step: AnalysedStep, folder: string): Promise<void> {
  const still = await core.vision.still({ cameraId: camera.id, units: [await step.gop.readKeyframe()], frame: 0, format: 'rgb' });
  const name = `${beijingDateTime(step.keyframe.capturedAt).replace(/[ :]/g, '-')}-${step.gop.position.segment}-${step.gop.position.gop}.jpg`;
  writeFileSync(join(folder, name), await annotate(still, step.keyframe, camera));
}

async function until(condition: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await condition())) await sleep(systemClock, 100, signal);
}
