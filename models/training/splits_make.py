"""Fix the train/validation split once, seeded, and write splits.json. Run before the first training; never again.

Plates are split by plate text (every picture of one plate falls on one side); elevated views by scene (runs of
alike pictures), roads by scene, expressway by camera-alike runs, parking sequence 5 is held out whole.
`heldOut` names sources a first-generation model must not see at all.
"""
import hashlib
import json

import cv2
import numpy as np

from paths import DATA, SPLITS

SEED = "berthwatch-1"


def chance(key: str) -> float:
    return int(hashlib.sha256(f"{SEED}:{key}".encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


def plates(tsv: str, share: float) -> list[str]:
    rows = [r.split("\t") for r in (DATA / "plates" / tsv).read_text(encoding="utf-8").splitlines()[1:] if r]
    return sorted(r[0] for r in rows if chance(r[1]) < share)


def scene_groups(folder: str, threshold: float) -> list[list[str]]:
    """Join pictures into scenes: single linkage over the distance of small blurred edge pictures (the still background)."""
    files = sorted((DATA / "vehicles" / folder / "images").glob("*.jpg"))
    feats = []
    for f in files:
        grey = cv2.medianBlur(cv2.imread(str(f), cv2.IMREAD_GRAYSCALE), 5)  # some copies carry salt-and-pepper noise
        g = cv2.resize(grey, (160, 160), interpolation=cv2.INTER_AREA).astype(np.float32)
        e = np.hypot(cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1))
        e = cv2.resize(cv2.GaussianBlur(e, (0, 0), 2), (32, 32), interpolation=cv2.INTER_AREA).ravel()
        e = e - e.mean()
        feats.append(e / (np.linalg.norm(e) + 1e-6))
    sim = np.array(feats) @ np.array(feats).T
    parent = list(range(len(files)))

    def find(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i
    for i, j in zip(*np.where(sim > threshold)):
        parent[find(i)] = find(j)
    groups: dict[int, list[str]] = {}
    for i, f in enumerate(files):
        groups.setdefault(find(i), []).append(f.name)
    return sorted(groups.values())


def by_scene(folder: str, threshold: float, share: float) -> dict:
    groups = scene_groups(folder, threshold)
    total = sum(map(len, groups))
    val: list[str] = []
    for g in sorted(groups, key=lambda g: chance(folder + g[0])):
        if len(g) <= 0.6 * share * total + 3 and len(val) + len(g) <= share * total * 1.1 + 1:
            val += g
    return {"scenes": len(groups), "largest": max(map(len, groups)), "validation": sorted(val)}


def type_crops() -> list[str]:
    """folder/name of every crop of vehicles/types."""
    return [f"{f.parent.name}/{f.name}" for f in sorted((DATA / "vehicles" / "types").glob("*/*.jpg"))]


def main() -> None:
    out = {
        "seed": SEED,
        "plates/scenes": {"by": "plate text", "validation": plates("scenes.tsv", 0.2)},
        "plates/crops": {"by": "plate text", "validation": plates("crops.tsv", 0.25)},
        "plates/crops-b": {"by": "plate text", "validation": plates("crops-b.tsv", 0.25)},
        "vehicles/elevated": {"by": "scene", **by_scene("elevated", 0.50, 0.25)},
        "vehicles/roads": {"by": "scene", **by_scene("roads", 0.45, 0.22)},
        "vehicles/street-level": {"by": "scene", **by_scene("street-level", 0.60, 0.1)},
        "vehicles/expressway": {"by": "scene", **by_scene("expressway", 0.60, 0.1)},
        "vehicles/types": {"by": "picture", "validation": sorted(n for n in type_crops() if chance(n) < 0.15)},
        "parking/sequences": {"by": "sequence", "validation": ["5"]},
        "parking/empty": {"by": "day", "validation": sorted(f.name for f in (DATA / "parking" / "empty").glob("2013-03-10*.jpg"))},
        "stills": {"by": "seed of the batch: 120 pictures, --sets 2", "validationSeeds": [9090]},
    }
    SPLITS.write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for k, v in out.items():
        if isinstance(v, dict):
            print(k, {a: (len(b) if isinstance(b, list) else b) for a, b in v.items()})


if __name__ == "__main__":
    main()
