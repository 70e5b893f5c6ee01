import { BerthwatchError } from '../base/errors.js';
import type { Observation, ObservedVehicle } from '../vision/observation.js';
import type { Frame } from './frame.js';
import { assignBerths, overlapOf, type Sighting } from './ground/assign.js';
import { siteGround } from './ground/berth-ground.js';
import { doubtful, reduceHealth, unusable } from './health.js';
import type { CameraSite } from './model/berth.js';
import type { ParkingEvent } from './model/visit.js';
import { closeVisit, lookAtOccupied } from './occupant.js';
import { DEFAULT_PARAMETERS, type ParkingParameters } from './parameters.js';
import { copyState, STATE_VERSION, type BerthState, type CameraState } from './state.js';
import { follow, lastSample, parkingVehicles, trimTrails } from './tracks.js';
import { confirmedRest, lookAtVacant } from './vacant.js';

function requireFit(state: CameraState, observation: Observation, site: CameraSite): void {
  if (state.version !== STATE_VERSION) {
    throw new BerthwatchError('conflict', 'PARKING_STATE_VERSION', `camera ${state.cameraId}: stored parking state has version ${String(state.version)}, this program knows ${STATE_VERSION}; read the footage log again from its start`);
  }
  if (state.cameraId !== observation.cameraId || site.cameraId !== observation.cameraId) {
    throw new BerthwatchError('bad-input', 'PARKING_CAMERA', `state of ${state.cameraId}, observation of ${observation.cameraId} and site of ${site.cameraId} belong to different cameras`);
  }
}

/** Berth states in the site's order; new berths begin to be watched now. */
function alignBerths(state: CameraState, site: CameraSite, now: number): { berths: BerthState[]; removed: BerthState[] } {
  const known = new Map(state.berths.map((b) => [b.berthId, b]));
  const berths = site.berths.map(
    (berth): BerthState => known.get(berth.id) ?? { berthId: berth.id, watchedSince: now, occupant: null, lastEnteredAt: null, lastLeftAt: null },
  );
  const wanted = new Set(site.berths.map((b) => b.id));
  return { berths, removed: state.berths.filter((b) => !wanted.has(b.berthId)) };
}

const heldTracks = (berths: readonly BerthState[]): Set<number> => new Set(berths.flatMap((b) => (b.occupant ? [b.occupant.trackKey] : [])));

/**
 * What one observation makes of a camera's parking state. Pure: same arguments, same result; time is `capturedAt`.
 * Observations must come in order of time; one that is not newer than the last changes nothing (a GOP read twice).
 * Polygons of the site are scaled to the observation's picture size.
 *
 * @returns the new state (the old one is not touched) and the events in the order in which they are to be told
 * @throws BerthwatchError bad-input where camera ids differ or a berth's polygon is no ground rectangle; conflict where
 *   the state is of another version
 */
export function reduce(
  state: CameraState,
  observation: Observation,
  site: CameraSite,
  parameters: ParkingParameters = DEFAULT_PARAMETERS,
): { state: CameraState; events: ParkingEvent[] } {
  requireFit(state, observation, site);
  const now = observation.capturedAt;
  if (!Number.isFinite(now) || (state.lastObservedAt !== null && now <= state.lastObservedAt)) return { state, events: [] };

  const next = copyState(state);
  const p = parameters;
  const events = reduceHealth(next, observation.health, now, p);
  next.lastObservedAt = now;
  if (unusable(observation.health)) return { state: next, events };

  const { berths, removed } = alignBerths(next, site, now);
  const outage = next.lastUsableAt !== null && now - next.lastUsableAt > p.outageSeconds * 1000;
  if (outage) for (const berth of berths) berth.watchedSince = now;
  next.lastUsableAt = now;
  next.berths = berths;

  const grounds = siteGround(site, observation.width, observation.height);
  const holders = berths.map((b) => b.occupant?.trackKey ?? null);
  const vehicles = parkingVehicles(observation, p);
  const tracks = follow(next, vehicles, observation, heldTracks(berths), p);
  const sightings: Sighting[] = tracks.map((track, i) => {
    const sample = lastSample(track);
    return { vehicle: vehicles[i] as ObservedVehicle, track, sample, overlaps: grounds.map((ground) => overlapOf(ground, sample)) };
  });
  const assigned = assignBerths(sightings, berths.length, holders, p).map((i) => (i === null ? null : (sightings[i] ?? null)));

  const frame: Frame = {
    state: next,
    site,
    grounds,
    berths,
    sightings,
    assigned,
    looksTaken: berths.map((_, b) => observation.berths?.[b]?.state === 'vehicle'),
    now,
    doubtful: doubtful(observation.health),
    inferred: observation.basis === 'inferred',
    p,
    events,
  };
  for (const berth of removed) if (berth.occupant) closeVisit(frame, berth, null, berth.occupant.lastOverlap.t, null);
  leaveForAnotherBerth(frame);
  const occupied = berths.map((berth) => berth.occupant !== null);
  berths.forEach((_, b) => occupied[b] && lookAtOccupied(frame, b));
  berths.forEach((berth, b) => !berth.occupant && lookAtVacant(frame, b));
  const touching = sightings.filter((s) => s.overlaps.some((o) => o.vehicleShare > 0)).map((s) => s.track);
  trimTrails(next.tracks, new Set(touching), heldTracks(berths));
  return { state: next, events };
}

/** A vehicle that has come to rest in another berth has left the one before, even if a corner still overlaps it. */
function leaveForAnotherBerth(frame: Frame): void {
  frame.berths.forEach((berth, b) => {
    const key = berth.occupant?.trackKey;
    if (key === undefined) return;
    const other = frame.assigned.findIndex((s, i) => i !== b && s?.track.key === key);
    if (other < 0 || frame.berths[other]?.occupant) return;
    const confirmed = confirmedRest(frame, other);
    if (!confirmed || !berth.occupant) return;
    const since = confirmed.rest.since.t;
    closeVisit(frame, berth, frame.grounds[b] ?? null, Math.min(berth.occupant.absentSince ?? since, since), frame.now);
  });
}
