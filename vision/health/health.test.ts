import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/fuzz-target.js';
import type { Picture } from '../decode/picture.js';
import { correlation, edgeMap, healthOf, INITIAL_HEALTH, judgeHealth, type HealthState } from './health.js';
import { BERTH_HEIGHT, BERTH_WIDTH, contrast, lookAt, SCENE_HEIGHT, SCENE_WIDTH, type FrameLook } from './look.js';
import { GATE_DEFAULTS, gateAfterInference, gatedObservation, gateReason, type GateState } from '../gate/gate.js';
import type { Observation } from '../observation.js';

const W = 640;
const H = 360;

/** A street-like picture: bright sky, dark asphalt, boxes; `shift` moves the camera, `light` scales, noise from `seed`. */
function street(over: { shift?: number; tilt?: number; light?: number; add?: number; seed?: number; soft?: boolean; car?: boolean } = {}): Picture {
  const { shift = 0, tilt = 0, light = 1, add = 0, seed = 1, soft = false, car = false } = over;
  const random = seededRandom(seed);
  const y = new Uint8Array(W * H);
  for (let line = 0; line < H; line++) {
    const row = line + tilt;
    for (let col = 0; col < W; col++) {
      const x = col + shift;
      let v = row < 120 ? 200 : 90;
      if (Math.floor(x / 90) % 2 === 0 && row > 60 && row < 170) v = 50;
      if (Math.floor(x / 37) % 3 === 0 && row > 200 && row < 215) v = 210;
      if (car && col > 330 && col < 420 && row > 230 && row < 290) v = 25 + ((col * 7) % 60);
      if (soft) v = 100 + 40 * Math.sin(x / 80) * Math.cos(row / 60);
      y[line * W + col] = Math.max(0, Math.min(255, Math.round(v * light + add + (random() - 0.5) * 6)));
    }
  }
  const chroma = new Uint8Array((W / 2) * (H / 2)).fill(128);
  return { width: W, height: H, y, u: chroma, v: chroma, strideY: W, strideC: W / 2, matrix: 'bt709', fullRange: true };
}

const berths = [[[300, 250], [440, 250], [440, 300], [300, 300]], [[460, 250], [600, 250], [600, 300], [460, 300]]] as const;
const look = (over: Parameters<typeof street>[0] & { keyframe?: boolean } = {}): FrameLook => lookAt(street(over), berths.map((b) => [...b]), over.keyframe ?? true);

describe('looks', () => {
  it('have thumbnails of fixed size and are the same for the same picture', () => {
    const one = look();
    expect(one.scene).toHaveLength(SCENE_WIDTH * SCENE_HEIGHT);
    expect(one.berths.map((b) => b.length)).toEqual([BERTH_WIDTH * BERTH_HEIGHT, BERTH_WIDTH * BERTH_HEIGHT]);
    expect(look()).toEqual(one);
    expect(look({ seed: 2 }).checksum).not.toBe(one.checksum);
  });

  it('sample so densely that all pixels together say the same, to two levels or a twentieth', () => {
    for (const over of [{}, { light: 0.3 }, { light: 0.02 }, { soft: true }, { car: true, shift: 45, tilt: 40, seed: 3 }]) {
      const picture = street(over);
      const steps: number[] = [];
      for (let i = 0; i < W * H; i++) if (i % W >= 4) steps.push(Math.abs((picture.y[i] as number) - (picture.y[i - 4] as number)));
      const at = (values: number[], share: number): number => values.sort((a, b) => a - b)[Math.ceil(values.length * share) - 1] as number;
      const { brightest, edge } = contrast(picture);
      for (const [sampled, exact] of [[brightest, at([...picture.y], 0.99)], [edge, at(steps, 0.995)]] as const) expect(Math.abs(sampled - exact)).toBeLessThanOrEqual(Math.max(2, exact / 20));
    }
  });

  it('do not see the padding behind rows', () => {
    const tight = street();
    const stride = W + 32;
    const y = new Uint8Array(stride * H).fill(99);
    for (let row = 0; row < H; row++) y.set(tight.y.subarray(row * W, (row + 1) * W), row * stride);
    expect(lookAt({ ...tight, y, strideY: stride }, [], true).checksum).toBe(lookAt(tight, [], true).checksum);
  });
});

