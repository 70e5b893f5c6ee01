import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyHomography, boundingBox, homographyFrom, type Box, type Polygon, type Quad } from '../../base/geometry.js';
import { rgbCoefficients, type Picture } from '../decode/picture.js';
import { ctcGreedy } from './ctc.js';
import { InputRoom } from './input-room.js';
import type { ModelInput, ReaderModel, VehiclesModel } from './manifest.js';
import { averaged, suppress, type Detection } from './nms.js';
import { assignPlates } from './plate-assignment.js';
import { closeUp, nearInput, peaks, plausible } from './plate-finder.js';
import { fillFromBands, plateBands, subQuad } from './rectify.js';
import { detectionRegions, REGION_DEFAULTS } from './regions.js';
import { channelScales, fillFromBox, placeInput, toPicture } from './tensor.js';
import { readDetections } from './vehicle-detector.js';

const input = (over: Partial<ModelInput> = {}): ModelInput => ({
  name: 'images', width: 64, height: 48, channels: 'rgb', layout: 'nchw', scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], resize: 'letterbox', padding: 114, ...over,
});

/** Full-range grey picture whose luma is given by a function of the pixel; colour by quadrant functions of U and V. */
function picture(width: number, height: number, luma: (x: number, y: number) => number, u = 128, v = 128): Picture {
  const stride = width + 16;
  const y = new Uint8Array(stride * height).fill(7);
  for (let row = 0; row < height; row++) for (let col = 0; col < width; col++) y[row * stride + col] = luma(col, row);
  const chroma = ((width + 1) >> 1) + 8;
  const rows = (height + 1) >> 1;
  return { width, height, y, u: new Uint8Array(chroma * rows).fill(u), v: new Uint8Array(chroma * rows).fill(v), strideY: stride, strideC: chroma, matrix: 'bt709', fullRange: true };
}

