import { nalUnits, type Codec } from '../camera/media/nal.js';

/** Largest RTP payload: what fits an Ethernet frame. */
const MTU = 1400;

/** A picture as RTP payloads: RFC 6184 (H.264) or RFC 7798 (H.265), whole NAL units where they fit, fragments where not. */
export function payloads(codec: Codec, annexB: Buffer): Buffer[] {
  return nalUnits(annexB).flatMap((unit) => (unit.length <= MTU ? [unit] : codec === 'h264' ? fragmentH264(unit) : fragmentH265(unit)));
}

/** FU-A: indicator with type 28, header with start, end and the type. */
function fragmentH264(unit: Buffer): Buffer[] {
  const header = unit[0]!;
  return pieces(unit.subarray(1), MTU - 2).map((piece, i, all) => Buffer.concat([Buffer.from([(header & 0xe0) | 28, flags(i, all.length) | (header & 0x1f)]), piece]));
}

/** FU: payload header with type 49, then start, end and the type. */
function fragmentH265(unit: Buffer): Buffer[] {
  const type = (unit[0]! >> 1) & 0x3f;
  return pieces(unit.subarray(2), MTU - 3).map((piece, i, all) => Buffer.concat([Buffer.from([(unit[0]! & 0x81) | (49 << 1), unit[1]!, flags(i, all.length) | type]), piece]));
}

const flags = (i: number, count: number): number => (i === 0 ? 0x80 : 0) | (i === count - 1 ? 0x40 : 0);

function pieces(bytes: Buffer, size: number): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(bytes.subarray(at, at + size));
  return out;
}
