import type { AudioCodec } from './ps-muxer.js';

const SAMPLE_RATE = 8000;

/** 16-bit linear to A-law (ITU-T G.711, even bits inverted): sign, segment of the magnitude, four bits within it. */
function alaw(sample: number): number {
  const magnitude = Math.min(4095, (sample >= 0 ? sample : -sample - 1) >> 3);
  const segment = Math.max(0, 27 - Math.clz32(magnitude));
  const within = (magnitude >> Math.max(1, segment)) & 0x0f;
  return ((segment << 4) | within) ^ (sample >= 0 ? 0xd5 : 0x55);
}

/** 16-bit linear to µ-law (ITU-T G.711). */
function ulaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(32_635, Math.abs(sample)) + 132;
  const exponent = Math.max(0, 24 - Math.clz32(magnitude));
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

/** A steady 440 Hz tone: sound that is easily told from noise after any conversion. */
export class ToneSource {
  private sample = 0;

  constructor(private readonly codec: AudioCodec) {}

  /** The next `ticks` (90 kHz) of sound. */
  next(ticks: number): Buffer {
    const count = Math.round((ticks * SAMPLE_RATE) / 90_000);
    const encode = this.codec === 'g711a' ? alaw : ulaw;
    const bytes = Buffer.alloc(count);
    for (let i = 0; i < count; i += 1) {
      bytes[i] = encode(Math.round(8000 * Math.sin((2 * Math.PI * 440 * this.sample) / SAMPLE_RATE)));
      this.sample += 1;
    }
    return bytes;
  }
}