describe('tensor', () => {
  it('maps every input pixel back to the picture', () => {
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 2000 }), fc.integer({ min: 64, max: 2000 }), fc.constantFrom('letterbox' as const, 'stretch' as const), (width, height, resize) => {
        const box = { x: 10, y: 12, width: width - 20, height: height - 24 };
        const { mapping, cut, target } = placeInput({ width, height }, box, input({ resize }));
        expect(cut.x).toBeGreaterThanOrEqual(0);
        expect(cut.x + cut.width).toBeLessThanOrEqual(width);
        expect(target.x + target.width).toBeLessThanOrEqual(64);
        expect(target.y + target.height).toBeLessThanOrEqual(48);
        const [x0, y0] = toPicture(mapping, target.x, target.y);
        const [x1, y1] = toPicture(mapping, target.x + target.width, target.y + target.height);
        expect([x0, y0, x1 - x0, y1 - y0].map((v) => Math.round(v * 1e6) / 1e6)).toEqual([cut.x, cut.y, cut.width, cut.height]);
      }),
    );
  });

  it('letterboxes with padding, keeps the aspect, and normalises', () => {
    const model = input({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.5, 1] });
    const room = new InputRoom();
    const tensor = room.open(2, model);
    // A wide white picture: 64×16 in the middle, padding above and below.
    fillFromBox(room, 1, picture(128, 32, () => 255), { x: 0, y: 0, width: 128, height: 32 }, model);
    expect(tensor.subarray(0, 3 * 64 * 48).every((v) => v === 0)).toBe(true);
    const at = (c: number, x: number, y: number): number => tensor[3 * 64 * 48 + c * 64 * 48 + y * 64 + x] as number;
    for (const [c, std] of [0.25, 0.5, 1].entries()) {
      expect(at(c, 32, 24)).toBeCloseTo(0.5 / std, 2);
      expect(at(c, 32, 2)).toBeCloseTo((114 / 255 - 0.5) / std, 4);
      expect(at(c, 32, 15)).toBeCloseTo((114 / 255 - 0.5) / std, 4);
      expect(at(c, 32, 17)).toBeCloseTo(0.5 / std, 2);
    }
  });

  it('puts red first or last as the model wants', () => {
    const red = picture(64, 48, () => 54, 99, 255);
    for (const [channels, plane] of [['rgb', 0], ['bgr', 2]] as const) {
      const room = new InputRoom();
      const tensor = room.open(1, input());
      fillFromBox(room, 0, red, { x: 0, y: 0, width: 64, height: 48 }, input({ channels }));
      expect(tensor[plane * 64 * 48 + 1000]).toBeGreaterThan(0.95);
      expect(tensor[(2 - plane) * 64 * 48 + 1000]).toBeLessThan(0.05);
    }
  });

  it.each([
    ['a narrow picture', 32, 96, { x: 24, y: 0, width: 16, height: 48 }],
    ['a wide one', 128, 30, { x: 0, y: 16, width: 64, height: 15 }],
  ])('pads around %s and leaves the other slots alone', (_, width, height, target) => {
    const model = input({ channels: 'bgr', mean: [0.1, 0.2, 0.3], std: [0.5, 0.6, 0.7] });
    const room = new InputRoom();
    const tensor = room.open(3, model).fill(9);
    fillFromBox(room, 1, picture(width, height, () => 255), { x: 0, y: 0, width, height }, model);
    const wrong = new Set<string>();
    for (const { plane, factor, bias } of channelScales(model)) {
      for (let row = 0; row < 48; row++) {
        for (let col = 0; col < 64; col++) {
          const inside = col >= target.x && col < target.x + target.width && row >= target.y && row < target.y + target.height;
          const level = ((tensor[((3 + plane) * 48 + row) * 64 + col] as number) - bias) / factor;
          if (Math.abs(level - (inside ? 255 : 114)) > 0.01) wrong.add(`${plane} ${col} ${row}: ${level}`);
        }
      }
    }
    expect([...wrong]).toEqual([]);
    expect([...tensor.subarray(0, 3 * 64 * 48), ...tensor.subarray(2 * 3 * 64 * 48)].every((value) => value === 9)).toBe(true);
  });

  it('cuts the place that was asked for', () => {
    // Bright square at 300..340, 200..240.
    const p = picture(640, 480, (x, y) => (x >= 300 && x < 340 && y >= 200 && y < 240 ? 250 : 10));
    const room = new InputRoom();
    const tensor = room.open(1, input());
    const mapping = fillFromBox(room, 0, p, { x: 280, y: 180, width: 128, height: 96 }, input());
    let sx = 0;
    let sy = 0;
    let n = 0;
    for (let y = 0; y < 48; y++) {
      for (let x = 0; x < 64; x++) {
        if ((tensor[y * 64 + x] as number) <= 0.5) continue;
        sx += x + 0.5;
        sy += y + 0.5;
        n++;
      }
    }
    const [cx, cy] = toPicture(mapping, sx / n, sy / n);
    expect(Math.abs(cx - 320)).toBeLessThan(1.5);
    expect(Math.abs(cy - 220)).toBeLessThan(1.5);
  });
});

