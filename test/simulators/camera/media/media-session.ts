import { randomInt } from 'node:crypto';
import { SeededRandom } from '../../common/random.js';
import type { Misbehaviour } from '../misbehaviour.js';
import type { Picture, PicturePlayer, PictureSink } from './clip-player.js';
import { elementaryPayloads } from './es-packets.js';
import { ToneSource } from './g711.js';
import { Impairments } from './impairments.js';
import { nalUnits, nalType, parameterSetsIn, START_CODE } from './nal.js';
import { PsMuxer, type AudioCodec } from './ps-muxer.js';
import { RtpPacketiser } from './rtp.js';
import type { MediaSender } from './senders.js';
import { SilentAac } from './silent-aac.js';
import { TcpFramer } from './tcp-framing.js';
import { TS_RUN, TsMuxer } from './ts-muxer.js';

export interface MediaSessionOptions {
  ssrc: number;
  payloadType: number;
  transport: 'udp' | 'tcp';
  audio: AudioCodec | null;
  misbehaviour: Misbehaviour;
}

/** What a session has done so far. */
export interface MediaSessionStats {
  pictures: number;
  packets: number;
  lost: number;
  reordered: number;
  duplicated: number;
  tcpDamaged: number;
}

const REPORT_EVERY_MS = 5000;
/** Sound of a picture's time is sent in the middle between pictures, in a pack of its own, as devices do. */
const AUDIO_OFFSET = 1800;

/** Pictures of a player → program stream → RTP → sender: the media side of one INVITE. */
export class MediaSession implements PictureSink {
  readonly midGop: boolean;
  private readonly muxer: PsMuxer;
  private readonly rtp: RtpPacketiser;
  private readonly impairments: Impairments;
  private readonly framer: TcpFramer;
  private readonly tone: { next(ticks: number): Buffer } | null;
  private readonly ts: TsMuxer | null;
  private controlTimer: NodeJS.Timeout | null = null;
  private readonly timestampStart: number;
  /** Media time of this session, 90 kHz ticks since its first picture, by the camera's (perhaps skewed) clock. */
  private elapsed = 0;
  private held: Picture | null = null;
  private parameterSets: Buffer = Buffer.alloc(0);
  private lastReport = 0;
  private pictures = 0;
  private running = false;
  /** Position of the first picture that met a closed port. */
  private refusedAt: number | null = null;
  private lastPosition = 0;

  constructor(
    private readonly player: PicturePlayer,
    private readonly sender: MediaSender,
    private readonly options: MediaSessionOptions,
    private readonly onEnded: () => void,
    private readonly onPicture: (picture: Picture) => void,
  ) {
    const { misbehaviour } = options;
    const random = new SeededRandom(misbehaviour.seed ?? undefined);
    this.midGop = misbehaviour.startMidGop;
    this.timestampStart = misbehaviour.timestampStart ?? randomInt(0, 2 ** 32);
    this.muxer = new PsMuxer(player.clip.codec, options.audio, player.clip.peakBitrate(), misbehaviour);
    this.tone = options.audio ? (misbehaviour.aacAsG711 ? new SilentAac() : new ToneSource(options.audio)) : null;
    this.ts = misbehaviour.transportStream ? new TsMuxer(player.clip.codec) : null;
    this.rtp = new RtpPacketiser({
      ssrc: options.ssrc,
      payloadType: options.payloadType,
      sequenceStart: misbehaviour.sequenceStart ?? randomInt(0, 0x10000),
      marker: misbehaviour.marker,
      extras: misbehaviour.rtpExtras,
      glued: misbehaviour.gluedPackets,
    });
    this.impairments = new Impairments(misbehaviour, random);
    this.framer = new TcpFramer(misbehaviour, random);
  }

  /** Media flows: the player's pictures are taken from now on. */
  begin(): void {
    if (this.running) return;
    this.running = true;
    const { rtcpFirst, rtcpOnlyMs, ehomePreamble } = this.options.misbehaviour;
    const report = (): void => this.sender.send([this.rtp.senderReport(this.deviceNow(), this.timestampStart)]);
    if (rtcpFirst) report();
    if (ehomePreamble && this.options.transport === 'tcp') this.sender.send([Buffer.concat([Buffer.from('EHOME\0\x01\0', 'latin1'), Buffer.alloc(248, 0x5a)])]);
    if (rtcpOnlyMs === 0) this.player.attach(this);
    else this.reportOnly(report, performance.now() + rtcpOnlyMs);
  }

