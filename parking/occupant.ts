import { boxIou } from '../base/geometry.js';
import type { BodyColour } from '../vision/observation.js';
import { boxOf } from './flat.js';
import { boxes, type Frame } from './frame.js';
import { hiddenBehind, standing, type Sighting } from './ground/assign.js';
import type { BerthGround } from './ground/berth-ground.js';
import { displacement, restAtEnd, restRadius } from './ground/rest.js';
import { leaveInstants, plateInstant } from './instants.js';
import { addReading, mergeReadings, readingOf } from './plate/ballot.js';
import { openVisit } from './open-visit.js';
import { clearlyBetter, plateDistance, votePlate } from './plate/vote.js';
import type { ParkingParameters } from './parameters.js';
import type { BerthState, Occupant, Sample } from './state.js';
import { lastSample, leading, lookAfresh } from './tracks.js';

/** Ends the berth's visit. `vacatedAt`: a frame that shows the berth without the vehicle, null where there is none. */
export function closeVisit(frame: Frame, berth: BerthState, ground: BerthGround | null, leftAt: number, vacatedAt: number | null): void {
  const occupant = berth.occupant;
  if (!occupant) return;
  const end = Math.max(leftAt, occupant.visit.enteredAt + 1);
  if (occupant.movedOut && occupant.parting.length > 0) {
    mergeReadings(occupant.readings, occupant.parting);
    correctPlate(frame, occupant, end);
  }
  const visit = { ...occupant.visit, leftAt: end };
  const own = frame.state.tracks.find((t) => t.key === occupant.trackKey) ?? null;
  // What was read of it goes with the vehicle, should it park again next door.
  if (own && !occupant.recheck) mergeReadings(own.readings, occupant.readings);
  berth.occupant = null;
  berth.lastEnteredAt = visit.enteredAt;
  berth.lastLeftAt = end;
  frame.events.push({ type: 'left', at: frame.now, visit, instants: leaveInstants(occupant, ground, own, vacatedAt, end) });
}

/** Greys shade into black and white with the light, and what is `other` may be anything; all else is told apart. */
function coloursDiffer(a: BodyColour, b: BodyColour): boolean {
  if (a === b || a === 'other' || b === 'other') return false;
  const neutral = (c: BodyColour): boolean => c === 'white' || c === 'grey' || c === 'black';
  return !(neutral(a) && neutral(b)) || (a !== 'grey' && b !== 'grey');
}

/** Boxes of one vehicle that stands still overlap at least this much, hidden in part or not. */
const SAME_PLACE = 0.8;

/** A vehicle at the very place of the occupant is it where there was no time for another to come, or where it carries its plate. */
function stillThere(frame: Frame, occupant: Occupant, sighting: Sighting): boolean {
  if (frame.now - occupant.lastOverlap.t < frame.p.swapSeconds * 1000) return true;
  const known = occupant.visit.plate;
  const verdict = votePlate(sighting.track.readings);
  return known.status === 'read' && verdict.status === 'read' && verdict.text === known.text;
}

/** The sighting that shows the occupant, if any. */
function findOccupant(frame: Frame, b: number, occupant: Occupant, own: Sighting | undefined): Sighting | null {
  const { p } = frame;
  if (own && (own.overlaps[b]?.vehicleShare ?? 0) > (own.sample.quad ? p.clearShare : p.clearShareGuessed)) return own;
  // Tracking may have lost it, or gone away with a passing vehicle: who stands where it stood, and did not come from elsewhere?
  const ground = frame.grounds[b] as BerthGround;
  // A track that another berth's occupant is known by, unless it is not over there: tracks are exchanged behind a passing vehicle.
  const held = (s: Sighting): boolean => frame.berths.some(({ occupant: other }, i) => other?.trackKey === s.track.key && (s.overlaps[i]?.vehicleShare ?? 0) > p.clearShare);
  let heir: Sighting | null = null;
  let best = own ? 0.7 : 0.5;
  for (const sighting of frame.sightings) {
    if (sighting === own || held(sighting)) continue;
    const overlap = sighting.overlaps[b];
    if (!overlap || standing(overlap, p) < p.keepShare) continue;
    const iou = boxIou(boxOf(sighting.sample.box), boxOf(occupant.rest.box));
    if (iou < best) continue;
    const first = sighting.track.samples[0];
    const origin = first && displacement(ground, first, occupant.rest);
    if (!(iou >= SAME_PLACE && stillThere(frame, occupant, sighting)) && (origin == null || origin > 2 * restRadius(ground, p))) continue;
    heir = sighting;
    best = iou;
  }
  return heir;
}

/** Sizes, as areas in the picture, that one vehicle can have within a few metres. */
const LIKE_SIZE = 2.5;

/**
 * Whether the sighting that goes on under the occupant's track can be it on its way out. While somebody large passes close by,
 * tracking may go over to a part of that: another size, another plate.
 */