describe('rectify', () => {
  it('straightens a plate seen in perspective', () => {
    const corners: Quad = [[100, 80], [260, 110], [250, 170], [96, 130]];
    const toUnit = homographyFrom(corners, [[0, 0], [1, 0], [1, 1], [0, 1]])!;
    // Eight vertical bars painted on the plate.
    const p = picture(400, 300, (x, y) => {
      const [u, v] = applyHomography(toUnit, [x + 0.5, y + 0.5]);
      return u >= 0 && u < 1 && v >= 0 && v < 1 ? (Math.floor(u * 8) % 2 === 0 ? 230 : 20) : 128;
    });
    const model = input({ width: 160, height: 48 });
    const tensor = new Float32Array(3 * 160 * 48);
    expect(fillFromBands(tensor, 0, p, [{ quad: corners, x: 0, width: 160 }], model)).toBe(true);
    let right = 0;
    for (let row = 4; row < 44; row++) {
      for (let bar = 0; bar < 8; bar++) if ((tensor[row * 160 + bar * 20 + 10] as number) > 0.5 === (bar % 2 === 0)) right++;
    }
    expect(right).toBe(40 * 8);
  });

  it('keeps colours where they are, whether the plate is smaller or larger than the input', () => {
    // Blue on the left, yellow on the right of column 400.
    const p = picture(800, 300, () => 110);
    for (let row = 0; row < 150; row++) {
      for (let col = 0; col < 400; col++) {
        p.u[row * p.strideC + col] = col < 200 ? 190 : 60;
        p.v[row * p.strideC + col] = col < 200 ? 90 : 150;
      }
    }
    const exact = (u: number, v: number): number[] => {
      const c = rgbCoefficients(p);
      return [110 + (v - 128) * c.redV, 110 + (u - 128) * c.greenU + (v - 128) * c.greenV, 110 + (u - 128) * c.blueU].map((value) => Math.min(255, Math.max(0, value)) / 255);
    };
    for (const half of [45, 120, 390]) {
      const [width, height] = [161, 47];
      const tensor = new Float32Array(3 * width * height);
      expect(fillFromBands(tensor, 0, p, [{ quad: [[400 - half, 100], [400 + half, 100], [400 + half, 160], [400 - half, 160]], x: 0, width }], input({ width, height }))).toBe(true);
      for (const [col, wanted] of [[20, exact(190, 90)], [74, exact(190, 90)], [86, exact(60, 150)], [140, exact(60, 150)]] as const) {
        for (const [c, value] of wanted.entries()) expect(tensor[c * width * height + 23 * width + col], `half ${half}, column ${col}, channel ${c}`).toBeCloseTo(value, 2);
      }
    }
  });

  it('averages where the plate is larger than the input', () => {
    // One-pixel stripes average to grey instead of aliasing.
    const p = picture(800, 300, (x) => (x % 2 === 0 ? 255 : 0));
    const tensor = new Float32Array(3 * 168 * 48);
    fillFromBands(tensor, 0, p, [{ quad: [[50, 50], [722, 50], [722, 242], [50, 242]], x: 0, width: 168 }], input({ width: 168, height: 48 }));
    const middle = tensor.subarray(10 * 168 + 10, 10 * 168 + 150);
    expect(Math.max(...middle.map((v) => Math.abs(v - 0.5)))).toBeLessThan(0.15);
  });

  it('lays the bands of a two-row plate side by side', () => {
    const corners: Quad = [[100, 100], [300, 100], [300, 200], [100, 200]];
    const model = { input: input({ width: 168, height: 48 }), twoRow: { top: [0.2, 0, 0.8, 0.4], bottom: [0, 0.4, 1, 1], topShare: 1 / 3 } } as Pick<ReaderModel, 'input' | 'twoRow'>;
    const bands = plateBands(corners, 2, model)!;
    expect(bands.map((b) => [b.x, b.width])).toEqual([[0, 56], [56, 112]]);
    expect(boundingBox(bands[0]!.quad)).toEqual({ x: 140, y: 100, width: 120, height: 40 });
    expect(boundingBox(bands[1]!.quad)).toEqual({ x: 100, y: 140, width: 200, height: 60 });
    const p = picture(400, 300, (_, y) => (y < 140 ? 200 : 50));
    const tensor = new Float32Array(3 * 168 * 48);
    fillFromBands(tensor, 0, p, bands, model.input);
    expect(tensor[24 * 168 + 28]).toBeCloseTo(200 / 255, 1);
    expect(tensor[24 * 168 + 112]).toBeCloseTo(50 / 255, 1);
    expect(plateBands(corners, 1, model)).toHaveLength(1);
    expect(plateBands(corners, 2, { input: model.input })).toHaveLength(1);
  });

  it('refuses degenerate corners', () => {
    const flat: Quad = [[0, 0], [10, 0], [20, 0], [30, 0]];
    expect(fillFromBands(new Float32Array(3 * 64 * 48), 0, picture(64, 48, () => 0), [{ quad: flat, x: 0, width: 64 }], input())).toBe(false);
    expect(subQuad([[1, 1], [1, 1], [1, 1], [1, 1]], [0, 0, 1, 1])?.flat().every((n) => n === 1) ?? true).toBe(true);
  });
});

