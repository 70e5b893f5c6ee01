import { beijingDateTime } from '../../base/beijing-time.js';

/**
 * - `no-file`, `no-object`: the catalogue says that it should be there
 * - `stray-file`, `stray-object`: the catalogue does not know it
 * - `file-size`, `object-size`: it has another size
 * - `file-damaged`, `object-damaged`: its bytes have another SHA-256
 * - `object-unreadable`: the server has it and cannot give it, as where its own disk is damaged
 * - `lost`: neither file nor object
 * - `stale-upload`: parts of an upload that nobody goes on with
 * - `no-picture`, `picture-size`, `picture-damaged`, `stray-picture`: the same of evidence pictures
 */
export type FindingKind = 'no-file' | 'no-object' | 'stray-file' | 'stray-object' | 'file-size' | 'object-size' | 'file-damaged' | 'object-damaged' | 'object-unreadable' | 'lost' | 'stale-upload' | 'no-picture' | 'picture-size' | 'picture-damaged' | 'stray-picture';

/** Where in a segment the damage begins. */
export interface Damage {
  /** The first GOP that is not whole; null where all are: the damage lies outside of the pictures. */
  gop: number | null;
  /** Bytes from the beginning of the segment. */
  offset: number | null;
  /** capturedAt of that GOP, Unix ms. */
  at: number | null;
  what: string;
}

/** Something that is not as the catalogue says. */
export interface Finding {
  kind: FindingKind;
  cameraId: string | null;
  segment: number | null;
  /** capturedAt of the segment's first and last unit, Unix ms. */
  startedAt: number | null;
  endedAt: number | null;
  /** Path or key. */
  where: string;
  /** Size or SHA-256, as the kind has it. */
  expected: string | null;
  actual: string | null;
  damage: Damage | null;
  /** What was done about it; null: nothing. */
  repaired: string | null;
  /** What can be done; null where nothing can. */
  advice: string | null;
}

const WORDS: Record<FindingKind, string> = {
  'no-file': 'the file is missing on the disk',
  'no-object': 'the object is missing in the archive',
  'stray-file': 'a file that the catalogue does not know',
  'stray-object': 'an object that the catalogue does not know',
  'file-size': 'the file has another size',
  'object-size': 'the object has another size',
  'file-damaged': 'the file is damaged',
  'object-damaged': 'the object is damaged',
  'object-unreadable': 'the server cannot give the object',
  lost: 'the footage is lost: neither file nor object',
  'stale-upload': 'parts of an upload that nobody goes on with',
  'no-picture': 'the evidence picture is missing',
  'picture-size': 'the evidence picture has another size',
  'picture-damaged': 'the evidence picture is damaged',
  'stray-picture': 'a picture that no visit has',
};

/** One line for people, with all that is needed to look for it. */
export function describeFinding(finding: Finding): string {
  const { cameraId, segment, startedAt, endedAt, where, expected, actual, damage, repaired, advice } = finding;
  const name = cameraId === null ? '' : `camera ${cameraId}, ${segment === null ? '' : `segment ${segment}, `}`;
  const time = startedAt === null || endedAt === null ? '' : `${beijingDateTime(startedAt)} to ${beijingDateTime(endedAt).slice(11)}, `;
  const sums = expected === null && actual === null ? '' : `: expected ${expected ?? 'nothing'}, found ${actual ?? 'nothing'}`;
  const from =
    damage === null ? ''
    : damage.gop === null ? `; ${damage.what}`
    : `; damaged from GOP ${damage.gop}${damage.offset === null ? '' : ` (byte ${damage.offset})`}${damage.at === null ? '' : `, captured ${beijingDateTime(damage.at)},`} on: ${damage.what}`;
  const end = repaired === null ? (advice === null ? '' : ` — ${advice}`) : ` — repaired: ${repaired}`;
  return `${name}${time}${where}: ${WORDS[finding.kind]}${sums}${from}${end}`;
}

/** A finding with nothing set that is not given. */
export function finding(values: Pick<Finding, 'kind' | 'where'> & Partial<Finding>): Finding {
  return { cameraId: null, segment: null, startedAt: null, endedAt: null, expected: null, actual: null, damage: null, repaired: null, advice: null, ...values };
}
