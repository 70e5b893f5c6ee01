import { area, boxIou, type Box } from '../base/geometry.js';
import type { Observation, ObservedVehicle } from '../vision/observation.js';
import { withoutDoubles } from './doubles.js';
import { boxOf, flattenBox, flattenQuad } from './flat.js';
import type { ParkingParameters } from './parameters.js';
import { addReading, readingOf } from './plate/ballot.js';
import { plateShouldShow } from './plate/bare.js';
import type { CameraState, Sample, Tally, Track } from './state.js';

/** Bounds of the state: most tracks, most sightings a track, longest memory of a vehicle out of sight. */
export const MAX_TRACKS = 32;
export const MAX_SAMPLES = 40;
/** …of one that is in no berth yet (its way in so far), and of one that a visit is about (its way out, when it comes). */
const MAX_SAMPLES_OUTSIDE = 16;
const MAX_SAMPLES_HELD = 24;
const FORGET_MS = 10_000;
const FORGET_HELD_MS = 60_000;
/** Tracks that come back to where they stood are the same vehicle within this time. */
const RECONNECT_MS = 3_000;

/** Two-wheelers and people hold no berth; that they stand in one is another matter (obstruction). */
const PARKING_CLASSES = new Set(['car', 'bus', 'truck']);

const finite = (...values: number[]): boolean => values.every(Number.isFinite);

/** Vehicles that can park, with geometry that can be reckoned with. */
export function parkingVehicles(observation: Observation, p: ParkingParameters): ObservedVehicle[] {
  const { width, height } = observation;
  const seen = observation.vehicles.filter(
    ({ class: kind, score, box }) =>
      PARKING_CLASSES.has(kind) && score >= p.minimumScore && finite(box.x, box.y, box.width, box.height) && box.width >= 2 && box.height >= 2,
  );
  return withoutDoubles(seen, p.sharedGround, (vehicle) => (plausibleFootprint(vehicle, width, height) ? vehicle.footprint : null));
}

/**
 * A footprint is believed where it is finite, has an area, and lies about where the box is; at the picture's edge the box
 * ends and the footprint may go on, to the sides as well.
 */
function plausibleFootprint({ footprint, box }: ObservedVehicle, width: number, height: number): boolean {
  if (!footprint || !footprint.every((p) => finite(p[0], p[1])) || area(footprint) < 4) return false;
  const right = box.x + box.width;
  const bottom = box.y + box.height;
  const edge = 0.01 * width;
  const cut = box.x <= edge || box.y <= edge || right >= width - edge || bottom >= height - edge;
  const slack = cut ? 2 * Math.max(box.width, box.height) : 0.6 * Math.max(box.width, box.height);
  return footprint.every(([x, y]) => x > box.x - slack && x < right + slack && y > box.y - slack && y < bottom + slack);
}

export function sampleOf(vehicle: ObservedVehicle, observation: Observation): Sample {
  return {
    t: observation.capturedAt,
    box: flattenBox(vehicle.box),
    quad: plausibleFootprint(vehicle, observation.width, observation.height) && vehicle.footprint ? flattenQuad(vehicle.footprint) : null,
    inferred: observation.basis === 'inferred',
  };
}

export const lastSample = (track: Track): Sample => track.samples[track.samples.length - 1] as Sample;

/** The same place in the picture, as far as a detector's jitter allows. */
function stationary(track: Track): boolean {
  const n = track.samples.length;
  if (n < 2) return false;
  const before = track.samples[n - 2] as Sample;
  return boxIou(boxOf(before.box), boxOf(lastSample(track).box)) >= 0.8;
}

/** Whether a vehicle can have come from `from` to `to` in the time: vision's numbers start anew with each analysis run. */
function reachable(from: Box, to: Box, ms: number): boolean {
  const ratio = (to.width * to.height) / (from.width * from.height);
  if (ratio < 0.25 || ratio > 4) return false;
  const size = Math.hypot(from.width, from.height);
  const way = Math.hypot(to.x + to.width / 2 - from.x - from.width / 2, to.y + to.height / 2 - from.y - from.height / 2);
  return way <= size * (0.75 + (3 * ms) / 1000);
}

