import { describe, expect, it } from 'vitest';
import { BerthwatchError } from '../../base/errors.js';
import { silentLogger } from '../../base/logger.js';
import { ManualClock } from '../../base/manual-clock.js';
import type { AccessUnit } from '../../ingest/access-unit.js';
import type { CameraSite } from '../../parking/model/berth.js';
import type { LoggedGop } from '../../storage/footage/logged-gop.js';
import type { LogPosition } from '../../storage/footage/segment.js';
import type { Examination, ExamineRequest } from '../../vision/child/protocol.js';
import { BERTH_HEIGHT, BERTH_WIDTH, SCENE_HEIGHT, SCENE_WIDTH } from '../../vision/health/look.js';
import type { Observation, ObservedVehicle } from '../../vision/observation.js';
import type { AnalysisCheckpoint, AnalysisStep, PassedStep } from '../records/analysis-store.js';
import { CameraAnalyser, detailFrames, type AnalysedStep } from './camera-analyser.js';

const GOP_MS = 2_000;
const UNITS = 50;
const START = Date.UTC(2026, 0, 1);

const SITE: CameraSite = {
  cameraId: 'cam',
  width: 1920,
  height: 1080,
  berths: [
    { id: 'b1', number: '101', roadSection: 'Road', lotCode: 'L1', kind: 'parallel', polygon: [[400, 300], [700, 300], [700, 900], [400, 900]], lengthM: 6, widthM: 2.5, drivingDirection: [0, -1], timeLimitMinutes: null, specialUse: null },
  ],
};

function units(gop: number): AccessUnit[] {
  return Array.from({ length: UNITS }, (_, i) => ({ cameraId: 'cam', codec: 'h264' as const, keyframe: i === 0, pts: (gop * UNITS + i) * 3600, capturedAt: START + gop * GOP_MS + i * 40, data: new Uint8Array([gop, i]) }));
}

/** GOPs of two seconds, 50 pictures each. */
function loggedGop(gop: number): LoggedGop {
  const all = units(gop);
  const value = { cameraId: 'cam', position: { segment: 1, gop }, startedAt: all[0]?.capturedAt, endedAt: all.at(-1)?.capturedAt, codec: 'h264', width: 1920, height: 1080, units: UNITS, bytes: 100, read: () => Promise.resolve(all), readKeyframe: () => Promise.resolve(all[0]) };
  return value as unknown as LoggedGop;
}

/** A street with one car that drives into the berth two seconds long, rests, and leaves from the given second on. */
function carAt(capturedAt: number, { comes, leaves } = world.car): ObservedVehicle | null {
  const t = (capturedAt - START) / 1000;
  const along = t < comes || t > leaves + 2 ? null : t < comes + 2 ? (comes + 2 - t) * 400 : t > leaves ? (t - leaves) * 400 : 0;
  if (along === null) return null;
  const y = 330 + along;
  return {
    box: { x: 410, y: y - 60, width: 280, height: 600 },
    score: 0.95,
    class: 'car',
    type: 'small',
    bodyColour: 'white',
    bodyColourConfidence: 0.9, view: null,
    footprint: [[430, y], [670, y], [670, y + 520], [430, y + 520]],
    plate: null,
    trackId: 0,
  };
}

class World {
  readonly asked: { frames: number; from: number }[] = [];
  checkpointed: AnalysisCheckpoint | null = null;
  readonly steps: AnalysisStep[] = [];
  /** How many more times asking for a GOP's key frame fails, and how. */
  failures = new Map<number, BerthwatchError[]>();
  failWrite: BerthwatchError | null = null;
  readonly passed: number[] = [];

  /** `closed`: seconds of the street that are not analysed. */
  constructor(
    readonly gops: number,
    readonly car = { comes: 10, leaves: 40 },
    readonly closed: { from: number; to: number } | null = null,
  ) {}

  readonly isAnalysed = (unixMs: number): boolean => this.closed === null || unixMs < START + this.closed.from * 1000 || unixMs >= START + this.closed.to * 1000;

