import { PLATE_COLOURS, type PlateColour, type PlateReading } from '../observation.js';
import { KIND_RULES, LONGEST_PLATE, type KindRule, type PlateKind } from './grammar.js';

/** What the vote needs of a reading. */
export type VoteReading = Pick<PlateReading, 'text' | 'colour' | 'colourConfidence' | 'characterConfidences' | 'score'>;

export interface VoteOptions {
  /** Least probability of the weakest of characters, colour and kind for a text to count as read. */
  accept: number;
  /** The same where a single reading is all there is. */
  acceptSingle: number;
  /** Frames that showed the plate's end of the vehicle without any plate, before it counts as having none. */
  noneAfterLooks: number;
}

export const VOTE_DEFAULTS: VoteOptions = { accept: 0.9, acceptSingle: 0.95, noneAfterLooks: 20 };

export type PlateVote =
  /** `confidence`: probability of the weakest part. `characterConfidences`: of each character. */
  | { status: 'read'; text: string; colour: PlateColour; kind: PlateKind; confidence: number; characterConfidences: readonly number[]; readings: number }
  /** A plate was seen, its text is not sure enough. `guess`: the likeliest text, for people, never for records. */
  | { status: 'unread'; guess: string | null; confidence: number; readings: number }
  /** Looked at often enough, and there is no plate. */
  | { status: 'none' };

/**
 * Frames of one vehicle are no independent witnesses: the same dirt misleads all of them. However many there are, together
 * they weigh no more than this many independent ones.
 */
const EFFECTIVE_READINGS = 3;
/** Nothing is surer than this: keeps logarithms finite and one cocky frame from deciding alone. */
const SUREST = 0.995;
/** Characters that an error may turn another into. */
const ALPHABET = 67;

/**
 * What the readings of one vehicle's plate over several frames say together, under the grammar of GA 36.
 *
 * Every character position is a small naive Bayes vote: a reading gives its character its confidence and shares the rest
 * among all others. Of all kinds of plates the one whose characters and colour explain the readings best wins. Readings of
 * another length count against the result. In doubt the answer is `unread`: a wrong record costs somebody money.
 *
 * Pure; the order of the readings does not matter.
 *
 * @param readings readings of one vehicle; such without text (plate seen, not readable) count as plate seen
 * @param looksWithoutPlate frames on which the plate's end of the vehicle was in view and no plate was found
 */
export function votePlate(readings: readonly VoteReading[], looksWithoutPlate = 0, options: VoteOptions = VOTE_DEFAULTS): PlateVote {
  const texts = readings.map(toBallot).filter((b): b is Ballot => b !== null);
  if (texts.length === 0) {
    if (readings.length === 0 && looksWithoutPlate >= options.noneAfterLooks) return { status: 'none' };
    return { status: 'unread', guess: null, confidence: 0, readings: 0 };
  }
  // A fixed order, so that sums do not depend on the order in which the readings came.
  texts.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : b.weight - a.weight || a.order - b.order));
  const colours = colourChances(texts);

  const candidates = KIND_RULES.map((rule) => explain(rule, texts, colours)).filter((c): c is Candidate => c !== null);
  const best = candidates.reduce<Candidate | null>((a, b) => (a && a.evidence >= b.evidence ? a : b), null);
  if (!best) return { status: 'unread', guess: null, confidence: 0, readings: texts.length };
  // Other texts, of other kinds or lengths, that explain the readings nearly as well make the result unsure.
  const rivals = new Map<string, number>();
  for (const c of candidates) if (c.text !== best.text) rivals.set(c.text, Math.max(rivals.get(c.text) ?? -Infinity, c.evidence));
  const unrivalled = 1 / [...rivals.values()].reduce((sum, evidence) => sum + Math.exp(evidence - best.evidence), 1);
  const confidence = round(Math.min(...best.characters, best.colourChance, unrivalled));
  const needed = texts.length === 1 ? options.acceptSingle : options.accept;
  if (confidence < needed) return { status: 'unread', guess: best.text, confidence, readings: texts.length };
  return {
    status: 'read',
    text: best.text,
    colour: best.colour,
    kind: best.rule.kind,
    confidence,
    characterConfidences: best.characters.map(round),
    readings: texts.length,
  };
}

/** How likely a reader drops or invents characters. */
const WRONG_LENGTH = 0.005;