function resembles(occupant: Occupant, own: Sighting): boolean {
  const [, , width, height] = occupant.rest.box;
  const { box, plate } = own.vehicle;
  const ratio = (box.width * box.height) / (width * height);
  if (ratio > LIKE_SIZE || ratio < 1 / LIKE_SIZE) return false;
  const known = occupant.visit.plate;
  return known.status !== 'read' || !plate || plate.text === '' || plateDistance(plate.text, known.text) < 4;
}

/** Takes the plate reading of this frame, and tells a plate that became known or clearly was another. */
function hearPlate(frame: Frame, occupant: Occupant, sighting: Sighting, moving: boolean): void {
  const reading = frame.inferred ? readingOf(sighting.vehicle, frame.now) : null;
  if (!reading) return;
  if (moving) {
    addReading(occupant.parting, reading);
    return;
  }
  if (occupant.recheck) {
    addReading(occupant.recheck.readings, reading);
    return;
  }
  if (addReading(occupant.readings, reading)) correctPlate(frame, occupant, null);
}

function correctPlate(frame: Frame, occupant: Occupant, leftAt: number | null): void {
  const { p } = frame;
  const before = occupant.visit.plate;
  const verdict = votePlate(occupant.readings);
  if (verdict.status !== 'read' || occupant.corrections >= p.maximumCorrections) return;
  if (before.status === 'read') {
    if (before.text === verdict.text) return;
    if (!clearlyBetter(occupant.readings, verdict.text, before.text, p.correctionRatio)) return;
  }
  occupant.corrections += 1;
  const track = frame.state.tracks.find((t) => t.key === occupant.trackKey);
  occupant.visit = {
    ...occupant.visit,
    plate: verdict,
    vehicleType: track ? leading(track.types, occupant.visit.vehicleType) : occupant.visit.vehicleType,
    bodyColour: track ? leading(track.colours, occupant.visit.bodyColour) : occupant.visit.bodyColour,
  };
  const instants = plateInstant(occupant.readings, verdict, { from: occupant.visit.enteredAt, to: leftAt ?? Infinity });
  frame.events.push({ type: 'corrected', at: frame.now, visit: occupant.visit, before, instants });
}

/** Whether the latest looks, as many as an enter takes, show the vehicle at one place. */
function settled(ground: BerthGround, samples: readonly Sample[], p: ParkingParameters): boolean {
  const latest = samples.slice(-p.enterLooks);
  const last = latest[latest.length - 1];
  return last !== undefined && latest.length === p.enterLooks && latest.every((sample) => (displacement(ground, sample, last) ?? Infinity) <= restRadius(ground, p));
}

function sighted(frame: Frame, b: number, berth: BerthState, occupant: Occupant, sighting: Sighting): void {
  const { now, p } = frame;
  const ground = frame.grounds[b] as BerthGround;
  const { sample, track } = sighting;
  const shift = displacement(ground, occupant.rest, sample);
  const atRest = shift !== null && shift <= restRadius(ground, p);
  if (!occupant.recheck && now - occupant.lastOverlap.t >= p.recheckAfterSeconds * 1000) {
    occupant.recheck = { unseenSince: occupant.lastOverlap.t, first: sample, readings: [], looksDifferent: !atRest };
    lookAfresh(track, sighting.vehicle, now);
  }
  occupant.trackKey = track.key;
  occupant.absentSince = null;
  occupant.movedOut = false;
  occupant.unwatched = false;
  occupant.empty = null;
  occupant.overlaps = frame.grounds.flatMap((g, i) => {
    const share = sighting.overlaps[i]?.vehicleShare ?? 0;
    return share > p.clearShare ? [{ berthId: g.berth.id, share: Math.round(share * 1000) / 1000 }] : [];
  });
  occupant.lastOverlap = { t: now, box: sample.box };
  if (atRest) {
    if (!occupant.earlierRest || now - occupant.earlierRest.t >= 2_000) occupant.earlierRest = occupant.lastRest;
    occupant.lastRest = { t: now, box: sample.box };
  } else if (standing(sighting.overlaps[b] ?? { vehicleShare: 0, berthShare: 0 }, p) >= p.keepShare) {
    // It was moved inside the berth: once it stands again, that is where it stands. One look does not show that: of a vehicle half hidden
    // by another only what shows is measured, and looks that lie far apart in time, as in outages, pass for creeping.
    const rest = restAtEnd(ground, track.samples, p);
    if (rest && now - rest.since.t >= p.enterSeconds * 1000 && settled(ground, track.samples, p)) occupant.rest = sample;
  }
  const stands = standing(sighting.overlaps[b] ?? { vehicleShare: 0, berthShare: 0 }, p) >= p.keepShare;
  if (atRest) occupant.parting = [];
  hearPlate(frame, occupant, sighting, !atRest && !stands);
  if (occupant.recheck) settleRecheck(frame, b, berth, occupant, sighting);
}

