/** One text out of a CTC network. */
export interface CtcReading {
  text: string;
  /** 0 to 1 for each character. */
  confidences: number[];
}

/**
 * Greedy CTC decoding: the best class of each step, repeats merged, blanks dropped. A character's confidence is the highest
 * probability it had in its run of steps: the network's surest look at it.
 * @param probs T × classes probabilities, row-major; class 0 is the blank, class n the charset's n-th character (from 1)
 */
export function ctcGreedy(probs: Float32Array, steps: number, charset: readonly string[]): CtcReading {
  const classes = charset.length + 1;
  let text = '';
  const confidences: number[] = [];
  let last = 0;
  for (let t = 0; t < steps; t++) {
    let best = 0;
    let top = probs[t * classes] as number;
    for (let k = 1; k < classes; k++) {
      const p = probs[t * classes + k] as number;
      if (p > top) {
        top = p;
        best = k;
      }
    }
    if (best !== 0 && best === last) {
      const at = confidences.length - 1;
      if (top > (confidences[at] as number)) confidences[at] = top;
    } else if (best !== 0) {
      text += charset[best - 1] as string;
      confidences.push(top);
    }
    last = best;
  }
  return { text, confidences: confidences.map((c) => Math.min(1, Math.max(0, c))) };
}
