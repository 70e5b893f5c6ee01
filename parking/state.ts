import type { BodyColour, PlateColour, VehicleClass, VehicleType } from '../vision/observation.js';
import type { ParkingEvent, Visit } from './model/visit.js';

/**
 * The parking state of one camera: JSON only (stored with each analysed GOP), bounded, and independent of the order of
 * object keys. Everything is in order of arrival or of the site's berths.
 */
export const STATE_VERSION = 1;

/** x, y, width, height in tenths of a pixel exactly. */
export type FlatBox = [number, number, number, number];
/** Four corners, x then y, in tenths of a pixel exactly. */
export type FlatQuad = [number, number, number, number, number, number, number, number];

/** One sighting of a vehicle. */
export interface Sample {
  /** Unix ms. */
  t: number;
  box: FlatBox;
  /** Footprint where the model gave a plausible one. */
  quad: FlatQuad | null;
  /** The models ran on this frame. */
  inferred: boolean;
}

/** One plate reading with the frame that shows it. */
export interface BallotEntry {
  t: number;
  text: string;
  colour: PlateColour;
  colourConfidence: number;
  rows: 1 | 2;
  confidences: number[];
  score: number;
  corners: FlatQuad;
  box: FlatBox;
}

/** Weight of each look that said so. */
export type Tally<T extends string> = { value: T; weight: number }[];

/** A vehicle followed over frames. */
export interface Track {
  /** Our own number: never reused, independent of vision's numbering. */
  key: number;
  visionId: number;
  firstSeenAt: number;
  lastSeenAt: number;
  samples: Sample[];
  readings: BallotEntry[];
  classes: Tally<VehicleClass>;
  types: Tally<VehicleType>;
  colours: Tally<BodyColour>;
  /** Mean detector score over all looks. */
  score: number;
  looks: number;
  /** Looks on which a plate would have had to show and none did. */
  bareLooks: number;
  /** A plate was found at some time, read or not. */
  plated: boolean;
}

/** The comparison after a long time unseen: is it still the same vehicle? */
export interface Recheck {
  /** Last sight before, Unix ms. */
  unseenSince: number;
  /** First sight again. */
  first: Sample;
  readings: BallotEntry[];
  /** Position, colour or class differ from what was parked. */
  looksDifferent: boolean;
}

/** A frame that shows the occupant. */
export interface Sight {
  t: number;
  box: FlatBox;
}

/** The vehicle that a visit is about. */
export interface Occupant {
  visit: Visit;
  trackKey: number;
  /** Where it rests. */
  rest: Sample;
  /** Last frame on which any of it overlapped the berth. */
  lastOverlap: Sight;
  /** Latest frames at rest: the last, and one at least a second before. */
  lastRest: Sight;
  earlierRest: Sight | null;
  /** First frame since `lastOverlap` on which it was not there. */
  absentSince: number | null;
  /** It was seen moving out. */
  movedOut: boolean;
  /** Looks at the berth, not hidden, without it. */
  empty: { firstAt: number; lastAt: number; looks: number } | null;
  /** The absence began in an outage, or behind another vehicle for as long as one. */
  unwatched: boolean;
  readings: BallotEntry[];
  /** Read while it moved out: it counts once the leave is certain, for a passing vehicle may have taken over its track. */
  parting: BallotEntry[];
  recheck: Recheck | null;
  corrections: number;
  /** Shares of its footprint in the berths it touches, for straddling. */
  overlaps: { berthId: string; share: number }[];
}

export interface BerthState {
  berthId: string;
  /** From when on this berth has been watched without an outage. */
  watchedSince: number;
  occupant: Occupant | null;
  /** Times of the last visit: the next begins no earlier than it ended. */
  lastEnteredAt: number | null;
  lastLeftAt: number | null;
}

export type CameraCondition = Extract<ParkingEvent, { type: 'camera-health' }>['condition'];

export interface ConditionState {
  condition: CameraCondition;
  active: boolean;
  /** Since when the picture says the opposite of `active`. */
  changingSince: number | null;
}

export interface CameraState {
  version: typeof STATE_VERSION;
  cameraId: string;
  /** Latest observation taken, and latest one with a picture to judge by. */
  lastObservedAt: number | null;
  lastUsableAt: number | null;
  nextTrackKey: number;
  tracks: Track[];
  berths: BerthState[];
  health: ConditionState[];
}

/**
 * A copy whose every part that the reducer changes is its own. Samples, readings, sights and visits are never changed once
 * made, so both states may hold them.
 */
export function copyState(state: CameraState): CameraState {
  const tally = <T extends string>(entries: Tally<T>): Tally<T> => entries.map((e) => ({ ...e }));
  return {
    ...state,
    tracks: state.tracks.map((t) => ({
      // A state stored by an older program has not these two; such a track is never called plateless.
      ...{ bareLooks: 0, plated: true },
      ...t,
      samples: [...t.samples],
      readings: [...t.readings],
      classes: tally(t.classes),
      types: tally(t.types),
      colours: tally(t.colours),
    })),
    berths: state.berths.map((b) => ({
      ...b,
      occupant: b.occupant && {
        ...b.occupant,
        readings: [...b.occupant.readings],
        parting: [...b.occupant.parting],
        empty: b.occupant.empty && { ...b.occupant.empty },
        recheck: b.occupant.recheck && { ...b.occupant.recheck, readings: [...b.occupant.recheck.readings] },
      },
    })),
    health: state.health.map((h) => ({ ...h })),
  };
}

/** The state before a camera's first observation. */
export function initialState(cameraId: string): CameraState {
  return {
    version: STATE_VERSION,
    cameraId,
    lastObservedAt: null,
    lastUsableAt: null,
    nextTrackKey: 1,
    tracks: [],
    berths: [],
    health: [],
  };
}

