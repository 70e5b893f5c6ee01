import {
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_BT2020_CL,
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_SMPTE170M,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AV_CODEC_ID_H264,
  AV_CODEC_ID_HEVC,
  AV_FRAME_FLAG_CORRUPT,
  AV_LOG_QUIET,
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  Codec,
  CodecContext,
  Frame,
  Log,
  Packet,
  SWS_BILINEAR,
  SoftwareScaleContext,
} from 'node-av';
import { BerthwatchError } from '../../base/errors.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { ColourMatrix, Picture } from './picture.js';

/** Pictures above 8K (7680×4320) are refused before their memory is asked for: an SPS costs an attacker nothing. */
const MAX_PIXELS = 7680 * 4320;

export interface DecodedUnit {
  /** Index into the units given. */
  index: number;
  unit: AccessUnit;
  /** Valid only until the visitor returns. */
  picture: Picture;
  /**
   * The decoder concealed something in this picture or in one it was predicted from. Not every damage can be known: in
   * H.265 flipped bits decode to some picture, and a lost unit of H.264 leaves no trace; ingest drops units after loss.
   */
  damaged: boolean;
}

/**
 * Decodes whole access units with FFmpeg and hands the wanted ones to `visit`, in the order in which they are shown.
 *
 * Decoding starts at the last keyframe at or before each wanted unit, with a fresh decoder: nothing of another camera or of
 * an earlier call can leak into a picture. Units may come in decode order of a stream with B pictures; `index` always names
 * the unit that carried the picture.
 *
 * Runs native code on hostile bytes: call it only in a supervised child.
 *
 * @param how `fast` leaves the loop filters out of key frames after which nothing is decoded: the edges between their blocks stay. For looking only, never for what
 *   people get to see. Of 172 CCPD scenes as H.264 at CRF 26, 32 and 38, 498 of 516 plates are read either way; as H.265 at CRF 24, 28, 32 and 36, 674 of 688
 *   instead of 677. AP50 of vehicles as H.265 at CRF 34: elevated 0.734 (0.730 with them), roads 0.800 (0.802).
 * @returns indexes of wanted units that gave no picture (no keyframe before them, or undecodable), rising
 */
export async function decodeUnits(
  units: readonly AccessUnit[],
  wanted: readonly number[],
  visit: (decoded: DecodedUnit) => Promise<void> | void,
  how: { fast?: boolean } = {},
): Promise<number[]> {
  const missing = new Set(wanted);
  for (const run of runsOf(units, wanted)) {
    for await (const index of decodeRun(units, run, how.fast === true && run.from === run.to, visit)) missing.delete(index);
  }
  return [...missing].sort((a, b) => a - b);
}

interface Run {
  from: number;
  to: number;
  wanted: ReadonlySet<number>;
}

/** Groups wanted indexes by the keyframe they hang on. Exported for tests. */
export function runsOf(units: readonly AccessUnit[], wanted: readonly number[]): Run[] {
  const runs: { from: number; to: number; wanted: Set<number> }[] = [];
  let key = -1;
  let at = 0;
  for (const index of [...new Set(wanted)].sort((a, b) => a - b)) {
    if (!Number.isInteger(index) || index < 0 || index >= units.length) {
      throw new BerthwatchError('bad-input', 'VISION_FRAME_INDEX', `frame ${index} was asked for, but only ${units.length} access units were given`);
    }
    for (; at <= index; at++) if ((units[at] as AccessUnit).keyframe) key = at;
    if (key < 0) continue;
    const last = runs.at(-1);
    if (last && last.from === key) {
      last.to = index;
      last.wanted.add(index);
    } else runs.push({ from: key, to: index, wanted: new Set([index]) });
  }
  return runs;
}

async function* decodeRun(
  units: readonly AccessUnit[],
  { from, to, wanted }: Run,
  fast: boolean,
  visit: (decoded: DecodedUnit) => Promise<void> | void,
): AsyncGenerator<number> {
  const decoder = openDecoder((units[from] as AccessUnit).codec, fast);
  const frame = new Frame();
  const packet = new Packet();
  // Damage spreads along prediction: everything decoded after a damaged unit is suspect until the next keyframe.
  let damagedFrom = Infinity;
  try {
    frame.alloc();
    for (let i = from; i <= to + 1; i++) {
      if (i <= to) {
        const unit = units[i] as AccessUnit;
        packet.alloc();
        packet.data = Buffer.from(unit.data.buffer, unit.data.byteOffset, unit.data.byteLength);
        packet.pts = BigInt(i);
        packet.dts = BigInt(i);
        const sent = decoder.sendPacketSync(packet);
        packet.unref();
        if (sent < 0) damagedFrom = Math.min(damagedFrom, i);
      } else decoder.sendPacketSync(null);
      for (;;) {
        const status = decoder.receiveFrameSync(frame);
        if (status === AVERROR_EAGAIN || status === AVERROR_EOF) break;
        if (status < 0) {
          damagedFrom = Math.min(damagedFrom, i);
          break;
        }
        const index = Number(frame.pts);
        if (frame.decodeErrorFlags !== 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) !== 0) damagedFrom = Math.min(damagedFrom, index);
        try {
          if (wanted.has(index)) {
            await withPicture(frame, (picture) => visit({ index, unit: units[index] as AccessUnit, picture, damaged: index >= damagedFrom }));
            yield index;
          }
        } finally {
          frame.unref();
        }
      }
      // Let the event loop answer pings between pictures.
      if (i % 4 === 3) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    packet.free();
    frame.free();
    decoder.freeContext();
  }
}

