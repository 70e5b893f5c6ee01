import type { Frame } from './frame.js';
import { standing, type Sighting } from './ground/assign.js';
import type { BerthGround } from './ground/berth-ground.js';
import { restAtEnd, type Rest } from './ground/rest.js';
import { closeVisit } from './occupant.js';
import { openVisit } from './open-visit.js';
import { readingsOfResting, votePlate } from './plate/vote.js';
import type { BerthState } from './state.js';

/** The stand of the vehicle assigned to a berth, once it has lasted; null before. */
export function confirmedRest(frame: Frame, b: number): { sighting: Sighting; rest: Rest } | null {
  const { p, now } = frame;
  const sighting = frame.assigned[b] ?? null;
  if (!sighting || standing(sighting.overlaps[b] ?? { vehicleShare: 0, berthShare: 0 }, p) < p.standShare) return null;
  const rest = restAtEnd(frame.grounds[b] as BerthGround, sighting.track.samples, p);
  if (!rest || now - rest.since.t < p.enterSeconds * 1000 || rest.looks < p.enterLooks || rest.inferredLooks < p.enterInferredLooks) return null;
  return { sighting, rest };
}

/**
 * A plate is on one vehicle: who reads the same as the occupant of another berth is that occupant. Where that one still stands
 * there, one of the two was seen in the wrong place, and no record is made of a doubt; where it is gone, it has moved here.
 */
function standsElsewhere(frame: Frame, sighting: Sighting, rest: Rest): boolean {
  const plate = votePlate(readingsOfResting(sighting.track.readings, rest.since.t));
  if (plate.status !== 'read') return false;
  const b = frame.berths.findIndex(({ occupant }) => occupant?.visit.plate.status === 'read' && occupant.visit.plate.text === plate.text);
  const former = frame.berths[b];
  if (!former?.occupant) return false;
  if (former.occupant.absentSince === null) return true;
  closeVisit(frame, former, frame.grounds[b] ?? null, Math.min(former.occupant.absentSince, rest.since.t), frame.now);
  return false;
}

/** One vacant berth on one frame. */
export function lookAtVacant(frame: Frame, b: number): void {
  const berth = frame.berths[b] as BerthState;
  const confirmed = confirmedRest(frame, b);
  if (!confirmed) return;
  const { sighting, rest } = confirmed;
  if (standsElsewhere(frame, sighting, rest)) return;
  const seenSince = sighting.track.firstSeenAt - berth.watchedSince;
  const presentAtStart = rest.index === 0 && seenSince <= frame.p.enterSeconds * 1000;
  openVisit(frame, b, berth, sighting, rest, presentAtStart);
}
