"""Write the measured part of MODEL_CARD.md (between its two markers) from manifest.json, so that they cannot drift."""
from paths import MODELS

BEGIN, END = "<!-- measured: written by models/training/evaluate.py -->", "<!-- /measured -->"


def flat(prefix, value):
    if isinstance(value, dict):
        for k, v in value.items():
            yield from flat(f"{prefix} · {k}" if prefix else k, v)
    else:
        yield prefix, value


def write(manifest) -> None:
    path = MODELS / "MODEL_CARD.md"
    text = path.read_text(encoding="utf-8")
    if BEGIN not in text:
        text += f"\n## Measured\n\n{BEGIN}\n{END}\n"
    rows = []
    for m in manifest["models"]:
        rows.append(f"\n### {m['id']}\n")
        if not m["accuracy"]:
            rows.append("Not measured yet.\n")
            continue
        rows.append("| figure | value |\n| --- | --- |")
        rows += [f"| {k} | {v} |" for k, v in flat("", m["accuracy"])]
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    path.write_text(head + BEGIN + "\n" + "\n".join(rows).strip() + "\n" + END + tail, encoding="utf-8")
