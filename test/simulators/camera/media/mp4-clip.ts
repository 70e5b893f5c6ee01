import { readFileSync } from 'node:fs';
import { nalUnits, parameterSetsIn, START_CODE, type Codec } from './nal.js';

/** One picture of the clip, where it lies in the file and how long it is shown. */
interface Sample {
  offset: number;
  size: number;
  key: boolean;
  /** 90 kHz ticks. */
  duration: number;
}

/**
 * A minimal reader of unfragmented MP4 (ISO/IEC 14496-12): one video track, H.264 or H.265, no B-frames. It exists so that the
 * camera shares no demuxer with what it tests.
 */
export class Mp4Clip {
  private constructor(
    private readonly file: Buffer,
    readonly codec: Codec,
    readonly width: number,
    readonly height: number,
    private readonly samples: readonly Sample[],
    private readonly lengthSize: number,
    /** Parameter sets of the sample description, Annex-B. */
    private readonly parameterSets: Buffer,
    /** Start of each picture in ticks from the start of the clip; one more entry for the end. */
    private readonly starts: Float64Array,
  ) {}

  /** Number of pictures. */
  get length(): number {
    return this.samples.length;
  }

  /** 90 kHz ticks of the whole clip. */
  get duration(): number {
    return this.starts[this.samples.length]!;
  }

  /** 90 kHz ticks at which picture `index` begins; `index` may be `length`. */
  startOf(index: number): number {
    return this.starts[index]!;
  }

  isKey(index: number): boolean {
    return this.samples[index]!.key;
  }

  /** The key picture at or before `index`. */
  keyAtOrBefore(index: number): number {
    let at = Math.min(index, this.samples.length - 1);
    while (at > 0 && !this.samples[at]!.key) at -= 1;
    return at;
  }

  /** The picture shown at `ticks` into the clip. */
  indexAt(ticks: number): number {
    let low = 0;
    let high = this.samples.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle]! <= ticks) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Bits per second of the busiest second, for the mux rate field. */
  peakBitrate(): number {
    let peak = 0;
    let sum = 0;
    let from = 0;
    this.samples.forEach((sample, index) => {
      sum += sample.size;
      while (this.starts[index]! - this.starts[from]! >= 90_000) {
        sum -= this.samples[from]!.size;
        from += 1;
      }
      peak = Math.max(peak, sum);
    });
    return peak * 8;
  }

  /** Picture `index` as Annex-B NAL units; parameter sets are put before a key picture that does not carry its own. */
  picture(index: number): { annexB: Buffer; key: boolean; duration: number } {
    const sample = this.samples[index]!;
    const bytes = this.file.subarray(sample.offset, sample.offset + sample.size);
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUIntBE(at, this.lengthSize);
      const start = at + this.lengthSize;
      if (length === 0 || start + length > bytes.length) throw new Error(`clip: picture ${index} has a NAL unit of ${length} bytes that does not fit its sample`);
      parts.push(START_CODE, bytes.subarray(start, start + length));
      at = start + length;
    }
    let annexB = Buffer.concat(parts);
    if (sample.key && !parameterSetsIn(this.codec, nalUnits(annexB))) annexB = Buffer.concat([this.parameterSets, annexB]);
    return { annexB, key: sample.key, duration: sample.duration };
  }

  /** Reads the whole file into memory and its tables; throws an Error that says what the camera cannot play. */
  static open(path: string): Mp4Clip {
    const file = readFileSync(path);
    const fail = (what: string): never => {
      throw new Error(`clip ${path}: ${what}`);
    };
    const moov = child(file, 'moov') ?? fail('no moov box (not an MP4, or fragmented)');
    const track = boxes(moov).filter((box) => box.type === 'trak').map((box) => box.body).find((body) => handlerOf(body) === 'vide') ?? fail('no video track');
    const media = child(track, 'mdia') ?? fail('no mdia box');
    const header = child(media, 'mdhd') ?? fail('no mdhd box');
    const timescale = header.readUInt32BE(header[0] === 1 ? 20 : 12);
    const table = descend(media, ['minf', 'stbl']) ?? fail('no sample table');
    const { codec, width, height, lengthSize, parameterSets } = sampleDescription(child(table, 'stsd') ?? fail('no stsd box'), fail);
    if (hasBFrames(child(table, 'ctts'))) fail('it has B-frames (ctts); encode with bframes=0');
    const sizes = sampleSizes(child(table, 'stsz') ?? fail('no stsz box'));
    if (sizes.length === 0) fail('it has no pictures (fragmented MP4 is not read)');
    const durations = sampleDurations(child(table, 'stts') ?? fail('no stts box'), sizes.length);
    const offsets = sampleOffsets(child(table, 'stsc') ?? fail('no stsc box'), child(table, 'stco'), child(table, 'co64'), sizes);
    const sync = child(table, 'stss');
    const keys = sync ? new Set(Array.from({ length: sync.readUInt32BE(4) }, (_, i) => sync.readUInt32BE(8 + 4 * i) - 1)) : null;
    const starts = new Float64Array(sizes.length + 1);
    let sum = 0;
    const samples = sizes.map((size, index): Sample => {
      starts[index] = Math.round((sum * 90_000) / timescale);
      sum += durations[index]!;
      return { offset: offsets[index]!, size, key: keys?.has(index) ?? true, duration: 0 };
    });
    starts[sizes.length] = Math.round((sum * 90_000) / timescale);
    samples.forEach((sample, index) => {
      sample.duration = starts[index + 1]! - starts[index]!;
      if (sample.offset + sample.size > file.length) fail(`picture ${index} lies beyond the end of the file`);
    });
    if (!samples[0]!.key) fail('it does not begin with a key picture');
    return new Mp4Clip(file, codec, width, height, samples, lengthSize, parameterSets, starts);
  }
}

