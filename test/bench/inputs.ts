import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.js';
import type { Polygon } from '../../base/geometry.js';
import { silentLogger } from '../../base/logger.js';
import { program } from '../../base/program-root.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { FileSource } from '../../ingest/file/file-source.js';

/** A recording with what is known of it. */
export interface Clip {
  file: string;
  /** For people: where it comes from. */
  what: string;
  /** Berth polygons of its pictures; empty where there are none. */
  berths: Polygon[];
}

/** Pictures of a clip that are measured; more would only make a round longer. */
const MOST_UNITS = 500;
const GENERATED_SECONDS = 10;

/**
 * What the rows work on: the demo's clip with its berths where it is in the checkout, else a generated picture; and a stream
 * of camera bit rate made from either. Made files are kept below `node_modules/.cache`.
 */
export class Inputs {
  readonly #folder = join(program.root, 'node_modules', '.cache', 'berthwatch-bench');
  #units: Promise<AccessUnit[]> | null = null;

  /** 1080p pictures to decode and look at. */
  pictures(): Clip {
    const file = join(program.root, 'test', 'fixtures', 'scenes', 'day-parallel.mp4');
    const truthFile = join(program.root, 'test', 'fixtures', 'scenes', 'day-parallel.truth.json');
    if (existsSync(file) && existsSync(truthFile)) {
      const truth = JSON.parse(readFileSync(truthFile, 'utf8')) as { berths: { polygon: Polygon }[] };
      return { file, what: 'demo clip day-parallel.mp4 (1080p H.264)', berths: truth.berths.map((berth) => berth.polygon) };
    }
    return { file: this.#generated(), what: 'generated test picture (1080p H.264): the demo clip is not in the checkout', berths: [] };
  }

  /** Ten seconds of 1080p25 H.264 at 4 Mb/s with a key frame each second, as a camera sends them. */
  stream(): Clip {
    const source = this.pictures();
    const name = source.berths.length > 0 ? 'stream-demo' : 'stream-generated';
    const file = this.#made(`${name}.mp4`, [
      '-stream_loop', '-1', '-t', String(GENERATED_SECONDS), '-i', source.file, '-vf', 'scale=1920:1080,fps=25,noise=alls=8:allf=t', '-an',
      '-c:v', 'libx264', '-preset', 'ultrafast', '-b:v', '4M', '-minrate', '4M', '-maxrate', '4M', '-bufsize', '2M',
      '-x264-params', 'keyint=25:min-keyint=25:scenecut=0:bframes=0:repeat-headers=1:open-gop=0', '-pix_fmt', 'yuv420p',
    ]);
    return { file, what: `4 Mb/s 1080p25 H.264 from the ${source.what}`, berths: source.berths };
  }

  /** The first access units of the pictures. */
  units(): Promise<AccessUnit[]> {
    this.#units ??= (async () => {
      const units: AccessUnit[] = [];
      const abort = new AbortController();
      const source = new FileSource({ file: this.pictures().file, cameraId: 'bench', startAt: 1_767_225_600_000, speed: null, clock: systemClock, logger: silentLogger });
      for await (const unit of source.units(abort.signal)) {
        if (units.length >= MOST_UNITS && unit.keyframe) abort.abort();
        else units.push(unit);
      }
      return units;
    })();
    return this.#units;
  }

  /** A file of exactly the pictures of `units()`, for programs that take files. */
  unitsFile(pictures: number): string {
    return this.#made(`pictures-${this.pictures().berths.length > 0 ? 'demo' : 'generated'}-${pictures}.mp4`, ['-i', this.pictures().file, '-frames:v', String(pictures), '-c', 'copy', '-an']);
  }

  /** A place for other made files, kept between runs. */
  path(name: string): string {
    mkdirSync(this.#folder, { recursive: true });
    return join(this.#folder, name);
  }

  #generated(): string {
    return this.#made('generated.mp4', [
      '-f', 'lavfi', '-i', `testsrc2=size=1920x1080:rate=25:duration=${GENERATED_SECONDS}`, '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '28',
      '-x264-params', 'keyint=25:min-keyint=25:scenecut=0:bframes=0:repeat-headers=1:open-gop=0', '-pix_fmt', 'yuv420p',
    ]);
  }

  /** Runs ffmpeg once for a file that is not there yet. */
  #made(name: string, args: readonly string[]): string {
    const file = this.path(name);
    if (!existsSync(file)) {
      const making = this.path(`making-${process.pid}-${name}`);
      execFileSync('ffmpeg', ['-v', 'error', '-y', ...args, making], { stdio: ['ignore', 'ignore', 'inherit'] });
      renameSync(making, file);
    }
    return file;
  }
}