  readonly log = {
    async *follow(this: void, _camera: string, after: LogPosition | null, signal: AbortSignal): AsyncGenerator<LoggedGop> {
      for (let gop = (after?.gop ?? -1) + 1; gop < world.gops && !signal.aborted; gop++) yield loggedGop(gop);
      if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
    gop: (_camera: string, position: LogPosition) => Promise.resolve(loggedGop(position.gop)),
  };

  readonly vision = {
    examine: (request: ExamineRequest): Promise<Examination> => {
      const first = request.units[0] as AccessUnit;
      const failure = this.failures.get((first.capturedAt - START) / GOP_MS)?.shift();
      if (failure) return Promise.reject(failure);
      this.asked.push({ frames: request.frames.length, from: first.capturedAt });
      const frames = request.frames.map((index) => {
        const { capturedAt } = request.units[index] as AccessUnit;
        const car = carAt(capturedAt);
        const observation: Observation = { cameraId: 'cam', capturedAt, width: 1920, height: 1080, basis: 'inferred', vehicles: car ? [car] : [], obstructions: [], health: { black: false, frozen: false, blurred: false, moved: false, damaged: false } };
        // Each picture differs from the one before: a street is never frozen.
        const scene = Uint8Array.from({ length: SCENE_WIDTH * SCENE_HEIGHT }, (_, i) => (i * 7 + capturedAt / 40) % 251);
        return { index, observation, reason: 'asked' as const, look: { scene, berths: [new Uint8Array(BERTH_WIDTH * BERTH_HEIGHT)], brightest: 240, edge: 120, checksum: capturedAt } };
      });
      return Promise.resolve({ frames, missing: [], gate: null });
    },
  };

  readonly store = {
    checkpoint: () => Promise.resolve(this.checkpointed),
    write: (step: AnalysisStep): Promise<void> => {
      const failure = this.failWrite;
      this.failWrite = null;
      if (failure) return Promise.reject(failure);
      expect(step.from).toEqual(this.checkpointed?.position ?? null);
      this.steps.push(step);
      // What the database keeps is JSON.
      this.checkpointed = JSON.parse(JSON.stringify(step.to)) as AnalysisCheckpoint;
      return Promise.resolve();
    },
    pass: (step: PassedStep): Promise<void> => {
      expect(step.from).toEqual(this.checkpointed?.position);
      this.passed.push(step.to.position.gop);
      this.checkpointed = { ...(this.checkpointed as AnalysisCheckpoint), ...step.to };
      return Promise.resolve();
    },
  };
}

let world: World;

/** Runs an analyser until the checkpoint has reached `gop`; returns what it told. */
async function runTo(gop: number): Promise<{ steps: AnalysedStep[]; troubles: string[] }> {
  const abort = new AbortController();
  const clock = new ManualClock();
  const steps: AnalysedStep[] = [];
  const troubles: string[] = [];
  const analyser = new CameraAnalyser({ site: SITE, isAnalysed: world.isAnalysed, log: world.log, vision: world.vision, store: world.store, clock, logger: silentLogger, detailFps: 5, onStep: (step) => steps.push(step), onPass: () => undefined, onTrouble: (message) => void (message !== null && troubles.push(message)) });
  const done = analyser.run(abort.signal);
  while ((world.checkpointed?.position.gop ?? -1) < gop) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    clock.advance(1_000);
  }
  abort.abort(new Error('stop'));
  await done;
  return { steps, troubles };
}

const told = (): string[] => world.steps.flatMap((step) => step.events.map((event) => `${event.type} ${event.visit.uid} ${event.visit.enteredAt - START} ${event.visit.leftAt === null ? '' : event.visit.leftAt - START}`));

