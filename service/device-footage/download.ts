import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import { RecordingClock } from '../../ingest/media/recording-clock.js';
import type { SiteCamera } from '../config/site.js';
import type { CallEnd, MediaCalls } from '../live/media-calls.js';
import { MovieWriter, type MoviePiece } from './movie-writer.js';

export interface DownloadParts {
  calls: MediaCalls;
  clock: Clock;
  camera: SiteCamera;
  from: number;
  to: number;
  speed: number;
  /** File that the pictures go into until they are complete. */
  path: string;
  /** What came is kept also where the call broke off; else that is an error, and worth another attempt. */
  keepsPart: boolean;
  signal: AbortSignal;
  onProgress(progress: DownloadProgress): void;
}

export interface DownloadProgress {
  firstAt: number | null;
  lastAt: number | null;
  /** Written so far. */
  bytes: number;
  announcedBytes: number | null;
  codec: string | null;
  gaps: { from: number; to: number }[];
}

export interface DownloadResult extends DownloadProgress {
  /** Whether pictures reach to the end of what was asked for. */
  complete: boolean;
  /** Why they do not, for people. */
  note: string | null;
}

/** Pictures may end so long before what was asked for, and be taken for all of it: devices round to their groups of pictures. */
const END_TOLERANCE_MS = 5_000;
/** Longer without a picture is a gap of the recording. */
const GAP_MS = 5_000;
/** Bytes on their way to the disk: a disk that falls so far behind cannot take this download. */
const MOST_UNWRITTEN = 128 * 1024 * 1024;
/** A download whose pictures do not come forward for so long is over. */
const STUCK_MS = 60_000;
/** No more than this many gaps are listed. */
const MOST_GAPS = 1000;

/**
 * Fetches what a device recorded into a file (GB/T 28181-2016 9.9). It is over when the device says so (MediaStatus 121, BYE), when the
 * pictures reach the end, or when no more come; what came until then is kept.
 * @throws BerthwatchError where not a single picture came, or the disk failed; or the signal's reason
 */
export async function download(parts: DownloadParts): Promise<DownloadResult> {
  const { calls, clock, camera, from, to, speed, path, signal, onProgress } = parts;
  const progress: DownloadProgress = { firstAt: null, lastAt: null, bytes: 0, announcedBytes: null, codec: null, gaps: [] };
  const file = await FileWriter.create(path);
  let stop: (end: { reason: string; complete: boolean | null }) => void = () => undefined;
  const stopped = new Promise<{ reason: string; complete: boolean | null }>((resolve) => (stop = resolve));
  const movie = new MovieWriter({
    cameraId: camera.id,
    reason: 'fetched from the device',
    onPiece: (piece: MoviePiece) => {
      file.write(piece.bytes);
      progress.bytes += piece.bytes.length;
      progress.codec = movie.codec;
      if (piece.times) addTimes(progress, piece.times);
      if (file.unwritten > MOST_UNWRITTEN) stop({ reason: 'the disk is slower than the device sends: ask for a lower speed', complete: false });
      onProgress({ ...progress });
    },
    onCodecChange: () => stop({ reason: 'the recording goes on in another codec, which one file cannot hold: fetch the rest by itself', complete: false }),
  });
  try {
    const call = await calls.open({
      camera,
      stream: 'main',
      recording: { kind: 'download', from, to, speed },
      pictureClock: new RecordingClock(from, to),
      signal,
      onUnit: (unit) => {
        movie.push(unit);
        // It began up to a group of pictures before what was asked for, and is counted from there.
        if (unit.capturedAt >= to + END_TOLERANCE_MS) stop({ reason: 'everything has come', complete: true });
      },
      onEvent: () => undefined,
    });
    progress.announcedBytes = call.session.answer.fileSize;
    const { keepsPart } = parts;
    const cancelWatch = watchProgress(clock, progress, stop);
    let how: { reason: string; complete: boolean | null };
    try {
      how = await Promise.race([stopped, file.failed, call.ended.then((end) => endedBy(end, keepsPart)), aborted(signal)]);
    } finally {
      cancelWatch();
      await call.close();
    }
    signal.throwIfAborted();
    movie.end();
    await file.close();
    if (progress.lastAt === null) throw new BerthwatchError('unavailable', 'DEVICE_RECORDING_EMPTY', `camera ${camera.id} sent no picture of the time that was asked for: ${how.reason}`);
    const complete = how.complete ?? progress.lastAt >= to - END_TOLERANCE_MS;
    return { ...progress, complete, note: complete ? null : `it ends ${Math.round((to - progress.lastAt) / 1000)} s early: ${how.reason}` };
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error;
  }
}

