import type { AccessUnit } from '../access-unit.js';
import type { AudioUnit } from '../audio-unit.js';
import { AccessUnitAssembler, type CodedPicture, type DropReason, type TimeMark } from './access-unit-assembler.js';
import { AudioPlacer, type UnplacedAudio } from './audio-placer.js';
import { AudioReader } from './audio-reader.js';
import { CaptureClock, type PictureClock } from './capture-clock.js';
import { customaryCodec, H26xDepayloader, looksLikePs } from './h26x-payload.js';
import type { MediaEvent } from './media-event.js';
import { PsDemuxer } from './ps-demuxer.js';
import { ReorderBuffer } from './reorder-buffer.js';
import { parseRtp, type RtpPacket } from './rtp-packet.js';
import { StreamTimeline } from './stream-timeline.js';
import type { VideoFormat } from './video-format.js';

export type PayloadFormat = 'ps' | 'h264' | 'h265';

export interface PipelineOptions {
  cameraId: string;
  /** UDP needs a reorder buffer; TCP keeps order, so there every gap is a loss at once. */
  reorder: boolean;
  /** RTP payload type → format as negotiated; others are told apart by their bytes and by custom. */
  payloadFormats?: ReadonlyMap<number, PayloadFormat>;
  maxUnitBytes?: number;
  /** When pictures were taken; by default they are live (`CaptureClock`). */
  pictureClock?: PictureClock;
  onUnit(unit: AccessUnit): void;
  /** Sound beside the pictures; without it sound is skipped unread. What it throws ends nothing: the sound is counted as dropped. */
  onAudio?: ((unit: AudioUnit) => void) | undefined;
  onEvent(event: MediaEvent): void;
}

export interface PipelineStats {
  packets: number;
  /** Units handed on, and how many of them were keyframes. */
  units: number;
  keyframes: number;
  bytes: number;
  lostPackets: number;
  latePackets: number;
  duplicatePackets: number;
  /** Places where bytes contradicted their format. */
  damages: number;
  discontinuities: number;
  droppedPictures: Record<DropReason, number>;
  /** Pieces of sound handed on, and pieces left out: before the first picture, damaged, or refused by who takes them. */
  audioUnits: number;
  droppedAudio: number;
  /** Bytes held in all buffers; bounded by 256 packets and one access unit. */
  bufferedBytes: number;
}

/** At most one event of a kind in this time: hostile input must not flood the log. */
const EVENT_INTERVAL_MS = 1000;

/** Audio by RTP payload type: RFC 3551, table 4, as far as cameras have it. */
const STATIC_AUDIO: Readonly<Record<number, string>> = { 0: 'g711u', 4: 'g723.1', 8: 'g711a', 9: 'g722', 14: 'mpeg-audio', 18: 'g729' };

/**
 * The pure receive path of one stream: RTP packets (already known to be this stream's) in, access units out.
 *
 *     reorder → PS demux (or RFC 6184/7798) → access units → capture clock
 */
