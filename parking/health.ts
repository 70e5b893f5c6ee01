import type { PictureHealth } from '../vision/observation.js';
import type { ParkingEvent } from './model/visit.js';
import type { ParkingParameters } from './parameters.js';
import type { CameraCondition, CameraState } from './state.js';

const CONDITIONS: readonly CameraCondition[] = ['black', 'frozen', 'blurred', 'moved', 'damaged'];

/** Follows the camera's conditions: told once when they last, and once when they are over. Changes `state.health`. */
export function reduceHealth(state: CameraState, health: PictureHealth, now: number, p: ParkingParameters): ParkingEvent[] {
  const events: ParkingEvent[] = [];
  for (const condition of CONDITIONS) {
    let entry = state.health.find((e) => e.condition === condition);
    if (!entry) state.health.push((entry = { condition, active: false, changingSince: null }));
    if (health[condition] === entry.active) {
      entry.changingSince = null;
      continue;
    }
    entry.changingSince ??= now;
    if (now - entry.changingSince < p.healthSeconds * 1000) continue;
    entry.active = health[condition];
    entry.changingSince = null;
    events.push({ type: 'camera-health', at: now, cameraId: state.cameraId, condition, active: entry.active });
  }
  return events;
}

/** A picture that shows nothing of the berths now: dark, an old one, or of another place. */
export function unusable(health: PictureHealth): boolean {
  return health.black || health.frozen || health.moved;
}

/** A picture on which what is seen counts, but what is missing proves nothing. */
export function doubtful(health: PictureHealth): boolean {
  return health.blurred || health.damaged;
}
