import type { ObservedVehicle, PlateReading } from '../../vision/observation.js';
import { flattenBox, flattenQuad } from '../flat.js';
import type { BallotEntry } from '../state.js';

/** Readings kept of one vehicle: enough for a vote, few enough for the state. */
export const MAX_READINGS = 10;
const NEWEST_KEPT = 3;
/** Longer than any plate of GA 36; what is longer is noise and is not stored. */
const MAX_TEXT = 10;

const round3 = (n: number): number => Math.round(n * 1000) / 1000 + 0;
const unit = (n: number): number => (Number.isFinite(n) ? Math.min(1, Math.max(0, round3(n))) : 0);

/** How much one reading says, 0 to 1: as sure as its weakest character lets it be. */
export function readingWeight(entry: Pick<BallotEntry, 'confidences' | 'score'>): number {
  if (entry.confidences.length === 0) return 0;
  const mean = entry.confidences.reduce((sum, c) => sum + c, 0) / entry.confidences.length;
  return entry.score * mean * Math.min(...entry.confidences);
}

function usable(reading: PlateReading): boolean {
  return (
    reading.text.length > 0 &&
    reading.text.length <= MAX_TEXT &&
    reading.characterConfidences.length === [...reading.text].length &&
    reading.corners.every((p) => Number.isFinite(p[0]) && Number.isFinite(p[1]))
  );
}

/** The vehicle's reading on the frame at `t`, or null where it has none that can be used. */
export function readingOf(vehicle: ObservedVehicle, t: number): BallotEntry | null {
  const reading = vehicle.plate;
  if (!reading || !usable(reading)) return null;
  return {
    t,
    text: reading.text,
    colour: reading.colour,
    colourConfidence: unit(reading.colourConfidence),
    rows: reading.rows,
    confidences: reading.characterConfidences.map(unit),
    score: unit(reading.score),
    corners: flattenQuad(reading.corners),
    box: flattenBox(vehicle.box),
  };
}

/**
 * Adds a reading. When full, the weakest goes (of equal ones the newer, so that a car parked for hours does not outvote its
 * own best pictures), but never one of the newest few: what it looks like now must be able to speak.
 * @returns false where there is one of that frame already
 */
export function addReading(readings: BallotEntry[], entry: BallotEntry): boolean {
  if (readings.some((e) => e.t === entry.t)) return false;
  readings.push(entry);
  trim(readings);
  return true;
}

/** Puts the readings of `from` into `into`, in order of time, keeping the best. */
export function mergeReadings(into: BallotEntry[], from: readonly BallotEntry[]): void {
  for (const entry of from) if (!into.some((e) => e.t === entry.t)) into.push(entry);
  into.sort((a, b) => a.t - b.t);
  while (into.length > MAX_READINGS) trim(into);
}

/** @param readings in order of time */
function trim(readings: BallotEntry[]): void {
  if (readings.length <= MAX_READINGS) return;
  let weakest = 0;
  for (let i = 1; i < readings.length - NEWEST_KEPT; i++) {
    if (readingWeight(readings[i] as BallotEntry) <= readingWeight(readings[weakest] as BallotEntry)) weakest = i;
  }
  readings.splice(weakest, 1);
}

/** Pixels that the plate is wide in the picture. */
function plateWidth(entry: BallotEntry): number {
  const c = entry.corners;
  return Math.max(Math.hypot(c[2] - c[0], c[3] - c[1]), Math.hypot(c[4] - c[6], c[5] - c[7]));
}

/** The frame that shows the plate best: one read as the vote decided, then the widest and surest. Null where none was read. */
export function bestPlateFrame(readings: readonly BallotEntry[], text: string | null, within?: { from: number; to: number }): BallotEntry | null {
  let best: BallotEntry | null = null;
  let bestValue = -1;
  for (const entry of readings) {
    if (within && !(entry.t > within.from && entry.t < within.to)) continue;
    const value = (entry.text === text ? 10 : 0) + readingWeight(entry) * Math.min(1, plateWidth(entry) / 160);
    if (value > bestValue) {
      bestValue = value;
      best = entry;
    }
  }
  return best;
}