describe('suppression', () => {
  const detection = (x: number, score: number, over: Partial<Detection> = {}): Detection => ({ box: { x, y: 0, width: 100, height: 60 }, score, class: 'car', footprint: null, ...over });

  it('keeps the best of overlapping vehicles, whatever kind of motor vehicle they are called', () => {
    const kept = suppress([detection(0, 0.6), detection(10, 0.9), detection(8, 0.7, { class: 'truck' }), detection(150, 0.5), detection(5, 0.8, { class: 'person' })], 0.5);
    expect(kept.map((d) => [d.box.x, d.class])).toEqual([[10, 'car'], [5, 'person'], [150, 'car']]);
  });

  it('does not depend on the order of its input', () => {
    const arbitrary = fc.array(fc.record({ x: fc.integer({ min: 0, max: 300 }), score: fc.constantFrom(0.5, 0.6, 0.7) }), { maxLength: 20 });
    fc.assert(
      fc.property(arbitrary, (raw) => {
        const detections = raw.map((r) => detection(r.x, r.score));
        expect(suppress([...detections].reverse(), 0.4)).toEqual(suppress(detections, 0.4));
      }),
    );
  });

  it('averages what speaks of one vehicle, and turns footprints that face the other way', () => {
    const quad = (dx: number, turned = false): Quad => {
      const [fl, fr, rr, rl]: Quad = [[80 + dx, 10], [80 + dx, 50], [10 + dx, 50], [10 + dx, 10]];
      return turned ? [rr, rl, fl, fr] : [fl, fr, rr, rl];
    };
    const found = [detection(0, 0.8, { footprint: quad(0) }), detection(12, 0.4, { footprint: quad(12, true), class: 'truck' }), detection(6, 0.4, { footprint: quad(6) }), detection(60, 0.3), detection(2, 0.5, { class: 'person' })];
    const [best] = averaged(suppress(found, 0.5), found);
    // (0 × 0.8 + 12 × 0.4 + 6 × 0.4) ÷ 1.6
    expect(best?.box).toEqual({ x: expect.closeTo(4.5, 9) as number, y: 0, width: 100, height: expect.closeTo(60, 9) as number });
    expect(best?.footprint?.[0]).toEqual([expect.closeTo(84.5, 9), expect.closeTo(10, 9)]);
    expect(best).toMatchObject({ score: 0.8, class: 'car' });
    expect(averaged([detection(0, 0.5)], [detection(0, 0.5)])).toEqual([detection(0, 0.5)]);
  });

  it('is bounded', () => {
    expect(suppress(Array.from({ length: 500 }, (_, i) => detection(i * 200, 0.9)), 0.5)).toHaveLength(100);
  });
});