interface Ballot {
  text: string;
  characters: readonly string[];
  confidences: readonly number[];
  /** 0 to 1. */
  weight: number;
  colour: PlateColour;
  colourConfidence: number;
  order: number;
}

interface Candidate {
  rule: KindRule;
  text: string;
  characters: number[];
  colour: PlateColour;
  colourChance: number;
  /** Log-likelihood; comparable between rules. */
  evidence: number;
}

function toBallot(reading: VoteReading): Ballot | null {
  const characters = [...reading.text];
  if (characters.length === 0 || characters.length > LONGEST_PLATE + 2 || reading.characterConfidences.length !== characters.length) return null;
  const confidences = reading.characterConfidences.map((c) => clamp(c, 0.02, SUREST));
  // A reading counts by the belief that this is a plate at all and by how sure it was over its length.
  const sum = confidences.reduce((total, c) => total + c, 0);
  const weight = clamp(reading.score, 0, 1) * (sum / confidences.length);
  const order = sum + reading.colourConfidence * 1e-3;
  return weight > 0 ? { text: reading.text, characters, confidences, weight, colour: reading.colour, colourConfidence: clamp(reading.colourConfidence, 0.02, SUREST), order } : null;
}

/** Log-likelihood of each colour, tempered. */
function colourChances(ballots: readonly Ballot[]): Map<PlateColour, number> {
  const temper = temperOf(ballots);
  const chances = new Map<PlateColour, number>();
  for (const colour of PLATE_COLOURS) {
    let sum = 0;
    for (const b of ballots) {
      sum += b.weight * Math.log(b.colour === colour ? b.colourConfidence : (1 - b.colourConfidence) / (PLATE_COLOURS.length - 1));
    }
    chances.set(colour, sum * temper);
  }
  return chances;
}

/** The text of this kind that explains the readings best; null where no reading has its length. */
function explain(rule: KindRule, ballots: readonly Ballot[], colours: ReadonlyMap<PlateColour, number>): Candidate | null {
  const own = ballots.filter((b) => b.characters.length === rule.positions.length);
  if (own.length === 0) return null;
  const temper = temperOf(ballots);
  let evidence = temper * Math.log(WRONG_LENGTH) * ballots.reduce((sum, b) => sum + (own.includes(b) ? 0 : b.weight), 0);
  let text = '';
  const characters: number[] = [];
  for (const [i, allowed] of rule.positions.entries()) {
    const seen = [...new Set(own.map((b) => b.characters[i] as string))].sort();
    const likelihood = (c: string | null): number =>
      temper * own.reduce((sum, b) => sum + b.weight * Math.log(b.characters[i] === c ? (b.confidences[i] as number) : (1 - (b.confidences[i] as number)) / (ALPHABET - 1)), 0);
    const candidates = seen.filter((c) => allowed.includes(c)).map((c) => ({ c, l: likelihood(c) }));
    const other = likelihood(null);
    const unseen = [...allowed].length - candidates.length;
    candidates.sort((a, b) => b.l - a.l || (a.c < b.c ? -1 : 1));
    // With nothing allowed among what was read, any allowed character is as likely: the first stands for all.
    const top = candidates[0] ?? { c: [...allowed][0] as string, l: other };
    const highest = Math.max(top.l, other);
    const rest = candidates[0] ? unseen : unseen - 1;
    const mass = (candidates.length > 0 ? candidates : [top]).reduce((sum, k) => sum + Math.exp(k.l - highest), 0) + Math.max(0, rest) * Math.exp(other - highest);
    characters.push(Math.exp(top.l - highest) / mass);
    text += top.c;
    evidence += top.l;
  }
  const colour = rule.colours.reduce((a, b) => ((colours.get(b) as number) > (colours.get(a) as number) ? b : a));
  const all = [...colours.values()];
  const highest = Math.max(...all);
  const colourChance = Math.exp((colours.get(colour) as number) - highest) / all.reduce((sum, l) => sum + Math.exp(l - highest), 0);
  return { rule, text, characters, colour, colourChance, evidence: evidence + (colours.get(colour) as number) };
}

function temperOf(ballots: readonly Ballot[]): number {
  const weight = ballots.reduce((sum, b) => sum + b.weight, 0);
  return weight > EFFECTIVE_READINGS ? EFFECTIVE_READINGS / weight : 1;
}

function clamp(value: number, low: number, high: number): number {
  return value >= low ? Math.min(high, value) : low;
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;
