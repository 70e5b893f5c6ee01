"""Measure the shipped ONNX files on the validation split and write the figures to manifest.json and MODEL_CARD.md.

  python evaluate.py [vehicles plates plate-reader attributes berths]
  python evaluate.py plate-reader plates-read      after new weights of the reader: its own figures, and those of the finder that it has part in
  python evaluate.py vehicles plates-read          the same for the detector

Everything runs through the ONNX files on one CPU thread, as it will in service.
"""
import json
import subprocess
import sys
import time

import cv2
import numpy as np

import card
from charset import COLOURS
import detection_eval
import grammar
import people_eval
import plate_data
import plate_net
import reference_eval
from detection_eval import detect, evaluate as evaluate_detector, heading_error
from onnx_model import shipped as session
from paths import DATA, MODELS, STILLS, TRAINING, scratch
from plates_synth import KINDS
from legibility import legible
from reader_data import MX, MY, PH, PW, canvas_from_corners, ccpd_corners, rgb, rows_of, synth_item
import second_look
from second_look import SURE
from splits import is_validation
from stills_data import VALIDATION_SEEDS
from train_plates import quad_iou, targets
from vehicle_augment import tone
from vehicle_data import around_plate, iou
from vehicle_net import HEIGHT, WIDTH
import degrade

SCORE = 0.5  # of plates, as in the manifest


def cost(s, shape, runs=60):
    """Median processor time in ms of one picture on one thread."""
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    times = []
    for _ in range(runs):
        t = time.process_time()
        s.run(None, {"images": x})
        times.append(time.process_time() - t)
    return round(1000 * float(np.median(times)), 1)


def vehicles():
    from vehicle_data import Store
    s = session("vehicles-v1.onnx")
    run = lambda x: s.run(["boxes", "scores", "quads"], {"images": x})
    out = {}
    for name in ("elevated", "roads", "expressway", "parking", "stills"):
        if not scratch(f"vehicles-{name}.json").exists():
            continue
        store = Store(name)
        records = store.split(True)
        found = out["rendered" if name == "stills" else name] = evaluate_detector(run, store, records, unlabelled=unlabelled(name))
        squeezed = records[0].get("squeezed", 1)
        if squeezed != 1:  # the same pictures as their cameras took them
            wide = evaluate_detector(run, store, records, unlabelled=unlabelled(name), find=lambda img, by=squeezed: detect(run, img, squeezed=by))
            found["trueWidth"] = {k: v for k, v in wide.items() if k.startswith("ap50")}
        print(name, found, flush=True)
    if "parking" in out:
        out["emptyViews"] = empty_views(run, Store("parking"))
        print("empty views", out["emptyViews"], flush=True)
    sources = {"elevated": "elevated", "street-level": "street-level", "rendered": "stills"}
    out["people"] = {name: people_eval.figures(run, source) for name, source in sources.items() if scratch(f"vehicles-{source}.json").exists()}
    print("two-wheelers and persons", out["people"], flush=True)
    out["realFootprints"] = real_footprints(run)
    print("real footprints", out["realFootprints"], flush=True)
    out["yoloxNano"] = reference_eval.figures()
    print("YOLOX-nano on the same pictures", out["yoloxNano"], flush=True)
    out["msOneCore"] = cost(s, (1, 3, HEIGHT, WIDTH))
    return out


