"""The reader's alphabet: every character GA 36-2018 puts on a plate.

The letters I and O are not issued. `models/plate-charset.txt` holds the characters in class
order, one a line; class 0 of the network is the CTC blank and is not in the file.
"""
import pathlib

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
DIGITS = "0123456789"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
SPECIAL = "挂学警港澳使领应急"
CHARSET = PROVINCES + DIGITS + LETTERS + SPECIAL
BLANK = 0
INDEX = {c: i + 1 for i, c in enumerate(CHARSET)}

COLOURS = ["blue", "green", "yellow", "white", "black", "yellow-green"]


def encode(text: str) -> list[int]:
    """Class numbers of a plate text; raises KeyError on a character outside the alphabet."""
    return [INDEX[c] for c in text]


def decode(classes) -> str:
    """Greedy CTC: best class a step, repeats merged, blanks dropped."""
    out, last = [], BLANK
    for k in classes:
        if k != last and k != BLANK:
            out.append(CHARSET[k - 1])
        last = k
    return "".join(out)


def surest(probs) -> list[float]:
    """Confidence of each character that `decode` gives of one picture's T x classes probabilities: the highest in its run of steps."""
    out, last = [], BLANK
    for row in probs:
        k = int(row.argmax())
        if k != BLANK and k == last:
            out[-1] = max(out[-1], float(row[k]))
        elif k != BLANK:
            out.append(float(row[k]))
        last = k
    return out


def write(path: pathlib.Path) -> None:
    path.write_text("\n".join(CHARSET) + "\n", encoding="utf-8")