interface Box {
  type: string;
  body: Buffer;
}

/** The boxes inside `bytes`, one level deep. */
function boxes(bytes: Buffer): Box[] {
  const found: Box[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    let size = bytes.readUInt32BE(at);
    let head = 8;
    if (size === 1 && at + 16 <= bytes.length) {
      size = Number(bytes.readBigUInt64BE(at + 8));
      head = 16;
    } else if (size === 0) size = bytes.length - at;
    if (size < head || at + size > bytes.length) break;
    found.push({ type: bytes.toString('latin1', at + 4, at + 8), body: bytes.subarray(at + head, at + size) });
    at += size;
  }
  return found;
}

const child = (bytes: Buffer, type: string): Buffer | undefined => boxes(bytes).find((box) => box.type === type)?.body;

function descend(bytes: Buffer, path: readonly string[]): Buffer | undefined {
  return path.reduce<Buffer | undefined>((at, type) => (at ? child(at, type) : undefined), bytes);
}

function handlerOf(track: Buffer): string {
  return descend(track, ['mdia', 'hdlr'])?.toString('latin1', 8, 12) ?? '';
}

function hasBFrames(ctts: Buffer | undefined): boolean {
  if (!ctts) return false;
  const offsets = new Set(Array.from({ length: ctts.readUInt32BE(4) }, (_, i) => ctts.readInt32BE(12 + 8 * i)));
  return offsets.size > 1;
}

function sampleSizes(stsz: Buffer): number[] {
  const uniform = stsz.readUInt32BE(4);
  return Array.from({ length: stsz.readUInt32BE(8) }, (_, i) => (uniform !== 0 ? uniform : stsz.readUInt32BE(12 + 4 * i)));
}