def empty_views(run, store, wanted=1000):
    """False vehicles on views of the empty car park that were never trained on: each frame again and again in other light, noise and compression."""
    rng = np.random.default_rng(31)
    frames = [r for r in store.split(True) if not len(r["boxes"]) and not len(r["ignore"])]
    each = -(-wanted // len(frames))
    false = sum(int((detect(run, tone(rng, np.array(store.picture(r))), detection_eval.SCORE)[1] > 0).sum()) for r in frames for _ in range(each))
    return {"frames": len(frames), "views": each * len(frames), "false": false, "falsePerThousand": round(1000 * false / (each * len(frames)), 2)}


def real_footprints(run):
    """Headings against the quads that were drawn by looking (labels/footprints.json): all pictures, and those never trained on."""
    file = TRAINING / "labels" / "footprints.json"
    if not file.exists():
        return {}
    by_picture = {}
    for v in json.loads(file.read_text(encoding="utf-8")):
        by_picture.setdefault(v["file"], []).append(v)
    errors, held, missed = [], [], 0
    for name, vehicles in by_picture.items():
        boxes, _, _, quads = detect(run, cv2.imread(str(DATA / name))[..., ::-1], detection_eval.SCORE)
        folder, _, picture = name.partition("/images/")
        unseen = picture != "" and is_validation(folder, picture)
        for v in vehicles:
            x, y, w, h = v["box"]
            o = iou([[x, y, x + w, y + h]], boxes)[0] if len(boxes) else np.zeros(0)
            if len(o) == 0 or o.max() < 0.4:
                missed += 1
                continue
            e = heading_error(quads[int(o.argmax())], np.array(v["quad"]).ravel())
            errors.append(e)
            if unseen:
                held.append(e)
    share = lambda e: round(float((np.array(e) < 10).mean()), 3) if e else None
    return {"vehicles": len(errors) + missed, "found": len(errors), "heading10": share(errors), "reversed": round(float((np.array(errors) > 90).mean()), 3),
            "ofUnseenPictures": len(held), "heading10Unseen": share(held)}


def unlabelled(source):
    """Vehicles that a source's labels leave out, by file; None where nobody looked."""
    seen = {}
    for v in json.loads((TRAINING / "labels" / "unlabelled-vehicles.json").read_text(encoding="utf-8")):
        folder, file = v["file"].split("/images/")
        if folder == f"vehicles/{source}":
            seen.setdefault(file, []).append(v["box"])
    return seen or None


def find(s, img):
    """Best plate in an input-sized picture: (score, corners 4 x 2)."""
    scores, corners = s.run(["scores", "corners"], {"images": np.ascontiguousarray(img.transpose(2, 0, 1)[None].astype(np.float32) / 255)})
    i = int(scores[0].argmax())
    return float(scores[0][i]), corners[0][i].reshape(4, 2)


BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.01)


def reliability(s, pics, want):
    """Does confidence mean something? Share right by confidence, and what the acceptance threshold lets through."""
    texts, _, _, _, conf = read(s, pics)
    conf, right = np.array(conf), np.array([a == b for a, b in zip(texts, want)])
    table = {}
    for low, high in zip(BINS, BINS[1:]):
        m = (conf >= low) & (conf < high)
        if m.any():
            table[f"{low:.2f} to {min(high, 1.0):.2f}"] = {"plates": int(m.sum()), "meanConfidence": round(float(conf[m].mean()), 3), "right": round(float(right[m].mean()), 4)}
    taken = conf >= SURE
    return {"byConfidence": table, "accepted": round(float(taken.mean()), 4), "rightOfAccepted": round(float(right[taken].mean()), 4)}


def read(s, canvases, again=True):
    """Texts, colour indices, row counts, plate flags and the weakest characters' confidences (0: nothing read) of 72 x 232 RGB canvases.

    As in service, a plate of one row that is not read surely gets a second look, unless `again` says which do not (strips of two-row plates).
    """
    readings, colours, rows, flags = [], [], [], []
    run = lambda pics: s.run(["probs", "colour", "rows", "plate"], {"images": np.ascontiguousarray(np.stack(pics).transpose(0, 3, 1, 2).astype(np.float32) / 255)})
    for a in range(0, len(canvases), 64):
        p, c, r, f = run([centre(x) for x in canvases[a:a + 64]])
        readings += [grammar.read(t, int(colour)) for t, colour in zip(p, c.argmax(1))]
        colours += c.argmax(1).tolist()
        rows += (r.argmax(1) + 1).tolist()
        flags += (f[:, 0] > 0.5).tolist()
    for i, first in enumerate(readings):
        if rows[i] == 1 and flags[i] and second_look.unsure(*first, colours[i]) and (again is True or again[i]):
            p = run([second_look.reframed(canvases[i], *framing) for framing in second_look.FRAMINGS])[0]
            readings[i] = second_look.combine([readings[i], *[grammar.read(t, colours[i]) for t in p]], colours[i])
    return [t for t, _ in readings], colours, rows, flags, [min(sure, default=0.0) for _, sure in readings]


