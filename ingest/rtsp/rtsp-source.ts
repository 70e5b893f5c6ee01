import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import type { AccessUnit } from '../access-unit.js';
import { demux } from '../demux/demux-process.js';
import type { FrameSource } from '../frame-source.js';
import { AccessUnitAssembler, type CodedPicture, type DropReason } from '../media/access-unit-assembler.js';
import { CaptureClock } from '../media/capture-clock.js';

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

  constructor(options: RtspSourceOptions) {
    this.cameraId = options.cameraId;
    this.#options = options;
  }

  /** Pictures of the last run that were not handed on, by reason. */
  get dropped(): Readonly<Record<DropReason, number>> {
    return this.#dropped;
  }

  /** @throws BerthwatchError unavailable with what the camera said or did not say; an abort just ends it */
  async *units(signal: AbortSignal): AsyncGenerator<AccessUnit, void> {
    const { url, user, password, transport, timeoutMs, clock, logger } = this.#options;
    let ready: CodedPicture[] = [];
    const assembler = new AccessUnitAssembler(
      { picture: (picture) => ready.push(picture), format: () => undefined, dropped: (reason) => this.#dropped[reason]++ },
      { maxUnitBytes: MAX_UNIT_BYTES },
    );
    const capture = new CaptureClock();
    let last: number | null = null;
    let keyOffset = 0;
    for await (const { dts, offset, data } of demux({ kind: 'rtsp', url: withCredentials(url, user, password), transport, timeoutMs }, `the camera at ${url}`, signal, logger)) {
      const ticks: number = dts ?? (last === null ? 0 : last + DEFAULT_TICKS);
      last = ticks;
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