interface Pair {
  track: number;
  vehicle: number;
  value: number;
}

/** Takes the best pairs first; ties by older track, then earlier vehicle, so that the same input gives the same result. */
function greedy(pairs: Pair[], trackTaken: Set<number>, result: (number | null)[]): void {
  pairs.sort((a, b) => b.value - a.value || a.track - b.track || a.vehicle - b.vehicle);
  for (const { track, vehicle } of pairs) {
    if (trackTaken.has(track) || result[vehicle] !== null) continue;
    result[vehicle] = track;
    trackTaken.add(track);
  }
}

/**
 * Which known track each vehicle continues (index into `tracks`) or null. What stands still is known by its place; what
 * moves, by vision's track id where the way is possible.
 */
export function associate(tracks: readonly Track[], vehicles: readonly ObservedVehicle[], now: number): (number | null)[] {
  const result: (number | null)[] = vehicles.map(() => null);
  const taken = new Set<number>();
  const boxes = tracks.map((track) => boxOf(lastSample(track).box));
  const ownerOf = new Map<number, number>();
  tracks.forEach((track, t) => {
    const known = ownerOf.get(track.visionId);
    if (known === undefined || (tracks[known] as Track).lastSeenAt <= track.lastSeenAt) ownerOf.set(track.visionId, t);
  });
  const follows = (t: number, vehicle: ObservedVehicle): boolean =>
    ownerOf.get(vehicle.trackId) === t && reachable(boxes[t] as Box, vehicle.box, now - (tracks[t] as Track).lastSeenAt);

  const resting: Pair[] = [];
  const numbered: Pair[] = [];
  const near: Pair[] = [];
  vehicles.forEach((vehicle, v) => {
    tracks.forEach((track, t) => {
      const iou = boxIou(boxes[t] as Box, vehicle.box);
      const followed = follows(t, vehicle);
      const owner = ownerOf.get(vehicle.trackId);
      const claimed = owner !== undefined && owner !== t && now - (tracks[owner] as Track).lastSeenAt <= RECONNECT_MS && follows(owner, vehicle);
      if (iou >= 0.6 && !claimed && stationary(track)) resting.push({ track: t, vehicle: v, value: iou + (followed ? 0.5 : 0) });
      if (followed) numbered.push({ track: t, vehicle: v, value: 1 + iou });
      if (iou >= 0.4 && now - track.lastSeenAt <= RECONNECT_MS) near.push({ track: t, vehicle: v, value: iou });
    });
  });
  greedy(resting, taken, result);
  greedy(numbered, taken, result);
  greedy(near, taken, result);
  return result;
}

function addTally<T extends string>(tally: Tally<T>, value: T, weight: number): void {
  const entry = tally.find((e) => e.value === value);
  if (entry) entry.weight = Math.min(1_000, Math.round((entry.weight + weight) * 1_000) / 1_000);
  else tally.push({ value, weight: Math.round(weight * 1_000) / 1_000 });
}

/** The value with most weight; the first said wins a tie. */
export function leading<T extends string>(tally: Tally<T>, otherwise: T): T {
  let best: Tally<T>[number] | undefined;
  for (const entry of tally) if (!best || entry.weight > best.weight) best = entry;
  return best?.value ?? otherwise;
}

/**
 * Keeps a trail short without losing its story: of a standing vehicle the sightings between the first and the last of
 * the stand go, of a moving one the oldest.
 */
function thin(samples: Sample[], limit: number): void {
  while (samples.length > limit) {
    let drop = 0;
    // The latest sightings are spared, for they measure how quiet the position is; and the search goes back from them, so that
    // those around the moment of coming to rest, which look almost the same too, go last.
    for (let i = samples.length - 9; i > 0; i--) {
      const [a, b, c] = [samples[i - 1], samples[i], samples[i + 1]].map((s) => boxOf((s as Sample).box)) as [Box, Box, Box];
      const slack = 0.01 * Math.max(b.width, b.height) + 1;
      const close = (p: Box, q: Box): boolean =>
        Math.abs(p.x + p.width / 2 - q.x - q.width / 2) <= slack && Math.abs(p.y + p.height - q.y - q.height) <= slack;
      if (close(a, b) && close(b, c) && close(a, c)) {
        drop = i;
        break;
      }
    }
    samples.splice(drop, 1);
  }
}

