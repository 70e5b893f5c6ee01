import type { PlateColour } from '../observation.js';
import { KIND_RULES } from '../plate/grammar.js';
import { ctcGreedy, type CtcReading } from './ctc.js';

/** Natural logarithm of how much less likely than the freest reading one under the grammar may be, before it is not believed. */
const LEAST_LIKELY = 6;
const FLOOR = 1e-9;

/**
 * CTC decoding under GA 36: what the network sees is read as the likeliest text that a plate of this ground colour can carry. A
 * free reading drops or doubles a character now and then, which no plate can have. What no rule explains stays as it was
 * read, so that a sign is not talked into a plate.
 * @param probs T × classes probabilities, row-major; class 0 is the blank
 */
export function ctcUnderGrammar(probs: Float32Array, steps: number, charset: readonly string[], colour: PlateColour): CtcReading {
  const free = ctcGreedy(probs, steps, charset);
  const rules = KIND_RULES.filter((rule) => rule.colours.includes(colour)).map((rule) => rule.positions);
  const characters = [...free.text];
  if (characters.length === 0 || rules.some((positions) => fits(positions, characters))) return free;
  const classes = charset.length + 1;
  const log = Float32Array.from(probs, (p) => Math.log(Math.max(p, FLOOR)));
  let best: Alignment | null = null;
  for (const positions of rules) {
    const sets = positions.map((set) => classesOf(set, charset));
    if (sets.some((set) => set.length === 0)) continue;
    const found = align(log, steps, classes, sets);
    if (found && (!best || found.score > best.score)) best = found;
  }
  if (!best || best.score < freeScore(log, steps, classes) - LEAST_LIKELY) return free;
  return {
    text: best.spans.map((span) => charset[span.class - 1]).join(''),
    confidences: best.spans.map((span) => {
      let top = 0;
      for (let t = span.from; t <= span.to; t++) top = Math.max(top, probs[t * classes + span.class] as number);
      return Math.min(1, top);
    }),
  };
}

function fits(positions: readonly string[], characters: readonly string[]): boolean {
  return positions.length === characters.length && positions.every((set, i) => set.includes(characters[i] as string));
}

/** Classes of a position's characters, as far as the network knows them. */
function classesOf(set: string, charset: readonly string[]): number[] {
  return [...set].map((character) => charset.indexOf(character) + 1).filter((k) => k > 0);
}

function freeScore(log: Float32Array, steps: number, classes: number): number {
  let sum = 0;
  for (let t = 0; t < steps; t++) {
    let top = -Infinity;
    for (let k = 0; k < classes; k++) top = Math.max(top, log[t * classes + k] as number);
    sum += top;
  }
  return sum;
}

interface Alignment {
  score: number;
  /** The class of each character, and the steps that show it. */
  spans: { class: number; from: number; to: number }[];
}

const BLANK_BEFORE = -1;
const SAME_CHARACTER = -2;

/**
 * The likeliest alignment (Viterbi) of the steps with a row of characters, each out of its set. States: a blank behind j
 * characters, and character j as each class of its set; equal neighbours need a blank between them, as CTC wants.
 */
export function align(log: Float32Array, steps: number, classes: number, sets: readonly (readonly number[])[]): Alignment | null {
  const count = sets.length;
  if (steps < count) return null;
  const at = (t: number, k: number): number => log[t * classes + k] as number;
  let blank = new Float64Array(count + 1).fill(-Infinity);
  let shown: Float64Array[] = sets.map((set) => new Float64Array(set.length).fill(-Infinity));
  blank[0] = 0;
  const blankFrom: Int16Array[] = [];
  const shownFrom: Int16Array[][] = [];
  for (let t = 0; t < steps; t++) {
    const nextBlank = new Float64Array(count + 1);
    const cameBlank = new Int16Array(count + 1);
    for (let j = 0; j <= count; j++) {
      let score = blank[j] as number;
      let came = BLANK_BEFORE;
      const before = j > 0 ? (shown[j - 1] as Float64Array) : null;
      if (before) {
        const k = argmaxOf(before);
        if ((before[k] as number) > score) {
          score = before[k] as number;
          came = k;
        }
      }
      nextBlank[j] = score + at(t, 0);
      cameBlank[j] = came;
    }
    const nextShown: Float64Array[] = [];
    const cameShown: Int16Array[] = [];
    for (const [j, set] of sets.entries()) {
      const own = shown[j] as Float64Array;
      const before = j > 0 ? (shown[j - 1] as Float64Array) : null;
      const [first, second] = before ? bestTwo(before) : [-1, -1];
      const scores = new Float64Array(set.length);
      const came = new Int16Array(set.length);
      for (const [i, k] of set.entries()) {
        let score = blank[j] as number;
        let from = BLANK_BEFORE;
        if (before) {
          const previous = (sets[j - 1] as readonly number[])[first] === k ? second : first;
          if (previous >= 0 && (before[previous] as number) > score) {
            score = before[previous] as number;
            from = previous;
          }
        }
        if ((own[i] as number) > score) {
          score = own[i] as number;
          from = SAME_CHARACTER;
        }
        scores[i] = score + at(t, k);
        came[i] = from;
      }
      nextShown.push(scores);
      cameShown.push(came);
    }
    blank = nextBlank;
    shown = nextShown;
    blankFrom.push(cameBlank);
    shownFrom.push(cameShown);
  }
  const last = shown[count - 1] as Float64Array;
  const k = argmaxOf(last);
  const endsShown = (last[k] as number) > (blank[count] as number);
  const score = endsShown ? (last[k] as number) : (blank[count] as number);
  if (score === -Infinity) return null;
  return { score, spans: trace(sets, steps, blankFrom, shownFrom, endsShown ? k : null) };
}

/** Follows the best alignment backwards; `end`: index of the last character's class at the last step, null for a blank. */
function trace(sets: readonly (readonly number[])[], steps: number, blankFrom: readonly Int16Array[], shownFrom: readonly Int16Array[][], end: number | null): Alignment['spans'] {
  const spans = sets.map(() => ({ class: 0, from: steps, to: -1 }));
  let j = end === null ? sets.length : sets.length - 1;
  let i = end;
  for (let t = steps - 1; t >= 0; t--) {
    if (i === null) {
      const came = (blankFrom[t] as Int16Array)[j] as number;
      if (came !== BLANK_BEFORE) {
        j -= 1;
        i = came;
      }
      continue;
    }
    const span = spans[j] as { class: number; from: number; to: number };
    span.class = (sets[j] as readonly number[])[i] as number;
    span.from = t;
    span.to = Math.max(span.to, t);
    const came = ((shownFrom[t] as Int16Array[])[j] as Int16Array)[i] as number;
    if (came === SAME_CHARACTER) continue;
    if (came === BLANK_BEFORE) i = null;
    else {
      j -= 1;
      i = came;
    }
  }
  return spans;
}

function argmaxOf(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

/** Indices of the largest and the second largest value; -1 where there is none. */
function bestTwo(values: Float64Array): [number, number] {
  let first = -1;
  let second = -1;
  for (let i = 0; i < values.length; i++) {
    if (first < 0 || (values[i] as number) > (values[first] as number)) {
      second = first;
      first = i;
    } else if (second < 0 || (values[i] as number) > (values[second] as number)) second = i;
  }
  return [first, second];
}
