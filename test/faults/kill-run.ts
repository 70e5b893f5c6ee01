import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../base/fuzz-target.js';
import { pause } from '../system/support/street.js';
import { cameraId, GOP_MS, KillRig } from './kill-rig.js';
import { surveyFootage, type FootageSurvey } from './survey.js';

export interface KillRound {
  killedAt: number;
  /** Of each camera: how much of what the process had received the next one did not find, ms. */
  missingMs: number[];
  /** From the start of the next process until it served, and until all cameras streamed again, ms. */
  startMs: number;
  streamingMs: number;
}

export interface KillResult {
  rounds: KillRound[];
  survey: FootageSurvey;
  /** What must not be; empty where all is well. */
  faults: string[];
}

export interface KillOptions {
  folder: string;
  cameras: number;
  kills: number;
  seed: number;
  /** Beyond the GOP in flight: how long a flush may take on a busy machine, ms. */
  graceMs: number;
  progress: (text: string) => void;
}

interface State {
  cameras: number;
  rounds: KillRound[];
  /** When a later run went on with the folder, Unix ms: nothing was recorded before. */
  resumed: number[];
}

/**
 * Records many cameras and SIGKILLs the service at random instants, again and again. After each kill the next start must find all
 * footage up to the GOP that was in flight; at the end every row must have its file, every file its row, and every segment must play.
 * Goes on where an earlier run on the same folder stopped.
 */
export async function killRun(options: KillOptions): Promise<KillResult> {
  const { folder, cameras, kills, graceMs, progress } = options;
  const stateFile = join(folder, 'kills.json');
  const state: State = existsSync(stateFile) ? (JSON.parse(readFileSync(stateFile, 'utf8')) as State) : { cameras, rounds: [], resumed: [] };
  if (state.cameras !== cameras) throw new Error(`${folder} is of a run with ${state.cameras} cameras`);
  const save = (): void => {
    writeFileSync(`${stateFile}.new`, JSON.stringify(state));
    renameSync(`${stateFile}.new`, stateFile);
  };
  if (state.rounds.length > 0) {
    progress(`going on after ${state.rounds.length} kills`);
    state.resumed.push(Date.now());
    save();
  }
  const random = seededRandom(options.seed + state.rounds.length);
  const rig = new KillRig(folder, cameras);
  try {
    await rig.prepare();
    await rig.start();
    let first = await rig.recording();
    while (state.rounds.length < kills) {
      await pause(500 + random() * 3_500);
      const received = await rig.received();
      const killedAt = await rig.kill();
      const startMs = await rig.start();
      const missingMs = await missing(rig, killedAt, first, received);
      const began = performance.now();
      first = await rig.recording();
      state.rounds.push({ killedAt, missingMs, startMs, streamingMs: startMs + performance.now() - began });
      save();
      progress(`kill ${state.rounds.length}/${kills}: ${cameras} cameras lost ${Math.round(Math.min(...missingMs))} to ${Math.round(Math.max(...missingMs))} ms, up again in ${(startMs / 1000).toFixed(1)} s, all streaming after ${((startMs + performance.now() - began) / 1000).toFixed(1)} s`);
    }
    await pause(2_000);
    await rig.stop();
    progress('looking at every file and every row');
    const survey = await surveyFootage(rig.dataFolder, [...state.rounds.map(({ killedAt }) => killedAt), ...state.resumed], progress);
    return { rounds: state.rounds, survey, faults: [...lost(state.rounds, GOP_MS + graceMs), ...survey.faults] };
  } finally {
    await rig.close();
  }
}

/** How much of what was received of each camera the next start did not find; of a stream without footage yet, counted from its beginning. */
async function missing(rig: KillRig, killedAt: number, first: ReadonlyMap<string, number>, received: ReadonlyMap<string, number>): Promise<number[]> {
  const { rows } = await rig.database.query<{ camera_id: string; ended_at: number }>(
    'SELECT camera_id, max(ended_at)::int8 AS ended_at FROM footage_segment WHERE started_at < $1 GROUP BY 1',
    [killedAt],
  );
  const ends = new Map(rows.map((row) => [row.camera_id, row.ended_at]));
  return Array.from({ length: rig.cameras }, (_, i) => {
    const camera = cameraId(i);
    return Math.max(0, (received.get(camera) ?? 0) - Math.max(ends.get(camera) ?? 0, first.get(camera) ?? 0));
  });
}

function lost(rounds: readonly KillRound[], mostMs: number): string[] {
  return rounds.flatMap(({ missingMs }, round) => missingMs.flatMap((ms, camera) => (ms > mostMs ? [`kill ${round + 1}: camera ${cameraId(camera)} lost ${Math.round(ms)} ms, more than the GOP in flight`] : [])));
}

/** The results as a table of text. */
export function killTable({ rounds, survey, faults }: KillResult): string {
  const all = rounds.flatMap((round) => round.missingMs).sort((a, b) => a - b);
  const at = (share: number): string => `${Math.round(all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0)} ms`;
  const mean = (values: number[]): string => `${(values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length) / 1000).toFixed(1)} s`;
  const cameras = rounds[0]?.missingMs.length ?? 0;
  const lines: [string, string][] = [
    ['kills', `${rounds.length}, while ${cameras} cameras recorded: ${all.length} camera-kills`],
    ['missing per kill and camera', `median ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}`],
    ['the same in GOPs', `most ${((all.at(-1) ?? 0) / GOP_MS).toFixed(2)}; more than the one in flight: ${all.filter((ms) => ms > GOP_MS).length} of ${all.length} camera-kills (a GOP is ${GOP_MS} ms)`],
    ['until it serves again', mean(rounds.map((round) => round.startMs))],
    ['until all cameras stream', mean(rounds.map((round) => round.streamingMs))],
    ['segments', `${survey.rows} rows, ${survey.files} files, ${survey.recovered} of them sealed by recovery`],
    ['played by ffprobe', `${survey.played} of ${survey.files}`],
    ['GOPs', `${survey.gops}, ${survey.units} pictures`],
    ['holes that no kill explains', String(survey.holes)],
    ['faults', faults.length === 0 ? 'none' : String(faults.length)],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return [...lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`), ...faults.slice(0, 40).map((fault) => `  ${fault}`)].join('\n');
}