def plates():
    s = session("plates-v1.onnx")
    out = {}
    sources = plate_sources()
    for name, source in sources.items():
        rng = np.random.default_rng(2024)
        n = found = without = false = 0
        ious = []
        for _ in range(700):
            img, q, others = source.sample(rng)
            img = plate_data.tone(rng, img)
            score, corners = find(s, img)
            truth, _ = targets(q, others)
            if q is None:
                near_other = any(quad_iou(corners, o) > 0.1 for o in others)
                without += 1
                false += score > SCORE and not near_other
            elif (truth == 1).any():
                o = quad_iou(corners, q) if score > SCORE else 0.0
                n += 1
                found += o > 0.5
                ious.append(o)
        out[name] = {"plates": n, "found": round(found / n, 4), "iou": round(float(np.mean(ious)), 3), "withoutPlate": without, "falseFinds": int(false)}
        print("plates", name, out[name], flush=True)
    out |= plates_read(s, sources)
    out["msOneCore"] = cost(s, (1, 3, plate_net.HEIGHT, plate_net.WIDTH))
    return out


def plate_sources():
    sources = {"ccpd": plate_data.Ccpd(True)}
    if scratch("plates-stills.json").exists():
        from stills_data import VehicleCrops
        sources["rendered"] = VehicleCrops(True)
    return sources


def plates_read(s=None, sources=None):
    """What the plate finder's figures owe to the reader and the detector: false plates that are read, and plates found and read."""
    s, reader = s or session("plates-v1.onnx"), session("plate-reader-v1.onnx")
    out = {"falsePlates": false_plates(s, reader, list((sources or plate_sources()).values())), "endToEndCcpd": end_to_end(s, reader), "wholeScenesCcpd": whole_scenes(s, reader)}
    print("plates read", out, flush=True)
    return out


NEAR = 90  # input pixels that a plate is wide in the second look, as in vision/models/plate-finder.ts