function sampleDurations(stts: Buffer, count: number): number[] {
  const durations: number[] = [];
  for (let entry = 0; entry < stts.readUInt32BE(4); entry += 1) {
    const run = stts.readUInt32BE(8 + 8 * entry);
    const delta = stts.readUInt32BE(12 + 8 * entry);
    for (let i = 0; i < run && durations.length < count; i += 1) durations.push(delta);
  }
  while (durations.length < count) durations.push(durations.at(-1) ?? 1);
  return durations;
}

/** Joins chunk offsets with the samples-per-chunk runs: where each sample lies. */
function sampleOffsets(stsc: Buffer, stco: Buffer | undefined, co64: Buffer | undefined, sizes: readonly number[]): number[] {
  const chunks = stco
    ? Array.from({ length: stco.readUInt32BE(4) }, (_, i) => stco.readUInt32BE(8 + 4 * i))
    : co64
      ? Array.from({ length: co64.readUInt32BE(4) }, (_, i) => Number(co64.readBigUInt64BE(8 + 8 * i)))
      : [];
  const offsets: number[] = [];
  const runs = stsc.readUInt32BE(4);
  for (let run = 0; run < runs; run += 1) {
    const first = stsc.readUInt32BE(8 + 12 * run);
    const perChunk = stsc.readUInt32BE(12 + 12 * run);
    const end = run + 1 < runs ? stsc.readUInt32BE(8 + 12 * (run + 1)) : chunks.length + 1;
    for (let chunk = first; chunk < end; chunk += 1) {
      let at = chunks[chunk - 1] ?? 0;
      for (let i = 0; i < perChunk && offsets.length < sizes.length; i += 1) {
        offsets.push(at);
        at += sizes[offsets.length - 1]!;
      }
    }
  }
  if (offsets.length !== sizes.length) throw new Error(`clip: the chunk table places ${offsets.length} of ${sizes.length} pictures`);
  return offsets;
}

interface Description {
  codec: Codec;
  width: number;
  height: number;
  lengthSize: number;
  parameterSets: Buffer;
}

function sampleDescription(stsd: Buffer, fail: (what: string) => never): Description {
  const entry = boxes(stsd.subarray(8))[0] ?? fail('empty sample description');
  const width = entry.body.readUInt16BE(24);
  const height = entry.body.readUInt16BE(26);
  const inner = entry.body.subarray(78);
  if (entry.type === 'avc1' || entry.type === 'avc3') {
    const avcC = child(inner, 'avcC') ?? fail('no avcC box');
    return { codec: 'h264', width, height, lengthSize: (avcC[4]! & 3) + 1, parameterSets: avcParameterSets(avcC) };
  }
  if (entry.type === 'hvc1' || entry.type === 'hev1') {
    const hvcC = child(inner, 'hvcC') ?? fail('no hvcC box');
    return { codec: 'h265', width, height, lengthSize: (hvcC[21]! & 3) + 1, parameterSets: hevcParameterSets(hvcC) };
  }
  return fail(`the video is '${entry.type}', a camera plays avc1, avc3, hvc1 or hev1`);
}

/** ISO/IEC 14496-15 §5.3.3.1: counted SPS, then counted PPS, each with a 16-bit length. */
function avcParameterSets(avcC: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 5;
  for (const mask of [0x1f, 0xff]) {
    const count = (avcC[at] ?? 0) & mask;
    at += 1;
    for (let i = 0; i < count; i += 1) {
      const length = avcC.readUInt16BE(at);
      parts.push(START_CODE, avcC.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return Buffer.concat(parts);
}

/** ISO/IEC 14496-15 §8.3.3.1: arrays of NAL units by type. */
function hevcParameterSets(hvcC: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 23;
  for (let array = 0; array < hvcC[22]!; array += 1) {
    const type = hvcC[at]! & 0x3f;
    const count = hvcC.readUInt16BE(at + 1);
    at += 3;
    for (let i = 0; i < count; i += 1) {
      const length = hvcC.readUInt16BE(at);
      if (type >= 32 && type <= 34) parts.push(START_CODE, hvcC.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return Buffer.concat(parts);
}
