import type { Frame } from './frame.js';
import { standing, type Sighting } from './ground/assign.js';
import type { BerthGround } from './ground/berth-ground.js';
import type { Rest } from './ground/rest.js';
import { visitUid } from './identity.js';
import { enterInstants } from './instants.js';
import type { Visit } from './model/visit.js';
import { withoutReading } from './plate/bare.js';
import { readingsOfResting, votePlate } from './plate/vote.js';
import type { BerthState, Sample } from './state.js';
import { lastSample, leading } from './tracks.js';

/** The first sighting of the rest that no earlier visit of the berth claims: visits never overlap. */
function beginOf(berth: BerthState, samples: readonly Sample[], rest: Rest): Sample | null {
  const floor = Math.max(berth.lastLeftAt ?? -Infinity, (berth.lastEnteredAt ?? -Infinity) + 1);
  if (rest.since.t >= floor) return rest.since;
  return samples.slice(rest.index).find((s) => s.t >= floor) ?? null;
}

/** How sure the record is: seen well, standing clearly inside, plate known. */
function confidenceOf(score: number, stands: number, plate: Visit['plate']): number {
  const plateFactor = plate.status === 'read' ? 0.5 + 0.5 * plate.confidence : 0.6;
  return Math.round(Math.min(1, score) * Math.min(1, stands / 0.8) * plateFactor * 1000) / 1000;
}

/** Opens the visit of a vehicle that has come to rest. @returns false where its rest lies within the visit before */
export function openVisit(frame: Frame, b: number, berth: BerthState, sighting: Sighting, rest: Rest, presentAtStart: boolean): boolean {
  const ground = frame.grounds[b] as BerthGround;
  const { track, overlaps } = sighting;
  const begin = beginOf(berth, track.samples, rest);
  const overlap = overlaps[b];
  if (!begin || !overlap) return false;
  const readings = readingsOfResting(track.readings, begin.t);
  const verdict = votePlate(readings);
  const plate = verdict.status === 'read' ? verdict : withoutReading(track, frame.p);
  const uid = visitUid(ground.berth, begin.t);
  const visit: Visit = {
    id: uid,
    uid,
    cameraId: frame.state.cameraId,
    berthId: ground.berth.id,
    plate,
    vehicleType: leading(track.types, 'small'),
    bodyColour: leading(track.colours, 'other'),
    enteredAt: begin.t,
    leftAt: null,
    presentAtStart,
    confidence: confidenceOf(track.score, standing(overlap, frame.p), plate),
  };
  const now = lastSample(track);
  const sight = { t: now.t, box: now.box };
  frame.events.push({ type: 'entered', at: frame.now, visit, instants: enterInstants(track, readings, { ...rest, since: begin }, plate) });
  berth.occupant = {
    visit,
    trackKey: track.key,
    rest: now,
    lastOverlap: sight,
    lastRest: sight,
    earlierRest: { t: begin.t, box: begin.box },
    absentSince: null,
    movedOut: false,
    empty: null,
    unwatched: false,
    readings,
    parting: [],
    recheck: null,
    corrections: 0,
    overlaps: frame.grounds.flatMap((g, i) => {
      const share = overlaps[i]?.vehicleShare ?? 0;
      return share > frame.p.clearShare ? [{ berthId: g.berth.id, share: Math.round(share * 1000) / 1000 }] : [];
    }),
  };
  // The way in has been told; the trail begins anew for the way out.
  track.samples.splice(0, Math.max(0, track.samples.length - 2));
  track.readings = [];
  return true;
}
