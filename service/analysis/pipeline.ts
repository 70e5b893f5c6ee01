import type { CameraSite } from '../../parking/model/berth.js';
import type { ParkingEvent } from '../../parking/model/visit.js';
import { changeSuspected } from '../../parking/change.js';
import { reduce } from '../../parking/reduce.js';
import { initialState, type CameraState } from '../../parking/state.js';
import type { ExaminedFrame } from '../../vision/child/protocol.js';
import type { GateState } from '../../vision/gate/gate.js';
import { INITIAL_HEALTH, judgeHealth, type HealthState } from '../../vision/health/health.js';
import type { Observation } from '../../vision/observation.js';
import { initialTrackerState, track, type TrackerState } from '../../vision/track/tracker.js';

/** Everything that analysis of one camera carries from one GOP to the next; JSON, kept in the catalogue. */
export interface PipelineState {
  version: 1;
  tracker: TrackerState;
  parking: CameraState;
  health: HealthState;
  gate: GateState | null;
}

export function initialPipelineState(cameraId: string): PipelineState {
  return { version: 1, tracker: initialTrackerState(), parking: initialState(cameraId), health: INITIAL_HEALTH, gate: null };
}

/**
 * Whether something moved in or near a berth since the last reduced frame, so that the pictures between are worth decoding.
 * Asked with the next key frame, before it is reduced.
 */
export function wantsDetail(state: PipelineState, keyframe: Observation, site: CameraSite): boolean {
  return keyframe.basis === 'inferred' && changeSuspected(state.parking, keyframe, site);
}

/** Feeds frames in the order of their times, key frames and those between alike. Pure. */
export function advance(state: PipelineState, frames: readonly ExaminedFrame[], site: CameraSite): { state: PipelineState; events: ParkingEvent[] } {
  let { tracker, parking, health } = state;
  const events: ParkingEvent[] = [];
  for (const { observation, look } of frames) {
    const judged = judgeHealth(health, observation.capturedAt, look, observation.health.damaged);
    health = judged.state;
    const tracked = track(tracker, { ...withoutOldReadings(observation), health: judged.health });
    tracker = tracked.state;
    const reduced = reduce(parking, tracked.observation, site);
    parking = reduced.state;
    events.push(...reduced.events);
  }
  return { state: { ...state, tracker, parking, health }, events };
}

/** A gated frame repeats the vehicles of the last inferred one; its plates were read then, and must not be counted as read again. */
function withoutOldReadings(observation: Observation): Observation {
  if (observation.basis === 'inferred') return observation;
  return { ...observation, vehicles: observation.vehicles.map((vehicle) => ({ ...vehicle, plate: null })) };
}
