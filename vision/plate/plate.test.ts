import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PLATE_COLOURS, type PlateColour } from '../observation.js';
import { isPlateText, KIND_RULES, plateKind } from './grammar.js';
import { votePlate, type VoteReading } from './vote.js';

const reading = (text: string, confidence = 0.97, colour: PlateColour = 'blue', over: Partial<VoteReading> = {}): VoteReading => ({
  text,
  colour,
  colourConfidence: 0.98,
  characterConfidences: [...text].map(() => confidence),
  score: 0.95,
  ...over,
});

describe('grammar', () => {
  it.each([
    ['鲁B12345', 'blue', 'small'],
    ['鲁B12345', 'yellow', 'large'],
    ['鲁B1234挂', 'yellow', 'trailer'],
    ['鲁B1234学', 'yellow', 'learner'],
    ['鲁BD12345', 'green', 'small-new-energy'],
    ['鲁B12345F', 'yellow-green', 'large-new-energy'],
    ['鲁BF1234挂', 'yellow', null],
    ['京A0001警', 'white', 'police'],
    ['京AF001警', 'white', 'police'],
    ['VA12345', 'white', 'military'],
    ['WJ京12345', 'white', 'armed-police'],
    ['WJ京1234X', 'white', 'armed-police'],
    ['WJ12345', 'white', 'armed-police'],
    ['川X0001应急', 'white', 'emergency'],
    ['川S1001应急', 'white', 'emergency'],
    ['川A0001应急', 'white', null],
    ['使224578', 'black', 'embassy'],
    ['224578使', 'black', 'embassy'],
    ['沪22478领', 'black', 'consulate'],
    ['粤Z1234港', 'black', 'hong-kong-macao'],
    ['粤Z1234澳', 'black', 'hong-kong-macao'],
    ['粤ZF023港', 'black', 'hong-kong-macao'],
    ['京Z1234港', 'black', null],
    ['京A12345', 'black', 'foreign'],
  ] as const)('%s on %s is %s', (text, colour, kind) => {
    expect(plateKind(text, colour)).toBe(kind);
  });

  it.each([
    ['鲁B1234', 'too short'],
    ['鲁BI2345', 'letter I'],
    ['鲁B123O5', 'letter O'],
    ['鲁鲁12345', 'two provinces'],
    ['B鲁12345', 'wrong order'],
    ['鲁B1234567', 'too long'],
  ])('%s is no plate (%s)', (text) => {
    expect(isPlateText(text)).toBe(false);
  });

  it('gives every kind that it names a text, on its own colour alone', () => {
    const kinds = new Set(KIND_RULES.map((rule) => rule.kind));
    expect([...kinds].sort()).toEqual(
      ['armed-police', 'consulate', 'embassy', 'emergency', 'foreign', 'hong-kong-macao', 'large', 'large-new-energy', 'learner', 'military', 'police', 'small', 'small-new-energy', 'trailer'],
    );
    fc.assert(
      fc.property(fc.constantFrom(...KIND_RULES).chain((rule) => fc.tuple(fc.constant(rule), fc.tuple(...rule.positions.map((set) => fc.constantFrom(...set))))), ([rule, characters]) => {
        const text = characters.join('');
        for (const colour of PLATE_COLOURS) {
          const kind = plateKind(text, colour);
          if (rule.colours.includes(colour)) expect(kind, `${text} on ${colour}`).not.toBeNull();
          else if (kind !== null) expect(['small', 'large', 'foreign'], `${text} on ${colour}`).toContain(kind); // five free characters, on blue, yellow or black
        }
        expect(isPlateText(text)).toBe(true);
      }),
    );
  });

  it.each([...'DABCEFGHJK'])('knows %s of new energy, first on small plates and last on large ones', (letter) => {
    expect(plateKind(`鲁B${letter}12345`, 'green')).toBe('small-new-energy');
    expect(plateKind(`鲁B${letter}A2345`, 'green')).toBe('small-new-energy');
    expect(plateKind(`鲁B12345${letter}`, 'yellow-green')).toBe('large-new-energy');
    expect(plateKind(`鲁B12345${letter}`, 'green')).toBeNull();
    expect(plateKind(`鲁B${letter}12345`, 'yellow-green')).toBeNull();
  });

  it('wants the colour that belongs to the kind', () => {
    expect(plateKind('鲁BD12345', 'blue')).toBeNull();
    expect(plateKind('鲁B1234挂', 'blue')).toBeNull();
  });
});

