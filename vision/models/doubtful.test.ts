import { describe, expect, it } from 'vitest';
import type { PlateReading } from '../observation.js';
import { doubtfulOf, provesVehicle } from './doubtful.js';
import type { Detection } from './nms.js';

const vehicle = (x: number, score: number, over: Partial<Detection> = {}): Detection => ({ box: { x, y: 100, width: 300, height: 200 }, score, class: 'car', footprint: null, ...over });
const plate = (x: number, over: Partial<PlateReading> = {}): PlateReading => ({
  text: '皖A026F1', colour: 'blue', colourConfidence: 1, rows: 1, corners: [[x, 200], [x + 90, 200], [x + 90, 228], [x, 228]],
  characterConfidences: Array<number>(7).fill(0.99), score: 1, ...over,
});

describe('doubtful vehicles', () => {
  it('are large motor vehicles in places of their own, two at most, the likeliest first', () => {
    const weak = [vehicle(0, 0.3), vehicle(10, 0.4), vehicle(500, 0.35), vehicle(900, 0.45), vehicle(1300, 0.28)];
    expect(doubtfulOf(weak, [vehicle(920, 0.9)], 0.5).map((d) => d.score)).toEqual([0.4, 0.35]);
    const small = { box: { x: 0, y: 0, width: 100, height: 80 } };
    expect(doubtfulOf([vehicle(0, 0.4, small), vehicle(0, 0.4, { class: 'person' }), vehicle(0, 0.4, { class: 'motorcycle' })], [], 0.5)).toEqual([]);
    // A part of what was found is none; what holds it may be.
    const [part, whole] = [vehicle(50, 0.4, { box: { x: 50, y: 120, width: 160, height: 90 } }), vehicle(0, 0.4, { box: { x: 0, y: 0, width: 900, height: 600 } })];
    expect(doubtfulOf([part, whole], [vehicle(40, 0.9)], 0.5)).toEqual([whole]);
    // A rider before a car hides nothing of it.
    expect(doubtfulOf([vehicle(0, 0.4)], [vehicle(0, 0.9, { class: 'motorcycle' })], 0.5)).toHaveLength(1);
  });

  it('are proven by a plate that one reading is believed of, and that is nobody else\'s', () => {
    expect(provesVehicle(plate(50), [])).toBe(true);
    expect(provesVehicle(plate(50), [vehicle(600, 0.9)])).toBe(true);
    expect(provesVehicle(plate(50), [vehicle(0, 0.9)])).toBe(false);
    expect(provesVehicle(plate(50, { characterConfidences: [0.99, 0.99, 0.9, 0.99, 0.99, 0.99, 0.99] }), [])).toBe(false);
    // No blue plate has such a text.
    expect(provesVehicle(plate(50, { text: '皖A026F12' }), [])).toBe(false);
    expect(provesVehicle(plate(50, { text: '', characterConfidences: [] }), [])).toBe(false);
  });
});