/** Ends what does not come forward: a device may send the same pictures for ever. */
function watchProgress(clock: Clock, progress: DownloadProgress, stop: (end: { reason: string; complete: null }) => void): () => void {
  let before = progress.lastAt;
  let cancel = (): void => undefined;
  const again = (): void => {
    cancel = clock.after(STUCK_MS, () => {
      if (progress.lastAt === before) return stop({ reason: `what came in the last ${STUCK_MS / 1000} s was nothing new`, complete: null });
      before = progress.lastAt;
      again();
    });
  };
  again();
  return () => cancel();
}

const BROKEN_OFF: readonly CallEnd['cause'][] = ['offline', 'lost', 'socket', 'replaced'];

/** A device that says that it is done, or sends no more, may have recorded less than was asked for: then the pictures tell. */
function endedBy({ cause, reason }: CallEnd, keepsPart: boolean): { reason: string; complete: null } {
  if (BROKEN_OFF.includes(cause) && !keepsPart) throw new BerthwatchError('unavailable', 'DEVICE_RECORDING_BROKEN', `the download broke off: ${reason}`);
  return { reason, complete: null };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}

function addTimes(progress: DownloadProgress, times: { from: number; to: number }): void {
  progress.firstAt ??= times.from;
  if (progress.lastAt !== null && times.from - progress.lastAt > GAP_MS && progress.gaps.length < MOST_GAPS) progress.gaps = [...progress.gaps, { from: progress.lastAt, to: times.from }];
  progress.lastAt = Math.max(progress.lastAt ?? 0, times.to);
}

/** Writes in order; its first failure is told once. */
class FileWriter {
  readonly #file: FileHandle;
  #queue: Promise<void> = Promise.resolve();
  #reject: (error: Error) => void = () => undefined;
  #closed = false;
  unwritten = 0;
  readonly failed: Promise<never>;

  private constructor(file: FileHandle) {
    this.#file = file;
    this.failed = new Promise((_, reject) => (this.#reject = reject));
    this.failed.catch(() => undefined);
  }

  static async create(path: string): Promise<FileWriter> {
    try {
      await mkdir(dirname(path), { recursive: true });
      return new FileWriter(await open(path, 'w', 0o640));
    } catch (cause) {
      throw diskFailure(path, cause);
    }
  }

  write(bytes: Buffer): void {
    this.unwritten += bytes.length;
    this.#queue = this.#queue.then(async () => {
      for (let done = 0; done < bytes.length; ) done += (await this.#file.write(bytes, done)).bytesWritten;
      this.unwritten -= bytes.length;
    });
    this.#queue.catch((error: unknown) => this.#reject(diskFailure('the temporary file', error)));
  }

  /** @throws BerthwatchError unavailable where something could not be written */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#queue;
    } catch (cause) {
      throw diskFailure('the temporary file', cause);
    } finally {
      await this.#file.close();
    }
  }
}

function diskFailure(what: string, cause: unknown): BerthwatchError {
  return new BerthwatchError('unavailable', 'DEVICE_RECORDING_DISK', `${what} cannot be written: ${messageOf(cause)}`, { cause });
}
