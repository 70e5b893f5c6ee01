import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../access-unit.js';
import type { AudioUnit } from '../audio-unit.js';
import { demux } from '../demux/demux-process.js';
import type { DemuxInput } from '../demux/demux-protocol.js';
import type { FrameSource } from '../frame-source.js';
import { AccessUnitAssembler, type CodedPicture, type DropReason } from '../media/access-unit-assembler.js';
import { CaptureClock } from '../media/capture-clock.js';
import { RtspSound } from './rtsp-sound.js';

export interface RtspSourceOptions {
  cameraId: string;
  /** `rtsp://host[:port]/path`, without user and password. */
  url: string;
  user: string | null;
  password: string | null;
  /** Media inside the RTSP connection, or as UDP beside it. */
  transport: 'tcp' | 'udp';
  /** How long the camera may take to answer, and be silent, ms. */
  timeoutMs: number;
  clock: Clock;
  logger: Logger;
  /** The time line was cut; the footage log begins a new segment. */
  onDiscontinuity?: () => void;
  /** Sound beside the pictures, by a second session; without it none is asked for. */
  onAudio?: ((unit: AudioUnit) => void) | undefined;
}

const MAX_UNIT_BYTES = 16 * 1024 * 1024;
const DEFAULT_TICKS = 3600;

/**
 * A camera's RTSP stream (RFC 2326; H.264 and H.265) as a source of access units. It is pulled by FFmpeg in a child process;
 * `capturedAt` is the arrival of the first picture plus the stream's own time, as of every live stream. The iteration ends
 * with an error when the camera refuses, falls silent or ends the stream: its owner begins again.
 */
export class RtspSource implements FrameSource {
  readonly cameraId: string;
  readonly #options: RtspSourceOptions;
  readonly #dropped: Record<DropReason, number> = { 'no-keyframe': 0, 'no-parameters': 0, damaged: 0, 'too-large': 0 };
  #losses = 0;
  #soundSince: number | null = null;

  constructor(options: RtspSourceOptions) {
    this.cameraId = options.cameraId;
    this.#options = options;
  }

  /** Pictures of the last run that were not handed on, by reason. */
  get dropped(): Readonly<Record<DropReason, number>> {
    return this.#dropped;
  }

  /** Times at which packets were missing in the last run. */
  get losses(): number {
    return this.#losses;
  }

  /** Monotonic ms at which the sound of the last run was asked for; null where it was not. */
  get soundSince(): number | null {
    return this.#soundSince;
  }

  /** @throws BerthwatchError unavailable with what the camera said or did not say; an abort just ends it */
  async *units(signal: AbortSignal): AsyncGenerator<AccessUnit, void> {
    const capture = new CaptureClock();
    const sound = new AbortController();
    const stopSound = (): void => sound.abort(signal.reason);
    signal.addEventListener('abort', stopSound, { once: true });
    this.#losses = 0;
    this.#soundSince = null;
    let listening: Promise<void> | null = null;
    try {
      for await (const unit of this.#pictures(capture, signal)) {
        // The pictures come first: sound is asked for once they are there.
        listening ??= this.#listen(capture, sound.signal);
        yield unit;
        if (signal.aborted) return;
      }
    } finally {
      signal.removeEventListener('abort', stopSound);
      stopSound();
      await listening;
    }
  }

  #listen(capture: CaptureClock, signal: AbortSignal): Promise<void> {
    const { cameraId, clock, logger, onAudio } = this.#options;
    if (!onAudio) return Promise.resolve();
    this.#soundSince = clock.monotonic();
    return new RtspSound({ cameraId, input: this.#input('audio'), name: this.#name, capture, clock, logger, onAudio }).run(signal);
  }

  get #name(): string {
    return `the camera at ${this.#options.url}`;
  }

  #input(media: 'video' | 'audio'): Extract<DemuxInput, { kind: 'rtsp' }> {
    const { url, user, password, transport, timeoutMs } = this.#options;
    return { kind: 'rtsp', media, url: withCredentials(url, user, password), transport, timeoutMs };
  }

  async *#pictures(capture: CaptureClock, signal: AbortSignal): AsyncGenerator<AccessUnit, void> {
    const { clock, logger } = this.#options;
    let ready: CodedPicture[] = [];
    const assembler = new AccessUnitAssembler(
      { picture: (picture) => ready.push(picture), format: () => undefined, dropped: (reason) => this.#dropped[reason]++ },
      { maxUnitBytes: MAX_UNIT_BYTES },
    );
    let last: number | null = null;
    let keyOffset = 0;
    let lost = false;
    let warned = false;
    const onLost = (): void => {
      this.#losses++;
      lost = true;
    };
    for await (const { dts, offset, data } of demux(this.#input('video'), this.#name, signal, logger, { lost: onLost })) {
      const ticks: number = dts ?? (last === null ? 0 : last + DEFAULT_TICKS);
      last = ticks;
      if (lost) {
        // The picture around the hole, and all that refer to it.
        lost = false;
        this.#dropped.damaged++;
        assembler.loss();
        continue;
      }
      assembler.push(data, { ticks, offset, arrivalMs: clock.now() });
      // A demuxed packet is a whole picture: it need not wait for the next one.
      assembler.flush();
      for (const picture of ready) {
        if (picture.keyframe) keyOffset = picture.offset;
        const place = capture.place(picture.ticks + keyOffset, picture.arrivalMs);
        if (place.discontinuity) {
          this.#options.onDiscontinuity?.();
          if (place.discontinuity.cause === 'stream' && !picture.keyframe) {
            assembler.awaitKeyframe();
            continue;
          }
        }
        const compositionOffset = picture.offset - keyOffset + place.shift;
        if (compositionOffset !== 0 && !warned) {
          warned = true;
          logger.warn({ cameraId: this.cameraId }, 'the camera sends B-frames: its pictures come later than they need; switch them off (profile without B-frames) where it allows it');
        }
        const { codec, keyframe } = picture;
        yield { cameraId: this.cameraId, codec, keyframe, pts: place.pts, capturedAt: place.capturedAt, data: picture.data, ...(compositionOffset === 0 ? {} : { compositionOffset }) };
        if (signal.aborted) return;
      }
      ready = [];
    }
  }
}

function withCredentials(address: string, user: string | null, password: string | null): string {
  if (user === null) return address;
  const url = new URL(address);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password ?? '');
  return url.href;
}
