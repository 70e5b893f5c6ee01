import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { ByteRange, ObjectContent, ObjectInfo, ObjectStore } from '../../storage/objects/object-store.js';
import type { SiteCamera } from '../config/site.js';
import type { MediaCalls } from '../live/media-calls.js';
import { download, type DownloadProgress } from './download.js';
import type { DeviceRecording, RecordingRecords } from './recording-records.js';

export interface DeviceRecordingsOptions {
  records: RecordingRecords;
  objects: ObjectStore;
  calls: MediaCalls;
  camera: (cameraId: string) => SiteCamera | undefined;
  clock: Clock;
  logger: Logger;
  /** Holds what is being fetched. */
  folder: string;
  /** Fetched at once, over all devices; one at a time from each. */
  atOnce: number;
  /** Times normal speed asked for unless a wish says otherwise. */
  speed: number;
  /** Waits after a failed attempt: doubled from the first to the second. */
  retry: { firstMs: number; longestMs: number };
}

/** A recording with how far its fetching has come, 0 to 1. */
export type DeviceRecordingView = DeviceRecording & { progress: number };

const MOST_ATTEMPTS = 8;
const LONGEST_MS = 24 * 3_600_000;
const MOST_WAITING = 1000;
/** How often progress is written down; people asking meanwhile get it from memory. */
const SAVE_EVERY_MS = 5_000;

interface Running {
  abort: AbortController;
  progress: DownloadProgress;
  done: Promise<void>;
}

/**
 * Fetches what cameras recorded while we were away into the object store, one MP4 for each wish. Wishes survive a restart; a device that
 * is away or fails is tried again, with growing pauses.
 */
export class DeviceRecordings {
  readonly #options: DeviceRecordingsOptions;
  readonly #waiting = new Map<string, DeviceRecording & { notBefore: number }>();
  readonly #running = new Map<string, Running & { deviceId: string }>();
  #cancelTimer: () => void = () => undefined;
  #closed = false;

  constructor(options: DeviceRecordingsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { records, folder } = this.#options;
    await rm(folder, { recursive: true, force: true });
    for (const recording of await records.unfinished()) {
      await records.update(recording.id, { state: 'queued', bytes: 0, firstAt: null, lastAt: null, gaps: [] });
      this.#waiting.set(recording.id, { ...recording, state: 'queued', bytes: 0, firstAt: null, lastAt: null, gaps: [], notBefore: 0 });
    }
    this.#pump();
  }

  /** What is being fetched is given up, and begun again by the next run. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort(new Error('the service is stopping'));
    await Promise.all(running.map(({ done }) => done));
  }

  /** @throws BerthwatchError not-found, bad-input, conflict (the same time is wanted or there already), unavailable */
  async request(wish: { cameraId: string; from: number; to: number; speed?: number | undefined }): Promise<DeviceRecordingView> {
    const { records, camera, clock, speed } = this.#options;
    const gb = camera(wish.cameraId);
    if (!gb) throw new BerthwatchError('not-found', 'DEVICE_RECORDING_CAMERA', `there is no camera ${wish.cameraId}`);
    if (!gb.gb28181) throw new BerthwatchError('bad-input', 'CAMERA_NO_GB28181', `camera ${wish.cameraId} is no GB/T 28181 camera: what it recorded cannot be fetched`);
    // The wire carries whole seconds.
    const from = Math.floor(wish.from / 1000) * 1000;
    const to = Math.ceil(wish.to / 1000) * 1000;
    if (!(wish.to > wish.from) || to - from > LONGEST_MS) throw new BerthwatchError('bad-input', 'DEVICE_RECORDING_TIMES', 'ask for a time of at most 24 hours, from an instant to a later one');
    if (from > clock.now()) throw new BerthwatchError('bad-input', 'DEVICE_RECORDING_TIMES', 'that time has not come yet');
    if (this.#waiting.size >= MOST_WAITING) throw new BerthwatchError('unavailable', 'DEVICE_RECORDING_QUEUE', `${MOST_WAITING} recordings are waiting to be fetched already`);
    const recording = await records.add({ id: randomUUID(), cameraId: wish.cameraId, from, to, speed: wish.speed ?? speed, createdAt: clock.now() });
    this.#waiting.set(recording.id, { ...recording, notBefore: 0 });
    this.#pump();
    return this.#view(recording);
  }

  async list(filter: { cameraId?: string | undefined; limit: number }): Promise<DeviceRecordingView[]> {
    return (await this.#options.records.list(filter)).map((recording) => this.#view(recording));
  }

  /** @throws BerthwatchError not-found */
  async get(id: string): Promise<DeviceRecordingView> {
    return this.#view(await this.#one(id));
  }

  /** Gives up what waits or is being fetched; deletes what has been. @throws BerthwatchError not-found */
  async remove(id: string): Promise<void> {
    const { records, objects, clock } = this.#options;
    const recording = await this.#one(id);
    this.#waiting.delete(id);
    const running = this.#running.get(id);
    if (running) {
      running.abort.abort(new BerthwatchError('conflict', 'DEVICE_RECORDING_CANCELLED', 'it was given up'));
      await running.done;
    }
    const now = running ? await this.#one(id) : recording;
    if (now.state === 'queued' || now.state === 'running') {
      await records.update(id, { state: 'cancelled', finishedAt: clock.now(), note: 'it was given up' });
      return;
    }
    if (now.state === 'cancelled' && recording.state !== 'cancelled') return;
    if (now.objectKey !== null) await objects.delete(now.objectKey);
    await records.remove(id);
  }

  /** Its file. @throws BerthwatchError not-found, conflict (it is not there yet) */
  async info(id: string): Promise<ObjectInfo> {
    const info = await this.#options.objects.head(await this.#keyOf(id));
    if (!info) throw new BerthwatchError('not-found', 'DEVICE_RECORDING_GONE', `the file of device recording ${id} is not in the object store any more: delete the recording and ask for it again`);
    return info;
  }

  /** To be read once. @throws BerthwatchError as `info`; bad-input (a range beyond its end) */
  async content(id: string, range?: ByteRange): Promise<ObjectContent> {
    return this.#options.objects.get(await this.#keyOf(id), range);
  }

  async #keyOf(id: string): Promise<string> {
    const { objectKey, state, note } = await this.#one(id);
    if (objectKey === null) throw new BerthwatchError('conflict', 'DEVICE_RECORDING_NOT_THERE', `recording ${id} is ${state}${note ? `: ${note}` : ''}`);
    return objectKey;
  }

  async #one(id: string): Promise<DeviceRecording> {
    const recording = await this.#options.records.get(id);
    if (!recording) throw new BerthwatchError('not-found', 'DEVICE_RECORDING', `there is no device recording ${id}`);
    return recording;
  }

