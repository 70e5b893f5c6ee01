import { votePlate as vote } from '../../vision/plate/vote.js';
import type { VisitPlate } from '../model/visit.js';
import type { BallotEntry } from '../state.js';
import { readingWeight } from './ballot.js';

/**
 * The plate that a vehicle's readings agree on under GA 36; `unread` where they do not agree well enough: a wrong record
 * costs somebody money. `none` is never said from readings alone (`bare.ts`).
 */
export function votePlate(readings: readonly BallotEntry[]): VisitPlate {
  const result = vote(readings.map((e) => ({ text: e.text, colour: e.colour, colourConfidence: e.colourConfidence, characterConfidences: e.confidences, score: e.score })));
  if (result.status !== 'read') return { status: 'unread' };
  const { text, colour, confidence } = result;
  return { status: 'read', text, colour, confidence };
}

/**
 * Whether the readings speak for `text` at least `ratio` times as much as for `other`: at every character in which the two
 * differ, or by length where that differs. What both share decides nothing.
 */
export function clearlyBetter(readings: readonly BallotEntry[], text: string, other: string, ratio: number): boolean {
  const a = [...text];
  const b = [...other];
  const weightWhere = (holds: (characters: string[]) => boolean): number => readings.reduce((sum, e) => (holds([...e.text]) ? sum + readingWeight(e) : sum), 0);
  if (a.length !== b.length) return weightWhere((c) => c.length === a.length) >= ratio * weightWhere((c) => c.length === b.length);
  return a.every((character, i) => character === b[i] || weightWhere((c) => c.length === a.length && c[i] === character) >= ratio * weightWhere((c) => c.length === b.length && c[i] === b[i]));
}

/** Characters that differ; texts of different length differ in all. */
export function plateDistance(a: string, b: string): number {
  const x = [...a];
  const y = [...b];
  return x.length === y.length ? x.filter((c, i) => c !== y[i]).length : Math.max(x.length, y.length);
}

/**
 * The readings that can be of the vehicle that rests since `restSince`: where those at rest agree on a plate, the ones from
 * its way that clearly say another one belong to somebody whose track it took over.
 */
export function readingsOfResting(readings: readonly BallotEntry[], restSince: number): BallotEntry[] {
  const verdict = votePlate(readings.filter((e) => e.t >= restSince));
  return verdict.status === 'read' ? readings.filter((e) => e.t >= restSince || plateDistance(e.text, verdict.text) < 3) : [...readings];
}