let quiet = false;

function openDecoder(codec: AccessUnit['codec'], fast: boolean): CodecContext {
  if (!quiet) {
    // FFmpeg writes to standard error by itself; damage reaches us by flags.
    Log.setLevel(AV_LOG_QUIET);
    quiet = true;
  }
  const found = Codec.findDecoder(codec === 'h264' ? AV_CODEC_ID_H264 : AV_CODEC_ID_HEVC);
  if (!found) throw new BerthwatchError('unavailable', 'VISION_DECODER', `this build of FFmpeg has no ${codec} decoder`);
  const context = new CodecContext();
  context.allocContext3(found);
  context.threadCount = 1;
  context.setOption('max_pixels', String(MAX_PIXELS));
  // Without this a picture with a missing reference is dropped silently; we want it, flagged.
  context.setOption('flags', '+output_corrupt');
  // FFmpeg's H.265 decoder sets no error flag on damaged slices: with `explode` the packet at least returns an error, and
  // the picture still comes out. H.264 flags concealment properly and would lose pictures under `explode`.
  if (codec === 'h265') context.setOption('err_detect', 'explode');
  if (fast) context.setOption('skip_loop_filter', 'all');
  // Options go in by setOption: passing a Dictionary to open2 corrupts the heap in node-av 6.1.
  const opened = context.open2Sync(found, null);
  if (opened < 0) {
    context.freeContext();
    throw new BerthwatchError('unavailable', 'VISION_DECODER', `FFmpeg cannot open its ${codec} decoder (error ${opened})`);
  }
  return context;
}

/** A frame of our own with views of its planes. */
interface Room {
  frame: Frame;
  planes: Pick<Picture, 'y' | 'u' | 'v' | 'strideY' | 'strideC'>;
}

/**
 * Room of the last size that is free. Every view of a decoder's frame counts as 3 MB of garbage (1080p) until it is collected, which made
 * V8 collect all of its heap at every third picture. With a copy into room whose views are kept a key frame of the demo's clips takes four fifths of the time.
 */
let spare: Room | null = null;

function takeRoom({ width, height, format }: Frame): Room {
  const known = spare;
  spare = null;
  if (known?.frame.width === width && known.frame.height === height && known.frame.format === format) return known;
  known?.frame.free();
  const frame = new Frame();
  frame.alloc();
  Object.assign(frame, { width, height, format });
  const planes = frame.getBuffer() < 0 ? null : frame.data;
  if (!planes) {
    frame.free();
    throw new BerthwatchError('internal', 'VISION_DECODE', `no memory for a picture of ${width}x${height}`);
  }
  const [y, u, v] = planes as [Buffer, Buffer, Buffer];
  return { frame, planes: { y, u, v, strideY: frame.linesize[0] as number, strideC: frame.linesize[1] as number } };
}

function giveBack(room: Room): void {
  spare?.frame.free();
  spare = room;
}

/** Hands `use` an 8-bit 4:2:0 view of the frame, converted first where the stream is anything else (10 bit, 4:2:2, grey). */
async function withPicture(frame: Frame, use: (picture: Picture) => Promise<void> | void): Promise<void> {
  const base = { width: frame.width, height: frame.height, matrix: matrixOf(frame), fullRange: frame.colorRange === AVCOL_RANGE_JPEG || frame.format === AV_PIX_FMT_YUVJ420P };
  if (frame.format === AV_PIX_FMT_YUV420P || frame.format === AV_PIX_FMT_YUVJ420P) {
    const room = takeRoom(frame);
    try {
      if (room.frame.copy(frame) < 0) throw new BerthwatchError('internal', 'VISION_DECODE', 'the decoder gave a frame without data');
      await use({ ...base, ...room.planes });
    } finally {
      giveBack(room);
    }
    return;
  }
  const planes = frame.data;
  if (!planes) throw new BerthwatchError('internal', 'VISION_DECODE', 'the decoder gave a frame without data');
  const chromaWidth = (base.width + 1) >> 1;
  const chromaHeight = (base.height + 1) >> 1;
  const y = Buffer.alloc(base.width * base.height);
  const u = Buffer.alloc(chromaWidth * chromaHeight, 128);
  const v = Buffer.alloc(chromaWidth * chromaHeight, 128);
  const context = new SoftwareScaleContext();
  try {
    context.getContext(base.width, base.height, frame.format as Parameters<SoftwareScaleContext['getContext']>[2], base.width, base.height, AV_PIX_FMT_YUV420P, SWS_BILINEAR);
    const rows = context.scaleSync(planes, frame.linesize.slice(0, planes.length), 0, base.height, [y, u, v], [base.width, chromaWidth, chromaWidth]);
    if (rows !== base.height) throw new BerthwatchError('bad-input', 'VISION_PIXEL_FORMAT', `pixel format ${frame.format} cannot be converted to 8-bit 4:2:0`);
  } finally {
    context.freeContext();
  }
  await use({ ...base, y, u, v, strideY: base.width, strideC: chromaWidth });
}

/** The coding the stream names, else what players assume: BT.709 from 720 lines up, BT.601 below. */
function matrixOf(frame: Frame): ColourMatrix {
  switch (frame.colorSpace) {
    case AVCOL_SPC_BT709:
      return 'bt709';
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return 'bt601';
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return 'bt2020';
    default:
      return frame.height >= 720 ? 'bt709' : 'bt601';
  }
}
