import { BitReader } from './bit-reader.js';
import { plausibleRate, plausibleSize, type NalRole, type NalSyntax, type VideoFormat } from './video-format.js';

/**
 * H.264 NAL units, ITU-T H.264 clause 7.3.1 and table 7-1.
 *
 *     |F|NRI|  Type   |   F forbidden_zero_bit, NRI nal_ref_idc, Type 1 slice, 5 IDR slice, 6 SEI, 7 SPS, 8 PPS, 9 AUD
 */
const SLICE = 1;
const PARTITION_A = 2;
const IDR = 5;
const SEI = 6;
const SPS = 7;
const PPS = 8;
const DELIMITER = 9;

export const h264: NalSyntax = {
  codec: 'h264',
  parameterSetOrder: ['sps', 'pps'],

  role(bytes, from): NalRole {
    const type = (bytes[from] as number) & 0x1f;
    if (type === SLICE || type === IDR || type === PARTITION_A) {
      // first_mb_in_slice is ue(v): 0 is the single bit 1.
      return ((bytes[from + 1] ?? 0) & 0x80) !== 0 ? 'first-slice' : 'slice';
    }
    // Clause 7.4.1.2.3: these begin a new access unit when they follow a picture's last slice.
    const prefix = type === SEI || type === SPS || type === PPS || type === DELIMITER || (type >= 14 && type <= 18);
    return prefix ? 'prefix' : 'other';
  },

  announces(bytes, from) {
    const header = bytes[from] as number;
    // Read as H.265 this would be a slice of a temporal layer that cannot exist there: no profile number ends in 001.
    return (header & 0x9f) === SPS && (header & 0x60) !== 0 && PROFILES.has(bytes[from + 1] as number);
  },

  isKeySlice: (bytes, from) => ((bytes[from] as number) & 0x1f) === IDR,

  parameterSet(nal) {
    const type = (nal[0] as number) & 0x1f;
    if (type === SPS) {
      const sps = parseSps(nal);
      return sps === null ? null : `sps:${sps.id}`;
    }
    if (type !== PPS || nal.length < 2) return null;
    const id = new BitReader(nal.subarray(1, 9)).ue();
    return id <= 255 ? `pps:${id}` : null;
  },

  format(nal) {
    // nal_ref_idc 0 is forbidden for an SPS, and would be a slice in H.265.
    const header = nal[0] ?? 0;
    return (header & 0x9f) === SPS && (header & 0x60) !== 0 ? (parseSps(nal)?.format ?? null) : null;
  },
};

const PROFILES = new Set([66, 77, 88, 100, 110, 122, 244]);

/** Profiles whose SPS carries chroma format and scaling lists (clause 7.3.2.1.1). */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

/** Sequence parameter set, clause 7.3.2.1.1. */
function parseSps(nal: Uint8Array): { id: number; format: VideoFormat } | null {
  const r = new BitReader(nal.subarray(1));
  const profile = r.bits(8);
  r.skip(8); // constraint flags and reserved bits
  const level = r.bits(8);
  const id = r.ue();
  let chroma = 1;
  if (HIGH_PROFILES.has(profile)) {
    chroma = r.ue();
    if (chroma === 3) r.skip(1); // separate_colour_plane_flag
    r.ue(); // bit depths
    r.ue();
    r.skip(1); // qpprime_y_zero_transform_bypass_flag
    if (r.flag()) skipScalingLists(r, chroma === 3 ? 12 : 8);
  }
  r.ue(); // log2_max_frame_num_minus4
  const orderType = r.ue();
  if (orderType === 0) r.ue();
  else if (orderType === 1) {
    r.skip(1);
    r.se();
    r.se();
    const cycle = r.ue();
    if (cycle > 255) return null;
    for (let i = 0; i < cycle; i++) r.se();
  }
  r.ue(); // max_num_ref_frames
  r.skip(1); // gaps_in_frame_num_value_allowed_flag
  const widthMbs = r.ue() + 1;
  const heightUnits = r.ue() + 1;
  const framesOnly = r.bit();
  if (framesOnly === 0) r.skip(1);
  r.skip(1); // direct_8x8_inference_flag
  let width = widthMbs * 16;
  let height = (2 - framesOnly) * heightUnits * 16;
  if (r.flag()) {
    const unitX = chroma === 1 || chroma === 2 ? 2 : 1;
    const unitY = (chroma === 1 ? 2 : 1) * (2 - framesOnly);
    width -= (r.ue() + r.ue()) * unitX;
    height -= (r.ue() + r.ue()) * unitY;
  }
  const complete = !r.exhausted;
  const frameRate = complete && r.flag() ? vuiFrameRate(r) : null;
  if (!complete || id > 31 || chroma > 3 || orderType > 2 || !plausibleSize(width, height)) return null;
  return { id, format: { codec: 'h264', width, height, profile, level, frameRate } };
}

function skipScalingLists(r: BitReader, count: number): void {
  for (let i = 0; i < count && !r.exhausted; i++) {
    if (!r.flag()) continue;
    const size = i < 6 ? 16 : 64;
    let last = 8;
    let next = 8;
    for (let j = 0; j < size && !r.exhausted; j++) {
      if (next !== 0) next = (last + r.se() + 256) % 256;
      last = next === 0 ? last : next;
    }
  }
}

/** Annex E.1.1, as far as the timing. */
function vuiFrameRate(r: BitReader): number | null {
  if (r.flag() && r.bits(8) === 255) r.skip(32); // aspect ratio
  if (r.flag()) r.skip(1); // overscan
  if (r.flag()) {
    r.skip(4); // video format, range
    if (r.flag()) r.skip(24);
  }
  if (r.flag()) {
    r.ue(); // chroma sample locations
    r.ue();
  }
  if (!r.flag()) return null;
  const ticks = r.bits(32);
  const timeScale = r.bits(32);
  // Ticks count fields: two a frame.
  return r.exhausted ? null : plausibleRate(timeScale, ticks * 2);
}
