import type { AccessUnit } from '../../ingest/access-unit.js';
import { sleep, type Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Polygon } from '../../base/geometry.js';
import type { Logger } from '../../base/logger.js';
import type { VisitEvent } from '../../evidence/plan.js';
import type { CameraSite } from '../../parking/model/berth.js';
import type { ParkingEvent } from '../../parking/model/visit.js';
import type { LoggedGop } from '../../storage/footage/logged-gop.js';
import type { LogPosition } from '../../storage/footage/segment.js';
import type { Examination, ExamineRequest } from '../../vision/child/protocol.js';
import type { Observation } from '../../vision/observation.js';
import type { AnalysisCheckpoint, AnalysisStep, PassedStep } from '../records/analysis-store.js';
import { advance, initialPipelineState, wantsDetail, type PipelineState } from './pipeline.js';

/** Reads a camera's log. */
export interface GopReader {
  follow(cameraId: string, after: LogPosition | null, signal: AbortSignal): AsyncIterable<LoggedGop>;
  /** @throws BerthwatchError not-found */
  gop(cameraId: string, position: LogPosition): Promise<LoggedGop>;
}

/** Sees what is on frames. */
export interface Eyes {
  examine(request: ExamineRequest): Promise<Examination>;
}

/** Keeps checkpoints. */
export interface StepStore {
  checkpoint(cameraId: string): Promise<AnalysisCheckpoint | null>;
  write(step: AnalysisStep, now: number): Promise<void>;
  /** Moves the position past a GOP that is not analysed; the state stays. */
  pass(step: PassedStep, now: number): Promise<void>;
}

export interface AnalysedStep {
  keyframe: Observation;
  detailFrames: number;
  state: PipelineState;
  events: readonly ParkingEvent[];
  gop: LoggedGop;
}

export interface CameraAnalyserOptions {
  site: CameraSite;
  /** Whether footage of a moment is to be analysed: the camera's time windows (§7.4.3.1.5 a). */
  isAnalysed: (unixMs: number) => boolean;
  log: GopReader;
  vision: Eyes;
  store: StepStore;
  clock: Clock;
  logger: Logger;
  /** Pictures a second that are looked at where something changed. */
  detailFps: number;
  /** Told after each committed step. */
  onStep: (step: AnalysedStep) => void;
  /** Told after each GOP that was passed over because its time is not analysed. */
  onPass: (gop: LoggedGop) => void;
  /** Told what keeps the analysis from going on, and with null that it goes on. */
  onTrouble: (message: string | null) => void;
}

const RETRY_MS = 1_000;
/** A GOP on which the vision child died this often is passed over: one poisoned picture must not stop a camera. */
const MOST_CRASHES = 3;
/** Longer between two GOPs is a gap: there is nothing in between to look at. */
const CONTIGUOUS_MS = 1_000;

/**
 * Reads one camera's footage log GOP by GOP and turns it into committed steps (DESIGN.md promise 2).
 *
 * GOPs whose key frame was captured outside the camera's time windows are passed over: nothing of them is looked at and the state
 * stays, so visits that were open stay open, and the first GOP of the next window is compared with the state as after an outage.
 *
 * Each step looks at the GOP's key frame. Where that shows a change since the key frame before, the pictures between the two —
 * the rest of the GOP before — are looked at first, at `detailFps`, so that times are exact and the plate is seen on more
 * frames. What comes out depends on the log, the site and the state alone, never on when it is done.
 */
export class CameraAnalyser {
  readonly #options: CameraAnalyserOptions;
  #crashes = 0;

  constructor(options: CameraAnalyserOptions) {
    this.#options = options;
  }

