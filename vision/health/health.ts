import type { PictureHealth } from '../observation.js';
import { SCENE_HEIGHT, SCENE_WIDTH, type FrameLook } from './look.js';

/*
 * Picture health is conservative on purpose: each condition is raised only where the picture leaves hardly another reading,
 * because a camera that is called ill stops being believed.
 */

/** The 99th percentile of luma of a picture without any light. */
const BLACK_LEVEL = 24;
/** In a focused picture of a street some edges are harder than this even in fog; a defocused lens leaves none. */
const BLURRED_EDGE = 10;
/** Keyframes in a row that must be equal to the last bit: sensors always have noise. */
const FROZEN_LOOKS = 3;
/** Below this correlation of edge maps the camera looks somewhere else … */
const MOVED_CORRELATION = 0.2;
/** … if it lasts this long, ms (a bus before the lens passes). */
const MOVED_AFTER_MS = 60_000;
/** Share by which the remembered scene follows a matching one, so that shadows and seasons do not look like movement. */
const FOLLOW = 0.05;

/** What is remembered of a camera between frames. JSON-serialisable. */
export interface HealthState {
  version: 1;
  checksum: number | null;
  equalLooks: number;
  /** Edge map of the scene as the camera normally sees it, base64 of SCENE_WIDTH × SCENE_HEIGHT bytes. */
  scene: string | null;
  mismatchSince: number | null;
}

export const INITIAL_HEALTH: HealthState = { version: 1, checksum: null, equalLooks: 0, scene: null, mismatchSince: null };

/** What one picture alone says: black and blurred. Frozen and moved need memory. */
export function healthOf(look: FrameLook, damaged: boolean): PictureHealth {
  const black = look.brightest < BLACK_LEVEL;
  return { black, blurred: !black && look.edge < BLURRED_EDGE, frozen: false, moved: false, damaged };
}

/** Judges a picture against what is remembered. Pure: give pictures of one camera in order of `capturedAt`. */
export function judgeHealth(state: HealthState, capturedAt: number, look: FrameLook, damaged: boolean): { state: HealthState; health: PictureHealth } {
  const alone = healthOf(look, damaged);
  let { checksum, equalLooks } = state;
  if (look.checksum !== null) {
    equalLooks = look.checksum === checksum ? equalLooks + 1 : 1;
    checksum = look.checksum;
  }
  const next: HealthState = { ...state, checksum, equalLooks };
  const health = { ...alone, frozen: equalLooks >= FROZEN_LOOKS };
  // A picture without content says nothing about where the camera looks.
  if (alone.black || alone.blurred || damaged) return { state: next, health };

  const edges = edgeMap(look.scene);
  const known = state.scene === null ? null : Buffer.from(state.scene, 'base64');
  if (!known || known.length !== edges.length) return { state: { ...next, scene: Buffer.from(edges).toString('base64'), mismatchSince: null }, health };
  if (correlation(known, edges) >= MOVED_CORRELATION) {
    const followed = edges.map((value, i) => Math.round((known[i] as number) * (1 - FOLLOW) + value * FOLLOW));
    return { state: { ...next, scene: Buffer.from(followed).toString('base64'), mismatchSince: null }, health };
  }
  const mismatchSince = state.mismatchSince ?? capturedAt;
  return { state: { ...next, mismatchSince }, health: { ...health, moved: capturedAt - mismatchSince >= MOVED_AFTER_MS } };
}

/** Strength of luma change around each cell: where things are, whatever the light. */
export function edgeMap(scene: Uint8Array): Uint8Array {
  const edges = new Uint8Array(SCENE_WIDTH * SCENE_HEIGHT);
  for (let y = 1; y < SCENE_HEIGHT - 1; y++) {
    for (let x = 1; x < SCENE_WIDTH - 1; x++) {
      const i = y * SCENE_WIDTH + x;
      const dx = (scene[i + 1] as number) - (scene[i - 1] as number);
      const dy = (scene[i + SCENE_WIDTH] as number) - (scene[i - SCENE_WIDTH] as number);
      edges[i] = Math.min(255, Math.abs(dx) + Math.abs(dy));
    }
  }
  return edges;
}

/** Pearson correlation, −1 to 1; 0 where one of them is flat. */
export function correlation(a: Uint8Array, b: Uint8Array): number {
  const mean = (v: Uint8Array): number => v.reduce((sum, x) => sum + x, 0) / v.length;
  const ma = mean(a);
  const mb = mean(b);
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    const da = (a[i] as number) - ma;
    const db = (b[i] as number) - mb;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}