export class MediaPipeline {
  readonly #options: PipelineOptions;
  readonly #reorder: ReorderBuffer | null;
  readonly #ps: PsDemuxer;
  readonly #assembler: AccessUnitAssembler;
  readonly #timeline = new StreamTimeline();
  readonly #clock: PictureClock;
  readonly #lastEvents = new Map<string, number>();
  readonly #dropped: Record<DropReason, number> = { 'no-keyframe': 0, 'no-parameters': 0, damaged: 0, 'too-large': 0 };
  readonly #unreported = new Map<DropReason, number>();
  #depayloader: H26xDepayloader | null = null;
  #format: PayloadFormat | null = null;
  #payloadType = -1;
  #nextSequence = -1;
  #lossPending = false;
  #lostUnreported = 0;
  #rtpTimestamp = -1;
  #markedTimestamp = -1;
  #markedPts: number | null = null;
  /** The newest time mark of a program stream. */
  #lastTime: TimeMark | null = null;
  #arrivalMs = 0;
  /** Where keyframes stand between decode and presentation: taken off, so that they have none. */
  #keyOffset = 0;
  /** The last codec that was told. */
  #audio = '';
  readonly #sound: AudioReader;
  readonly #placer: AudioPlacer;
  #audioUnits = 0;
  #droppedAudio = 0;
  #sawFormat = false;
  #pendingFormat: VideoFormat | null = null;
  #packets = 0;
  #units = 0;
  #keyframes = 0;
  #bytes = 0;
  #lost = 0;
  #damages = 0;
  #discontinuities = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#reorder = options.reorder
      ? new ReorderBuffer((packet, gap, restart, arrivalMs) => this.#ordered(packet, gap > 0 || restart ? Math.max(1, gap) : 0, arrivalMs))
      : null;
    this.#ps = new PsDemuxer({
      video: (data, pesStart, pts, dts) => this.#video(data, pesStart, pts, dts),
      audio: (data, start, end, pts, declared) => {
        if (options.onAudio) this.#sound.push(data, start, end, pts, declared);
      },
      streamMap: (video) => this.#streamMap(video),
      damage: (what) => this.#damage(`program stream: ${what}`),
    });
    this.#clock = options.pictureClock ?? new CaptureClock();
    this.#placer = new AudioPlacer(options.cameraId, this.#clock);
    this.#sound = new AudioReader({
      frame: (frame) => this.#handOnAudio({ ...frame, ticks: frame.pts === null ? null : this.#timeline.beside(frame.pts) }),
      codec: (name, kept) => this.#reportAudio(name, kept),
      damaged: () => void this.#droppedAudio++,
    });
    this.#assembler = new AccessUnitAssembler(
      {
        picture: (picture) => this.#picture(picture),
        format: (format) => void (this.#pendingFormat = format),
        dropped: (reason) => this.#drop(reason),
      },
      options.maxUnitBytes === undefined ? {} : { maxUnitBytes: options.maxUnitBytes },
    );
  }

  get stats(): PipelineStats {
    return {
      packets: this.#packets,
      units: this.#units,
      keyframes: this.#keyframes,
      bytes: this.#bytes,
      lostPackets: this.#lost,
      latePackets: this.#reorder?.stats.late ?? 0,
      duplicatePackets: this.#reorder?.stats.duplicates ?? 0,
      damages: this.#damages,
      discontinuities: this.#discontinuities,
      droppedPictures: { ...this.#dropped },
      audioUnits: this.#audioUnits,
      droppedAudio: this.#droppedAudio,
      bufferedBytes: (this.#reorder?.heldBytes ?? 0) + this.#ps.buffered + this.#assembler.buffered + this.#sound.buffered,
    };
  }

  /**
   * One packet of this stream.
   * @param arrivalMs wall clock
   * @param damaged bytes of a TCP stream before this packet were thrown away
   */
  push(packet: RtpPacket, arrivalMs: number, damaged = false): void {
    this.#packets++;
    if (this.#reorder) {
      this.#reorder.push(packet, arrivalMs);
      return;
    }
    const gap = this.#nextSequence < 0 ? 0 : (packet.sequence - this.#nextSequence) & 0xffff;
    this.#nextSequence = (packet.sequence + 1) & 0xffff;
    this.#ordered(packet, gap > 0 || damaged ? Math.max(1, gap) : 0, arrivalMs);
  }

  /** Gives up on missing packets that are overdue; call about once a second. */
  poll(nowMs: number): void {
    this.#reorder?.poll(nowMs);
  }

  /** The stream rests or ends: the last picture is complete, unless its PES packet says otherwise. */
  flush(nowMs: number): void {
    this.#reorder?.flush(nowMs);
    if (this.#depayloader === null && this.#ps.insidePacket) this.#assembler.loss();
    else this.#assembler.flush();
  }

  /** Another sender or SSRC takes over: its counters have nothing to do with the ones before. */
  restart(nowMs: number): void {
    this.#reorder?.flush(nowMs);
    this.#reorder?.reset();
    this.#assembler.loss();
    this.#ps.reset();
    this.#sound.reset();
    this.#placer.reset();
    this.#timeline.reset();
    this.#depayloader = null;
    this.#format = null;
    this.#payloadType = -1;
    this.#nextSequence = -1;
    this.#rtpTimestamp = -1;
    this.#markedTimestamp = -1;
    this.#markedPts = null;
    this.#lastTime = null;
  }

  #ordered(packet: RtpPacket, gap: number, arrivalMs: number): void {
    if (gap > 0) this.#loss(gap, arrivalMs);
    this.#arrivalMs = arrivalMs;
    if (packet.payload.length === 0 || !this.#choose(packet)) return;
    const loss = this.#lossPending;
    this.#lossPending = false;
    this.#rtpTimestamp = packet.timestamp;
    if (this.#depayloader === null) {
      this.#ps.push(packet.payload, loss);
    } else if (!this.#depayloader.push(packet, loss)) {
      this.#damage(`${this.#format} payload`);
      this.#assembler.loss();
    }
  }

  #loss(packets: number, nowMs: number): void {
    this.#lost += packets;
    this.#lostUnreported += packets;
    this.#lossPending = true;
    this.#assembler.loss();
    this.#sound.loss();
    if (!this.#every('loss', nowMs)) return;
    this.#options.onEvent({ type: 'loss', packets: this.#lostUnreported });
    this.#lostUnreported = 0;
  }

  /**
   * Decides what a payload type carries: as negotiated, by custom, and in any case PS where the bytes say so (no NAL unit
   * header looks like a start code of the program stream). False where the packet is of no use.
   */
  #choose(packet: RtpPacket): boolean {
    const { payloadType, payload } = packet;
    const ps = looksLikePs(payload);
    if (this.#format !== null && payloadType === this.#payloadType && (!ps || this.#format === 'ps')) return true;
    const negotiated = this.#options.payloadFormats?.get(payloadType);
    if (this.#format === null && payload[0] === 0x47 && payload.length % 188 === 0) return this.#unsupported('mpeg-ts');
    if (payloadType < 35 && !ps && !negotiated) return this.#staticPayload(packet);
    const format = ps ? 'ps' : (negotiated ?? customaryCodec(payloadType) ?? 'ps');
    this.#payloadType = payloadType;
    if (format === this.#format) return true;
    this.#format = format;
    this.#depayloader = format === 'ps' ? null : new H26xDepayloader(format, (piece) => this.#elementary(piece));
    return true;
  }

  /** Sound in a static payload type beside the video (RFC 3551, clause 6); anything else there is of no use. */
  #staticPayload({ payloadType, payload }: RtpPacket): false {
    const name = STATIC_AUDIO[payloadType];
    if (name === undefined) return this.#unsupported(`payload type ${payloadType}`);
    if (!this.#options.onAudio) return false;
    const kept = name === 'g711a' || name === 'g711u';
    this.#reportAudio(name, kept);
    if (kept) this.#handOnAudio({ codec: name, sampleRate: 8000, channels: 1, config: null, ticks: null, duration: (payload.length * 90_000) / 8000, data: Buffer.from(payload) });
    return false;
  }

  #handOnAudio(audio: UnplacedAudio): void {
    const unit = this.#placer.place(audio, this.#arrivalMs);
    if (unit === null) {
      this.#droppedAudio++;
      return;
    }
    try {
      this.#options.onAudio?.(unit);
      this.#audioUnits++;
    } catch {
      // Whatever becomes of the sound, the pictures go on.
      this.#droppedAudio++;
    }
  }

  #video(data: Buffer, pesStart: boolean, pts: number | null, dts: number | null): void {
    const newTime = this.#rtpTimestamp !== this.#markedTimestamp;
    const begins = pesStart && (pts === null ? newTime && !this.#timeline.usesPes : newTime || pts !== this.#markedPts);
    if (!begins) {
      // Time stamps that stand still (an encoder's fault): the slices tell the pictures, and the arrival tells their time.
      if (!pesStart || pts === null || this.#lastTime === null || !this.#assembler.beginsAnother(data)) return this.#assembler.push(data, null);
      const ticks = this.#lastTime.ticks + Math.max(0, Math.round((this.#arrivalMs - this.#lastTime.arrivalMs) * 90));
      this.#lastTime = { ticks, offset: 0, arrivalMs: this.#arrivalMs };
      return this.#assembler.push(data, this.#lastTime);
    }
    this.#markedTimestamp = this.#rtpTimestamp;
    this.#markedPts = pts;
    const time = this.#timeline.at(this.#rtpTimestamp, pts, dts);
    this.#lastTime = { ...time, arrivalMs: this.#arrivalMs };
    this.#assembler.push(data, this.#lastTime);
  }

  #elementary(piece: Buffer): void {
    if (this.#rtpTimestamp === this.#markedTimestamp) return this.#assembler.push(piece, null);
    this.#markedTimestamp = this.#rtpTimestamp;
    // A new RTP timestamp is a new picture (RFC 6184 section 5.1): no need to look at its first bytes.
    this.#assembler.flush();
    const time = this.#timeline.at(this.#rtpTimestamp, null, null);
    this.#assembler.push(piece, { ...time, arrivalMs: this.#arrivalMs });
  }

  #picture(picture: CodedPicture): void {
    if (picture.keyframe) this.#keyOffset = picture.offset;
    const place = this.#clock.place(picture.ticks + this.#keyOffset, picture.arrivalMs);
    if (place.discontinuity) {
      this.#discontinuities++;
      this.#placer.reset();
      this.#options.onEvent({ type: 'discontinuity', ...place.discontinuity });
      if (place.discontinuity.cause === 'stream' && !picture.keyframe) {
        // The new time line needs a keyframe to begin with.
        this.#assembler.awaitKeyframe();
        return this.#drop('no-keyframe');
      }
    }
    if (this.#pendingFormat) this.#reportFormat(this.#pendingFormat);
    const offset = picture.offset - this.#keyOffset + place.shift;
    this.#units++;
    this.#bytes += picture.data.length;
    if (picture.keyframe) this.#keyframes++;
    this.#reportDrops(picture.arrivalMs);
    this.#options.onUnit({
      cameraId: this.#options.cameraId,
      codec: picture.codec,
      keyframe: picture.keyframe,
      pts: place.pts,
      capturedAt: place.capturedAt,
      data: picture.data,
      ...(offset === 0 ? {} : { compositionOffset: offset }),
    });
  }

  #reportFormat(format: VideoFormat): void {
    this.#pendingFormat = null;
    this.#options.onEvent({ type: this.#sawFormat ? 'format' : 'first-keyframe', format });
    this.#sawFormat = true;
  }

  #streamMap(video: string | null): void {
    // What the map calls H.264 or H.265 is only a hint (it may lie); what it calls by another name we cannot play.
    if (video !== null && video !== 'h264' && video !== 'h265') this.#unsupported(video);
  }

  #reportAudio(codec: string, kept: boolean): void {
    if (codec === this.#audio) return;
    this.#audio = codec;
    if (this.#every('audio', this.#arrivalMs)) this.#options.onEvent({ type: 'audio', codec, kept });
  }

  #unsupported(what: string): false {
    if (this.#every(`unsupported ${what}`, this.#arrivalMs, 60_000)) this.#options.onEvent({ type: 'unsupported', what });
    return false;
  }

  #damage(what: string): void {
    this.#damages++;
    if (this.#every('damage', this.#arrivalMs)) this.#options.onEvent({ type: 'damage', what });
  }

  #drop(reason: DropReason): void {
    this.#dropped[reason]++;
    this.#unreported.set(reason, (this.#unreported.get(reason) ?? 0) + 1);
  }

  #reportDrops(nowMs: number): void {
    if (this.#unreported.size === 0 || !this.#every('dropped', nowMs)) return;
    for (const [reason, pictures] of this.#unreported) this.#options.onEvent({ type: 'dropped', reason, pictures });
    this.#unreported.clear();
  }

  /** True at most once per interval and kind; also after the clock was set back. */
  #every(kind: string, nowMs: number, intervalMs = EVENT_INTERVAL_MS): boolean {
    const last = this.#lastEvents.get(kind);
    if (last !== undefined && nowMs >= last && nowMs - last < intervalMs) return false;
    if (last === undefined && this.#lastEvents.size >= 32) return false;
    this.#lastEvents.set(kind, nowMs);
    return true;
  }
}

/**
 * Sends recorded packets through the whole pure path, for benchmarks and tests.
 * @param packets RTP packets in order of arrival
 * @param intervalMs time between two arrivals
 */
export function pumpPackets(packets: Iterable<Buffer>, options: PipelineOptions, startMs = 0, intervalMs = 1): PipelineStats {
  const pipeline = new MediaPipeline(options);
  let now = startMs;
  for (const bytes of packets) {
    const packet = parseRtp(bytes);
    if (typeof packet !== 'string') pipeline.push(packet, now);
    now += intervalMs;
  }
  pipeline.flush(now);
  return pipeline.stats;
}
