import type { Observation } from '../../vision/observation.js';
import { changeSuspected } from '../change.js';
import type { CameraSite } from '../model/berth.js';
import type { ParkingEvent } from '../model/visit.js';
import { DEFAULT_PARAMETERS, type ParkingParameters } from '../parameters.js';
import { reduce } from '../reduce.js';
import { initialState, type CameraState } from '../state.js';

export interface ReplayOptions {
  /** Seconds. */
  from?: number;
  to: number;
  /** Seconds between key frames. */
  keyEvery?: number;
  /** Seconds between refined frames; 0: none. */
  refineEvery?: number;
  /** Seconds of pictures that were lost. */
  outages?: readonly (readonly [number, number])[];
  state?: CameraState;
  /** Store and load the state after every observation. */
  roundTrip?: boolean;
  parameters?: ParkingParameters;
}

export interface Replayed {
  state: CameraState;
  events: ParkingEvent[];
  /** Unix ms of all frames that were reduced, in order. */
  frames: number[];
  /** Groups of pictures that were looked at frame by frame. */
  refined: number;
}

/** Does what the analysis loop does: key frames, and the frames before one where something changed. */
export function replay(site: CameraSite, look: (t: number) => Observation, options: ReplayOptions): Replayed {
  const { from = 0, to, keyEvery = 2, refineEvery = 0.2, outages = [], roundTrip = false, parameters = DEFAULT_PARAMETERS } = options;
  let state = options.state ?? initialState(site.cameraId);
  const events: ParkingEvent[] = [];
  const frames: number[] = [];
  let refined = 0;
  const take = (t: number): void => {
    const observation = look(t);
    frames.push(observation.capturedAt);
    const result = reduce(state, observation, site, parameters);
    events.push(...result.events);
    state = roundTrip ? (JSON.parse(JSON.stringify(result.state)) as CameraState) : result.state;
  };
  const lost = (t: number): boolean => outages.some(([a, b]) => t >= a && t < b);
  let last: number | null = null;
  for (let i = 0; from + i * keyEvery <= to; i++) {
    const t = from + i * keyEvery;
    if (lost(t)) continue;
    if (refineEvery > 0 && last !== null && t - last <= keyEvery * 1.5 && changeSuspected(state, look(t), site)) {
      refined += 1;
      for (let k = 1; k * refineEvery < t - last - 1e-9; k++) take(Math.round((last + k * refineEvery) * 1000) / 1000);
    }
    take(t);
    last = t;
  }
  return { state, events, frames, refined };
}

/** A short line per event, for expectations. */
export function story(events: readonly ParkingEvent[], start: number): string[] {
  const s = (ms: number | null): string => (ms === null ? '-' : ((ms - start) / 1000).toFixed(1));
  return events.map((e) => {
    if (e.type === 'camera-health') return `health ${e.condition} ${e.active ? 'on' : 'off'}`;
    const plate = e.visit.plate.status === 'read' ? e.visit.plate.text : e.visit.plate.status;
    return `${e.type} ${e.visit.berthId} ${plate} ${s(e.visit.enteredAt)} ${s(e.visit.leftAt)}`;
  });
}
