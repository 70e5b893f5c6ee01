import type { Frame } from './frame.js';
import type { CameraSite } from './model/berth.js';
import type { ParkingEvent } from './model/visit.js';
import { closeVisit } from './occupant.js';
import { DEFAULT_PARAMETERS, type ParkingParameters } from './parameters.js';
import { copyState, type CameraState } from './state.js';

/**
 * Ends the visits of berths that are taken out of the site. What comes after is not known, so each ends when its vehicle was last seen
 * there, as after an outage (T/QME 0013-2024 §7.4.3.1.5 f: no stay is counted too long). Pure.
 *
 * @returns the state without those berths' occupants, and the events in the order in which they are to be told
 */
export function endVisits(state: CameraState, site: CameraSite, berthIds: ReadonlySet<string>, parameters: ParkingParameters = DEFAULT_PARAMETERS): { state: CameraState; events: ParkingEvent[] } {
  const next = copyState(state);
  const events: ParkingEvent[] = [];
  const frame: Frame = { state: next, site, grounds: [], berths: next.berths, sightings: [], assigned: [], looksTaken: [], now: state.lastObservedAt ?? 0, doubtful: true, inferred: false, p: parameters, events };
  for (const berth of next.berths) if (berth.occupant && berthIds.has(berth.berthId)) closeVisit(frame, berth, null, berth.occupant.lastOverlap.t, null);
  next.berths = next.berths.filter((berth) => !berthIds.has(berth.berthId));
  return { state: next, events };
}