def look(s, img, x0, y0, width, height, side):
    """The best plate in a box of a picture, seen `side` (width, height) large: (score, corners in the picture, input pixels a picture pixel)."""
    x0, y0 = max(0, int(x0) // 2 * 2), max(0, int(y0) // 2 * 2)
    crop = img[y0:y0 + int(np.ceil(height)), x0:x0 + int(np.ceil(width))]
    k = min(side[0] / crop.shape[1], side[1] / crop.shape[0])
    small = cv2.resize(crop, (max(1, round(crop.shape[1] * k)), max(1, round(crop.shape[0] * k))), interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
    inp = np.full((side[1], side[0], 3), 114, np.uint8)
    ox, oy = (side[0] - small.shape[1]) // 2, (side[1] - small.shape[0]) // 2
    inp[oy:oy + small.shape[0], ox:ox + small.shape[1]] = small
    score, c = find(s, inp)
    return score, (c - [ox, oy]) / k + [x0, y0], k


def both_looks(s, img, x0, y0, width, height):
    """The plate in a vehicle's surroundings, looked at once more where it is small: its corners in the picture, None where none is seen."""
    whole = (plate_net.WIDTH, plate_net.HEIGHT)
    score, c, k = look(s, img, x0, y0, width, height, whole)
    if score <= SCORE:
        return None
    (x, y), (w, h) = c.min(0), c.max(0) - c.min(0)
    if w * k < 0.75 * NEAR:
        near = w * whole[0] / 2 / NEAR
        again, closer, _ = look(s, img, x + w / 2 - near / 2, y + h / 2 - near * 0.375, near, near * 0.75, (whole[0] // 2, whole[1] // 2))
        c = closer if again > SCORE and quad_iou(closer, c) > 0.3 else c
    return c


def unseen_scenes():
    """(picture, corners of its plate, text) of the scenes never trained on."""
    for r in rows_of("scenes.tsv"):
        if is_validation("plates/scenes", r[0]):
            yield rgb(DATA / "plates" / "scenes" / r[0]), np.array(ccpd_corners(r[6])), r[1]


def end_to_end(s, reader):
    """On real pictures: a crop as wide as a car around the plate, found by both looks, straightened at full resolution, read."""
    rng, n, found, right, exact = np.random.default_rng(7), 0, 0, 0, []
    for img, q, text in unseen_scenes():
        width = np.linalg.norm(q[1] - q[0]) * rng.uniform(2.2, 4.5)
        x0 = int(np.clip(q[:, 0].mean() - width * rng.uniform(0.35, 0.65), 0, img.shape[1] - 50))
        y0 = int(np.clip(q[:, 1].mean() - width * rng.uniform(0.4, 0.6), 0, img.shape[0] - 50))
        c = both_looks(s, img, x0, y0, int(width), int(width * 0.75))
        n += 1
        if c is None:
            continue
        exact.append(quad_iou(c, q))
        if exact[-1] > 0.5:
            found += 1
            right += read(reader, [canvas_from_corners(img, *c)])[0][0] == text
    return {"plates": n, "found": round(found / n, 4), "iou": round(float(np.mean(exact)), 3), "read": round(right / n, 4)}


MARGIN = 0.05    # cropMargin of the manifest
READABLE = 0.3   # thresholds.character of the manifest
READ = 0.9       # what counts as read (VOTE_DEFAULTS.accept of vision/plate/vote.ts)


def whole_scenes(s, reader):
    """The same pictures as `analyse` takes them: the vehicle found in the whole scene, too, and its plate in its box; doubtful ones count by a plate that is read surely, and where no plate is read, one
    that is found in the whole picture tells of the car around it; what reads badly is searched for again (vision/models/near-plates.ts)."""
    vehicles, n, seen, found, right, by_plate = session("vehicles-v1.onnx"), 0, 0, 0, 0, 0
    run = lambda x: vehicles.run(["boxes", "scores", "quads"], {"images": x})

    def plate_of(img, x1, y1, x2, y2):
        """(corners, text, colour, its weakest character) of the plate of a vehicle's box; None where there is none."""
        w, h = x2 - x1, y2 - y1
        left, top = max(0, x1 - w * MARGIN), max(0, y1 - h * MARGIN)
        c = both_looks(s, img, left, top, x2 + w * MARGIN - left, y2 + h * MARGIN - top)
        if c is None:
            return None
        texts, colours, _, flags, weakest = read(reader, [canvas_from_corners(img, *c)])
        return (c, texts[0], COLOURS[colours[0]], weakest[0]) if flags[0] else None

    def worth(p):
        """How much a reading is worth: its weakest character, nothing where no plate has such a text."""
        return p[3] if any(grammar.fits(r, p[1]) for r in grammar.RULES[p[2]]) else 0.0

    def searched_again(img, p):
        """The better reading of one that is not good, in a frame as large as a car around it."""
        again = None if worth(p) >= READ else plate_of(img, *around_plate(p[0], img.shape[1], img.shape[0]))
        return again if again and worth(again) > worth(p) else p

    for img, q, text in unseen_scenes():
        boxes, scores, _, _ = detect(run, img, detection_eval.WITH_PLATE)
        sure = scores > detection_eval.SCORE
        x, y = q.mean(0)
        n += 1
        seen += bool((sure & (boxes[:, 0] < x) & (boxes[:, 2] > x) & (boxes[:, 1] < y) & (boxes[:, 3] > y)).any())
        plates = [p for p, is_sure in ((plate_of(img, *b), k) for b, k in zip(boxes, sure)) if p and (is_sure or p[3] >= SURE)]
        if not plates:
            h, w = img.shape[:2]
            alone = plate_of(img, 0, 0, w, h)
            p = alone and plate_of(img, *around_plate(alone[0], w, h))
            if p and worth(p) >= READ:
                plates.append(p)
                by_plate += 1
        own = [searched_again(img, p) for p in plates if quad_iou(p[0], q) > 0.5]
        found += bool(own)
        right += any(p[1] == text for p in own)
    return {"plates": n, "vehicleSeen": round(seen / n, 4), "byPlateAlone": round(by_plate / n, 4), "found": round(found / n, 4), "read": round(right / n, 4)}


def false_plates(s, reader, sources, wanted=600):
    """Crops that show no plate: how many give one all the same, read at all and read so surely that one reading would count."""
    rng = np.random.default_rng(77)
    out = {"vehicles": 0, "found": 0, "read": 0, "accepted": 0}
    for source in sources:
        seen = 0
        while seen < wanted:
            img, q, others = source.sample(rng)
            if q is not None:
                continue
            img = plate_data.tone(rng, img)
            seen += 1
            score, corners = find(s, img)
            if score <= SCORE or any(quad_iou(corners, o) > 0.1 for o in others):
                continue
            out["found"] += 1
            texts, colours, _, flags, weakest = read(reader, [canvas_from_corners(img, *corners)])
            plate = flags[0] and any(grammar.fits(r, texts[0]) for r in grammar.RULES[COLOURS[colours[0]]])
            out["read"] += bool(plate and weakest[0] >= READABLE)
            out["accepted"] += bool(plate and weakest[0] >= SURE)
        out["vehicles"] += seen
    return out | {"acceptedPerThousand": round(1000 * out["accepted"] / out["vehicles"], 2)}


def shares(texts, colours, rows, flags, _weakest, want_t, want_c=None, want_r=None):
    n = len(texts)
    known = [i for i in range(n) if want_t[i]]
    out = {"plates": len(known), "text": round(sum(texts[i] == want_t[i] for i in known) / max(1, len(known)), 4)}
    if want_c is not None:
        out["colour"] = round(sum(a == b for a, b in zip(colours, want_c)) / n, 4)
    if want_r is not None:
        out["rows"] = round(sum(a == b for a, b in zip(rows, want_r)) / n, 4)
    out["isPlate"] = round(sum(flags) / n, 4)
    return out


def centre(c):
    return c[MY:MY + PH, MX:MX + PW]


def plate_reader():
    s = session("plate-reader-v1.onnx")
    out = {}
    real, real_texts = [], []
    for source in ("scenes", "crops", "crops-b"):
        z = np.load(scratch(f"reader-{source}.npz"))
        m = z["val"]
        out[source] = shares(*read(s, z["pics"][m]), list(z["texts"][m]), [0] * int(m.sum()))
        print(source, out[source], flush=True)
        real += list(z["pics"][m])
        real_texts += list(z["texts"][m])
    out["firstLookOnly"] = {source: first_look(s, source) for source in ("scenes", "crops", "crops-b")}
    # each costs as much as three readings more
    out["secondLooks"] = round(sum(second_look.unsure(*look) for look in first_looks(s, real)) / len(real), 4)
    out["realReliability"] = reliability(s, real, real_texts)
    print("reliability", out["realReliability"], out["firstLookOnly"], flush=True)
    if scratch("reader-stills.npz").exists():
        z = np.load(scratch("reader-stills.npz"))
        m = z["val"]
        out["rendered"] = shares(*read(s, z["pics"][m]), list(z["texts"][m]), z["colours"][m].tolist(), z["rows"][m].tolist())
        print("rendered", out["rendered"], flush=True)
    neg = np.load(scratch("reader-negatives.npz"))
    _, _, _, f, _ = read(s, neg["pics"][neg["val"]])
    out["negatives"] = {"pictures": len(f), "takenForPlates": round(sum(f) / len(f), 4)}
    out |= synthetic(s, neg["pics"][neg["val"]])
    print("synthetic", out["syntheticAll"], out["synthetic"], flush=True)
    held = scratch("reader-heldout.json")
    if held.exists():
        out["heldOutCropsB"] = json.loads(held.read_text())
    out["msOneCore"] = cost(s, (1, 3, PH, PW))
    return out


def first_looks(s, canvases):
    """(text, confidences, colour) of each plate at the first look."""
    for canvas in canvases:
        p, c = s.run(["probs", "colour"], {"images": np.ascontiguousarray(centre(canvas).transpose(2, 0, 1)[None].astype(np.float32) / 255)})
        yield (*grammar.read(p[0], int(c[0].argmax())), int(c[0].argmax()))


def first_look(s, source):
    """Share of whole texts right without second looks."""
    z = np.load(scratch(f"reader-{source}.npz"))
    m = z["val"]
    texts = read(s, z["pics"][m], np.zeros(int(m.sum()), bool))[0]
    return round(float(np.mean([a == b for a, b in zip(texts, z["texts"][m])])), 4)


def synthetic(s, backgrounds, each=150):
    """Plates of all kinds, seeds never trained on, 70 to 168 pixels wide, of which a person could read every character (legibility.py)."""
    rng = np.random.default_rng(990001)
    by_kind, drawn, kept = {}, 0, 0
    for kind in KINDS:
        canvases, texts, colours, again = [], [], [], []
        while len(canvases) < each:
            canvas, text, colour, _, ink = synth_item(rng, backgrounds, kind, severity=0.6)
            if text is None:
                continue
            width = float(rng.uniform(70, 168))
            view = degrade.optics(rng, centre(canvas), width, 0.5)
            drawn += 1
            if not legible(view, centre(ink), ink):
                continue
            kept += 1
            # what lies around the view is needed for other framings only
            canvas = canvas.copy()
            canvas[MY:MY + PH, MX:MX + PW] = view
            canvases.append(canvas)
            texts.append(text)
            colours.append(colour)
            again.append(kind not in ("yellow-two-row", "trailer"))
        by_kind[kind] = shares(*read(s, canvases, again), texts, colours)
    mean = lambda key: round(float(np.mean([v[key] for v in by_kind.values()])), 4)
    return {"synthetic": {k: {"text": v["text"], "colour": v["colour"]} for k, v in by_kind.items()},
            "syntheticAll": {"plates": each * len(KINDS), "text": mean("text"), "colour": mean("colour"), "legibleOfDrawn": round(kept / drawn, 4)}}


def attributes():
    import attribute_net as net
    from train_attributes import rates
    s = session("attributes-v1.onnx")
    names = list(net.OUTPUTS.values())
    out = rates(lambda p: s.run(names, {"images": np.ascontiguousarray(p.transpose(0, 3, 1, 2).astype(np.float32) / 255)}))
    print("attributes", out, flush=True)
    return out | {"msOneCore": cost(s, (1, 3, net.HEIGHT, net.WIDTH))}


def berths():
    import berth_net as net
    from train_berths import rates
    s = session("berths-v1.onnx")
    out = rates(lambda p: s.run(["state"], {"images": np.ascontiguousarray(p.transpose(0, 3, 1, 2).astype(np.float32) / 255)})[0])
    print("berths", out, flush=True)
    return out | {"msOneCore": cost(s, (1, 3, net.HEIGHT, net.WIDTH))}


def prepare(task):
    """Caches of the validation pictures that are not there yet. Rendered stills are measured where somebody rendered those of validation (BERTHWATCH_STILLS)."""
    stills = any(next(d.glob(f"{seed}-*.jpg"), None) for d in STILLS for seed in VALIDATION_SEEDS)
    if not stills:
        print(f"no rendered stills of seeds {sorted(VALIDATION_SEEDS)} in {', '.join(map(str, STILLS))}: nothing is measured on them", flush=True)
    wanted = {
        "vehicles": [(f"teacher-{n}.json", "teacher.py", n) for n in ("elevated", "roads", "expressway", "street-level")]
        + [(f"vehicles-{n}.json", "vehicle_data.py", n) for n in ("elevated", "roads", "expressway", "street-level", "parking")] + [("vehicles-stills.json", "vehicle_data.py", "stills")] * stills,
        "plates": [("plates-ccpd.json", "plate_data.py", "ccpd")] + [("plates-stills.json", "stills_data.py", "crops")] * stills,
        "plate-reader": [("reader-negatives.npz", "reader_data.py", "real")] + [("reader-stills.npz", "stills_data.py", "crops")] * stills,
        "attributes": [("attributes.npz", "attribute_data.py", "")],
        "berths": [("berths.npz", "berth_data.py", "")],
    }
    for file, script, argument in wanted[task]:
        if not scratch(file).exists():
            print(f"making {file}", flush=True)
            subprocess.run([sys.executable, str(TRAINING / script), *argument.split()], check=True)


TASKS = {"vehicles": vehicles, "plates": plates, "plate-reader": plate_reader, "attributes": attributes, "berths": berths}


def main():
    cv2.setNumThreads(1)
    wanted = sys.argv[1:] or list(TASKS)
    manifest = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))
    for m in manifest["models"]:
        if m["task"] in wanted:
            prepare(m["task"])
            # that the demo's scenes are told without a fault is found out by running it, not here; new weights lose it (export.py)
            demo = {k: v for k, v in m["accuracy"].items() if k == "demoScenes"}
            m["accuracy"] = TASKS[m["task"]]() | demo
        elif m["task"] == "plates" and "plates-read" in wanted:
            prepare("plates")
            m["accuracy"] |= plates_read()
    (MODELS / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    card.write(manifest)


if __name__ == "__main__":
    main()