/** Forgets what the track looked like before: it may be another vehicle in the same place. */
export function lookAfresh(track: Track, vehicle: ObservedVehicle, t: number): void {
  const reading = readingOf(vehicle, t);
  track.readings = reading ? [reading] : [];
  track.bareLooks = 0;
  track.plated = vehicle.plate !== null;
  track.classes = [{ value: vehicle.class, weight: vehicle.score }];
  track.types = [{ value: vehicle.type, weight: vehicle.score }];
  track.colours = [{ value: vehicle.bodyColour, weight: vehicle.bodyColourConfidence }];
}

function update(track: Track, vehicle: ObservedVehicle, observation: Observation, held: boolean, p: ParkingParameters): void {
  track.visionId = vehicle.trackId;
  track.lastSeenAt = observation.capturedAt;
  track.samples.push(sampleOf(vehicle, observation));
  // A gated frame repeats the last look: it is no new evidence of anything but rest.
  if (observation.basis !== 'inferred') return;
  track.looks += 1;
  if (vehicle.plate) track.plated = true;
  else if (plateShouldShow(vehicle, observation, p)) track.bareLooks = Math.min(1_000, track.bareLooks + 1);
  track.score = Math.round((track.score + (vehicle.score - track.score) / track.looks) * 1e6) / 1e6;
  addTally(track.classes, vehicle.class, vehicle.score);
  addTally(track.types, vehicle.type, vehicle.score);
  addTally(track.colours, vehicle.bodyColour, vehicle.bodyColourConfidence);
  // A visit keeps its vehicle's readings itself.
  const reading = held ? null : readingOf(vehicle, observation.capturedAt);
  if (reading) addReading(track.readings, reading);
}

/** Cuts every trail to what can still be of use. @param inBerth tracks that touch a berth on this frame */
export function trimTrails(tracks: readonly Track[], inBerth: ReadonlySet<Track>, held: ReadonlySet<number>): void {
  for (const track of tracks) thin(track.samples, held.has(track.key) ? MAX_SAMPLES_HELD : inBerth.has(track) ? MAX_SAMPLES : MAX_SAMPLES_OUTSIDE);
}

/**
 * Follows the vehicles of an observation. Changes `state.tracks`; gives each vehicle's track, in the vehicles' order.
 * @param held keys of tracks that occupy a berth: they are remembered longer
 */
export function follow(state: CameraState, vehicles: readonly ObservedVehicle[], observation: Observation, held: ReadonlySet<number>, p: ParkingParameters): Track[] {
  const now = observation.capturedAt;
  state.tracks = state.tracks.filter((track) => now - track.lastSeenAt <= (held.has(track.key) ? FORGET_HELD_MS : FORGET_MS));
  const links = associate(state.tracks, vehicles, now);
  const seen = vehicles.map((vehicle, v) => {
    const link = links[v];
    let track = link == null ? undefined : state.tracks[link];
    if (!track) {
      track = {
        key: state.nextTrackKey++,
        visionId: vehicle.trackId,
        firstSeenAt: now,
        lastSeenAt: now,
        samples: [],
        readings: [],
        classes: [],
        types: [],
        colours: [],
        score: 0,
        looks: 0,
        bareLooks: 0,
        plated: false,
      };
    }
    update(track, vehicle, observation, held.has(track.key), p);
    return track;
  });
  const known = new Set(state.tracks);
  for (const track of seen) if (!known.has(track)) state.tracks.push(track);
  if (state.tracks.length > MAX_TRACKS) {
    const rank = (t: Track): number => (held.has(t.key) ? 1 : 0);
    const size = (t: Track): number => lastSample(t).box[2] * lastSample(t).box[3];
    const keep = new Set([...state.tracks].sort((a, b) => rank(b) - rank(a) || b.lastSeenAt - a.lastSeenAt || size(b) - size(a) || a.key - b.key).slice(0, MAX_TRACKS));
    state.tracks = state.tracks.filter((t) => keep.has(t));
  }
  return seen;
}