/** After a long time unseen: the same vehicle (no second record), or another one (leave, then enter)? */
function settleRecheck(frame: Frame, b: number, berth: BerthState, occupant: Occupant, sighting: Sighting): void {
  const { now, p } = frame;
  const recheck = occupant.recheck;
  if (!recheck) return;
  const known = occupant.visit.plate;
  const verdict = votePlate(recheck.readings);
  const different = recheck.looksDifferent || coloursDiffer(occupant.visit.bodyColour, leading(sighting.track.colours, occupant.visit.bodyColour));
  let same: boolean;
  if (verdict.status === 'read' && known.status === 'read') same = plateDistance(verdict.text, known.text) < 3;
  else if (now - recheck.first.t >= p.recheckSeconds * 1000) same = !different;
  else return;
  occupant.recheck = null;
  if (same) {
    mergeReadings(occupant.readings, recheck.readings);
    correctPlate(frame, occupant, null);
    return;
  }
  closeVisit(frame, berth, frame.grounds[b] as BerthGround, recheck.unseenSince, recheck.first.t);
  sighting.track.readings = recheck.readings;
  openVisit(frame, b, berth, sighting, { since: recheck.first, looks: p.enterLooks, inferredLooks: p.enterInferredLooks, index: 0 }, true);
}

/** One occupied berth on one frame. */
export function lookAtOccupied(frame: Frame, b: number): void {
  const { now, p, sightings } = frame;
  const berth = frame.berths[b] as BerthState;
  const ground = frame.grounds[b] as BerthGround;
  const occupant = berth.occupant;
  if (!occupant) return;
  const own = sightings.find((s) => s.track.key === occupant.trackKey);
  const seen = findOccupant(frame, b, occupant, own);
  if (seen) return sighted(frame, b, berth, occupant, seen);

  if (own && resembles(occupant, own)) {
    occupant.absentSince ??= now;
    occupant.movedOut = true;
    hearPlate(frame, occupant, own, true);
  }
  if (frame.doubtful) return;

  const rival = frame.assigned[b] ?? null;
  const rest = rival && rival !== own ? restAtEnd(ground, rival.track.samples, p) : null;
  const others = sightings.filter((s) => s !== own && !(s === rival && rest) && !parkedBeside(frame, occupant, s));
  // The detector overlooks a dark or half-hidden car for longer than a leave may take to be told: the berth's own look then says "not so soon".
  const overlooked = (frame.looksTaken[b] ?? false) && !occupant.movedOut && now - occupant.lastOverlap.t < p.blindSeconds * 1000;
  const hidden = overlooked || hiddenBehind(boxOf(occupant.rest.box), boxes(others), p);
  if (!hidden) {
    occupant.absentSince ??= now;
    if (!occupant.empty) {
      occupant.unwatched = occupant.absentSince - occupant.lastOverlap.t > p.outageSeconds * 1000;
      occupant.empty = { firstAt: now, lastAt: now, looks: 0 };
    }
    occupant.empty.lastAt = now;
    if (frame.inferred) occupant.empty.looks += 1;
  }
  const gone = occupant.unwatched ? occupant.lastOverlap.t : occupant.absentSince;

  if (rival && rest) {
    const stood = now - rest.since.t;
    const needed = occupant.movedOut || (occupant.empty && occupant.empty.looks >= p.leaveLooks) ? p.enterSeconds : p.displaceSeconds;
    if (stood >= needed * 1000 && rest.looks >= p.enterLooks && rest.inferredLooks >= p.enterInferredLooks) {
      if (samePlate(occupant, rival)) {
        occupant.rest = lastSample(rival.track);
        return sighted(frame, b, berth, occupant, rival);
      }
      const until = Math.max(rest.since.t, occupant.lastOverlap.t);
      const hiddenLong = until - occupant.lastOverlap.t > p.outageSeconds * 1000;
      return closeVisit(frame, berth, ground, Math.min(gone ?? (hiddenLong ? occupant.lastOverlap.t : until), until), now);
    }
  }
  const { empty } = occupant;
  if (hidden || !empty || gone === null) return;
  const inertia = occupant.movedOut ? p.leaveMovedSeconds : p.leaveMissingSeconds;
  if (empty.looks >= p.leaveLooks && empty.lastAt - empty.firstAt >= inertia * 1000) closeVisit(frame, berth, ground, gone, empty.firstAt);
}

/** A neighbour in its own berth, beside which the occupant was seen before, hides nothing that it did not hide then. */
function parkedBeside(frame: Frame, occupant: Occupant, sighting: Sighting): boolean {
  const neighbour = frame.berths.find((b) => b.occupant?.trackKey === sighting.track.key)?.occupant;
  if (!neighbour || neighbour === occupant || neighbour.visit.enteredAt >= occupant.lastRest.t) return false;
  return boxIou(boxOf(neighbour.rest.box), boxOf(sighting.sample.box)) >= 0.7;
}

/** The vehicle that seems to displace the occupant carries its plate: it is the occupant, parked anew. */
function samePlate(occupant: Occupant, rival: Sighting): boolean {
  const known = occupant.visit.plate;
  const verdict = votePlate(rival.track.readings);
  return known.status === 'read' && verdict.status === 'read' && plateDistance(known.text, verdict.text) <= 1;
}
