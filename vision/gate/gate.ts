import { BERTH_HEIGHT, BERTH_WIDTH, type FrameLook } from '../health/look.js';
import type { Observation } from '../observation.js';

/**
 * The gate before the models (DESIGN.md, Vision): a keyframe whose berths look as they did when the models last ran is not
 * inferred again. It compares with the last *inferred* frame, not with the frame before, so slow change adds up and opens it.
 */
export interface GateOptions {
  /** Every berth is seen afresh by the models at least this often, ms. */
  freshMs: number;
  /** A cell differs when its luma does by more than this after the berth's mean change (sun, exposure) is taken off. */
  cellDifference: number;
  /** Share of a berth's cells that must differ. */
  changedShare: number;
  /** A change of a berth's mean luma by more than this opens the gate whatever the cells say (headlights, night mode). */
  meanDifference: number;
}

export const GATE_DEFAULTS: GateOptions = { freshMs: 30_000, cellDifference: 12, changedShare: 0.03, meanDifference: 24 };

/** What the gate remembers of a camera. JSON-serialisable; berth thumbnails are base64. */
export interface GateState {
  version: 1;
  inferredAt: number;
  berths: string[];
  /** The observation of that frame; its vehicles are repeated while the gate is shut. */
  observation: Observation;
}

/** State after the models ran on a frame. */
export function gateAfterInference(look: FrameLook, observation: Observation): GateState {
  return { version: 1, inferredAt: observation.capturedAt, berths: look.berths.map((b) => Buffer.from(b).toString('base64')), observation };
}

/** Why a frame must be inferred, or `null`: the gate stays shut. Pure. */
export type GateReason = 'first' | 'stale' | 'resized' | 'changed' | 'was-damaged';

export function gateReason(
  state: GateState | null,
  frame: { capturedAt: number; width: number; height: number; look: FrameLook },
  options: GateOptions = GATE_DEFAULTS,
): GateReason | null {
  if (!state || state.berths.length === 0) return 'first';
  if (state.observation.health.damaged) return 'was-damaged';
  if (state.observation.width !== frame.width || state.observation.height !== frame.height || state.berths.length !== frame.look.berths.length) return 'resized';
  // A clock that went back makes the memory worthless too.
  if (frame.capturedAt - state.inferredAt >= options.freshMs || frame.capturedAt < state.inferredAt) return 'stale';
  for (const [i, now] of frame.look.berths.entries()) {
    const before = Buffer.from(state.berths[i] as string, 'base64');
    if (before.length !== BERTH_WIDTH * BERTH_HEIGHT || differs(before, now, options)) return 'changed';
  }
  return null;
}

/** The observation of a gated frame: the vehicles of the last inferred one at this frame's time. */
export function gatedObservation(state: GateState, capturedAt: number, health: Observation['health']): Observation {
  return { ...state.observation, capturedAt, health, basis: 'gated' };
}

function differs(before: Uint8Array, now: Uint8Array, options: GateOptions): boolean {
  let sum = 0;
  for (let i = 0; i < now.length; i++) sum += (now[i] as number) - (before[i] as number);
  const mean = sum / now.length;
  if (Math.abs(mean) > options.meanDifference) return true;
  let changed = 0;
  for (let i = 0; i < now.length; i++) {
    const difference = (now[i] as number) - (before[i] as number) - mean;
    if (difference > options.cellDifference || difference < -options.cellDifference) changed++;
  }
  return changed > now.length * options.changedShare;
}
