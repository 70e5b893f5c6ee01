import { z } from 'zod';

/** What a camera is and where it hangs: T/QME 0013-2024 §7.4.3 (high-position cameras), §7.4.5 (video piles). */

export const CAMERA_KINDS = ['high-position', 'video-pile'] as const;
export type CameraKind = (typeof CAMERA_KINDS)[number];

/** Metres above the road between which a camera of the kind can do its work; outside somebody mistook centimetres or feet for metres. */
const MOUNTING_HEIGHTS: Record<CameraKind, { from: number; to: number }> = {
  'high-position': { from: 2, to: 30 },
  'video-pile': { from: 0.1, to: 3 },
};

/** Why a mounting height cannot be meant; null where it can. */
export function heightProblem(kind: CameraKind, metres: number): string | null {
  const { from, to } = MOUNTING_HEIGHTS[kind];
  if (metres >= from && metres <= to) return null;
  return `a ${kind === 'video-pile' ? 'video pile' : 'high-position camera'} hangs ${from} to ${to} m above the road, not ${metres} m: give metres, or change kind`;
}

/**
 * Which of a camera's streams is kept and which is looked at (§7.4.3.2.2 d: main and sub stream). Analysis reads the footage log, so
 * the analysed stream must be a recorded one.
 */
export const StreamsSchema = z
  .strictObject({
    record: z.enum(['main', 'sub', 'both']).prefault('main'),
    /** Left out: the main stream where it is recorded, else the sub stream. */
    analyse: z.enum(['main', 'sub']).optional(),
  })
  .transform(({ record, analyse }) => ({ record, analyse: analyse ?? (record === 'sub' ? ('sub' as const) : ('main' as const)) }))
  .refine(({ record, analyse }) => record === 'both' || record === analyse, {
    path: ['analyse'],
    message: 'analysis reads the footage: the analysed stream must be recorded (set `record` to the same stream, or to both)',
  });

/** Where it hangs, in degrees (WGS-84 or GCJ-02 as the operator's maps have it; berthwatch only passes it on). */
export const LocationSchema = z.strictObject({ longitude: z.number().min(-180).max(180), latitude: z.number().min(-90).max(90) });
