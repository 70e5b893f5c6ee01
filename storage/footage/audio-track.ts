import { AAC_FRAME_SAMPLES } from '../../ingest/media/adts.js';
import type { AudioUnit } from '../../ingest/audio-unit.js';
import { flacFormat, type AudioFormat } from './audio-entry.js';
import { flacBlocks, flacFrame } from './flac.js';
import { decodeG711, G711_SILENCE, type G711Law } from './g711.js';

/** The sound of one GOP as it goes into its fragment. */
export interface TrackRun {
  format: AudioFormat;
  /** Of the first sample: samples from the beginning of the segment, and 90 kHz ticks on the line of the pictures. */
  start: number;
  pts: number;
  samples: { duration: number; data: Uint8Array }[];
}

const TICKS = 90_000;
/** Samples a second that sound can have; others are damage. */
const LEAST_RATE = 7_350;
const MOST_RATE = 96_000;
/** Time stamps of sound are coarse; nearer than this it simply goes on. Seconds. */
const TOLERANCE = 0.12;
/** Sound may arrive so late without being taken for silence. */
const LAG = 0.5;
/** Sound may be so far ahead of the pictures that it lies between. */
const LEAD = 2;
/** A FLAC frame of fewer samples may only be the last one. */
const LEAST_CARRY = 16;

/** The format that a unit's sound is kept in. */
export function keptFormat(unit: AudioUnit): AudioFormat | null {
  if (!(unit.sampleRate >= LEAST_RATE && unit.sampleRate <= MOST_RATE)) return null;
  if (unit.codec !== 'aac') return unit.channels === 1 ? flacFormat(unit.sampleRate) : null;
  // More than two channels no street camera has; their silence would have to be made differently.
  if (unit.config === null || unit.config.length < 2 || unit.config.length > 64 || unit.channels > 2) return null;
  return { codec: 'aac', sampleRate: unit.sampleRate, channels: unit.channels, config: Buffer.from(unit.config) };
}

/**
 * The sound track of one segment: a row of samples without holes, so that no player stumbles. Time that has no sound is filled
 * with silence; sound that comes twice, too late or from the future is left out. Pure; one GOP after the other.
 */
export class AudioTrack {
  readonly format: AudioFormat;
  readonly #basePts: number;
  #law: G711Law = 'g711a';
  /** Samples written, and PCM samples that wait for company. */
  #written = 0;
  #waiting: Int16Array = new Int16Array(0);
  /** Units that did not fit: another format, late, twice, or from the future. */
  dropped = 0;

  constructor(format: AudioFormat, basePts: number) {
    this.format = format;
    this.#basePts = basePts;
  }

  /**
   * @param units as they arrived while the GOP was open
   * @param endPts end of the GOP's last picture
   */
  run(units: readonly AudioUnit[], endPts: number): TrackRun | null {
    const rate = this.format.sampleRate;
    const end = ((endPts - this.#basePts) * rate) / TICKS;
    const start = this.#written;
    const samples: TrackRun['samples'] = [];
    const pieces: Int16Array[] = this.#waiting.length > 0 ? [this.#waiting] : [];
    let held = this.#waiting.length;
    const silence = (count: number): void => {
      if (this.format.codec === 'aac') for (let i = 0; i < Math.round(count / AAC_FRAME_SAMPLES); i++) this.#aac(samples, silentAac(this.format.channels));
      else {
        pieces.push(decodeG711(this.#law, Buffer.alloc(count, G711_SILENCE[this.#law])));
        held += count;
      }
    };
    for (const unit of units) {
      const at = Math.round(((unit.pts - this.#basePts) * rate) / TICKS);
      const ahead = at - this.#written - held;
      if (!this.#fits(unit) || at > end + LEAD * rate || ahead < -TOLERANCE * rate || at < -TOLERANCE * rate) {
        this.dropped++;
        continue;
      }
      if (ahead > TOLERANCE * rate || (ahead > 0 && this.#written + held === 0)) silence(ahead);
      if (unit.codec === 'aac') this.#aac(samples, unit.data);
      else {
        this.#law = unit.codec;
        // What lies before the segment's first picture belongs to nobody.
        const early = this.#written + held === 0 ? Math.min(unit.data.length, Math.max(0, -at)) : 0;
        pieces.push(decodeG711(unit.codec, unit.data.subarray(early)));
        held += unit.data.length - early;
      }
    }
    const missing = Math.floor(end - LAG * rate) - this.#written - held;
    if (missing > 0) silence(missing);
    if (this.format.codec === 'flac') this.#flac(samples, pieces, held);
    if (samples.length === 0) return null;
    return { format: this.format, start, pts: this.#basePts + Math.round((start * TICKS) / rate), samples };
  }

  #fits(unit: AudioUnit): boolean {
    const { codec, sampleRate, channels, config } = this.format;
    if ((unit.codec === 'aac') !== (codec === 'aac') || unit.sampleRate !== sampleRate || unit.channels !== channels || unit.data.length === 0) return false;
    return unit.codec !== 'aac' || (unit.config !== null && config.equals(unit.config));
  }

  #aac(samples: TrackRun['samples'], data: Uint8Array): void {
    samples.push({ duration: AAC_FRAME_SAMPLES, data });
    this.#written += AAC_FRAME_SAMPLES;
  }

  #flac(samples: TrackRun['samples'], pieces: readonly Int16Array[], count: number): void {
    const all = new Int16Array(count);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    if (count < LEAST_CARRY) {
      this.#waiting = all;
      return;
    }
    this.#waiting = new Int16Array(0);
    let from = 0;
    for (const length of flacBlocks(count)) {
      samples.push({ duration: length, data: flacFrame(all.subarray(from, from + length), this.#written) });
      this.#written += length;
      from += length;
    }
  }
}

/**
 * A raw_data_block without sound (ISO/IEC 14496-3, clause 4.4.2.1): one element whose spectrum has no bands, then END.
 * One channel: SCE, tag 0, gain 0, a long window without bands, nothing else. Two: CPE with a common window of that kind.
 */
function silentAac(channels: number): Buffer {
  // id 3, tag 4, global_gain 8, ics_info 1+2+1+6+1, pulse, tns, gain control 3; END 3.
  const mono = '000' + '0000' + '00000000' + '0'.repeat(11) + '000' + '111';
  // id 3, tag 4, common_window 1, ics_info 11, ms_mask_present 2, twice (gain 8, three flags); END 3.
  const stereo = '001' + '0000' + '1' + '0'.repeat(11) + '00' + '0'.repeat(22) + '111';
  const bits = channels === 1 ? mono : stereo;
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
  return Buffer.from(padded.match(/.{8}/g)?.map((byte) => parseInt(byte, 2)) ?? []);
}
