import { createHash } from 'node:crypto';
import type { AccessUnit } from '../../ingest/access-unit.js';
import { Mp4Clip } from '../simulators/camera/media/mp4-clip.js';
import { nalType, nalUnits, type Codec } from '../simulators/camera/media/nal.js';

/** What came of a clip: `intact` in order without a picture missing; `gaps`: true pictures, going on at key frames; else what is wrong. */
export type Verdict = 'intact' | 'gaps' | { wrong: string };

/** A picture by its coded slices alone: parameter sets, delimiters and start codes may come and go on the way. */
function fingerprint(codec: Codec, annexB: Buffer): string {
  const hash = createHash('sha1');
  for (const unit of nalUnits(annexB)) if (isSlice(nalType(codec, unit), codec)) hash.update(trimmed(unit));
  return hash.digest('hex');
}

const isSlice = (type: number, codec: Codec): boolean => (codec === 'h264' ? type >= 1 && type <= 5 : type < 32);

/** Without the zeros that may trail a NAL unit (ISO/IEC 14496-10 annex B). */
function trimmed(unit: Buffer): Buffer {
  let end = unit.length;
  while (end > 0 && unit[end - 1] === 0) end -= 1;
  return unit.subarray(0, end);
}

/** Tells whether received pictures are those of a clip that was played in a loop. */
export class ClipPictures {
  readonly #frames = new Map<string, number>();
  readonly #keys = new Set<number>();
  readonly #length: number;
  readonly #codec: Codec;

  constructor(path: string) {
    const clip = Mp4Clip.open(path);
    this.#codec = clip.codec;
    this.#length = clip.length;
    for (let i = 0; i < clip.length; i += 1) {
      this.#frames.set(fingerprint(clip.codec, clip.picture(i).annexB), i);
      if (clip.isKey(i)) this.#keys.add(i);
    }
  }

  judge(units: readonly AccessUnit[]): Verdict {
    let gaps = false;
    let last: number | null = null;
    let at = -Infinity;
    for (const [i, unit] of units.entries()) {
      const frame = this.#frames.get(fingerprint(this.#codec, Buffer.from(unit.data)));
      if (frame === undefined) return { wrong: `picture ${i} is none of the clip's` };
      if (unit.codec !== this.#codec) return { wrong: `picture ${i} is called ${unit.codec}` };
      if (unit.keyframe !== this.#keys.has(frame)) return { wrong: `picture ${i} (frame ${frame}) is ${unit.keyframe ? '' : 'not '}called a key frame` };
      if (unit.capturedAt <= at) return { wrong: `picture ${i} was not taken after the one before` };
      at = unit.capturedAt;
      const follows = last !== null && frame === (last + 1) % this.#length;
      if (!follows && !unit.keyframe) return { wrong: `picture ${i} (frame ${frame}) follows frame ${last} and is no key frame` };
      if (!follows && last !== null) gaps = true;
      last = frame;
    }
    return gaps ? 'gaps' : 'intact';
  }
}
