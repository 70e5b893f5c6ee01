import { boxIou } from '../base/geometry.js';
import type { Observation } from '../vision/observation.js';
import { boxOf } from './flat.js';
import { hiddenBehind, overlapOf } from './ground/assign.js';
import { siteGround, type BerthGround } from './ground/berth-ground.js';
import { displacement } from './ground/rest.js';
import { unusable } from './health.js';
import type { CameraSite } from './model/berth.js';
import { DEFAULT_PARAMETERS, type ParkingParameters } from './parameters.js';
import type { CameraState, Sample } from './state.js';
import { lastSample, parkingVehicles, sampleOf } from './tracks.js';

/** Share of a footprint in a berth from which its motion is of interest. */
const TOUCHES = 0.08;
/** Motion on the ground that is told from jitter, metres, or picture pixels for far berths. */
const MOVED_M = 0.35;
const MOVED_PX = 4;
/** Slower motion that is of interest while frames come often: over about a second. */
const CREPT_M = 0.12;
const CREPT_PX = 3;
/** How long after the loss of an occupant the next frames are of interest. */
const JUST_LOST_MS = 1_900;
/** Sightings older than this are no longer compared. */
const REMEMBER_MS = 10_000;

/** Whether a trail ends in motion, seen over the last second of frames that follow closely. */
function rolling(ground: BerthGround, samples: readonly Sample[]): boolean {
  const last = samples[samples.length - 1];
  const before = last && samples.findLast((s) => last.t - s.t >= 600);
  if (!last || !before || last.t - before.t > 1_200) return false;
  return (displacement(ground, before, last) ?? 0) > Math.max(CREPT_M, CREPT_PX * ground.metresPerPixel);
}

/**
 * Whether something moved in a berth since the frames reduced so far. Call it with each key frame's observation before
 * reducing it; where true, reduce refined observations of the frames in between first, for exact times and good pictures.
 * By geometry alone: track ids of the observation may be missing or wrong.
 */
export function changeSuspected(state: CameraState, observation: Observation, site: CameraSite, parameters: ParkingParameters = DEFAULT_PARAMETERS): boolean {
  if (state.lastUsableAt === null || observation.basis === 'gated' || unusable(observation.health)) return false;
  const now = observation.capturedAt;
  if (now <= state.lastUsableAt || now - state.lastUsableAt > parameters.outageSeconds * 1000) return false;
  // Somebody has just been lost from its berth: missed, or on its way out.
  const lost = (since: number | null | undefined): boolean => since != null && state.lastUsableAt !== null && state.lastUsableAt - since <= JUST_LOST_MS;
  if (state.berths.some((b) => lost(b.occupant?.absentSince))) return true;

  const grounds = siteGround(site, observation.width, observation.height);
  const present = parkingVehicles(observation, parameters).map((v) => sampleOf(v, observation));
  const past = state.tracks.filter((t) => now - t.lastSeenAt <= REMEMBER_MS).map(lastSample);
  // Where an occupant rests is known however long it has been out of sight.
  for (const berth of state.berths) if (berth.occupant) past.push(berth.occupant.rest);

  const touched = (ground: BerthGround, sample: Sample): boolean => {
    const overlap = overlapOf(ground, sample);
    return overlap.vehicleShare >= TOUCHES || overlap.berthShare >= TOUCHES;
  };
  return grounds.some((ground) => {
    const limit = Math.max(MOVED_M, MOVED_PX * ground.metresPerPixel);
    const stayed = (a: Sample, b: Sample): boolean => boxIou(boxOf(a.box), boxOf(b.box)) >= 0.4 && (displacement(ground, a, b) ?? Infinity) <= limit;
    const here = present.filter((s) => touched(ground, s));
    // Somebody new, or somebody who moved.
    if (here.some((s) => !past.some((q) => stayed(q, s)))) return true;
    // Somebody who was still rolling on the last frames, be it with the last corner in the berth.
    const inside = (sample: Sample): boolean => overlapOf(ground, sample).vehicleShare > parameters.clearShare;
    if (state.tracks.some((track) => track.lastSeenAt === state.lastUsableAt && inside(lastSample(track)) && rolling(ground, track.samples))) return true;
    // Somebody who was here on the last frame and is not any more, in plain view: what stood there then hid nothing.
    const newcomers = present.filter((s) => !past.some((q) => stayed(q, s))).map((s) => boxOf(s.box));
    return past.some((q) => q.t === state.lastUsableAt && touched(ground, q) && !present.some((s) => stayed(q, s)) && !hiddenBehind(boxOf(q.box), newcomers, parameters));
  });
}
