import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { align, ctcUnderGrammar } from './ctc-grammar.js';

const charset = [...'浙皖AEXT1279'];

/** Steps of which each shows one character ("-": blank) with `p`, and an alternative with what is left. */
function steps(rows: readonly (readonly [string, number, string?])[]): { probs: Float32Array; count: number } {
  const classes = charset.length + 1;
  const probs = new Float32Array(rows.length * classes);
  rows.forEach(([character, p, other], t) => {
    const at = (c: string): number => t * classes + (c === '-' ? 0 : charset.indexOf(c) + 1);
    probs[at(character)] = p;
    probs[at(other ?? '-')] = (probs[at(other ?? '-')] as number) + 1 - p;
  });
  return { probs, count: rows.length };
}

const read = (rows: readonly (readonly [string, number, string?])[], colour: 'blue' | 'green' = 'blue'): ReturnType<typeof ctcUnderGrammar> => {
  const { probs, count } = steps(rows);
  return ctcUnderGrammar(probs, count, charset, colour);
};
const tail: [string, number][] = [['1', 0.99], ['-', 0.99], ['2', 0.99], ['7', 0.98], ['9', 0.99], ['X', 0.97]];

describe('CTC under the grammar', () => {
  it('leaves a reading that a plate can have as it is', () => {
    expect(read([['浙', 0.9], ['A', 0.9], ...tail]).text).toBe('浙A1279X');
  });

  it('finds the office that a free reading dropped, and says how unsure it is', () => {
    const { text, confidences } = read([['皖', 0.99], ['-', 0.7, 'A'], ...tail]);
    expect(text).toBe('皖A1279X');
    expect(confidences[1]).toBeCloseTo(0.3);
  });

  it('drops one of two signs that stand for one', () => {
    expect(read([['皖', 0.9], ['A', 0.9], ['-', 0.6, 'A'], ['A', 0.9], ...tail]).text).toBe('皖A1279X');
    expect(read([['皖', 0.9], ['浙', 0.6, '皖'], ['A', 0.9], ...tail]).text).toBe('皖A1279X');
  });

  it('does not talk what is far from every plate into one', () => {
    const sign: [string, number][] = [['7', 0.999], ['7', 0.999], ['X', 0.999], ['E', 0.999], ['-', 0.999], ['T', 0.999], ['皖', 0.999], ['1', 0.999], ['2', 0.999]];
    expect(read(sign).text).toBe('7XET皖12');
  });

  it('reads by the colour: eight characters on green', () => {
    expect(read([['浙', 0.9], ['A', 0.9], ['E', 0.9], ['1', 0.9], ['2', 0.9], ['7', 0.9], ['9', 0.9], ['-', 0.7, '1']], 'green').text).toBe('浙AE12791');
  });

  it('is the likeliest of all alignments', () => {
    const classes = 4;
    const sets = [[1, 2], [2, 3]];
    fc.assert(
      fc.property(fc.array(fc.array(fc.float({ min: Math.fround(0.01), max: 1, noNaN: true }), { minLength: classes, maxLength: classes }), { minLength: 2, maxLength: 5 }), (rows) => {
        const log = Float32Array.from(rows.flat(), Math.log);
        let best = -Infinity;
        const walk = (t: number, path: number[]): void => {
          if (t < rows.length) {
            for (let k = 0; k < classes; k++) walk(t + 1, [...path, k]);
            return;
          }
          const text = path.filter((k, i) => k !== 0 && k !== path[i - 1]);
          if (text.length !== 2 || !text.every((k, i) => sets[i]?.includes(k))) return;
          best = Math.max(best, path.reduce((sum, k, i) => sum + (log[i * classes + k] as number), 0));
        };
        walk(0, []);
        const found = align(log, rows.length, classes, sets);
        expect(found?.score ?? -Infinity).toBeCloseTo(best, 4);
        for (const [j, span] of (found?.spans ?? []).entries()) expect(sets[j]).toContain(span.class);
      }),
    );
  });
});
