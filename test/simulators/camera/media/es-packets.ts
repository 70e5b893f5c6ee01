import { nalUnits, type Codec } from './nal.js';

const MOST = 1388;

/** RTP payloads of one picture's elementary stream: single NAL units, and fragments of what is larger (RFC 6184 §5.6, §5.8; RFC 7798 §4.4.1, §4.4.3). */
export function elementaryPayloads(codec: Codec, annexB: Buffer): Buffer[] {
  return nalUnits(annexB).flatMap((unit) => (unit.length <= MOST ? [unit] : codec === 'h264' ? fragments(unit, 1, h264Head) : fragments(unit, 2, h265Head)));
}

type Head = (unit: Buffer, first: boolean, last: boolean) => Buffer;

const flags = (first: boolean, last: boolean): number => (first ? 0x80 : 0) | (last ? 0x40 : 0);

/** FU-A: F and NRI of the unit with type 28, then start and end bits with the unit's type. */
const h264Head: Head = (unit, first, last) => Buffer.from([(unit[0]! & 0xe0) | 28, flags(first, last) | (unit[0]! & 0x1f)]);

/** FU: the unit's header with type 49, then start and end bits with the unit's type. */
const h265Head: Head = (unit, first, last) => Buffer.from([(unit[0]! & 0x81) | (49 << 1), unit[1]!, flags(first, last) | ((unit[0]! >> 1) & 0x3f)]);

function fragments(unit: Buffer, headerBytes: number, head: Head): Buffer[] {
  const payloads: Buffer[] = [];
  for (let at = headerBytes; at < unit.length; at += MOST) {
    const last = at + MOST >= unit.length;
    payloads.push(Buffer.concat([head(unit, at === headerBytes, last), unit.subarray(at, at + MOST)]));
  }
  return payloads;
}
