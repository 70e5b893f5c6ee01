import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import sharp from 'sharp';
import { systemClock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { program } from '../../base/program-root.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { FileSource } from '../../ingest/file/file-source.js';
import { berthsOnPicture } from '../../parking/one-picture.js';
import { VisionPool } from '../../vision/child/pool.js';
import type { Observation } from '../../vision/observation.js';
import { describePicture, describePlate, describeTimes, plateWord, sentence, type PictureLine, type PlateLine } from '../analyse/describe.js';
import { inOrder } from '../analyse/in-order.js';
import { listInputs, type InputFile } from '../analyse/inputs.js';
import { Progress } from '../analyse/progress.js';
import { readYaml } from '../config/read-yaml.js';
import { cameraSite, SiteSchema, type SiteCamera } from '../config/site.js';
import { createLogger } from '../log.js';
import { annotate } from '../replay/annotate.js';
import { chooseCamera } from './choose-camera.js';

export interface AnalyseOptions {
  json?: boolean;
  annotate?: string;
  plates?: boolean;
  berths?: string;
  camera?: string;
  manifest?: string;
  children?: string;
  score?: string;
}

/** Larger pictures are refused before they are unpacked. */
const MOST_PIXELS = 60_000_000;
const CHILD_MEMORY = 2 * 1024 ** 3;

type Line = PictureLine | { file: string; width: number; height: number; plate: PlateLine | null; ms: Record<string, number> };

interface Task {
  file: string;
  /** The file's last task. */
  last: boolean;
  look: () => Promise<Line | null>;
}

/** `berthwatch analyse PATHS…`: what the models see on pictures, plate crops and key frames of videos. */
export async function analyse(paths: readonly string[], options: AnalyseOptions): Promise<void> {
  const files = await listInputs(paths);
  const analysis = new Analysis(options, files.length);
  try {
    await analysis.start();
    await analysis.run(files);
  } finally {
    await analysis.close();
  }
  if (analysis.failed > 0) {
    process.stderr.write(`${analysis.failed} of ${files.length} files could not be analysed\n`);
    process.exitCode = 1;
  }
}

class Analysis {
  readonly #options: AnalyseOptions;
  readonly #camera: SiteCamera | null;
  readonly #children: number;
  readonly #pool: VisionPool;
  readonly #progress: Progress;
  failed = 0;

  constructor(options: AnalyseOptions, files: number) {
    this.#options = options;
    this.#camera = options.berths === undefined ? null : chooseCamera(readYaml(options.berths, SiteSchema), options.camera, options.berths);
    if (options.plates === true && this.#camera) throw new BerthwatchError('bad-input', 'ANALYSE_OPTIONS', '--plates takes plate crops, which show no berths: leave --berths out');
    this.#children = readChildren(options.children);
    this.#pool = new VisionPool({
      manifestPath: options.manifest === undefined ? join(program.root, 'models', 'manifest.json') : resolve(options.manifest),
      children: this.#children,
      threads: 1,
      vehicleScore: readScore(options.score),
      memoryLimitBytes: CHILD_MEMORY,
      logger: createLogger('warn', process.stderr),
      clock: systemClock,
    });
    this.#progress = new Progress(files, process.stderr);
  }

  async start(): Promise<void> {
    if (this.#options.annotate !== undefined) mkdirSync(this.#options.annotate, { recursive: true });
    this.#pool.start();
    await this.#pool.ready();
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Pictures and key frames are looked at side by side; output comes in the order of the files. */
  async run(files: readonly InputFile[]): Promise<void> {
    let done = 0;
    for await (const { file, line, error, last } of inOrder(this.#tasks(files), this.#children * 2, (task) => this.#look(task))) {
      if (error !== null) {
        this.failed++;
        this.#progress.clear();
        if (this.#options.json === true) this.#print({ file, error });
        process.stderr.write(`${file}: ${error}\n`);
      } else if (line) this.#line(line);
      this.#progress.show(last ? ++done : done, file);
    }
    this.#progress.clear();
  }

  /** Pictures, and the key frames of videos as they are demuxed: a long video is never held in memory. */
  async *#tasks(files: readonly InputFile[]): AsyncGenerator<Task, void> {
    const names = new Names();
    const source = (file: string): FileSource => new FileSource({ file, cameraId: 'video', startAt: 0, speed: null, clock: systemClock, logger: createLogger('warn', process.stderr) });
    for (const { path, kind } of files) {
      if (kind === 'picture') {
        const name = names.of(path);
        yield { file: path, last: true, look: () => this.#picture(path, name) };
        continue;
      }
      const name = names.of(path);
      let frames = 0;
      let error: unknown = this.#options.plates === true ? new BerthwatchError('bad-input', 'ANALYSE_OPTIONS', '--plates takes pictures of plates, this is a video') : null;
      try {
        if (error === null) {
          for await (const unit of source(path).units(new AbortController().signal)) {
            if (!unit.keyframe) continue;
            frames++;
            yield { file: path, last: false, look: () => this.#keyframe(path, `${name}-${String(unit.capturedAt).padStart(8, '0')}`, unit) };
          }
          if (frames === 0) error = new BerthwatchError('bad-input', 'ANALYSE_INPUT', 'the video has no key frame');
        }
      } catch (caught) {
        error = caught;
      }
      yield { file: path, last: true, look: () => (error === null ? Promise.resolve(null) : Promise.reject(error as Error)) };
    }
  }

  /** One bad file must not cost the other thousands. */
  async #look({ file, last, look }: Task): Promise<{ file: string; last: boolean; line: Line | null; error: string | null }> {
    try {
      return { file, last, line: await look(), error: null };
    } catch (error) {
      return { file, last, line: null, error: messageOf(error) };
    }
  }

  async #picture(path: string, name: string): Promise<Line> {
    const { rgb, width, height } = await readPicture(path);
    const shows = this.#options.plates === true ? 'plate' : 'scene';
    const sight = await this.#pool.see({ cameraId: 'picture', rgb, width, height, regions: this.#regions(width, height), shows });
    if (!sight.observation) return { file: path, width, height, plate: sight.plate && describePlate(sight.plate), ms: describeTimes(sight.times) };
    await this.#annotate(name, { width, height, data: rgb }, sight.observation);
    return describePicture(path, sight.observation, sight.times, this.#berths(sight.observation));
  }

  async #keyframe(path: string, name: string, unit: AccessUnit): Promise<Line> {
    const { data, width, height } = await this.#pool.still({ cameraId: 'video', units: [unit], frame: 0, format: 'rgb' });
    const { observation, times } = await this.#pool.see({ cameraId: 'video', rgb: data, width, height, regions: this.#regions(width, height), shows: 'scene' });
    const seen = observation as Observation;
    await this.#annotate(name, { width, height, data }, seen);
    return describePicture(path, seen, times, this.#berths(seen), unit.capturedAt);
  }

  #regions(width: number, height: number): [number, number][][] {
    const camera = this.#camera;
    return (camera?.berths ?? []).map((berth) => berth.polygon.map(([x, y]) => [(x * width) / (camera as SiteCamera).width, (y * height) / (camera as SiteCamera).height]));
  }

  #berths(observation: Observation): ReturnType<typeof berthsOnPicture> | null {
    return this.#camera && berthsOnPicture(observation, cameraSite(this.#camera));
  }

  async #annotate(name: string, picture: { width: number; height: number; data: Uint8Array }, observation: Observation): Promise<void> {
    if (this.#options.annotate === undefined) return;
    await writeFile(join(this.#options.annotate, `${name}.jpg`), await annotate(picture, observation, this.#camera));
  }

  #line(line: Line): void {
    if (this.#options.json === true) return this.#print(line);
    this.#progress.clear();
    if ('vehicles' in line) process.stdout.write(`${sentence(line)}\n`);
    else process.stdout.write(`${line.file}  ${line.plate === null ? 'no plate' : `${plateWord(line.plate)}  ${line.plate.colour}`}\n`);
  }

  #print(line: object): void {
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}

/** Names of annotated pictures: files of one name may come from several folders, and are told apart in the order in which they were given. */
class Names {
  readonly #used = new Map<string, number>();

  of(path: string): string {
    const stem = basename(path, extname(path));
    const number = (this.#used.get(stem) ?? 0) + 1;
    this.#used.set(stem, number);
    return number > 1 ? `${stem}~${number}` : stem;
  }
}

async function readPicture(path: string): Promise<{ rgb: Uint8Array; width: number; height: number }> {
  try {
    const { data, info } = await sharp(path, { limitInputPixels: MOST_PIXELS, failOn: 'error' }).rotate().flatten({ background: '#727272' }).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
    return { rgb: info.channels === 3 ? data : await sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } }).toColourspace('srgb').removeAlpha().raw().toBuffer(), width: info.width, height: info.height };
  } catch (cause) {
    throw new BerthwatchError('bad-input', 'ANALYSE_PICTURE', `no picture that can be read: ${messageOf(cause)}`, { cause });
  }
}

function readScore(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const score = Number(text);
  if (!(score > 0 && score < 1)) throw new BerthwatchError('bad-input', 'ANALYSE_OPTIONS', `--score "${text}" must be a number between 0 and 1`);
  return score;
}

function readChildren(text: string | undefined): number {
  if (text === undefined) return Math.max(1, Math.min(8, availableParallelism() - 1));
  const children = Number(text);
  if (!Number.isInteger(children) || children < 1 || children > 64) throw new BerthwatchError('bad-input', 'ANALYSE_OPTIONS', `--children "${text}" must be a whole number from 1 to 64`);
  return children;
}
