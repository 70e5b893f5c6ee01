"""Which data file is validation: the committed splits.json, nothing else."""
import functools
import json

from paths import SPLITS


@functools.lru_cache(maxsize=None)
def _lists() -> dict[str, frozenset[str]]:
    data = json.loads(SPLITS.read_text(encoding="utf-8"))
    return {k: frozenset(v["validation"]) for k, v in data.items() if isinstance(v, dict) and "validation" in v}


def is_validation(source: str, name: str) -> bool:
    """True when file `name` of `source` (e.g. "plates/crops") must never be trained on."""
    return name in _lists()[source]
