import type { Picture } from '../decode/picture.js';
import type { PlateColour, PlateReading } from '../observation.js';
import { ctcUnderGrammar } from './ctc-grammar.js';
import type { ReaderModel } from './manifest.js';
import type { FoundPlate } from './plate-assignment.js';
import { fillFromBands, plateBands, type Band } from './rectify.js';
import { combineLooks, FRAMINGS, isUnsure, reframe } from './second-look.js';
import type { ModelSession, Output } from './session.js';
import { part } from './vehicle-detector.js';

interface Read {
  text: string;
  confidences: number[];
  colour: PlateColour;
  colourConfidence: number;
  rows: 1 | 2;
  /** 0 to 1: the reader's own opinion that this is a plate; 1 where it has none. */
  plate: number;
}

/**
 * Reads found plates from the full-resolution picture. Every plate is first read as one row; those the network calls two-row
 * are read again with their bands side by side, and those of one row whose text is not sure by itself in other framings. A plate
 * the reader rejects as no plate gives null.
 */
export async function readPlates(
  session: ModelSession<ReaderModel>,
  charset: readonly string[],
  picture: Picture,
  plates: readonly (FoundPlate | null)[],
): Promise<(PlateReading | null)[]> {
  const present = plates.flatMap((plate, index) => (plate ? [{ plate, index }] : []));
  const result: (PlateReading | null)[] = plates.map(() => null);
  const first = await readAll(session, charset, picture, present.map(({ plate }) => plateBands(plate.corners, 1, session.entry)));
  const again = present.flatMap(({ plate }, i) => (first[i]?.rows === 2 && session.entry.twoRow ? [{ i, bands: plateBands(plate.corners, 2, session.entry) }] : []));
  const second = await readAll(session, charset, picture, again.map((a) => a.bands), again.map((a) => (first[a.i] as Read).colour));
  for (const [k, { i }] of again.entries()) {
    const before = first[i] as Read;
    const strip = second[k];
    // Colour and rows are judged on the whole plate, the text on the strip.
    if (strip) first[i] = { ...before, text: strip.text, confidences: strip.confidences };
  }
  await lookAgain(session, charset, picture, present.map(({ plate }) => plate), first);
  for (const [i, { plate, index }] of present.entries()) {
    const read = first[i];
    if (!read || read.plate < session.entry.thresholds.plate) continue;
    const readable = read.confidences.length > 0 && Math.min(...read.confidences) >= session.entry.thresholds.character;
    result[index] = {
      text: readable ? read.text : '',
      colour: read.colour,
      colourConfidence: read.colourConfidence,
      rows: read.rows,
      corners: plate.corners,
      characterConfidences: readable ? read.confidences : [],
      score: plate.score * read.plate,
    };
  }
  return result;
}

/** Reads unsure plates of one row in other framings, all in one batch, and puts what all looks say together in their places. */
async function lookAgain(session: ModelSession<ReaderModel>, charset: readonly string[], picture: Picture, plates: readonly FoundPlate[], reads: (Read | null)[]): Promise<void> {
  const looks = reads.flatMap((read, i) => {
    if (!read || read.rows === 2 || read.plate < session.entry.thresholds.plate || !isUnsure(read, read.colour)) return [];
    const { corners } = plates[i] as FoundPlate;
    return FRAMINGS.map((framing) => ({ i, quad: reframe(corners, framing) }));
  });
  const bands = looks.map(({ quad }) => quad && plateBands(quad, 1, session.entry));
  const again = await readAll(session, charset, picture, bands, looks.map(({ i }) => (reads[i] as Read).colour));
  for (const i of new Set(looks.map((look) => look.i))) {
    const read = reads[i] as Read;
    const others = again.filter((other, k): other is Read => looks[k]?.i === i && other !== null);
    reads[i] = { ...read, ...combineLooks([read, ...others], read.colour) };
  }
}

async function readAll(
  session: ModelSession<ReaderModel>,
  charset: readonly string[],
  picture: Picture,
  bands: readonly (Band[] | null)[],
  colours: readonly PlateColour[] = [],
): Promise<(Read | null)[]> {
  const valid: boolean[] = [];
  const outputs = await session.run(bands.length, ({ tensor }, slot, i) => {
    const own = bands[i];
    valid[i] = own != null && fillFromBands(tensor, slot, picture, own, session.entry.input);
  });
  return outputs.map((output, i) => (valid[i] ? interpret(session.entry, charset, output, colours[i]) : null));
}

/** One plate's tensors as text, colour and rows; `knownColour` says by which colour's grammar to read. Exported for tests. */
export function interpret(model: ReaderModel, charset: readonly string[], output: ReadonlyMap<string, Output>, knownColour: PlateColour | null = null): Read {
  const probs = part(model, output, model.outputs.probs);
  let colour: PlateColour = 'blue';
  let colourConfidence = 0;
  if (model.outputs.colour !== undefined) {
    const values = part(model, output, model.outputs.colour).data;
    const best = argmax(values);
    colour = model.colours[best] ?? 'blue';
    colourConfidence = clamp01(values[best] ?? 0);
  }
  const { text, confidences } = ctcUnderGrammar(probs.data, probs.data.length / (charset.length + 1), charset, knownColour ?? colour);
  const rows = model.outputs.rows !== undefined && argmax(part(model, output, model.outputs.rows).data) === 1 ? 2 : 1;
  const plate = model.outputs.plate === undefined ? 1 : clamp01(part(model, output, model.outputs.plate).data[0] ?? 0);
  return { text, confidences, colour, colourConfidence, rows, plate };
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

export function clamp01(value: number): number {
  return value >= 0 ? Math.min(1, value) : 0;
}
