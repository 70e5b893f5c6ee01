/** Annex-B byte streams: H.264 annex B, H.265 annex B. */

const START_CODE = Buffer.from([0, 0, 1]);

/** The start code that we write. Four bytes: decoders and muxers accept it everywhere. */
export const LONG_START_CODE = Buffer.from([0, 0, 0, 1]);

/** One NAL unit inside a buffer. */
export interface NalSpan {
  /** Where its start code begins, a leading zero byte included. */
  codeAt: number;
  /** Its first byte (the NAL unit header). */
  from: number;
  /** Behind its last byte; trailing zeros before the next start code are left out. */
  to: number;
}

/**
 * The NAL units of `bytes`, in order. Bytes before the first start code belong to none. Empty units are left out, and
 * not more than `limit` are listed: a picture has a handful, only hostile input has thousands.
 */
export function splitAnnexB(bytes: Buffer, limit = 4096): NalSpan[] {
  const spans: NalSpan[] = [];
  let hit = bytes.indexOf(START_CODE, 0);
  while (hit >= 0 && spans.length < limit) {
    const next = bytes.indexOf(START_CODE, hit + 3);
    let to = next < 0 ? bytes.length : next;
    while (to > hit + 3 && bytes[to - 1] === 0) to--;
    const codeAt = hit > 0 && bytes[hit - 1] === 0 ? hit - 1 : hit;
    if (to > hit + 3) spans.push({ codeAt, from: hit + 3, to });
    hit = next;
  }
  return spans;
}

/** Offset of the NAL unit header where `bytes` begins with a start code (leading zeros allowed); -1 where it does not. */
export function leadingNal(bytes: Uint8Array): number {
  let zeros = 0;
  while (zeros < bytes.length && zeros < 8 && bytes[zeros] === 0) zeros++;
  return zeros >= 2 && bytes[zeros] === 1 && zeros + 1 < bytes.length ? zeros + 1 : -1;
}