describe('vote', () => {
  it('reads what good frames agree on', () => {
    const vote = votePlate([reading('鲁B12345'), reading('鲁B12345'), reading('鲁B12345')]);
    expect(vote).toMatchObject({ status: 'read', text: '鲁B12345', colour: 'blue', kind: 'small', readings: 3 });
    expect(vote.status === 'read' && vote.confidence).toBeGreaterThan(0.95);
  });

  it('corrects single characters by the other frames', () => {
    const vote = votePlate([reading('鲁B12345'), reading('鲁B1Z345', 0.7), reading('鲁B12345'), reading('鲁812345', 0.6)]);
    expect(vote).toMatchObject({ status: 'read', text: '鲁B12345' });
  });

  it('joins halves that no single frame read right', () => {
    const left = reading('鲁B12845', 0.97, 'blue', { characterConfidences: [0.97, 0.97, 0.97, 0.97, 0.4, 0.97, 0.97] });
    const right = reading('苏B12345', 0.97, 'blue', { characterConfidences: [0.4, 0.97, 0.97, 0.97, 0.97, 0.97, 0.97] });
    expect(votePlate([left, right, left, right])).toMatchObject({ status: 'read', text: '鲁B12345' });
  });

  it('believes one frame only when it is very sure', () => {
    expect(votePlate([reading('鲁B12345', 0.995, 'blue', { score: 1 })])).toMatchObject({ status: 'read' });
    expect(votePlate([reading('鲁B12345', 0.85)])).toMatchObject({ status: 'unread', guess: '鲁B12345' });
  });

  it('leaves unread what contradicts itself', () => {
    const vote = votePlate([reading('鲁B12345'), reading('鲁B12845'), reading('鲁B12345'), reading('鲁B12845')]);
    expect(vote.status).toBe('unread');
  });

  it('leaves unread what no kind of plate allows', () => {
    expect(votePlate([reading('鲁BIOIOI'), reading('鲁BIOIOI'), reading('鲁BIOIOI')]).status).toBe('unread');
  });

  it('survives some frames that lost a character, not many', () => {
    const good = Array.from({ length: 6 }, () => reading('鲁BD12345', 0.97, 'green'));
    const short = reading('鲁BD1235', 0.7, 'green');
    expect(votePlate([...good, short, short])).toMatchObject({ status: 'read', text: '鲁BD12345', kind: 'small-new-energy' });
    expect(votePlate([reading('鲁BD12345', 0.97, 'green'), reading('鲁BD1235', 0.97, 'blue')]).status).toBe('unread');
  });

  it('tells kinds of one text apart by colour', () => {
    expect(votePlate([reading('鲁B12345', 0.97, 'yellow'), reading('鲁B12345', 0.97, 'yellow')])).toMatchObject({ kind: 'large', colour: 'yellow' });
  });

  it('is unread when the colour is unsure', () => {
    expect(votePlate([reading('鲁B12345', 0.97, 'yellow', { colourConfidence: 0.6 }), reading('鲁B12345', 0.97, 'blue', { colourConfidence: 0.6 })]).status).toBe('unread');
  });

  it('tells no plate from an unreadable one', () => {
    expect(votePlate([], 25)).toEqual({ status: 'none' });
    expect(votePlate([], 5).status).toBe('unread');
    expect(votePlate([reading('')], 50).status).toBe('unread');
  });

  it('ignores readings that contradict their own shape', () => {
    expect(votePlate([reading('鲁B12345', 0.99, 'blue', { characterConfidences: [0.9] }), reading('x'.repeat(40))]).status).toBe('unread');
  });

  it('does not depend on the order of frames, gives only grammatical texts, and probabilities', () => {
    const character = fc.constantFrom(...'鲁京皖AB8013DZ学警');
    const arbitrary = fc.record({
      text: fc.array(character, { maxLength: 9 }).map((c) => c.join('')),
      colour: fc.constantFrom<PlateColour>('blue', 'green', 'yellow', 'white'),
      colourConfidence: fc.double({ min: 0, max: 1, noNaN: true }),
      score: fc.double({ min: 0, max: 1, noNaN: true }),
      seed: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 12 }), (raw) => {
        const readings = raw.map((r) => ({ ...r, characterConfidences: [...r.text].map((_, i) => Math.abs(Math.sin(r.seed * 9 + i))) }));
        const vote = votePlate(readings);
        expect(votePlate([...readings].reverse())).toEqual(vote);
        if (vote.status === 'none') return;
        expect(vote.confidence).toBeGreaterThanOrEqual(0);
        expect(vote.confidence).toBeLessThanOrEqual(1);
        if (vote.status === 'read') expect(plateKind(vote.text, vote.colour)).toBe(vote.kind);
      }),
      { numRuns: 300 },
    );
  });

  it('agrees with every kind it knows', () => {
    for (const rule of KIND_RULES) {
      const text = rule.positions.map((set) => [...set].at(-1)).join('');
      const colour = rule.colours[0] as PlateColour;
      expect(votePlate([reading(text, 0.97, colour), reading(text, 0.97, colour)]), text).toMatchObject({ status: 'read', text });
    }
  });
});
