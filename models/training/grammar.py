"""CTC decoding under the plate grammar of GA 36-2018, as vision/models/ctc-grammar.ts does it.

The rules are those of vision/plate/grammar.ts: for each ground colour, the characters allowed at each position.
"""
import numpy as np

from charset import CHARSET, COLOURS, DIGITS, INDEX, LETTERS, PROVINCES, decode, surest

SERIAL, ENERGY = DIGITS + LETTERS, "DABCEFGHJK"
RULES = {
    "blue": [[PROVINCES, LETTERS, *[SERIAL] * 5]],
    "yellow": [[PROVINCES, LETTERS, *[SERIAL] * 5], [PROVINCES, LETTERS, *[SERIAL] * 4, "挂"], [PROVINCES, LETTERS, *[SERIAL] * 4, "学"]],
    "green": [[PROVINCES, LETTERS, ENERGY, SERIAL, *[DIGITS] * 4]],
    "yellow-green": [[PROVINCES, LETTERS, *[DIGITS] * 5, ENERGY]],
    "white": [[PROVINCES, SERIAL, *[SERIAL] * 4, "警"], [LETTERS, LETTERS, *[SERIAL] * 5], ["W", "J", PROVINCES, *[DIGITS] * 4, SERIAL],
              ["W", "J", *[DIGITS] * 4, SERIAL], [PROVINCES, "XS", *[SERIAL] * 4, "应", "急"]],
    "black": [["使", *[DIGITS] * 6], [*[DIGITS] * 6, "使"], [PROVINCES, SERIAL, *[DIGITS] * 4, "领"], ["粤", "Z", *[SERIAL] * 4, "港澳"],
              [PROVINCES, LETTERS, *[SERIAL] * 5]],
}
FLOOR = 1e-9


def best_path(log, positions):
    """Best alignment of T x classes log probabilities with one rule: (score, classes, step ranges) by Viterbi."""
    steps, n = len(log), len(positions)
    sets = [np.array([INDEX[c] for c in p]) for p in positions]
    # states: blank after j characters (j = 0..n), and character j as each of its classes
    blank = np.full(n + 1, -np.inf)
    char = [np.full(len(s), -np.inf) for s in sets]
    blank[0] = 0.0
    came_blank = np.zeros((steps, n + 1), np.int32)             # -1: blank before; else the class index of character j-1
    came_char = [np.zeros((steps, len(s)), np.int32) for s in sets]  # -2: same character; -1: blank before; else class index of the one before
    for t in range(steps):
        new_blank, new_char = np.full(n + 1, -np.inf), []
        for j in range(n + 1):
            score, came = blank[j], -1
            if j > 0:
                k = int(char[j - 1].argmax())
                if char[j - 1][k] > score:
                    score, came = char[j - 1][k], k
            new_blank[j], came_blank[t, j] = score + log[t, 0], came
        for j, own in enumerate(sets):
            score, came = np.full(len(own), blank[j] if t else (0.0 if j == 0 else -np.inf)), np.full(len(own), -1)
            if j > 0 and t:
                order = np.argsort(-char[j - 1])[:2]
                for i, c in enumerate(own):
                    for k in order:
                        if sets[j - 1][k] != c:
                            if char[j - 1][k] > score[i]:
                                score[i], came[i] = char[j - 1][k], k
                            break
            if t:
                stay = char[j] > score
                score, came = np.where(stay, char[j], score), np.where(stay, -2, came)
            new_char.append(score + log[t, own])
            came_char[j][t] = came
        blank, char = new_blank, new_char
    k = int(char[-1].argmax())
    state = (n - 1, k) if char[-1][k] > blank[n] else (n, None)
    total = max(char[-1][k], blank[n])
    classes, spans = [None] * n, [[steps, -1] for _ in range(n)]
    for t in range(steps - 1, -1, -1):
        j, k = state
        if k is None:  # blank behind j characters
            came = came_blank[t, j]
            state = (j, None) if came == -1 else (j - 1, came)
        else:
            classes[j] = int(sets[j][k])
            spans[j][0], spans[j][1] = t, max(spans[j][1], t)
            came = came_char[j][t][k]
            state = (j, k) if came == -2 else (j, None) if came == -1 else (j - 1, came)
    return total, classes, spans


LEAST_LIKELY = 6


def fits(positions, text):
    return len(positions) == len(text) and all(c in p for c, p in zip(text, positions))


def read(probs, colour):
    """(text, confidence of each character) of one picture's T x classes probabilities for a ground colour's index."""
    free = decode(probs.argmax(-1).tolist())
    rules = RULES[COLOURS[colour]]
    if not free or any(fits(r, free) for r in rules):
        return free, surest(probs)
    log = np.log(np.maximum(probs, FLOOR))
    score, classes, spans = max((best_path(log, r) for r in rules), key=lambda b: b[0])
    if score < log.max(-1).sum() - LEAST_LIKELY:
        return free, surest(probs)
    return "".join(CHARSET[k - 1] for k in classes), [float(probs[a:b + 1, k].max()) for k, (a, b) in zip(classes, spans)]