describe('picture health', () => {
  it('calls a street healthy by day, at dusk and in fog', () => {
    for (const over of [{}, { light: 0.3 }, { light: 0.35, add: 120 }]) expect(healthOf(look(over), false)).toEqual({ black: false, blurred: false, frozen: false, moved: false, damaged: false });
  });

  it('knows black and defocused pictures', () => {
    expect(healthOf(look({ light: 0.02 }), false)).toMatchObject({ black: true, blurred: false });
    expect(healthOf(look({ soft: true }), true)).toMatchObject({ black: false, blurred: true, damaged: true });
  });

  /** Runs looks at 2 s intervals; gives the last health. */
  function run(looks: FrameLook[], from: HealthState = INITIAL_HEALTH, start = 0): { state: HealthState; health: ReturnType<typeof healthOf> } {
    let state = from;
    let health = healthOf(looks[0] as FrameLook, false);
    for (const [i, one] of looks.entries()) {
      // The state must survive the catalogue.
      ({ state, health } = judgeHealth(JSON.parse(JSON.stringify(state)) as HealthState, start + i * 2000, one, false));
    }
    return { state, health };
  }

  it('calls a picture frozen that stays the same to the last bit, not one that only stands still', () => {
    expect(run([look(), look(), look()]).health.frozen).toBe(true);
    expect(run([look(), look()]).health.frozen).toBe(false);
    expect(run([look({ seed: 1 }), look({ seed: 2 }), look({ seed: 3 }), look({ seed: 4 })]).health.frozen).toBe(false);
    // An encoder repeats pictures between keyframes where nothing moves.
    expect(run([look(), ...Array.from({ length: 9 }, () => look({ keyframe: false })), look({ seed: 2 })]).health.frozen).toBe(false);
    const frozen = run([look(), look({ keyframe: false }), look(), look()]);
    expect(frozen.health.frozen).toBe(true);
    expect(run([look({ seed: 9 })], frozen.state, 60_000).health.frozen).toBe(false);
  });

  it('knows a camera that was turned, after a minute; not a change of light or a car', () => {
    const normal = Array.from({ length: 5 }, (_, i) => look({ seed: i }));
    const before = run(normal);
    const turned = Array.from({ length: 32 }, (_, i) => look({ shift: 45, tilt: 40, seed: 100 + i, car: true }));
    expect(run(turned.slice(0, 20), before.state, 10_000).health.moved).toBe(false);
    expect(run(turned, before.state, 10_000).health.moved).toBe(true);
    const dusk = Array.from({ length: 32 }, (_, i) => look({ light: 0.4, seed: 200 + i, car: true }));
    expect(run(dusk, before.state, 10_000).health.moved).toBe(false);
    // Turned back: healthy at once.
    const after = run(turned, before.state, 10_000);
    expect(run([look({ seed: 7 })], after.state, 100_000).health.moved).toBe(false);
  });

  it('correlates edges, not light', () => {
    const a = edgeMap(look().scene);
    expect(correlation(a, edgeMap(look({ light: 0.5, seed: 3 }).scene))).toBeGreaterThan(0.8);
    expect(correlation(a, new Uint8Array(a.length))).toBe(0);
  });
});

describe('gate', () => {
  const observation = (capturedAt: number): Observation => ({
    cameraId: 'c', capturedAt, width: W, height: H, basis: 'inferred', vehicles: [], obstructions: [],
    health: { black: false, blurred: false, frozen: false, moved: false, damaged: false },
  });
  const state = (): GateState => JSON.parse(JSON.stringify(gateAfterInference(look(), observation(1_000_000)))) as GateState;
  const frame = (over: Parameters<typeof street>[0], capturedAt = 1_002_000) => ({ capturedAt, width: W, height: H, look: look(over) });

  it('stays shut on noise, a small change of light, and change elsewhere', () => {
    expect(gateReason(state(), frame({ seed: 5 }))).toBeNull();
    expect(gateReason(state(), frame({ seed: 6, light: 1.08 }))).toBeNull();
    expect(gateReason(state(), frame({ seed: 6, add: 10 }))).toBeNull();
  });

  it('opens for a car in a berth, a jump of light, time, a new size, a first and a damaged frame', () => {
    expect(gateReason(state(), frame({ car: true }))).toBe('changed');
    expect(gateReason(state(), frame({ add: 45 }))).toBe('changed');
    expect(gateReason(state(), frame({}, 1_000_000 + GATE_DEFAULTS.freshMs))).toBe('stale');
    expect(gateReason(state(), frame({}, 999_999))).toBe('stale');
    expect(gateReason(state(), { ...frame({}), width: W * 2 })).toBe('resized');
    expect(gateReason(null, frame({}))).toBe('first');
    const damaged = observation(1_000_000);
    expect(gateReason(gateAfterInference(look(), { ...damaged, health: { ...damaged.health, damaged: true } }), frame({}))).toBe('was-damaged');
    // Without berths there is nothing to compare: the models run.
    expect(gateReason({ ...state(), berths: [] }, { ...frame({}), look: lookAt(street(), [], true) })).toBe('first');
  });

  it('adds up slow change, because it compares with the last inferred frame', () => {
    const opened = Array.from({ length: 20 }, (_, i) => gateReason(state(), frame({ add: -3 * i })));
    expect(opened[0]).toBeNull();
    expect(opened.at(-1)).toBe('changed');
  });

  it('repeats the vehicles at the time of the gated frame', () => {
    const health = { black: false, blurred: false, frozen: true, moved: false, damaged: false };
    expect(gatedObservation(state(), 1_004_000, health)).toEqual({ ...observation(1_000_000), capturedAt: 1_004_000, basis: 'gated', health });
  });
});
