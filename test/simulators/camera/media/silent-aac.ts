const SAMPLE_RATE = 8000;
const SAMPLES = 1024;

/**
 * Silence as AAC-LC mono 8 kHz in ADTS (ISO/IEC 14496-3 1.A.2.2): a single channel element with no spectral data (id 0, tag 0,
 * global gain 100, long window, max_sfb 0, no pulse, TNS or gain control), then the end element.
 */
function frame(): Buffer {
  const raw = Buffer.from([0x00, 0xc8, 0x00, 0x07]);
  const length = 7 + raw.length;
  // Sync, MPEG-4, no CRC; profile LC, sampling index 11 (8 kHz), one channel; frame length; buffer fullness all ones.
  const header = Buffer.from([0xff, 0xf1, 0x40 | (11 << 2), 0x40 | (length >> 11), (length >> 3) & 0xff, ((length & 7) << 5) | 0x1f, 0xfc]);
  return Buffer.concat([header, raw]);
}

/** A source of sound like `ToneSource`, in whole ADTS frames: as many as the time calls for. */
export class SilentAac {
  private due = 0;

  next(ticks: number): Buffer {
    this.due += (ticks * SAMPLE_RATE) / 90_000;
    const frames: Buffer[] = [];
    for (; this.due >= SAMPLES; this.due -= SAMPLES) frames.push(frame());
    return Buffer.concat(frames);
  }
}
