import { applyHomography, homographyFrom, type Point, type Quad } from '../../base/geometry.js';
import type { PlateColour, PlateReading } from '../observation.js';
import { plateKind } from '../plate/grammar.js';
import { VOTE_DEFAULTS } from '../plate/vote.js';
import type { CtcReading } from './ctc.js';

/** Another way to lay the reader's frame over a plate, in shares of the frame that was read first. */
export interface Framing {
  /** Width and height of the new frame. */
  width: number;
  height: number;
  /** How much lower its right end lies than its left one: what a tilted plate needs. */
  drop: number;
}

/**
 * The framings of a second look. Corners are never exact, and a plate seen from the side lies askew in what was cut out: nearer,
 * and along either diagonal. The same numbers stand in models/training/second_look.py.
 */
export const FRAMINGS: readonly Framing[] = [
  { width: 0.93, height: 0.82, drop: 0 },
  { width: 1, height: 0.82, drop: 0.25 },
  { width: 1, height: 0.82, drop: -0.25 },
];

/** Below this a plate is too far gone for a second look to help: far plates cost nothing more. */
export const HOPELESS = 0.02;

/**
 * Whether a first look is worth a second: it does not count by itself, but it is a text that a plate can have. Signs and grilles are not
 * looked at until they are read as plates.
 */
export function isUnsure(reading: CtcReading, colour: PlateColour): boolean {
  const value = strength(reading, colour);
  return value >= HOPELESS && value < VOTE_DEFAULTS.acceptSingle;
}

/** The quad of another framing of a plate. Null where the corners are degenerate. */
export function reframe(corners: Quad, { width, height, drop }: Framing): Quad | null {
  const h = homographyFrom([[0, 0], [1, 0], [1, 1], [0, 1]], corners);
  if (!h) return null;
  const at = (x: number, y: number): Point => applyHomography(h, [0.5 + x * width, 0.5 + y * height + x * drop]);
  return [at(-0.5, -0.5), at(0.5, -0.5), at(0.5, 0.5), at(-0.5, 0.5)];
}

/** How much a reading is worth: its weakest character's confidence, nothing where no plate of this colour has such a text. */
export function strength({ text, confidences }: CtcReading, colour: PlateColour): number {
  return confidences.length > 0 && plateKind(text, colour) !== null ? Math.min(...confidences) : 0;
}

/** The same of a plate's finished reading. */
export function strengthOf({ text, colour, characterConfidences }: PlateReading): number {
  return strength({ text, confidences: [...characterConfidences] }, colour);
}

/**
 * One reading out of several of the same plate: the text of the strongest. Looks that contradict it take from the confidence of the
 * characters in which they differ, so that one of many looks that happens to be sure cannot be believed against the others.
 * @param readings the first look first: it stays where none fits the grammar
 */
export function combineLooks(readings: readonly CtcReading[], colour: PlateColour): CtcReading {
  const strengths = readings.map((reading) => strength(reading, colour));
  const first = strengths.reduce((best, value, i) => (value > (strengths[best] as number) ? i : best), 0);
  const best = readings[first] as CtcReading;
  const own = strengths[first] as number;
  if (own === 0) return readings[0] as CtcReading;
  const characters = [...best.text];
  const confidences = [...best.confidences];
  for (const [i, other] of readings.entries()) {
    const against = strengths[i] as number;
    if (other.text === best.text || against === 0) continue;
    const others = [...other.text];
    const most = own / (own + against);
    for (const [k, character] of characters.entries()) {
      if (others.length !== characters.length || others[k] !== character) confidences[k] = Math.min(confidences[k] as number, most);
    }
  }
  return { text: best.text, confidences };
}
