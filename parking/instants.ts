import type { Point } from '../base/geometry.js';
import { boxOf, quadOf } from './flat.js';
import { overlapOf } from './ground/assign.js';
import type { BerthGround } from './ground/berth-ground.js';
import type { Rest } from './ground/rest.js';
import type { EvidenceInstant, VisitPlate } from './model/visit.js';
import { bestPlateFrame } from './plate/ballot.js';
import type { BallotEntry, FlatBox, Occupant, Sight, Track } from './state.js';

/** The approach is best seen about this long before the rest: near the berth, and still in motion. */
const APPROACH_MS = 1_500;
const APPROACH_LIMIT_MS = 12_000;

type Panorama = 'approaching' | 'parked' | 'leaving' | 'vacated';

function panorama(shows: Panorama, t: number, box: FlatBox | null): EvidenceInstant {
  return { capturedAt: t, shows, vehicleBox: box && boxOf(box), plateCorners: null };
}

/** The instant of the best plate frame, inside `within` if there is one there. */
export function plateInstant(readings: readonly BallotEntry[], plate: VisitPlate, within?: { from: number; to: number }): EvidenceInstant[] {
  const text = plate.status === 'read' ? plate.text : null;
  const entry = (within && bestPlateFrame(readings, text, within)) ?? bestPlateFrame(readings, text);
  return entry ? [{ capturedAt: entry.t, shows: 'plate', vehicleBox: boxOf(entry.box), plateCorners: quadOf(entry.corners) as [Point, Point, Point, Point] }] : [];
}

/**
 * Two panoramas of an enter record (T/QME 0013-2024 7.4.3.1.4): on the way in, and parked. A vehicle whose way in nobody
 * saw is shown parked twice.
 */
export function enterInstants(track: Track, readings: readonly BallotEntry[], rest: Rest, plate: VisitPlate): EvidenceInstant[] {
  const now = track.samples[track.samples.length - 1];
  const parked = panorama('parked', track.lastSeenAt, now ? now.box : rest.since.box);
  let approach: { t: number; box: FlatBox } | null = null;
  for (const sample of track.samples.slice(0, rest.index)) {
    if (sample.t >= rest.since.t || rest.since.t - sample.t > APPROACH_LIMIT_MS) continue;
    const off = (t: number): number => Math.abs(rest.since.t - t - APPROACH_MS);
    if (!approach || off(sample.t) < off(approach.t)) approach = sample;
  }
  const first = approach ? panorama('approaching', approach.t, approach.box) : panorama('parked', rest.since.t, rest.since.box);
  return [first, parked, ...plateInstant(readings, plate)];
}

/**
 * Three panoramas of a leave record: parked, on the way out, the berth vacated or taken by another. Where the way out was
 * not seen (outage, hidden), an earlier frame at rest stands in for it.
 */
export function leaveInstants(occupant: Occupant, ground: BerthGround | null, own: Track | null, vacatedAt: number | null, leftAt: number): EvidenceInstant[] {
  const out: EvidenceInstant[] = [];
  const leaving = own && ground && leavingSight(own, ground, occupant.lastRest.t, vacatedAt);
  if (!leaving && occupant.earlierRest) out.push(panorama('parked', occupant.earlierRest.t, occupant.earlierRest.box));
  out.push(panorama('parked', occupant.lastRest.t, occupant.lastRest.box));
  if (leaving) out.push(panorama('leaving', leaving.t, leaving.box));
  if (vacatedAt !== null) out.push(panorama('vacated', vacatedAt, null));
  return [...out, ...plateInstant(occupant.readings, occupant.visit.plate, { from: occupant.visit.enteredAt - 1, to: leftAt })];
}

/** The frame on which about a third of the moving vehicle is still in the berth, else the first one outside. */
function leavingSight(own: Track, ground: BerthGround, after: number, vacatedAt: number | null): Sight | null {
  let best: Sight | null = null;
  let bestOff = Infinity;
  let outside: Sight | null = null;
  for (const sample of own.samples) {
    if (sample.t <= after || sample.t === vacatedAt) continue;
    const share = overlapOf(ground, sample).vehicleShare;
    if (share <= 0) outside ??= sample;
    else if (Math.abs(share - 0.35) < bestOff) {
      bestOff = Math.abs(share - 0.35);
      best = sample;
    }
  }
  return best ?? outside;
}
