import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Can this program be run here? Says so where not; under CI, which installs all of them, a missing one is a failure. */
export function hasProgram(name: string): boolean {
  if (spawnSync(name, ['-version'], { stdio: 'ignore' }).status === 0) return true;
  if (process.env['CI'] === 'true') throw new Error(`${name} is not installed; .ci/run must install it`);
  process.stderr.write(`skipping tests that need ${name}: it is not installed\n`);
  return false;
}

/** A temporary folder that is gone after `remove`. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'camera-sim-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Encodes a small moving test picture as the demo clips are encoded: no B-frames, closed GOPs. Needs ffmpeg. */
export function makeTestClip(folder: string, codec: 'h264' | 'h265', options: { seconds?: number; gop?: number; size?: string; fps?: number; quality?: number } = {}): string {
  const { seconds = 2, gop = 10, size = '320x240', fps = 25, quality = 30 } = options;
  const path = join(folder, `${codec}-${seconds}-${size}.mp4`);
  const parameters = `keyint=${gop}:min-keyint=${gop}:scenecut=0:bframes=0:repeat-headers=1:open-gop=0`;
  const encoder = codec === 'h264' ? ['-c:v', 'libx264', '-x264-params', parameters] : ['-c:v', 'libx265', '-x265-params', `${parameters}:log-level=error`, '-tag:v', 'hvc1'];
  execFileSync('ffmpeg', [
    '-v', 'error', '-y', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${fps}:duration=${seconds}`, '-pix_fmt', 'yuv420p', '-crf', String(quality), '-preset', 'ultrafast', ...encoder, path,
  ]);
  return path;
}

/** MD5 of every decoded picture, in order: equal lists mean equal pictures. */
export function pictureHashes(path: string, format?: string): string[] {
  const input = format === undefined ? ['-i', path] : ['-f', format, '-i', path];
  const output = execFileSync('ffmpeg', ['-v', 'error', ...input, '-map', '0:v', '-fps_mode', 'passthrough', '-f', 'framemd5', '-'], { maxBuffer: 64 << 20 }).toString();
  return output.split('\n').filter((line) => /^\d/.test(line)).map((line) => line.split(',').at(-1)!.trim());
}

/** Facts about the streams of a file, by ffprobe. */
export function probe(path: string, format?: string): { codec_name: string; codec_type: string; width?: number; height?: number }[] {
  const input = format === undefined ? [path] : ['-f', format, path];
  const output = execFileSync('ffprobe', ['-v', 'error', '-show_streams', '-of', 'json', ...input]).toString();
  return (JSON.parse(output) as { streams: { codec_name: string; codec_type: string; width?: number; height?: number }[] }).streams;
}