  #view(stored: DeviceRecording): DeviceRecordingView {
    const running = this.#running.get(stored.id);
    const recording = running ? { ...stored, ...running.progress, state: 'running' as const } : stored;
    const { from, to, lastAt, state } = recording;
    const progress = state === 'done' ? 1 : lastAt === null ? 0 : Math.min(1, Math.max(0, (lastAt - from) / (to - from)));
    return { ...recording, progress };
  }

  #pump(): void {
    if (this.#closed) return;
    const { atOnce, clock, camera } = this.#options;
    const now = clock.monotonic();
    for (const recording of this.#waiting.values()) {
      if (this.#running.size >= atOnce) break;
      if (recording.notBefore > now) continue;
      const deviceId = camera(recording.cameraId)?.gb28181?.deviceId ?? '';
      if ([...this.#running.values()].some((running) => running.deviceId === deviceId)) continue;
      this.#waiting.delete(recording.id);
      this.#begin(recording, deviceId);
    }
    this.#cancelTimer();
    const next = Math.min(...[...this.#waiting.values()].map(({ notBefore }) => notBefore).filter((at) => at > now));
    if (Number.isFinite(next)) this.#cancelTimer = clock.after(next - now, () => this.#pump());
  }

  #begin(recording: DeviceRecording, deviceId: string): void {
    const abort = new AbortController();
    const progress: DownloadProgress = { firstAt: null, lastAt: null, bytes: 0, announcedBytes: null, codec: null, gaps: [] };
    const running: Running & { deviceId: string } = { abort, progress, deviceId, done: Promise.resolve() };
    this.#running.set(recording.id, running);
    running.done = this.#fetch({ ...recording, attempts: recording.attempts + 1 }, running)
      .catch((error: unknown) => this.#options.logger.error({ recording: recording.id, error: messageOf(error) }, 'a device recording cannot be accounted for'))
      .finally(() => {
        this.#running.delete(recording.id);
        this.#pump();
      });
  }

  async #fetch(recording: DeviceRecording, running: Running): Promise<void> {
    const { records, clock, logger, folder, objects, calls } = this.#options;
    const { id, cameraId, from, to } = recording;
    const path = join(folder, `${id}.part`);
    let savedAt = clock.monotonic();
    try {
      const camera = this.#options.camera(cameraId);
      if (!camera) throw new BerthwatchError('not-found', 'DEVICE_RECORDING_CAMERA', `camera ${cameraId} is no longer in the site`);
      await records.update(id, { state: 'running', attempts: recording.attempts, note: null });
      const result = await download({
        calls,
        clock,
        camera,
        from,
        to,
        speed: recording.speed,
        path,
        keepsPart: recording.attempts >= MOST_ATTEMPTS,
        signal: running.abort.signal,
        onProgress: (progress) => {
          running.progress = progress;
          if (clock.monotonic() - savedAt < SAVE_EVERY_MS) return;
          savedAt = clock.monotonic();
          records.update(id, progress).catch(() => undefined);
        },
      });
      const { complete, note, ...progress } = result;
      const objectKey = `device-recordings/${cameraId}/${from}-${to}.mp4`;
      const { size } = await stat(path);
      const { sha256 } = await objects.put(objectKey, { size, stream: createReadStream(path) }, { contentType: 'video/mp4' });
      await records.update(id, { ...progress, state: 'done', finishedAt: clock.now(), complete, note, objectKey, sha256 });
      logger.info({ cameraId, recording: id, from, to, bytes: size, complete, gaps: progress.gaps.length }, 'a device recording was fetched');
    } catch (error) {
      await this.#failed(recording, running, error);
    } finally {
      await rm(path, { force: true });
    }
  }

  async #failed(recording: DeviceRecording, running: Running, error: unknown): Promise<void> {
    const { records, clock, logger, retry } = this.#options;
    const { id, cameraId, attempts } = recording;
    const note = messageOf(error);
    const { signal } = running.abort;
    if (this.#closed) return records.update(id, { state: 'queued' });
    if (signal.aborted) return records.update(id, { state: 'cancelled', finishedAt: clock.now(), note });
    const later = (!(error instanceof BerthwatchError) || error.kind === 'unavailable' || error.code === 'GB_NOT_REGISTERED') && attempts < MOST_ATTEMPTS;
    logger.warn({ cameraId, recording: id, attempts, later, reason: note }, 'a device recording was not fetched');
    if (!later) return records.update(id, { state: 'failed', finishedAt: clock.now(), note });
    await records.update(id, { state: 'queued', note });
    const wait = Math.min(retry.longestMs, retry.firstMs * 2 ** (attempts - 1));
    this.#waiting.set(id, { ...recording, state: 'queued', note, notBefore: clock.monotonic() + wait });
  }
}
