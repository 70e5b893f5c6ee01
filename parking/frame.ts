import type { Box } from '../base/geometry.js';
import { boxOf } from './flat.js';
import type { Sighting } from './ground/assign.js';
import type { BerthGround } from './ground/berth-ground.js';
import type { CameraSite } from './model/berth.js';
import type { ParkingEvent } from './model/visit.js';
import type { ParkingParameters } from './parameters.js';
import type { BerthState, CameraState } from './state.js';

/** All that one observation says, prepared for the berths; the berths' rules change `state` and add to `events`. */
export interface Frame {
  state: CameraState;
  site: CameraSite;
  /** In the site's order, as `berths`. */
  grounds: readonly BerthGround[];
  berths: readonly BerthState[];
  sightings: readonly Sighting[];
  /** For each berth the sighting assigned to it. */
  assigned: readonly (Sighting | null)[];
  /** For each berth, whether it looks taken by itself although the detector sees no vehicle on it. */
  looksTaken: readonly boolean[];
  /** Unix ms of the picture. */
  now: number;
  /** What is missing on this picture proves nothing. */
  doubtful: boolean;
  inferred: boolean;
  p: ParkingParameters;
  events: ParkingEvent[];
}

export const boxes = (sightings: readonly Sighting[]): Box[] => sightings.map((s) => boxOf(s.sample.box));
