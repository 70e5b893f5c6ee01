import {
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_SMPTE170M,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUV420P,
  Codec,
  CodecContext,
  FF_ENCODER_LIBX264,
  Frame,
  Packet,
  Rational,
  SWS_BILINEAR,
  SoftwareScaleContext,
} from 'node-av';
import { BerthwatchError } from '../../../base/errors.js';
import type { AccessUnit } from '../../../ingest/access-unit.js';
import { decodeUnits } from '../../../vision/decode/gop-decoder.js';
import type { Picture } from '../../../vision/decode/picture.js';
import { draw } from './draw.js';
import type { EncodedUnit, EncodeRequest } from './protocol.js';

/**
 * Decodes whole GOPs and codes their pictures anew as H.264: constant quality under a highest bit rate, no B pictures, one IDR
 * picture at the beginning. Every request is coded by itself, and the same settings give the same parameter sets, so that results follow one
 * another without a seam.
 *
 * Runs native code on hostile bytes: call it only in a supervised child.
 *
 * @throws BerthwatchError bad-input (nothing can be decoded), unavailable (this build has no encoder)
 */
export async function encodeUnits(request: EncodeRequest): Promise<EncodedUnit[]> {
  const units = request.units as readonly AccessUnit[];
  const out: EncodedUnit[] = [];
  let encoder: Encoder | null = null;
  try {
    await decodeUnits(
      units,
      units.map((_, i) => i),
      ({ index, picture }) => {
        encoder ??= new Encoder(request, picture);
        encoder.push(index, picture, request.overlay?.clocks[index] ?? null);
        out.push(...encoder.take());
      },
    );
    const opened = encoder as Encoder | null;
    if (opened === null) throw new BerthwatchError('bad-input', 'PLAYBACK_DECODE', 'no picture of this footage can be decoded');
    opened.end();
    out.push(...opened.take());
    return out;
  } finally {
    (encoder as Encoder | null)?.free();
  }
}

/** A 25th of a second. */
const TICKS = 3_600n;

class Encoder {
  readonly #request: EncodeRequest;
  readonly #context = new CodecContext();
  readonly #scaler = new SoftwareScaleContext();
  readonly #frame = new Frame();
  readonly #packet = new Packet();
  #shape = '';
  /** Which unit the n-th picture was made of. */
  readonly #order: number[] = [];

  constructor(request: EncodeRequest, like: Picture) {
    this.#request = request;
    const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
    if (!codec) throw new BerthwatchError('unavailable', 'PLAYBACK_ENCODER', 'this build of FFmpeg has no H.264 encoder');
    const context = this.#context;
    context.allocContext3(codec);
    context.width = request.width;
    context.height = request.height;
    context.pixelFormat = AV_PIX_FMT_YUV420P;
    context.timeBase = new Rational(1, 90_000);
    context.framerate = new Rational(25, 1);
    context.colorRange = like.fullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    context.colorSpace = like.matrix === 'bt709' ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    context.threadCount = request.threads;
    context.maxBFrames = 0;
    context.gopSize = 100_000;
    context.rcMaxRate = BigInt(request.maxBitrate);
    context.rcBufferSize = request.maxBitrate;
    for (const [name, value] of Object.entries({ preset: request.preset, crf: String(request.quality), 'x264-params': 'scenecut=0:repeat-headers=1:annexb=1:rc-lookahead=0' })) {
      const status = context.setOption(name, value);
      if (typeof status === 'number' && status < 0) throw new BerthwatchError('unavailable', 'PLAYBACK_ENCODER', `the H.264 encoder does not know ${name}=${value}`);
    }
    const opened = context.open2Sync(codec, null);
    if (opened < 0) throw new BerthwatchError('unavailable', 'PLAYBACK_ENCODER', `the H.264 encoder cannot be opened for ${request.width}x${request.height} (error ${opened})`);
    this.#frame.alloc();
    this.#packet.alloc();
  }

  push(index: number, picture: Picture, clock: string | null): void {
    const { width, height, overlay } = this.#request;
    const frame = this.#frame;
    frame.unref();
    frame.format = AV_PIX_FMT_YUV420P;
    frame.width = width;
    frame.height = height;
    if (frame.getBuffer(0) < 0) throw new BerthwatchError('unavailable', 'PLAYBACK_ENCODER', 'there is no memory for a picture');
    const [y, u, v] = frame.data as [Buffer, Buffer, Buffer];
    const [strideY = 0, strideC = 0] = frame.linesize;
    const shape = `${picture.width}x${picture.height}`;
    if (shape !== this.#shape) {
      this.#scaler.getContext(picture.width, picture.height, AV_PIX_FMT_YUV420P, width, height, AV_PIX_FMT_YUV420P, SWS_BILINEAR);
      this.#shape = shape;
    }
    const view = (plane: Uint8Array): Buffer => Buffer.from(plane.buffer, plane.byteOffset, plane.byteLength);
    this.#scaler.scaleSync([view(picture.y), view(picture.u), view(picture.v)], [picture.strideY, picture.strideC, picture.strideC], 0, picture.height, [y, u, v], [strideY, strideC, strideC]);
    if (overlay) draw({ width, height, y, u, v, strideY, strideC }, overlay, clock ?? '');
    // Its number stands for its time: the encoder needs rising numbers, and gives them back.
    frame.pts = BigInt(this.#order.length) * TICKS;
    frame.pictType = this.#order.length === 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    this.#order.push(index);
    const sent = this.#context.sendFrameSync(frame);
    if (sent < 0) throw new BerthwatchError('internal', 'PLAYBACK_ENCODER', `the H.264 encoder refused a picture (error ${sent})`);
  }

  end(): void {
    this.#context.sendFrameSync(null);
  }

  *take(): Generator<EncodedUnit> {
    for (;;) {
      const status = this.#context.receivePacketSync(this.#packet);
      if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return;
      if (status < 0) throw new BerthwatchError('internal', 'PLAYBACK_ENCODER', `the H.264 encoder failed (error ${status})`);
      const data = this.#packet.data;
      if (data) yield { index: this.#order[Number(this.#packet.pts / TICKS)] as number, keyframe: this.#packet.isKeyframe, data: Buffer.from(data) };
      this.#packet.unref();
    }
  }

  free(): void {
    this.#packet.free();
    this.#frame.free();
    this.#scaler.freeContext();
    this.#context.freeContext();
  }
}