describe('detections', () => {
  const model = { id: 'm', classes: ['car', null, 'motorcycle'], thresholds: { score: 0.4, nms: 0.5 }, outputs: { boxes: 'b', scores: 's', quads: 'q' } } as unknown as VehiclesModel;
  const mapping = { originX: 100, originY: 50, offsetX: 0, offsetY: 4, scaleX: 0.5, scaleY: 0.5 };
  const output = (boxes: number[], scores: number[], quads: number[]) =>
    new Map([
      ['b', { data: Float32Array.from(boxes), dims: [] }],
      ['s', { data: Float32Array.from(scores), dims: [] }],
      ['q', { data: Float32Array.from(quads), dims: [] }],
    ]);

  it('come back in picture pixels', () => {
    const [car, ...rest] = readDetections(model, output([10, 14, 60, 54], [0.9, 0.1, 0.2], [10, 50, 20, 54, 60, 54, 50, 50]), mapping, { width: 1920, height: 1080 });
    expect(rest).toEqual([]);
    expect(car).toMatchObject({ class: 'car', box: { x: 120, y: 70, width: 100, height: 80 } });
    expect(car?.footprint).toEqual([[120, 142], [140, 150], [220, 150], [200, 142]]);
  });

  it('leaves out weak ones, unused classes, NaN and boxes outside the picture; two-wheelers have no footprint', () => {
    const boxes = [10, 14, 60, 54, 10, 14, 60, 54, 10, 14, 60, 54, -900, 0, -800, 10, 10, 14, 60, 54];
    const scores = [0.3, 0, 0, 0.1, 0.9, 0, NaN, NaN, NaN, 0.9, 0, 0, 0, 0, 0.8];
    const found = readDetections(model, output(boxes, scores, new Array<number>(40).fill(1)), mapping, { width: 1920, height: 1080 });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ class: 'motorcycle', footprint: null });
  });

  it('adds up what motor classes share, unless the network scores each on its own', () => {
    const both = { ...model, classes: ['car', 'truck', 'person'], thresholds: { score: 0.5, nms: 0.5 } } as unknown as VehiclesModel;
    const tensors = output([10, 14, 60, 54], [0.3, 0.35, 0.05], [1, 1, 1, 1, 1, 1, 1, 1]);
    const [found] = readDetections({ ...both, scoreKind: 'exclusive' }, tensors, mapping, { width: 1920, height: 1080 });
    expect(found).toMatchObject({ class: 'truck' });
    expect(found?.score).toBeCloseTo(0.65, 5);
    expect(readDetections({ ...both, scoreKind: 'independent' }, tensors, mapping, { width: 1920, height: 1080 })).toEqual([]);
    // Three classes that only together reach the threshold, each just above a third of it.
    const thirds = { ...both, classes: ['car', 'bus', 'truck'], scoreKind: 'exclusive' } as VehiclesModel;
    expect(readDetections(thirds, output([10, 14, 60, 54], [0.167, 0.167, 0.167], [1, 1, 1, 1, 1, 1, 1, 1]), mapping, { width: 1920, height: 1080 })).toHaveLength(1);
  });

  it('count two-wheelers from a threshold of their own, where the model has one', () => {
    const tensors = output([10, 14, 60, 54, 10, 14, 60, 54], [0.3, 0, 0, 0, 0, 0.3], new Array<number>(16).fill(1));
    const classes = (thresholds: object): string[] => readDetections({ ...model, thresholds } as VehiclesModel, tensors, mapping, { width: 1920, height: 1080 }).map((d) => d.class);
    expect(classes({ score: 0.4, nms: 0.5, twoWheeler: 0.25, person: 0.1 })).toEqual(['motorcycle']);
    expect(classes({ score: 0.4, nms: 0.5, twoWheeler: 0.35 })).toEqual([]);
    expect(classes({ score: 0.25, nms: 0.5 })).toEqual(['car', 'motorcycle']);
  });

  it('refuses outputs that contradict each other', () => {
    expect(() => readDetections(model, output([1, 2, 3, 4], [0.9], []), mapping, { width: 10, height: 10 })).toThrow(/do not fit/);
  });
});

