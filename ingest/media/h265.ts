import { BitReader } from './bit-reader.js';
import { plausibleSize, type NalRole, type NalSyntax, type VideoFormat } from './video-format.js';

/**
 * H.265 NAL units, ITU-T H.265 clause 7.3.1.2 and table 7-1.
 *
 *     |F|   Type    |  LayerId  | TID |   Type 0–31 slices (16–21 IRAP), 32 VPS, 33 SPS, 34 PPS, 35 AUD, 39 prefix SEI
 */
const VPS = 32;
const SPS = 33;
const PPS = 34;
const DELIMITER = 35;
const PREFIX_SEI = 39;
const MAX_SUB_LAYERS = 7;

const typeOf = (header: number): number => (header >> 1) & 0x3f;

export const h265: NalSyntax = {
  codec: 'h265',
  parameterSetOrder: ['vps', 'sps', 'pps'],

  role(bytes, from): NalRole {
    const type = typeOf(bytes[from] as number);
    // first_slice_segment_in_pic_flag is the first bit behind the two-byte header.
    if (type < 32) return ((bytes[from + 2] ?? 0) & 0x80) !== 0 ? 'first-slice' : 'slice';
    // Clause 7.4.2.4.4.
    const prefix = (type >= VPS && type <= DELIMITER) || type === PREFIX_SEI || (type >= 41 && type <= 44) || (type >= 48 && type <= 55);
    return prefix ? 'prefix' : 'other';
  },

  announces(bytes, from) {
    const header = bytes[from] as number;
    // As H.264 these would be data partitions, which no camera sends.
    return header >= VPS << 1 && header <= DELIMITER << 1 && (header & 1) === 0 && bytes[from + 1] === 1;
  },

  isKeySlice(bytes, from) {
    const type = typeOf(bytes[from] as number);
    return type >= 16 && type <= 21;
  },

  parameterSet(nal) {
    if (nal.length < 3) return null;
    switch (typeOf(nal[0] as number)) {
      case VPS:
        return `vps:${(nal[2] as number) >> 4}`;
      case SPS: {
        const sps = parseSps(nal);
        return sps === null ? null : `sps:${sps.id}`;
      }
      case PPS: {
        const id = new BitReader(nal.subarray(2, 10)).ue();
        return id <= 63 ? `pps:${id}` : null;
      }
      default:
        return null;
    }
  },

  format(nal) {
    // The second byte (layer 0, temporal id 0) tells an SPS from an H.264 unit that happens to begin alike.
    return nal.length > 2 && (nal[0] as number) === SPS << 1 && nal[1] === 1 ? (parseSps(nal)?.format ?? null) : null;
  },
};

/** Sequence parameter set, clause 7.3.2.2.1. The VUI stands behind tables not needed here: time stamps give the rate. */
function parseSps(nal: Uint8Array): { id: number; format: VideoFormat } | null {
  const r = new BitReader(nal.subarray(2));
  r.skip(4); // sps_video_parameter_set_id
  const subLayers = r.bits(3);
  r.skip(1); // temporal id nesting
  if (subLayers >= MAX_SUB_LAYERS) return null;
  const { profile, level } = profileTierLevel(r, subLayers);
  const id = r.ue();
  const chroma = r.ue();
  if (chroma === 3) r.skip(1);
  let width = r.ue();
  let height = r.ue();
  if (r.flag()) {
    const unitX = chroma === 1 || chroma === 2 ? 2 : 1;
    const unitY = chroma === 1 ? 2 : 1;
    width -= (r.ue() + r.ue()) * unitX;
    height -= (r.ue() + r.ue()) * unitY;
  }
  if (r.exhausted || id > 15 || chroma > 3 || !plausibleSize(width, height)) return null;
  return { id, format: { codec: 'h265', width, height, profile, level, frameRate: null } };
}

/** Clause 7.3.3. */
function profileTierLevel(r: BitReader, subLayers: number): { profile: number; level: number } {
  r.skip(3); // profile space, tier
  const profile = r.bits(5);
  r.skip(32 + 48); // compatibility and constraint flags
  const level = r.bits(8);
  const present: [boolean, boolean][] = [];
  for (let i = 0; i < subLayers; i++) present.push([r.flag(), r.flag()]);
  if (subLayers > 0) r.skip((8 - subLayers) * 2);
  for (const [hasProfile, hasLevel] of present) r.skip((hasProfile ? 88 : 0) + (hasLevel ? 8 : 0));
  return { profile, level };
}