  /** Runs until the signal aborts. Trouble with database, disk or vision is waited out. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, site, onTrouble } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        const retryable = error instanceof BerthwatchError && (error.retryable || error.kind === 'conflict');
        logger[retryable ? 'warn' : 'error']({ cameraId: site.cameraId, error: messageOf(error), ...(error instanceof Error && !retryable ? { stack: error.stack } : {}) }, 'the analysis of a camera paused');
        onTrouble(`analysis of ${site.cameraId} waits: ${messageOf(error)}`);
        await sleep(clock, RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { site, log, store, onTrouble } = this.#options;
    const checkpoint = await store.checkpoint(site.cameraId);
    let position = checkpoint?.position ?? null;
    let state = checkpoint ? (checkpoint.state as PipelineState) : initialPipelineState(site.cameraId);
    let previous = position ? await this.#gopIfKept(position) : null;
    for await (const gop of log.follow(site.cameraId, position, signal)) {
      state = await this.#step(state, position, previous, gop);
      position = gop.position;
      previous = gop;
      this.#crashes = 0;
      onTrouble(null);
    }
  }

  /** Null where retention has taken it. */
  async #gopIfKept(position: LogPosition): Promise<LoggedGop | null> {
    const { log, site } = this.#options;
    return log.gop(site.cameraId, position).catch((error: unknown) => {
      if (error instanceof BerthwatchError && error.kind === 'not-found') return null;
      throw error;
    });
  }

  async #step(state: PipelineState, from: LogPosition | null, previous: LoggedGop | null, gop: LoggedGop): Promise<PipelineState> {
    const { site, store, clock, onStep, isAnalysed } = this.#options;
    if (!isAnalysed(gop.startedAt)) return this.#pass(state, from, gop);
    const seen = await this.#look(gop, 'keyframe', state);
    const keyframe = seen?.frames[0];
    if (!seen || !keyframe) {
      // Nothing could be seen on this GOP; the state stays, the position goes on.
      await store.write({ cameraId: site.cameraId, from, to: { position: gop.position, analysedTo: gop.startedAt, state }, events: [] }, clock.now());
      return state;
    }
    const { observation } = keyframe;
    const contiguous = previous !== null && isAnalysed(previous.startedAt) && observation.capturedAt - previous.endedAt < CONTIGUOUS_MS;
    const between = contiguous && wantsDetail(state, observation, site) ? ((await this.#look(previous as LoggedGop, 'between', state))?.frames ?? []) : [];
    const next = advance({ ...state, gate: seen.gate }, [...between, keyframe], site);
    const events = next.events.filter((event): event is VisitEvent => 'visit' in event);
    await store.write({ cameraId: site.cameraId, from, to: { position: gop.position, analysedTo: observation.capturedAt, state: next.state }, events }, clock.now());
    onStep({ keyframe: observation, detailFrames: between.length, state: next.state, events: next.events, gop });
    return next.state;
  }

  async #pass(state: PipelineState, from: LogPosition | null, gop: LoggedGop): Promise<PipelineState> {
    const { site, store, clock, onPass } = this.#options;
    const to = { position: gop.position, analysedTo: gop.startedAt };
    if (from === null) await store.write({ cameraId: site.cameraId, from, to: { ...to, state }, events: [] }, clock.now());
    else await store.pass({ cameraId: site.cameraId, from, to }, clock.now());
    onPass(gop);
    return state;
  }

  /** What is on a GOP's key frame, through the gate, or on the frames after it; null where it cannot be decoded. */
  async #look(gop: LoggedGop, which: 'keyframe' | 'between', state: PipelineState): Promise<Examination | null> {
    const { site, vision, logger, detailFps } = this.#options;
    const regions = berthsInPicture(site, gop);
    try {
      if (which === 'keyframe') return await vision.examine({ cameraId: site.cameraId, units: [await gop.readKeyframe()], frames: [0], regions, gate: state.gate });
      const units = await gop.read();
      const frames = detailFrames(units, detailFps);
      return frames.length === 0 ? null : await vision.examine({ cameraId: site.cameraId, units, frames, regions });
    } catch (error) {
      const transient = error instanceof BerthwatchError && error.retryable && (error.code !== 'VISION_CHILD_DIED' || ++this.#crashes < MOST_CRASHES);
      if (transient) throw error;
      logger.error({ cameraId: site.cameraId, position: gop.position, startedAt: gop.startedAt, error: messageOf(error) }, 'a GOP cannot be analysed and is passed over');
      return null;
    }
  }
}

/** The berths' polygons in the pixels of a GOP's pictures: a site may have been drawn on the other stream's size. */
function berthsInPicture(site: CameraSite, gop: LoggedGop): Polygon[] {
  const x = gop.width / site.width;
  const y = gop.height / site.height;
  return site.berths.map((berth) => berth.polygon.map(([px, py]) => [px * x, py * y] as const));
}

/** Indexes of units after the key frame, about `fps` a second. */
export function detailFrames(units: readonly AccessUnit[], fps: number): number[] {
  const chosen: number[] = [];
  let last = units[0]?.capturedAt ?? 0;
  for (let i = 1; i < units.length; i++) {
    const at = (units[i] as AccessUnit).capturedAt;
    // Half a frame of tolerance, so that 25 fps thinned to 5 takes each fifth and not each sixth.
    if (at - last >= 1000 / fps - 20) {
      chosen.push(i);
      last = at;
    }
  }
  return chosen;
}