describe('plates', () => {
  const quadAt = (x: number, y: number): Quad => [[x, y], [x + 60, y], [x + 60, y + 20], [x, y + 20]];

  it('belong to the vehicle in which they sit where plates sit', () => {
    const near: Box = { x: 100, y: 200, width: 300, height: 200 };
    const far: Box = { x: 300, y: 120, width: 200, height: 240 };
    // Found in both crops: the middle low of the near one.
    expect(assignPlates([near, far], [[{ corners: quadAt(300, 330), score: 0.8 }], [{ corners: quadAt(301, 331), score: 0.9 }]]).map((p) => p !== null)).toEqual([true, false]);
    expect(assignPlates([near, far], [[{ corners: quadAt(220, 330), score: 0.8 }], [{ corners: quadAt(380, 280), score: 0.9 }]]).map((p) => p !== null)).toEqual([true, true]);
    expect(assignPlates([near], [[]])).toEqual([null]);
  });

  it('of a row seen along its length go to their own cars, even where a crop shows the nearer neighbour’s best', () => {
    // The farther car's crop holds both plates, the nearer car's only its own, which is the surer one in both.
    const far: Box = { x: 949, y: 120, width: 226, height: 142 };
    const near: Box = { x: 1015, y: 140, width: 240, height: 160 };
    const [farPlate, nearPlate] = [quadAt(1045, 183), quadAt(1043, 229)];
    const found = [[{ corners: nearPlate, score: 0.98 }, { corners: farPlate, score: 0.9 }], [{ corners: nearPlate, score: 0.98 }]];
    expect(assignPlates([far, near], found).map((p) => p?.corners)).toEqual([farPlate, nearPlate]);
    // Its own plate hidden, the farther car gets none rather than its neighbour's.
    expect(assignPlates([far, near], [[{ corners: nearPlate, score: 0.98 }], [{ corners: nearPlate, score: 0.8 }]]).map((p) => p?.corners ?? null)).toEqual([null, nearPlate]);
  });

  it('are taken over where the holder has another', () => {
    const [a, b]: [Box, Box] = [{ x: 0, y: 100, width: 200, height: 150 }, { x: 120, y: 100, width: 200, height: 150 }];
    const [one, two] = [quadAt(125, 190), quadAt(210, 195)];
    const found = [[{ corners: one, score: 0.9 }], [{ corners: one, score: 0.99 }, { corners: two, score: 0.6 }]];
    expect(assignPlates([a, b], found).map((p) => p?.corners)).toEqual([one, two]);
  });

  it('are the peaks of a heat map, each once', () => {
    const mapping = { originX: 0, originY: 0, offsetX: 0, offsetY: 0, scaleX: 1, scaleY: 1 };
    const corners = Float32Array.from([quadAt(10, 10), quadAt(12, 11), quadAt(150, 40), quadAt(90, 90), quadAt(300, 10)].flatMap((q) => q.flat()));
    expect(peaks(Float32Array.from([0.8, 0.9, 0.7, 0.3, 0.6]), corners, mapping, 0.5).map((p) => [p.corners[0][0], Math.round(p.score * 10)])).toEqual([[12, 9], [150, 7], [300, 6]]);
    expect(peaks(new Float32Array(5), corners, mapping, 0.5)).toEqual([]);
  });

  it('that were small in the first look get a closer crop around them', () => {
    const input256 = { width: 256, height: 192 };
    expect(closeUp({ corners: quadAt(500, 300), inputWidth: 80 }, input256)).toBeNull();
    const crop = closeUp({ corners: quadAt(500, 300), inputWidth: 30 }, input256)!;
    expect(crop.x + crop.width / 2).toBe(530);
    expect(crop.y + crop.height / 2).toBe(310);
    // 60 picture pixels of plate become 90 of the input.
    expect((60 * 256) / crop.width).toBeCloseTo(90, 6);
    expect(crop.width / crop.height).toBeCloseTo(256 / 192, 6);
  });

  it('are looked at again in an input of half the size, where the network takes it', () => {
    const whole = input({ width: 256, height: 192 });
    expect(nearInput(whole, 32)).toEqual({ ...whole, width: 128, height: 96 });
    expect(nearInput(whole, undefined)).toBe(whole);
    const odd = input({ width: 224, height: 160 });
    expect(nearInput(odd, 32)).toBe(odd);
  });

  it('must be convex, clockwise and of some size', () => {
    expect(plausible(quadAt(0, 0))).toBe(true);
    expect(plausible([[0, 0], [0, 20], [60, 20], [60, 0]])).toBe(false);
    expect(plausible([[0, 0], [60, 0], [10, 5], [0, 20]])).toBe(false);
    expect(plausible([[0, 0], [6, 0], [6, 2], [0, 2]])).toBe(false);
  });
});

