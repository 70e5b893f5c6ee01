import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { silentLogger } from '../../base/logger.js';
import { Database } from '../../storage/catalogue/database.js';
import { EmbeddedPostgres } from '../../storage/catalogue/embedded-postgres.js';
import { FootageLog } from '../../storage/footage/footage-log.js';

const run = promisify(execFile);

export interface FootageSurvey {
  rows: number;
  files: number;
  recovered: number;
  played: number;
  gops: number;
  units: number;
  /** Times without footage inside of what was recorded between two kills. */
  holes: number;
  faults: string[];
}

/** Longest time between two pictures that follow one another, ms. */
const STEP_MS = 500;
/** Of a stream whose first picture came late on a busy machine, capture times lie ahead of the clock. */
const AHEAD_MS = 2_000;
/** A stream that begins again after a kill may need so long. */
const RESTART_MS = 240_000;
const PLAYERS = 2;
/** Segments that one process of the player reads: its start takes longer than a segment. */
const PLAYED_TOGETHER = 50;

/** Looks at all footage of a stopped service: rows against files, hashes, what a player says, and where pictures are missing. */
export async function surveyFootage(dataFolder: string, kills: readonly number[], progress: (text: string) => void): Promise<FootageSurvey> {
  const postgres = new EmbeddedPostgres({ folder: join(dataFolder, 'postgres'), logger: silentLogger, clock: systemClock });
  await postgres.start();
  const database = new Database({ address: postgres.address, clock: systemClock, logger: silentLogger });
  const folder = join(dataFolder, 'footage');
  const survey: FootageSurvey = { rows: 0, files: 0, recovered: 0, played: 0, gops: 0, units: 0, holes: 0, faults: [] };
  try {
    const { rows } = await database.query<{ camera_id: string; segment: number; state: string; sha256: Buffer; units: number; recovered: boolean }>('SELECT camera_id, segment, state, sha256, units, recovered FROM footage_segment ORDER BY camera_id, segment');
    survey.rows = rows.length;
    survey.recovered = rows.filter((row) => row.recovered).length;
    const known = new Set<string>();
    const whole: { path: string; units: number }[] = [];
    for (const row of rows) {
      const path = join(folder, 'cameras', row.camera_id, `${String(row.segment).padStart(8, '0')}.mp4`);
      known.add(path);
      if (row.state !== 'sealed') survey.faults.push(`${path}: its row is ${row.state}`);
      try {
        if ((await sha256(path)) !== row.sha256.toString('hex')) survey.faults.push(`${path}: the file does not have the SHA-256 of its row`);
        whole.push({ path, units: row.units });
      } catch (error) {
        survey.faults.push(`${path}: ${messageOf(error)}`);
      }
    }
    for (const camera of readdirSync(join(folder, 'cameras'))) {
      for (const name of readdirSync(join(folder, 'cameras', camera))) {
        survey.files++;
        const path = join(folder, 'cameras', camera, name);
        if (!known.has(path)) survey.faults.push(`${path}: the file has no row`);
      }
    }
    const list = join(dataFolder, 'play');
    await Promise.all(Array.from({ length: PLAYERS }, async (_, player) => {
      while (whole.length > 0) {
        const some = whole.splice(0, PLAYED_TOGETHER);
        await playTogether(some, `${list}-${player}.txt`, survey);
        progress(`${survey.played} segments played`);
      }
      rmSync(`${list}-${player}.txt`, { force: true });
    }));
    await readAll(folder, database, kills, survey);
    return survey;
  } finally {
    await database.close();
    await postgres.stop();
  }
}

/** Reads every picture of every camera, and tells where one is missing that no kill explains. */
async function readAll(folder: string, database: Database, kills: readonly number[], survey: FootageSurvey): Promise<void> {
  const log = new FootageLog({ folder, database, clock: systemClock, logger: silentLogger });
  const report = await log.start();
  if (report.recovered.length > 0 || report.lost.length > 0 || report.foreign.length > 0) survey.faults.push(`after an orderly stop there was still something to repair: ${JSON.stringify({ recovered: report.recovered.length, lost: report.lost, foreign: report.foreign })}`);
  for (const camera of log.cameras()) {
    let last: number | null = null;
    for (const gop of await log.gopsBetween(camera, 0, Number.MAX_SAFE_INTEGER)) {
      survey.gops++;
      for (const unit of await gop.read()) {
        survey.units++;
        const before: number | null = last;
        last = unit.capturedAt;
        if (before === null || unit.capturedAt - before <= STEP_MS) continue;
        const from = before;
        if (kills.some((kill) => kill >= from - AHEAD_MS && kill <= unit.capturedAt && unit.capturedAt - kill < RESTART_MS)) continue;
        survey.holes++;
        survey.faults.push(`${camera}: no pictures for ${unit.capturedAt - from} ms after ${new Date(from).toISOString()}, and nobody killed anything then`);
      }
    }
  }
  await log.close();
}

/** A player that is not ours reads all pictures of some segments without a complaint; where it does not, one by one, to say which. */
async function playTogether(segments: readonly { path: string; units: number }[], list: string, survey: FootageSurvey): Promise<void> {
  try {
    writeFileSync(list, segments.map(({ path }) => `file '${path.replaceAll("'", "'\\''")}'\n`).join(''));
    await play(['-f', 'concat', '-safe', '0', list], segments.reduce((sum, { units }) => sum + units, 0));
    survey.played += segments.length;
  } catch {
    for (const { path, units } of segments) {
      try {
        await play([path], units);
        survey.played++;
      } catch (error) {
        survey.faults.push(`${path}: ${messageOf(error)}`);
      }
    }
  }
}

async function play(input: readonly string[], units: number): Promise<void> {
  const { stdout, stderr } = await run('ffprobe', ['-v', 'error', '-select_streams', 'v', '-count_packets', '-show_entries', 'stream=nb_read_packets', '-of', 'csv=p=0', ...input]);
  if (stderr.trim() !== '') throw new Error(`ffprobe complains: ${stderr.trim().slice(0, 200)}`);
  if (Number(stdout.trim()) !== units) throw new Error(`ffprobe finds ${stdout.trim()} pictures, the row says ${units}`);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
