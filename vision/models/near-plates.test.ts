import { describe, expect, it } from 'vitest';
import type { Quad } from '../../base/geometry.js';
import type { PlateReading } from '../observation.js';
import type { NearRegion } from './near-look.js';
import type { Detection } from './nms.js';
import { carOfPlate, isBetter, tellsOfCar, withoutPieces, withoutPlate, worthAnother } from './near-plates.js';

const PICTURE = { width: 1920, height: 1080 };
/** A plate `width` wide whose left upper corner lies at x, y. */
const corners = (x: number, y: number, width: number): Quad => [[x, y], [x + width, y], [x + width, y + width / 3], [x, y + width / 3]];
const reading = (at: Quad, over: Partial<PlateReading> = {}): PlateReading => ({
  text: '皖A026F1', colour: 'blue', colourConfidence: 1, rows: 1, corners: at, characterConfidences: Array<number>(7).fill(0.92), score: 1, ...over,
});
const vehicle = (x: number, y: number, width: number, height: number, over: Partial<Detection> = {}): Detection => ({ box: { x, y, width, height }, score: 0.6, class: 'car', footprint: null, ...over });
const whole: NearRegion = { box: { x: 0, y: 0, ...PICTURE }, scale: 352 / 1920 };

describe('a car of which only the plate is known', () => {
  it('is looked for where no plate was read', () => {
    const left: NearRegion = { box: { x: 0, y: 0, width: 960, height: 1080 }, scale: 0.3 };
    const right: NearRegion = { box: { x: 960, y: 0, width: 960, height: 1080 }, scale: 0.3 };
    expect(withoutPlate([left, right], [reading(corners(300, 500, 200))])).toEqual([right]);
    expect(withoutPlate([left, right], [])).toEqual([left, right]);
  });

  it('is as large as cars are around their plates, as far as it is in the picture', () => {
    const car = carOfPlate({ corners: corners(800, 600, 300), score: 0.9 }, whole, 140, PICTURE, []);
    expect(car).toMatchObject({ score: 0.9, class: 'car', footprint: null });
    expect(car?.box).toEqual({ x: 335, y: 0, width: 1230, height: 875 });
    expect(carOfPlate({ corners: corners(1700, 900, 300), score: 0.9 }, whole, 140, PICTURE, [])?.box).toEqual({ x: 1235, y: 170, width: 685, height: 910 });
  });

  it('stands so near that it fills the region, and is none of those that were found', () => {
    const plate = { corners: corners(800, 600, 300), score: 0.9 };
    expect(carOfPlate({ corners: corners(800, 600, 120), score: 0.9 }, whole, 140, PICTURE, [])).toBeNull();
    expect(carOfPlate(plate, whole, 140, PICTURE, [vehicle(700, 300, 600, 500)])).toBeNull();
    expect(carOfPlate(plate, whole, 140, PICTURE, [vehicle(100, 300, 400, 300)])).not.toBeNull();
    // A caption at the picture's upper edge: no body above it.
    expect(carOfPlate({ corners: corners(800, 20, 300), score: 0.9 }, whole, 140, PICTURE, [])).toBeNull();
    // A motorcycle before it does not carry it.
    expect(carOfPlate(plate, whole, 140, PICTURE, [vehicle(700, 300, 600, 500, { class: 'motorcycle' })])).not.toBeNull();
  });

  it('needs a text that a plate of its colour can have, read well', () => {
    const at = corners(800, 600, 300);
    expect(tellsOfCar(reading(at))).toBe(true);
    expect(tellsOfCar(reading(at, { text: '皖A026F12', characterConfidences: Array<number>(8).fill(0.99) }))).toBe(false);
    expect(tellsOfCar(reading(at, { characterConfidences: [0.95, 0.95, 0.95, 0.7, 0.95, 0.95, 0.95] }))).toBe(false);
    expect(tellsOfCar(reading(at, { text: '', characterConfidences: [] }))).toBe(false);
  });

  it('has its plate searched for again where it did not read well, in a frame as large as a car around it', () => {
    const [good, poor, far] = [vehicle(0, 0, 900, 1000), vehicle(900, 0, 1020, 1080), vehicle(1200, 0, 200, 150)];
    const weak = { characterConfidences: [0.99, 0.99, 0.5, 0.99, 0.99, 0.99, 0.99] };
    const read = new Map([[good, reading(corners(300, 600, 200))], [poor, reading(corners(1300, 600, 200), weak)], [far, reading(corners(1250, 100, 50), weak)]]);
    const frames = worthAnother(read, [whole], 140, PICTURE);
    expect([...frames.values()]).toEqual([poor]);
    expect([...frames.keys()][0]?.box.x).toBe(990);
    expect(worthAnother(read, [], 140, PICTURE).size).toBe(0);
    const before = reading(corners(1300, 600, 200), weak);
    expect(isBetter(reading(corners(1310, 605, 190)), before)).toBe(true);
    expect(isBetter(before, reading(corners(1310, 605, 190)))).toBe(false);
    // The neighbour's plate is another one.
    expect(isBetter(reading(corners(1600, 600, 200)), before)).toBe(false);
  });

  it('takes the pieces that were taken for vehicles with it, and nobody else', () => {
    const car = vehicle(335, 0, 1230, 875);
    const [headlight, beside, person] = [vehicle(340, 300, 200, 250), vehicle(1500, 200, 400, 300), vehicle(700, 300, 100, 300, { class: 'person' })];
    expect(withoutPieces([headlight, beside, person], car)).toEqual([beside, person]);
  });
});
