export type Codec = 'h264' | 'h265';

/** Annex-B start code as cameras send it before each NAL unit. */
export const START_CODE = Buffer.from([0, 0, 0, 1]);

/** The NAL units of an Annex-B picture, without start codes. */
export function nalUnits(annexB: Buffer): Buffer[] {
  const units: Buffer[] = [];
  let start = -1;
  for (let at = annexB.indexOf('\0\0\x01', 0, 'latin1'); at >= 0; at = annexB.indexOf('\0\0\x01', at + 3, 'latin1')) {
    if (start >= 0) units.push(annexB.subarray(start, at > start && annexB[at - 1] === 0 ? at - 1 : at));
    start = at + 3;
  }
  if (start >= 0) units.push(annexB.subarray(start));
  return units;
}

export function nalType(codec: Codec, unit: Buffer): number {
  return codec === 'h264' ? unit[0]! & 0x1f : (unit[0]! >> 1) & 0x3f;
}

/** Does the picture carry its own SPS (and VPS)? */
export function parameterSetsIn(codec: Codec, units: readonly Buffer[]): boolean {
  const types = new Set(units.map((unit) => nalType(codec, unit)));
  return codec === 'h264' ? types.has(7) && types.has(8) : types.has(32) && types.has(33) && types.has(34);
}