describe('regions', () => {
  const options = { ...REGION_DEFAULTS, inputWidth: 640, inputHeight: 384 };
  const berth = (x: number, y: number, w: number, h: number): Polygon => [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];
  const hd = { width: 1920, height: 1080 };

  it('is the whole picture without berths', () => {
    expect(detectionRegions(hd, [], options)).toEqual([{ x: 0, y: 0, width: 1920, height: 1080 }]);
  });

  it('is one region with a margin for berths that are large enough', () => {
    const [region, ...rest] = detectionRegions(hd, [berth(600, 500, 300, 120), berth(920, 500, 300, 120)], options);
    expect(rest).toEqual([]);
    expect(region!.x).toBeLessThan(600 - 100);
    expect(region!.y).toBeLessThan(500 - 200);
    expect(region!.x + region!.width).toBeGreaterThan(1220 + 100);
    expect(region!.width / region!.height).toBeCloseTo(640 / 384, 1);
  });

  it('is two overlapping regions for a long row of small berths', () => {
    const row = Array.from({ length: 10 }, (_, i) => berth(100 + i * 175, 500, 150, 60));
    const regions = detectionRegions(hd, row, options);
    expect(regions).toHaveLength(2);
    const [left, right] = regions as [Box, Box];
    expect(left.x + left.width).toBeGreaterThan(right.x);
    expect(right.x).toBeGreaterThan(left.x);
  });

  it('holds every berth and stays inside the picture', () => {
    const coordinate = fc.tuple(fc.integer({ min: 0, max: 1700 }), fc.integer({ min: 0, max: 950 }), fc.integer({ min: 30, max: 220 }), fc.integer({ min: 20, max: 130 }));
    fc.assert(
      fc.property(fc.array(coordinate, { minLength: 1, maxLength: 12 }), (raw) => {
        const berths = raw.map(([x, y, w, h]) => berth(x, y, w, h));
        const regions = detectionRegions(hd, berths, options);
        for (const r of regions) {
          expect(r.x >= 0 && r.y >= 0 && r.x + r.width <= 1920.001 && r.y + r.height <= 1080.001).toBe(true);
          expect(r.width).toBeGreaterThanOrEqual(479);
        }
        for (const b of berths.map(boundingBox)) {
          expect(regions.some((r) => r.x <= b.x + 0.01 && r.y <= b.y + 0.01 && r.x + r.width >= b.x + b.width - 0.01 && r.y + r.height >= b.y + b.height - 0.01)).toBe(true);
        }
      }),
    );
  });
});

describe('ctc', () => {
  const charset = ['鲁', 'B', '1'];
  /** One row a step; classes: blank and the charset. */
  const probs = (...steps: number[][]): Float32Array => Float32Array.from(steps.flat());

  it('merges repeats, drops blanks, keeps the surest look at each character', () => {
    const p = probs([0.1, 0.8, 0.05, 0.05], [0.05, 0.9, 0.03, 0.02], [0.9, 0.05, 0.03, 0.02], [0, 0, 0.7, 0.3], [0, 0.1, 0.2, 0.7], [0.6, 0, 0, 0.4], [0, 0, 0.1, 0.9]);
    const { text, confidences } = ctcGreedy(p, 7, charset);
    expect(text).toBe('鲁B11');
    expect(confidences.map((c) => Math.round(c * 10) / 10)).toEqual([0.9, 0.7, 0.7, 0.9]);
  });

  it('is empty for blanks', () => {
    expect(ctcGreedy(probs([1, 0, 0, 0], [1, 0, 0, 0]), 2, charset)).toEqual({ text: '', confidences: [] });
  });
});