describe('CameraAnalyser', () => {
  it('tells one visit with times to the refined frame, and looks between key frames only where something changed', async () => {
    world = new World(30);
    await runTo(29);
    expect(told().map((line) => line.split(' ')[0])).toEqual(['entered', 'left']);
    const visit = world.steps.flatMap((step) => step.events).at(-1)?.visit;
    expect(Math.abs((visit?.enteredAt ?? 0) - START - 12_000)).toBeLessThanOrEqual(400);
    expect(Math.abs((visit?.leftAt ?? 0) - START - 41_500)).toBeLessThanOrEqual(600);
    const between = world.asked.filter((request) => request.frames > 1);
    expect(between.length).toBeGreaterThan(0);
    expect(between.length).toBeLessThan(12);
    expect(between[0]?.frames).toBe(9);
  });

  it('tells the same when it is stopped and started anew after every GOP', async () => {
    world = new World(30);
    await runTo(29);
    const undisturbed = told();
    world = new World(30);
    for (let gop = 0; gop < 30; gop++) await runTo(gop);
    expect(told()).toEqual(undisturbed);
  });

  it('waits out a vision that is away and a catalogue that is away, and loses nothing', async () => {
    world = new World(30);
    await runTo(29);
    const undisturbed = told();
    world = new World(30);
    world.failures.set(8, Array.from({ length: 10 }, () => new BerthwatchError('unavailable', 'VISION_DOWN', 'no vision child runs')));
    world.failWrite = new BerthwatchError('unavailable', 'CATALOGUE', 'connection lost');
    const { troubles } = await runTo(29);
    expect(told()).toEqual(undisturbed);
    expect(troubles.join()).toMatch(/no vision child runs/);
  });

  it('passes over a GOP that kills the child each time, and one that cannot be decoded', async () => {
    world = new World(5);
    world.failures.set(1, Array.from({ length: 3 }, () => new BerthwatchError('unavailable', 'VISION_CHILD_DIED', 'SIGSEGV')));
    world.failures.set(3, [new BerthwatchError('bad-input', 'VISION_UNDECODABLE', 'damaged')]);
    const { steps } = await runTo(4);
    expect(steps.map((step) => step.gop.position.gop)).toEqual([0, 2, 4]);
    expect(world.steps.map((step) => step.to.position.gop)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('CameraAnalyser with time windows', () => {
  const closed = { from: 20, to: 60 };
  /** Runs the street once, and once with a restart after every GOP; both must tell the same. */
  async function story(car: World['car']): Promise<{ type: string; enteredAt: number; leftAt: number | null; presentAtStart: boolean }[]> {
    world = new World(50, car, closed);
    for (let gop = 0; gop < 50; gop++) await runTo(gop);
    const restarted = told();
    world = new World(50, car, closed);
    await runTo(49);
    expect(told()).toEqual(restarted);
    return world.steps.flatMap((step) => step.events.map(({ type, visit }) => ({ type, enteredAt: (visit.enteredAt - START) / 1000, leftAt: visit.leftAt === null ? null : (visit.leftAt - START) / 1000, presentAtStart: visit.presentAtStart })));
  }

  it('looks at nothing that was captured outside, and goes on with the log all the same', async () => {
    await story({ comes: 10, leaves: 80 });
    const seconds = world.asked.map(({ from }) => (from - START) / 1000);
    expect(seconds.filter((s) => s >= closed.from && s < closed.to)).toEqual([]);
    expect(Math.max(...seconds)).toBeGreaterThan(90);
    expect(world.passed).toEqual(Array.from({ length: 20 }, (_, i) => 10 + i));
  });

  it('keeps a visit open over the time outside and ends it when the vehicle is seen to leave', async () => {
    const events = await story({ comes: 10, leaves: 80 });
    expect(events.map(({ type }) => type)).toEqual(['entered', 'left']);
    expect(events[1]?.leftAt).toBeGreaterThan(79.5);
  });

  it('ends a visit with what was known before, where the vehicle left outside the windows', async () => {
    const events = await story({ comes: 10, leaves: 40 });
    expect(events.map(({ type }) => type)).toEqual(['entered', 'left']);
    expect(events[1]?.leftAt).toBeLessThanOrEqual(closed.from);
    expect(events[1]?.leftAt).toBeGreaterThan(closed.from - 2.5);
  });

  it('begins a visit with the window, where the vehicle came outside', async () => {
    const events = await story({ comes: 30, leaves: 80 });
    expect(events).toMatchObject([{ type: 'entered', presentAtStart: true }, { type: 'left' }]);
    expect(events[0]?.enteredAt).toBe(closed.to);
  });

  it('starts a camera that was never analysed outside its windows', async () => {
    world = new World(40, { comes: 70, leaves: 80 }, { from: 0, to: 60 });
    await runTo(39);
    expect(world.asked[0]?.from).toBe(START + 60_000);
    expect(world.steps[0]?.to.position.gop).toBe(0);
  });
});

describe('detailFrames', () => {
  it('thins 25 pictures a second to 5 and leaves the key frame out', () => {
    expect(detailFrames(units(0), 5)).toEqual([5, 10, 15, 20, 25, 30, 35, 40, 45]);
    expect(detailFrames(units(0).slice(0, 1), 5)).toEqual([]);
  });
});
