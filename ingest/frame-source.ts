import type { AccessUnit } from './access-unit.js';

/**
 * Where pictures come from: a live session, a footage log, or a file. One conformance suite holds for all of them:
 * units come in order, begin with a keyframe, satisfy `AccessUnit`'s invariants, stop when the signal aborts (the
 * iterator then returns, it does not throw), and nothing is read ahead further than one GOP beyond what was taken.
 */
export interface FrameSource {
  readonly cameraId: string;
  units(signal: AbortSignal): AsyncIterable<AccessUnit>;
}