  private reportOnly(report: () => void, until: number): void {
    report();
    this.controlTimer = setTimeout(() => (performance.now() < until ? this.reportOnly(report, until) : this.player.attach(this)), 200);
  }

  private deviceNow(): number {
    return Date.now() + this.options.misbehaviour.deviceClockOffsetMs;
  }

  /** A packet was refused: remember where, so that a held scenario can go on from there. */
  noteRefusal(): void {
    this.refusedAt ??= this.lastPosition;
  }

  async end(): Promise<void> {
    this.running = false;
    if (this.controlTimer) clearTimeout(this.controlTimer);
    this.player.detach(this, this.refusedAt);
    await this.sender.close();
  }

  stats(): MediaSessionStats {
    return {
      pictures: this.pictures,
      packets: this.rtp.packetsSent,
      lost: this.impairments.lost,
      reordered: this.impairments.reordered,
      duplicated: this.impairments.duplicated,
      tcpDamaged: this.framer.damaged,
    };
  }

  ended(): void {
    this.onEnded();
  }

  picture(picture: Picture): void {
    if (!this.running) return;
    this.lastPosition = picture.position;
    // What was recorded keeps the time at which it was: a gap, or somebody who winds, shows in the time stamps.
    if (picture.at !== undefined) this.elapsed = picture.at;
    this.onPicture(picture);
    if (!this.options.misbehaviour.gluedPictures) {
      this.emit(this.withParameterSets(picture), picture.key, picture.duration);
      return;
    }
    if (!this.held) {
      this.held = picture;
      return;
    }
    const first = this.held;
    this.held = null;
    this.emit(Buffer.concat([this.withParameterSets(first), this.withParameterSets(picture)]), first.key || picture.key, first.duration + picture.duration);
  }

  private withParameterSets(picture: Picture): Buffer {
    if (!this.options.misbehaviour.parameterSetsEverywhere) return picture.annexB;
    const { codec } = this.player.clip;
    const units = nalUnits(picture.annexB);
    if (parameterSetsIn(codec, units)) {
      const wanted = codec === 'h264' ? [7, 8] : [32, 33, 34];
      this.parameterSets = Buffer.concat(units.filter((unit) => wanted.includes(nalType(codec, unit))).flatMap((unit) => [START_CODE, unit]));
      return picture.annexB;
    }
    return Buffer.concat([this.parameterSets, picture.annexB]);
  }

  private emit(annexB: Buffer, key: boolean, duration: number): void {
    const { frozenTimestamps, elementaryStream, mediaRebindAfter, clockSkewPpm } = this.options.misbehaviour;
    const ticks = Math.round(this.timestampStart + (frozenTimestamps ? 0 : this.elapsed));
    this.pictures += 1;
    if (this.pictures === mediaRebindAfter) void this.sender.rebind?.();
    if (elementaryStream) this.leave(this.rtp.payloads(elementaryPayloads(this.player.clip.codec, annexB), ticks));
    else if (this.ts) this.leave(this.rtp.payloads(pieces(this.ts.picture(annexB, key, ticks), TS_RUN), ticks));
    else this.leave(this.rtp.packetise(this.muxer.picture(annexB, key, ticks), ticks));
    if (this.tone) {
      const sound = ticks + AUDIO_OFFSET;
      const bytes = this.tone.next(duration);
      if (bytes.length > 0) this.leave(this.rtp.packetise(this.muxer.audio(bytes, sound), sound));
    }
    this.elapsed += duration * (1 + clockSkewPpm / 1e6);
    const now = Date.now();
    if (now - this.lastReport >= REPORT_EVERY_MS) {
      this.lastReport = now;
      this.sender.sendControl(this.rtp.senderReport(this.deviceNow(), ticks));
    }
  }

  private leave(packets: Buffer[]): void {
    if (this.options.transport === 'udp') this.sender.send(this.impairments.apply(packets));
    else if (this.options.misbehaviour.tcpDribble) this.sender.send(pieces(this.framer.frame(packets), 7));
    else this.sender.send([this.framer.frame(packets)]);
  }
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}
