"""Views of real plates that no camera took: the plates of CCPD scenes as tight crops, tilted, with the signs of other provinces.

  python reader_views.py       writes reader-views.npz under the scratch folder (training side only)

Real crops of all sources are mostly of one province and are cut out by upright boxes, in which a plate seen from the side lies askew.
Here each training scene's plate is straightened with what lies around it, in most views gets another province's sign (and now and
then other characters) painted into its own ground with its own ink, and is laid into a crop at a new angle.
"""
import cv2
import numpy as np

from charset import DIGITS, LETTERS, PROVINCES
from paths import DATA, scratch
from plates_synth import _glyph
from reader_data import CH, CW, MX, MY, PH, PW, ccpd_corners, rgb, rows_of, tight_quad
from splits import is_validation

VIEWS = 6  # a plate
W, H, X, Y = 440, 140, 120, 80  # the plate on its sheet: one pixel a millimetre, with margins
CELLS = [15.5, 72.5, 151.5, 208.5, 265.5, 322.5, 379.5]
CELL_W, CELL_Y, CELL_H = 45.0, 25.0, 90.0


def sheet_of(img, corners):
    src = np.array(corners, np.float32)
    dst = np.array([[X, Y], [X + W, Y], [X + W, Y + H], [X, Y + H]], np.float32)
    return cv2.warpPerspective(img, cv2.getPerspectiveTransform(src, dst), (W + 2 * X, H + 2 * Y), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def paint(rng, sheet, cell, ch, sigma):
    """Another character in a cell: the ground is what lies left and right of it, the ink as bright as the old character's."""
    x0, x1 = int(X + CELLS[cell]) - 5, int(X + CELLS[cell] + CELL_W) + 6
    y0, y1 = int(Y + CELL_Y) - 6, int(Y + CELL_Y + CELL_H) + 7
    old = sheet[y0:y1, x0:x1].astype(np.float32)
    left, right = np.median(sheet[y0:y1, x0 - 3:x0 + 1], 1)[:, None], np.median(sheet[y0:y1, x1 - 1:x1 + 3], 1)[:, None]
    t = np.linspace(0, 1, x1 - x0, dtype=np.float32)[None, :, None]
    ground = cv2.GaussianBlur((left * (1 - t) + right * t).astype(np.float32), (0, 0), 5)
    grey = old.mean(2)
    ink = old[grey >= np.quantile(grey, 0.9)].mean(0)
    mask = np.zeros(old.shape[:2], np.float32)
    m = _glyph(ch, "normal", bool(rng.random() < 0.45) and ch in PROVINCES)
    h, w = int(round(CELL_H * rng.uniform(0.96, 1.04))), int(round(CELL_W * rng.uniform(0.95, 1.05)))
    oy, ox = (mask.shape[0] - h) // 2, (mask.shape[1] - w) // 2
    mask[oy:oy + h, ox:ox + w] = cv2.resize(m, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = cv2.GaussianBlur(mask, (0, 0), sigma)[..., None]
    edge = np.clip(np.minimum(np.arange(old.shape[1]), np.arange(old.shape[1])[::-1]) / 4, 0, 1).astype(np.float32)[None, :, None]
    new = ground * (1 - mask) + ink * mask
    sheet[y0:y1, x0:x1] = np.clip(new * edge + old * (1 - edge), 0, 255)


def view(rng, sheet, text, plate_px):
    """(canvas, text, whether tight): one view of a plate's sheet."""
    if rng.random() < 0.7:
        sheet, text = sheet.copy(), list(text)
        sigma = W / plate_px * rng.uniform(0.45, 0.9)
        cells = [0] + [i for i in range(1, 7) if rng.random() < 0.15]
        for i in cells:
            text[i] = str(rng.choice(list(PROVINCES if i == 0 else LETTERS if i == 1 or rng.random() < 0.4 else DIGITS)))
            paint(rng, sheet, i, text[i], sigma)
        text = "".join(text)
    tight = rng.random() < 0.75
    if tight:
        quad = tight_quad(rng, W, H)
    else:
        quad = np.array([[MX, MY], [MX + PW, MY], [MX + PW, MY + PH], [MX, MY + PH]], np.float32)
    base = np.array([[X, Y], [X + W, Y], [X + W, Y + H], [X, Y + H]], np.float32)
    m = cv2.getPerspectiveTransform(base, quad)
    return cv2.warpPerspective(sheet, m, (CW, CH), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE), text, tight


def main():
    cv2.setNumThreads(1)
    rng = np.random.default_rng(31)
    pics, texts, tights = [], [], []
    for r in rows_of("scenes.tsv"):
        if is_validation("plates/scenes", r[0]) or len(r[1]) != 7:
            continue
        corners = ccpd_corners(r[6])
        sheet = sheet_of(rgb(DATA / "plates" / "scenes" / r[0]), corners)
        for _ in range(VIEWS):
            pic, text, tight = view(rng, sheet, r[1], np.linalg.norm(np.subtract(corners[1], corners[0])))
            pics.append(pic)
            texts.append(text)
            tights.append(tight)
    np.savez(scratch("reader-views.npz"), pics=np.array(pics), texts=np.array(texts), tight=np.array(tights))
    print("views", len(pics), flush=True)


if __name__ == "__main__":
    main()
