import type { Codec } from '../../ingest/access-unit.js';
import { BitReader } from '../../ingest/media/bit-reader.js';
import { h264 } from '../../ingest/media/h264.js';
import { h265 } from '../../ingest/media/h265.js';
import type { NalSyntax } from '../../ingest/media/video-format.js';
import type { BoxWriter } from './box-writer.js';

export const syntaxOf: Record<Codec, NalSyntax> = { h264, h265 };

/** What a decoder must know before the first picture of a segment. */
export interface TrackFormat {
  codec: Codec;
  /** Pixels after cropping. */
  width: number;
  height: number;
  /** NAL units without start codes, each different one once, in stream order (VPS, SPS, PPS). */
  parameterSets: readonly Buffer[];
}

/**
 * The sample entry of a segment (ISO/IEC 14496-12, clause 12.1.3). `avc3` and `hev1` (ISO/IEC 14496-15, clauses 5.4.2.1
 * and 8.4.1) allow parameter sets in the samples, so that the camera's bytes stay as they came; the configuration record
 * repeats the first ones for players that look only there.
 */
export function writeSampleEntry(out: BoxWriter, track: TrackFormat): void {
  out.box(track.codec === 'h264' ? 'avc3' : 'hev1', () => {
    out.zeros(6).u16(1); // reserved, data_reference_index
    out.zeros(16); // pre_defined and reserved
    out.u16(Math.min(track.width, 0xffff)).u16(Math.min(track.height, 0xffff));
    out.u32(0x00480000).u32(0x00480000).u32(0).u16(1); // 72 dpi, reserved, frame_count
    out.zeros(32).u16(0x0018).u16(0xffff); // compressorname, depth, pre_defined = -1
    if (track.codec === 'h264') writeAvcC(out, track.parameterSets);
    else writeHvcC(out, track.parameterSets);
  });
}

const ofKind = (syntax: NalSyntax, sets: readonly Buffer[], kind: string): Buffer[] => sets.filter((nal) => syntax.parameterSet(nal)?.startsWith(kind));

/** Profiles whose record ends with chroma format and bit depths (ISO/IEC 14496-15, clause 5.3.3.1.2). */
const EXTENDED_PROFILES = new Set([100, 110, 122, 144, 244, 44]);

/** AVCDecoderConfigurationRecord, ISO/IEC 14496-15, clause 5.3.3.1. */
function writeAvcC(out: BoxWriter, sets: readonly Buffer[]): void {
  const sps = ofKind(h264, sets, 'sps').slice(0, 31);
  const pps = ofKind(h264, sets, 'pps').slice(0, 255);
  const [, profile = 0, compatibility = 0, level = 0] = sps[0] ?? [];
  out.box('avcC', () => {
    out.u8(1).u8(profile).u8(compatibility).u8(level);
    out.u8(0xfc | 3); // lengths of 4 bytes
    out.u8(0xe0 | sps.length);
    for (const nal of sps) out.u16(nal.length).bytes(nal);
    out.u8(pps.length);
    for (const nal of pps) out.u16(nal.length).bytes(nal);
    if (!EXTENDED_PROFILES.has(profile)) return;
    // H.264, clause 7.3.2.1.1: id, chroma_format_idc, bit depths.
    const r = new BitReader((sps[0] as Buffer).subarray(4, 24));
    r.ue();
    const chroma = r.ue();
    if (chroma === 3) r.skip(1);
    out.u8(0xfc | (chroma & 3)).u8(0xf8 | (r.ue() & 7)).u8(0xf8 | (r.ue() & 7)).u8(0);
  });
}

/** HEVCDecoderConfigurationRecord, ISO/IEC 14496-15, clause 8.3.3.1. */
function writeHvcC(out: BoxWriter, sets: readonly Buffer[]): void {
  const sps = ofKind(h265, sets, 'sps')[0];
  const facts = readHevcFacts(sps ?? Buffer.alloc(0));
  out.box('hvcC', () => {
    out.u8(1).bytes(facts.profileTierLevel);
    out.u16(0xf000); // min_spatial_segmentation_idc: unknown
    out.u8(0xfc); // parallelismType: unknown
    out.u8(0xfc | (facts.chroma & 3)).u8(0xf8 | (facts.lumaDepth & 7)).u8(0xf8 | (facts.chromaDepth & 7));
    out.u16(0); // avgFrameRate: unspecified
    out.u8((facts.subLayers << 3) | (facts.nesting << 2) | 3); // lengths of 4 bytes
    const kinds = [
      ['vps', 32],
      ['sps', 33],
      ['pps', 34],
    ] as const;
    out.u8(kinds.length);
    for (const [kind, type] of kinds) {
      const nals = ofKind(h265, sets, kind);
      out.u8(type).u16(nals.length); // array_completeness 0: more of them in the samples
      for (const nal of nals) out.u16(nal.length).bytes(nal);
    }
  });
}

interface HevcFacts {
  /** general_profile_space … general_level_idc, 12 bytes. */
  profileTierLevel: Buffer;
  subLayers: number;
  nesting: number;
  chroma: number;
  lumaDepth: number;
  chromaDepth: number;
}

/** H.265, clauses 7.3.2.2.1 and 7.3.3. */
function readHevcFacts(sps: Buffer): HevcFacts {
  const r = new BitReader(sps.subarray(2));
  r.skip(4);
  const maxSubLayersMinus1 = r.bits(3);
  const nesting = r.bit();
  const profileTierLevel = Buffer.from(Array.from({ length: 12 }, () => r.bits(8)));
  const present: [boolean, boolean][] = [];
  for (let i = 0; i < maxSubLayersMinus1; i++) present.push([r.flag(), r.flag()]);
  if (maxSubLayersMinus1 > 0) r.skip((8 - maxSubLayersMinus1) * 2);
  for (const [profile, level] of present) r.skip((profile ? 88 : 0) + (level ? 8 : 0));
  r.ue(); // sps_seq_parameter_set_id
  const chroma = r.ue();
  if (chroma === 3) r.skip(1);
  r.ue(); // width
  r.ue(); // height
  if (r.flag()) for (let i = 0; i < 4; i++) r.ue();
  return { profileTierLevel, subLayers: maxSubLayersMinus1 + 1, nesting, chroma, lumaDepth: r.ue(), chromaDepth: r.ue() };
}
